//! Bytes that are not quite a request: cut off, too long, changed, or of a version or an API that is not there.

use crate::oracle::catalog::{self, Api};
use crate::oracle::codec;
use crate::oracle::duel::Duel;
use crate::oracle::fill;
use crate::oracle::random::Random;
use crate::oracle::tame::tame;
use crate::oracle::value::Value;

/// These connections are closed more often than not.
const CONNECTION: usize = 9;

pub fn run(duel: &mut Duel, random: &mut Random, names: &[String]) -> Result<(), String> {
    let index = random.below(names.len());
    let name = names.get(index).ok_or("there is no API to ask")?.clone();
    let correlation = duel.next_correlation();
    let api = duel.apis.get(&name).ok_or("an API that is drawn is served")?;
    let span = usize::try_from(api.last - api.first).unwrap_or(0) + 1;
    let mut version = api.first + i16::try_from(random.below(span)).unwrap_or(0);
    let mut tree = fill::request(random, api, version);
    tame(&name, version, &mut tree);
    neutral(&mut tree);
    if random.percent(20) {
        version = unserved(random, api);
    }
    let [ours, kafka] = duel.slots();
    let mut frames =
        [api.frame(version, correlation, &tree, ours)?, api.frame(version, correlation, &tree, kafka)?];
    // Both have the same length, and so are changed in the same place.
    if api.serves(version) {
        let head = catalog::header_len(api.request.is_flexible(version));
        let change = Change::draw(random, head, frames.iter().map(Vec::len).min().unwrap_or(0));
        for frame in &mut frames {
            change.apply(frame);
        }
        if frames.iter().any(|frame| is_wild(api, version, frame.get(head..).unwrap_or_default())) {
            return Ok(());
        }
    }
    let request = format!("{tree}");
    duel.send_raw(CONNECTION, &name, version, &request, frames)?;
    Ok(())
}

/// What each side names by itself would be changed into two different things.
fn neutral(tree: &mut Value) {
    tree.each_field(&mut |_, value| {
        if let Value::Slot(key) = value {
            *value = if key.starts_with("topic:") {
                Value::Uuid([0x77; 16])
            } else {
                Value::Text("unknown-member".to_owned())
            };
        }
    });
}

fn unserved(random: &mut Random, api: &Api) -> i16 {
    match random.below(4) {
        0 => api.first - 1,
        1 => api.request.versions.last + 1,
        2 => i16::MAX,
        _ => i16::MIN,
    }
}

/// Requests after which the sides would differ where only Kafka takes a text that is not UTF-8, or a wrong size of a field.
const WRITES: &[&str] = &[
    "Produce",
    "OffsetCommit",
    "OffsetDelete",
    "CreateTopics",
    "CreatePartitions",
    "DeleteTopics",
    "DeleteRecords",
    "DeleteGroups",
    "JoinGroup",
    "LeaveGroup",
    "AlterConfigs",
    "IncrementalAlterConfigs",
];

/// Whether the bytes are, after all, a request that may not be sent.
fn is_wild(api: &Api, version: i16, body: &[u8]) -> bool {
    match codec::decode(&api.request, version, body) {
        Ok((tree, _)) => {
            let mut tamed = tree.clone();
            tame(&api.name, version, &mut tamed);
            tamed != tree || WRITES.contains(&api.name.as_str()) && tree.has_foreign_text()
        }
        Err(_) => WRITES.contains(&api.name.as_str()) && codec::is_missized(&api.request, version, body),
    }
}

#[derive(Debug)]
enum Change {
    Cut(usize),
    Add(Vec<u8>),
    Put(usize, u8),
    /// Four bytes that may be a length.
    Length(usize, i32),
}

impl Change {
    fn draw(random: &mut Random, head: usize, len: usize) -> Self {
        let body = len.saturating_sub(head);
        match random.below(5) {
            0 => Change::Cut(head + random.below(body)),
            1 => {
                let more = 1 + random.below(6);
                Change::Add(random.bytes(more))
            }
            2 => Change::Length(
                head + random.below(body),
                i32::try_from(random.int(&[-1, -2, 0x7fff_ffff, 1_000_001, 0x7fff_0000])).unwrap_or(0),
            ),
            3 => {
                let edge = [0, 0xff, 0x7f, 0x80, 1, 0xc0].get(random.below(6)).copied().unwrap_or(0);
                Change::Put(head + random.below(body), edge)
            }
            _ => Change::Put(head + random.below(body), random.next() as u8),
        }
    }

    fn apply(&self, frame: &mut Vec<u8>) {
        match self {
            Change::Cut(at) => frame.truncate(*at),
            Change::Add(bytes) => frame.extend(bytes),
            Change::Put(at, byte) => {
                if let Some(place) = frame.get_mut(*at) {
                    *place = *byte;
                }
            }
            Change::Length(at, number) => {
                for (place, byte) in frame.iter_mut().skip(*at).zip(number.to_be_bytes()) {
                    *place = byte;
                }
            }
        }
    }
}
