//! A consumer of its own: it is assigned every partition, and reads all that is there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use client::config::OffsetReset;
use client::{Consumer, ConsumerConfig, ConsumerRecord, Error, Start};
use kernel::{Offset, TopicPartition};

use super::program::Life;
use super::{PAUSE, Topic, payload};
use crate::history::{Op, Seen};

/// How many polls a look back has at most.
const DETOUR_POLLS: u64 = 6;

/// Settings of everybody who reads here.
pub fn config(group: Option<&str>) -> ConsumerConfig {
    ConsumerConfig {
        group_id: group.map(str::to_owned),
        enable_auto_commit: false,
        auto_offset_reset: OffsetReset::Earliest,
        session_timeout: Duration::from_secs(2),
        heartbeat_interval: Duration::from_millis(500),
        max_poll_interval: Duration::from_secs(20),
        max_poll_records: 100,
        ..ConsumerConfig::default()
    }
}

/// Reads from the beginning until it is told to end.
pub async fn run(life: Life, topics: Arc<[Topic]>) {
    let client = life.connect().await;
    // It begins where something is, so there is no need for a reset: that its position is gone is for the judge.
    let config = ConsumerConfig { auto_offset_reset: OffsetReset::None, ..config(None) };
    let Ok(mut consumer) = Consumer::new(&client, config) else { return };
    let partitions: Vec<TopicPartition> = topics.iter().flat_map(Topic::partitions).collect();
    let all = partitions.iter().map(|one| (one.clone(), Start::Offset(Offset::ZERO)));
    if consumer.assign(all).is_err() {
        return;
    }
    let mut positions = BTreeMap::new();
    let mut detour = None;
    while !life.is_ending() {
        detour = match detour.take() {
            Some(Detour { left: 0, of, end }) => {
                if positions.get(&of).is_none_or(|position| *position < end) {
                    seek(&life, &mut consumer, &mut positions, &of, end);
                }
                None
            }
            Some(detour) => Some(Detour { left: detour.left - 1, ..detour }),
            None if life.chance.lock().one_in(20) => go_back(&life, &mut consumer, &mut positions),
            None => None,
        };
        match consumer.poll(Duration::from_millis(500)).await {
            Ok(records) => note(&life, &consumer, &mut positions, &records),
            Err(error) => {
                refused(&life, &positions, &error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// A look at what was read already. If readers read on from there, most of a run would be spent on reading again.
struct Detour {
    of: TopicPartition,
    /// Where it ends: the first offset that was not read before.
    end: i64,
    /// How many polls it has left.
    left: u64,
}

/// Goes back to somewhere in what was read already.
fn go_back(
    life: &Life,
    consumer: &mut Consumer,
    positions: &mut BTreeMap<TopicPartition, i64>,
) -> Option<Detour> {
    let (of, end, to, left) = {
        let mut chance = life.chance.lock();
        let index = chance.below(positions.len() as u64) as usize;
        let (of, end) = positions.iter().nth(index)?;
        let to = chance.below(u64::try_from(*end).unwrap_or(0) + 1) as i64;
        (of.clone(), *end, to, chance.below(DETOUR_POLLS))
    };
    seek(life, consumer, positions, &of, to);
    Some(Detour { of, end, left })
}

fn seek(
    life: &Life,
    consumer: &mut Consumer,
    positions: &mut BTreeMap<TopicPartition, i64>,
    of: &TopicPartition,
    to: i64,
) {
    positions.insert(of.clone(), to);
    consumer.seek(of, Start::Offset(Offset(to)));
    let op = Op::Seek { of: of.clone(), to };
    let call = life.world.history.invoke(life.id, op.clone());
    life.world.history.ok(life.id, call, op);
}

/// A position was refused, or what is there cannot be read. Others that fail are tried again and mean nothing.
fn refused(life: &Life, positions: &BTreeMap<TopicPartition, i64>, error: &Error) {
    let (Error::NoOffset { topic, partition }
    | Error::OutOfRange { topic, partition, .. }
    | Error::Truncated { topic, partition, .. }
    | Error::Records { topic, partition, .. }) = error
    else {
        return;
    };
    let from = TopicPartition::new(topic.as_str(), *partition);
    let position = positions.get(&from).copied().unwrap_or(0);
    let op = Op::Read { from, position, records: Vec::new(), high_watermark: None };
    let call = life.world.history.invoke(life.id, op.clone());
    life.world.history.fail(life.id, call, op, error);
}

/// Puts what a poll returned into the history, by partition.
pub fn note(
    life: &Life,
    consumer: &Consumer,
    positions: &mut BTreeMap<TopicPartition, i64>,
    records: &[ConsumerRecord],
) {
    let mut by_partition: BTreeMap<TopicPartition, Vec<Seen>> = BTreeMap::new();
    for record in records {
        let partition = TopicPartition::new(Arc::clone(&record.topic), record.partition);
        by_partition.entry(partition).or_default().push(payload::seen(record));
    }
    for (from, records) in by_partition {
        let after = records.last().map_or(0, |seen| seen.offset + 1);
        let position = positions.insert(from.clone(), after).unwrap_or(0);
        let high_watermark = consumer.high_watermark(&from).map(|offset| offset.get());
        // What is read is known only at the end of the call.
        let begun = Op::Read { from: from.clone(), position, records: Vec::new(), high_watermark: None };
        let call = life.world.history.invoke(life.id, begun);
        life.world.history.ok(life.id, call, Op::Read { from, position, records, high_watermark });
    }
}
