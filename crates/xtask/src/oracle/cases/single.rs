//! One random request of one API.

use crate::oracle::duel::Duel;
use crate::oracle::fill;
use crate::oracle::random::Random;
use crate::oracle::tame::tame;

/// APIs whose answers come from the controllers' log, which takes longer: one of so many of them is sent.
const SLOW: &[&str] = &[
    "CreateTopics",
    "DeleteTopics",
    "CreatePartitions",
    "AlterConfigs",
    "IncrementalAlterConfigs",
    "ElectLeaders",
    "UpdateFeatures",
    "UnregisterBroker",
    "DeleteRecords",
];
const SLOW_OF_HUNDRED: u64 = 30;

/// After these a broker knows some time later what was decided.
const DECISIONS: &[&str] = &[
    "CreateTopics",
    "DeleteTopics",
    "CreatePartitions",
    "AlterConfigs",
    "IncrementalAlterConfigs",
    "ElectLeaders",
];

pub fn run(duel: &mut Duel, random: &mut Random, names: &[String]) -> Result<(), String> {
    let mut name = name(random, names);
    if SLOW.contains(&name.as_str()) && !random.percent(SLOW_OF_HUNDRED) {
        name = self::name(random, names);
    }
    let api = duel.apis.get(&name).ok_or("an API that is drawn is served")?;
    let span = usize::try_from(api.last - api.first).unwrap_or(0) + 1;
    let version = api.first + i16::try_from(random.below(span)).unwrap_or(0);
    let mut tree = fill::request(random, api, version);
    tame(&name, version, &mut tree);
    duel.call(0, &name, version, &tree)?;
    if DECISIONS.contains(&name.as_str()) {
        duel.settle()?;
    }
    Ok(())
}

fn name(random: &mut Random, names: &[String]) -> String {
    let index = random.below(names.len());
    names.get(index).cloned().unwrap_or_default()
}
