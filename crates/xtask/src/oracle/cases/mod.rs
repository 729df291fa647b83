//! What a run is made of: single requests, bytes that are none, and walks through states that need several.

mod fetch_sessions;
mod groups;
mod malformed;
mod producers;
mod single;
mod topics;

use super::duel::Duel;
use super::options::Options;
use super::random::Random;

/// One kind of case: how often it is drawn, the APIs it is about, and what it does.
struct Kind {
    weight: u32,
    apis: &'static [&'static str],
    run: fn(&mut Duel, &mut Random, u64) -> Result<(), String>,
}

/// Kinds beside the single requests, which are about every API.
const KINDS: &[Kind] = &[
    Kind { weight: 8, apis: groups::APIS, run: groups::run },
    Kind { weight: 8, apis: fetch_sessions::APIS, run: fetch_sessions::run },
    Kind { weight: 8, apis: producers::APIS, run: producers::run },
    Kind { weight: 2, apis: topics::APIS, run: topics::run },
];

/// How often a single request is drawn, and bytes that are none.
const SINGLE: u32 = 800;
const MALFORMED: u32 = 150;

/// Runs the case of this number, which the seed decides alone.
pub fn run(duel: &mut Duel, options: &Options, case: u64) -> Result<(), String> {
    let mut random = Random::of_case(options.seed, case);
    let names: Vec<String> = duel.apis.keys().filter(|name| options.wants(name)).cloned().collect();
    let mut kinds = vec![(SINGLE, None), (MALFORMED, Some(None))];
    let wanted = KINDS.iter().filter(|kind| kind.apis.iter().any(|api| options.wants(api)));
    kinds.extend(wanted.map(|kind| (kind.weight, Some(Some(kind)))));
    match random.weighted(&kinds).copied() {
        Some(Some(Some(kind))) => (kind.run)(duel, &mut random, case),
        Some(Some(None)) => malformed::run(duel, &mut random, &names),
        _ => single::run(duel, &mut random, &names),
    }
}
