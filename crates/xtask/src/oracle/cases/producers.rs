//! An idempotent producer: batches in order, again, too early, too late, and of older and newer epochs.

use wire::compress::Codec;

use crate::oracle::duel::Duel;
use crate::oracle::pools::THEN;
use crate::oracle::random::Random;
use crate::oracle::records::{self, Plan};
use crate::oracle::value::{Value, int, list, record, slot, text};

pub const APIS: &[&str] = &["Produce", "InitProducerId", "DescribeProducers"];

const CONNECTION: usize = 4;
const TOPIC: &str = "codecs";

pub fn run(duel: &mut Duel, random: &mut Random, case: u64) -> Result<(), String> {
    let init = record([("TransactionalId", Value::Null), ("TransactionTimeoutMs", int(60_000))]);
    let version = i16::try_from(random.below(6)).unwrap_or(0);
    let given = duel.call(CONNECTION, "InitProducerId", version, &init)?;
    let key = format!("producer:{case}");
    duel.keep(&key, &given, "ProducerId");
    let partition = i64::try_from(random.below(3)).unwrap_or(0);
    let (mut next, mut epoch) = (0, 0);
    for step in 0..3 + random.below(6) {
        let count = 1 + i32::try_from(random.below(3)).unwrap_or(0);
        let (first, with_epoch) = match random.below(10) {
            0..5 => (next, epoch),
            5 => (next + 1, epoch),
            6 => ((next - count).max(0), epoch),
            7 => (0, epoch),
            8 => (0, epoch + 1),
            _ => (next, (epoch - 1).max(0)),
        };
        let batch = format!("batch:{case}:{step}");
        if !build(duel, &key, &batch, with_epoch, first, count)? {
            return Ok(());
        }
        let answered = send(duel, random, partition, &batch)?;
        if answered == Some(0) {
            next = next.max(first + count);
            if with_epoch > epoch {
                (epoch, next) = (with_epoch, first + count);
            }
        }
        if random.percent(20) {
            send(duel, random, partition, &batch)?;
        }
    }
    let topics = list([record([("Name", text(TOPIC)), ("PartitionIndexes", list([int(partition)]))])]);
    duel.call(CONNECTION, "DescribeProducers", 0, &record([("Topics", topics)]))?;
    Ok(())
}

/// Builds the same batch for both sides, each with the id that it gave.
fn build(
    duel: &mut Duel,
    key: &str,
    batch: &str,
    epoch: i16,
    sequence: i32,
    count: i32,
) -> Result<bool, String> {
    let ids = duel.slots().each_ref().map(|slots| match slots.get(key) {
        Some(Value::Int(id)) if *id >= 0 => Some(*id),
        _ => None,
    });
    let [Some(ours), Some(kafka)] = ids else { return Ok(false) };
    let bytes = |id: i64| {
        let plan = Plan {
            codec: Codec::None,
            first_timestamp: THEN,
            records: (0..count).map(|at| (None, Some(format!("value {at}").into_bytes()))).collect(),
            producer: Some((id, epoch, sequence)),
        };
        records::build(&plan).map(|bytes| Value::Bytes(bytes.to_vec()))
    };
    duel.put_slots(batch, [bytes(ours)?, bytes(kafka)?]);
    Ok(true)
}

fn send(duel: &mut Duel, random: &mut Random, partition: i64, batch: &str) -> Result<Option<i64>, String> {
    let version = 3 + i16::try_from(random.below(11)).unwrap_or(0);
    let partitions = list([record([("Index", int(partition)), ("Records", slot(batch))])]);
    let topic = record([
        ("Name", text(TOPIC)),
        ("TopicId", slot(format!("topic:{TOPIC}"))),
        ("PartitionData", partitions),
    ]);
    let tree = record([
        ("Acks", int(random.int(&[-1, 1]))),
        ("TimeoutMs", int(30_000)),
        ("TopicData", list([topic])),
    ]);
    let pair = duel.call(CONNECTION, "Produce", version, &tree)?;
    Ok(pair.int("Responses.0.PartitionResponses.0.ErrorCode"))
}
