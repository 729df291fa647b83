//! What a node has after a crash, compared with what is known from before it.

use std::collections::BTreeMap;
use std::fmt;

use kernel::Timestamp;
use kernel::port::Clock;
use wire::Records;
use wire::batch::BatchView;
use wire::compress::Limits;

use super::client::{Answer, Client};
use super::facts::{Batch, Kind, Known, Standing, Topic};
use crate::world::clock::HostClock;

/// How many batches of a producer are recognised when they come again.
const WINDOW: usize = 5;

/// What a partition was found to have: what a second recovery must find as well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub topic: String,
    pub start: i64,
    pub end: i64,
    /// Whether the cleaner may take records away.
    pub compacted: bool,
    pub records: Vec<Record>,
}

impl Found {
    /// Whether two recoveries came to the same. Of a compacted topic the cleaner may have been further after one of them: what
    /// it left is then among what the other has. That the last values are there was judged of each.
    pub fn agrees(&self, other: &Self) -> bool {
        if !self.compacted {
            return self == other;
        }
        let bounds = |found: &Self| (found.topic.clone(), found.start, found.end);
        let (few, many) = match self.records.len() < other.records.len() {
            true => (self, other),
            false => (other, self),
        };
        bounds(self) == bounds(other) && few.records.iter().all(|record| many.records.contains(record))
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, start, end, records, .. } = self;
        write!(f, "{topic} has {start} to {end} with {} records", records.len())
    }
}

/// Offset, key and value of a record.
pub type Record = (i64, String, Option<String>);

/// Judges all topics by the first `mark` facts. Returns what they have.
///
/// # Errors
/// The first thing that is wrong.
pub async fn judge(client: &mut Client, known: &Known, mark: u64) -> Result<Vec<Found>, String> {
    let mut all = Vec::new();
    for (number, topic) in known.topics.iter().enumerate() {
        let standing = known.standing(number, mark);
        if standing.creating && !succeeded(known, number, mark) {
            let found = judge_topic(client, topic, &standing).await;
            all.extend(found.map_err(|what| format!("topic {}: {what}", topic.name))?);
        }
    }
    Ok(all)
}

/// Whether a later topic of the same name was asked for.
fn succeeded(known: &Known, number: usize, mark: u64) -> bool {
    let same = known.topics.iter().enumerate().skip(number + 1);
    let mut same =
        same.filter(|(_, other)| known.topics.get(number).is_some_and(|one| one.name == other.name));
    same.any(|(later, _)| known.standing(later, mark).creating)
}

async fn judge_topic(
    client: &mut Client,
    topic: &Topic,
    standing: &Standing,
) -> Result<Option<Found>, String> {
    let Some(epoch) = client.leader_epoch(&topic.name).await? else {
        let may_be_missing = !standing.created || standing.deleting;
        return if may_be_missing { Ok(None) } else { Err("it is missing".to_owned()) };
    };
    if standing.deleted {
        return Err("it was deleted, and is there".to_owned());
    }
    if standing.deleting {
        // Its records may be gone already.
        return Ok(None);
    }
    let start = client.offset(&topic.name, -2).await?;
    let end = client.offset(&topic.name, -1).await?;
    let (records, epochs) = read(client, topic, start, end).await?;
    let compacted = topic.kind == Kind::Compacted;
    let found = Found { topic: topic.name.clone(), start, end, compacted, records };
    let sent = topic.sent.get(..standing.sent).unwrap_or(&topic.sent);
    judge_bounds(topic, sent, standing, &found)?;
    judge_records(topic, sent, &found)?;
    judge_epochs(client, topic, epoch, &found, &epochs).await?;
    judge_group(client, topic, standing).await?;
    judge_producer(client, topic, sent, standing, &found).await?;
    Ok(Some(found))
}

