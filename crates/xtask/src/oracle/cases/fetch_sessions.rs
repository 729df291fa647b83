//! An incremental fetch session: opened in full, changed, advanced, asked with wrong epochs, closed.

use crate::oracle::duel::Duel;
use crate::oracle::pools::{self, THEN};
use crate::oracle::prepare;
use crate::oracle::random::Random;
use crate::oracle::records::Plan;
use crate::oracle::value::{Value, int, list, record, slot, text};

pub const APIS: &[&str] = &["Fetch"];

const CONNECTION: usize = 3;
/// The first version that has sessions.
const SESSIONS_FROM: i16 = 7;

pub fn run(duel: &mut Duel, random: &mut Random, case: u64) -> Result<(), String> {
    let last = duel.apis.get("Fetch").map_or(SESSIONS_FROM, |api| api.last);
    let span = usize::try_from(last - SESSIONS_FROM).unwrap_or(0) + 1;
    let version = SESSIONS_FROM + i16::try_from(random.below(span)).unwrap_or(0);
    let key = format!("fetch-session:{case}");
    let topics: Vec<Value> = pools::TOPICS
        .iter()
        .filter(|topic| topic.name == "codecs" || random.percent(50))
        .map(|topic| wanted(topic.name, &[0], 0))
        .collect();
    let opened = duel.call(CONNECTION, "Fetch", version, &fetch(int(0), 0, topics, Vec::new()))?;
    duel.keep(&key, &opened, "SessionId");
    let mut epoch = 1;
    for _ in 0..2 + random.below(5) {
        let name = pools::prepared(random);
        let (mut add, mut forget) = (Vec::new(), Vec::new());
        match random.below(6) {
            0 => add.push(wanted(name, &[0], random.int(&[0, 3, 15, 100]))),
            1 => add.push(wanted("absent", &[0], 0)),
            2 => forget.push(record([
                ("Topic", text(name)),
                ("TopicId", slot(format!("topic:{name}"))),
                ("Partitions", list([int(0)])),
            ])),
            3 => {
                let plan = Plan {
                    codec: wire::compress::Codec::None,
                    first_timestamp: THEN,
                    records: vec![(Some(b"key".to_vec()), Some(b"value".to_vec()))],
                    producer: None,
                };
                prepare::produce(duel, name, 0, &plan)?;
            }
            _ => {}
        }
        let wrong = random.percent(10);
        let asked = if wrong { epoch + 1 } else { epoch };
        let pair = duel.call(CONNECTION, "Fetch", version, &fetch(slot(key.clone()), asked, add, forget))?;
        if pair.int("ErrorCode") == Some(0) && !wrong {
            epoch += 1;
        }
    }
    duel.call(CONNECTION, "Fetch", version, &fetch(slot(key), -1, Vec::new(), Vec::new()))?;
    Ok(())
}

fn wanted(name: &str, partitions: &[i64], offset: i64) -> Value {
    let partitions = partitions.iter().map(|partition| {
        record([
            ("Partition", int(*partition)),
            ("CurrentLeaderEpoch", int(-1)),
            ("FetchOffset", int(offset)),
            ("LastFetchedEpoch", int(-1)),
            ("LogStartOffset", int(-1)),
            ("PartitionMaxBytes", int(1 << 20)),
        ])
    });
    record([
        ("Topic", text(name)),
        ("TopicId", slot(format!("topic:{name}"))),
        ("Partitions", Value::Array(partitions.collect())),
    ])
}

fn fetch(session: Value, epoch: i64, topics: Vec<Value>, forgotten: Vec<Value>) -> Value {
    record([
        ("ReplicaId", int(-1)),
        ("MaxWaitMs", int(1)),
        ("MinBytes", int(1)),
        ("MaxBytes", int(1 << 24)),
        ("SessionId", session),
        ("SessionEpoch", int(epoch)),
        ("Topics", Value::Array(topics)),
        ("ForgottenTopicsData", Value::Array(forgotten)),
    ])
}