/// Reads all records, and the leader epochs of their batches with the offsets after these.
async fn read(
    client: &mut Client,
    topic: &Topic,
    start: i64,
    end: i64,
) -> Answer<(Vec<Record>, Vec<(i32, i64)>)> {
    let (mut records, mut epochs) = (Vec::new(), Vec::new());
    let mut next = start;
    while next < end {
        let data = client.fetch(&topic.name, next).await?;
        if data.error_code != 0 || data.high_watermark != end {
            return Err(format!(
                "a fetch at {next} says error {} and high watermark {}, the log ends at {end}",
                data.error_code, data.high_watermark
            ));
        }
        let Records::Bytes(bytes) = &data.records else { return Err("a fetch without records".to_owned()) };
        let before = next;
        for batch in BatchView::iter(bytes) {
            let batch = batch.map_err(|error| error.to_string())?;
            batch.verify_crc().map_err(|error| error.to_string())?;
            let decoded = batch.records(Limits::trusting(4 << 20)).map_err(|error| error.to_string())?;
            for record in &decoded {
                let record = record.map_err(|error| error.to_string())?;
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                if record.offset.get() >= start {
                    let key = record.key.map(text).unwrap_or_default();
                    records.push((record.offset.get(), key, record.value.map(text)));
                }
            }
            next = batch.next_offset().get();
            epochs.push((batch.header().partition_leader_epoch().0, next));
        }
        if next == before {
            return Err(format!("nothing can be read at {next}, the log ends at {end}"));
        }
    }
    Ok((records, epochs))
}

fn judge_bounds(topic: &Topic, sent: &[Batch], standing: &Standing, found: &Found) -> Result<(), String> {
    let Found { start, end, .. } = *found;
    let acknowledged =
        standing.acknowledged.checked_sub(1).and_then(|last| sent.get(last)).map_or(0, Batch::end);
    let all = sent.last().map_or(0, Batch::end);
    if end < acknowledged || end > all {
        return Err(format!("it ends at {end}: {acknowledged} were acknowledged, {all} sent"));
    }
    if start > end {
        return Err(format!("it starts at {start} and ends at {end}"));
    }
    if start < standing.trimmed {
        return Err(format!("it starts at {start}: records before {} were deleted", standing.trimmed));
    }
    match topic.kind {
        Kind::Retained(bytes) => {
            let kept = sent.iter().filter(|batch| batch.base >= start && batch.end() <= end);
            let kept: usize = kept.map(|batch| batch.bytes.len()).sum();
            if start > 0 && (kept as u64) < bytes {
                return Err(format!("it starts at {start}: {kept} bytes are left, {bytes} were to be kept"));
            }
        }
        Kind::Kept | Kind::Compacted if start > standing.trimming => {
            return Err(format!(
                "it starts at {start}: only records before {} were to go",
                standing.trimming
            ));
        }
        Kind::Kept | Kind::Compacted => {}
    }
    Ok(())
}

/// Every record is one that was sent, in its place; and none is missing but what may be.
fn judge_records(topic: &Topic, sent: &[Batch], found: &Found) -> Result<(), String> {
    let expected: Vec<&(String, Option<String>)> = sent.iter().flat_map(|batch| &batch.records).collect();
    let mut next = found.start;
    for (offset, key, value) in &found.records {
        let wanted = usize::try_from(*offset).ok().and_then(|index| expected.get(index));
        if wanted.is_none_or(|(k, v)| k != key || v != value) {
            return Err(format!("the record at {offset} is none that was sent there: {key:?} {value:.40?}"));
        }
        if *offset < next || (topic.kind != Kind::Compacted && *offset != next) {
            return Err(format!("offset {offset} where {next} was next"));
        }
        next = offset + 1;
    }
    if topic.kind != Kind::Compacted {
        return if next == found.end { Ok(()) } else { Err(format!("{next} is the last of {}", found.end)) };
    }
    let latest = |records: &mut dyn Iterator<Item = (&String, &Option<String>)>| {
        records.map(|(key, value)| (key.clone(), value.clone())).collect::<BTreeMap<_, _>>()
    };
    let here = expected.iter().take(usize::try_from(found.end).unwrap_or(0)).map(|(key, value)| (key, value));
    let wanted = latest(&mut here.into_iter());
    let got = latest(&mut found.records.iter().map(|(_, key, value)| (key, value)));
    if wanted != got {
        return Err(format!("the last values are {got:.80?}, {wanted:.80?} were sent"));
    }
    Ok(())
}

/// Epochs never go back, none is from the future, and each is known to end where its records do or later.
async fn judge_epochs(
    client: &mut Client,
    topic: &Topic,
    current: i32,
    found: &Found,
    epochs: &[(i32, i64)],
) -> Result<(), String> {
    if !epochs.is_sorted_by_key(|(epoch, _)| *epoch) || epochs.iter().any(|(epoch, _)| *epoch > current) {
        return Err(format!("leader epochs {epochs:?} under {current}"));
    }
    let last_of: BTreeMap<i32, i64> = epochs.iter().copied().collect();
    for (epoch, after) in last_of {
        let end = client.epoch_end(&topic.name, epoch).await?;
        if end < after || end > found.end {
            return Err(format!("leader epoch {epoch} is said to end at {end}, its records at {after}"));
        }
    }
    let end = client.epoch_end(&topic.name, current).await?;
    if end == found.end {
        Ok(())
    } else {
        Err(format!("epoch {current} ends at {end}, the log at {}", found.end))
    }
}

async fn judge_group(client: &mut Client, topic: &Topic, standing: &Standing) -> Result<(), String> {
    if standing.committing < 0 {
        return Ok(());
    }
    client.coordinator().await?;
    let committed = client.committed(&topic.name).await?;
    match (standing.committed..=standing.committing).contains(&committed) {
        true => Ok(()),
        false => Err(format!(
            "offset {committed} is committed: {} was acknowledged, {} asked for",
            standing.committed, standing.committing
        )),
    }
}

/// What was acknowledged is recognised when it comes again, and what comes next goes on where the log ends.
async fn judge_producer(
    client: &mut Client,
    topic: &Topic,
    sent: &[Batch],
    standing: &Standing,
    found: &Found,
) -> Result<(), String> {
    let there = sent.iter().take_while(|batch| batch.end() <= found.end).count();
    // Compaction takes batches before the last one, and a restart forgets what is not there to be read: so does Kafka.
    let window = if topic.kind == Kind::Compacted { 1 } else { WINDOW };
    let recent = sent.iter().enumerate().take(there).skip(there.saturating_sub(window));
    for (number, batch) in recent.filter(|(number, _)| *number < standing.acknowledged) {
        if batch.base < found.start {
            continue;
        }
        let again = client.send_batch(&topic.name, &batch.bytes).await?;
        match client.acknowledged(again).await {
            Ok(base) if base == batch.base => {}
            other => return Err(format!("batch {number} at {} came again: {other:?}", batch.base)),
        }
    }
    let next = match sent.get(there) {
        Some(next) => next.clone(),
        None => fresh(found.end).ok_or("a batch cannot be made")?,
    };
    let appended = client.send_batch(&topic.name, &next.bytes).await?;
    let base = client.acknowledged(appended).await.map_err(|error| format!("it does not go on: {error}"))?;
    match base == found.end {
        true => Ok(()),
        false => Err(format!("the next batch got offset {base}, {} is the end", found.end)),
    }
}

fn fresh(base: i64) -> Option<Batch> {
    let now: Timestamp = HostClock::new().now().wall;
    Batch::new(base, -1, -1, now, vec![("key 0".to_owned(), Some("next".to_owned()))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(compacted: bool, offsets: &[i64]) -> Found {
        let records = offsets.iter().map(|offset| (*offset, "key".to_owned(), None)).collect();
        Found { topic: "t".to_owned(), start: 0, end: 9, compacted, records }
    }

    #[test]
    fn only_of_a_compacted_topic_may_one_recovery_have_less_than_the_other() {
        let (all, some, others) = ([1, 2, 3], [1, 3], [1, 4]);
        assert!(
            found(true, &all).agrees(&found(true, &some)) && found(true, &some).agrees(&found(true, &all))
        );
        assert!(!found(true, &all).agrees(&found(true, &others)));
        assert!(!found(false, &all).agrees(&found(false, &some)));
        assert!(!found(true, &all).agrees(&Found { end: 8, ..found(true, &all) }));
    }
}
