//! What is in the partitions: each offset holds one record for ever, and each record that was acknowledged is at one
//! offset, as it was sent and in the order in which its producer sent it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kernel::TopicPartition;

use super::super::{CallId, ClientId, Event, Op, Phase, Seen, Value};
use super::{Promise, Violation};

/// How a broker refuses a batch of which it believes that one before it is missing. A producer whose batches all reach the
/// broker, in their order, is never told so.
const OUT_OF_SEQUENCE: &str = "OUT_OF_ORDER_SEQUENCE_NUMBER";

/// A record that somebody wanted to write.
struct Write {
    to: TopicPartition,
    client: ClientId,
    sum: u64,
    /// The event that began it: the order in which a producer sends is the order of these.
    began: usize,
    outcome: Outcome,
}

/// What its producer was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Unknown,
    Acknowledged { by: usize },
    Refused { by: usize },
}

/// What an offset holds, and the event that told so first.
#[derive(Debug, Clone, Copy)]
struct Held {
    value: Option<Value>,
    by: usize,
    /// Somebody has read it; otherwise it is only known from an acknowledgement.
    read: bool,
}

/// A read that gave records, to be compared with what is there in the end.
struct Batch {
    by: usize,
    from: TopicPartition,
    position: i64,
    /// The offset of the last record.
    last: i64,
    records: usize,
}

#[derive(Default)]
pub(super) struct Content {
    writes: BTreeMap<u64, Write>,
    calls: BTreeMap<CallId, u64>,
    held: BTreeMap<TopicPartition, BTreeMap<i64, Held>>,
    /// Records that were read, and where first.
    places: BTreeMap<u64, (i64, usize)>,
    reads: Vec<Batch>,
    /// What the final reads found, and the event that told.
    drained: BTreeMap<TopicPartition, BTreeMap<i64, (Option<Value>, usize)>>,
    /// Topics that somebody wanted to delete: what is in them may be gone.
    deleted: BTreeSet<Arc<str>>,
    violations: Vec<Violation>,
}

impl Promise for Content {
    fn hear(&mut self, number: usize, event: &Event) {
        match (&event.op, event.phase) {
            (Op::Send { to, value, .. }, Phase::Invoke) => self.begin(number, event, to, *value),
            (Op::Send { to, value, offset }, phase) => {
                let outcome = match phase {
                    Phase::Ok => Outcome::Acknowledged { by: number },
                    Phase::Fail => Outcome::Refused { by: number },
                    Phase::Info | Phase::Invoke => Outcome::Unknown,
                };
                self.end(number, event, outcome);
                if let Some(offset) = offset.filter(|_| phase == Phase::Ok) {
                    self.hold(number, to, Seen { offset, value: Some(*value) }, false);
                }
            }
            (Op::Read { from, position, records, .. }, Phase::Ok) => {
                records.iter().for_each(|seen| self.see(number, from, *seen));
                let last = records.iter().map(|seen| seen.offset).max();
                self.reads.extend(last.map(|last| Batch {
                    by: number,
                    from: from.clone(),
                    position: *position,
                    last,
                    records: records.len(),
                }));
            }
            (Op::Drain { of, records }, Phase::Ok) => {
                self.drained.entry(of.clone()).or_default();
                for seen in records {
                    self.see(number, of, *seen);
                    let drained = self.drained.entry(of.clone()).or_default();
                    drained.insert(seen.offset, (seen.value, number));
                }
            }
            (Op::DeleteTopic { name }, Phase::Invoke) => {
                self.deleted.insert(Arc::clone(name));
            }
            _ => {}
        }
    }

    fn broken(mut self: Box<Self>) -> Vec<Violation> {
        self.compare_writes();
        self.compare_order();
        self.compare_reads();
        self.violations
    }
}

impl Content {
    fn violation(&mut self, kind: &'static str, what: String, proof: impl IntoIterator<Item = usize>) {
        self.violations.push(Violation::new(kind, what, proof));
    }

    fn begin(&mut self, number: usize, event: &Event, to: &TopicPartition, value: Value) {
        let write = Write {
            to: to.clone(),
            client: event.client,
            sum: value.sum,
            began: number,
            outcome: Outcome::Unknown,
        };
        self.calls.insert(event.call, value.id);
        self.writes.insert(value.id, write);
    }

    fn end(&mut self, number: usize, event: &Event, outcome: Outcome) {
        let Some(id) = self.calls.remove(&event.call) else { return };
        let Some(write) = self.writes.get_mut(&id) else { return };
        write.outcome = outcome;
        let (began, to) = (write.began, write.to.clone());
        if event.reason.as_deref().is_some_and(|reason| reason.contains(OUT_OF_SEQUENCE)) {
            let what = format!("{id} is refused by {to} as out of sequence, though all before it were sent");
            self.violation("refused sequence", what, [began, number]);
        }
    }

    /// A record was read: it must be one that was written, as it was written, and stay where it is.
    fn see(&mut self, number: usize, from: &TopicPartition, seen: Seen) {
        self.hold(number, from, seen, true);
        let at = format!("{from} @{}", seen.offset);
        let Some(value) = seen.value else {
            return self.violation("wrong bytes", format!("{at} holds nothing that anybody wrote"), [number]);
        };
        let Some(write) = self.writes.get(&value.id) else {
            let what = format!("{at} holds {}, which nobody has written", value.id);
            return self.violation("wrong bytes", what, [number]);
        };
        let (began, sum, to, outcome) = (write.began, write.sum, write.to.clone(), write.outcome);
        if sum != value.sum {
            let what = format!("{at} holds {} with other bytes than were sent", value.id);
            self.violation("wrong bytes", what, [began, number]);
        }
        if to != *from {
            self.violation(
                "wrong partition",
                format!("{at} holds {}, sent to {to}", value.id),
                [began, number],
            );
        }
        if let Outcome::Refused { by } = outcome {
            let what = format!("{at} holds {}, whose producer was told that it failed", value.id);
            self.violation("refused write seen", what, [by, number]);
        }
        let (offset, first) = *self.places.entry(value.id).or_insert((seen.offset, number));
        if offset != seen.offset {
            let what = format!("{} is in {from} @{offset} and @{}", value.id, seen.offset);
            self.violation("duplicate", what, [began, first, number]);
        }
    }

    /// One offset holds one value, for whoever wrote it and for whoever reads it.
    fn hold(&mut self, number: usize, partition: &TopicPartition, seen: Seen, read: bool) {
        let held = self.held.entry(partition.clone()).or_default();
        let first = held.entry(seen.offset).or_insert(Held { value: seen.value, by: number, read });
        first.read |= read;
        let first = *first;
        if first.value != seen.value {
            let what = format!(
                "{partition} @{} held {}, and holds {} later",
                seen.offset,
                shown(first.value),
                shown(seen.value)
            );
            self.violation("inconsistent offset", what, [first.by, number]);
        }
    }

    /// What was acknowledged is there.
    fn compare_writes(&mut self) {
        let mut there: BTreeSet<u64> = BTreeSet::new();
        for (value, _) in self.drained.values().flat_map(BTreeMap::values) {
            there.extend(value.map(|value| value.id));
        }
        let mut violations = Vec::new();
        for (id, write) in &self.writes {
            let Outcome::Acknowledged { by } = write.outcome else { continue };
            let to = &write.to;
            if self.deleted.contains(&to.topic) || there.contains(id) {
                continue;
            }
            if self.drained.contains_key(to) {
                let what = format!("{id} was acknowledged by {to} and is not there in the end");
                violations.push(Violation::new("lost write", what, [write.began, by]));
            } else {
                let what = format!("{id} was acknowledged by {to}, which nobody could read in the end");
                violations.push(Violation::new("unread", what, [write.began, by]));
            }
        }
        self.violations.extend(violations);
    }

    /// What a producer sent to a partition is there in the order in which it sent it.
    fn compare_order(&mut self) {
        let mut violations = Vec::new();
        for (partition, records) in &self.drained {
            let mut latest: BTreeMap<ClientId, (usize, u64)> = BTreeMap::new();
            for (offset, (value, by)) in records {
                let Some(value) = value else { continue };
                let Some(write) = self.writes.get(&value.id) else { continue };
                if self.places.get(&value.id).is_some_and(|(first, _)| first != offset) {
                    // Said already, as a duplicate.
                    continue;
                }
                let (began, before) = *latest.get(&write.client).unwrap_or(&(write.began, value.id));
                if write.began < began {
                    let what =
                        format!("{} is in {partition} after {before}, and was sent before it", value.id);
                    violations.push(Violation::new("reordered", what, [write.began, began, *by]));
                } else {
                    latest.insert(write.client, (write.began, value.id));
                }
            }
        }
        self.violations.extend(violations);
    }

    /// What consumers read is there in the end, and nothing between that they were not given.
    fn compare_reads(&mut self) {
        let mut violations = Vec::new();
        for (partition, held) in &self.held {
            let Some(drained) =
                self.drained.get(partition).filter(|_| !self.deleted.contains(&partition.topic))
            else {
                continue;
            };
            let read = held.iter().filter(|(_, held)| held.read);
            for (offset, held) in read.filter(|(offset, _)| !drained.contains_key(offset)) {
                let what =
                    format!("{partition} @{offset} held {}, and holds nothing later", shown(held.value));
                violations.push(Violation::new("vanished", what, [held.by]));
            }
        }
        for read in &self.reads {
            let Some(drained) = self.drained.get(&read.from) else { continue };
            let between = drained.range(read.position..=read.last.max(read.position)).count();
            if between > read.records {
                let what = format!(
                    "a read of {} from @{} to @{} gives {} of {between} records",
                    read.from, read.position, read.last, read.records
                );
                violations.push(Violation::new("unseen", what, [read.by]));
            }
        }
        self.violations.extend(violations);
    }
}

fn shown(value: Option<Value>) -> String {
    value.map_or_else(|| "no record".to_owned(), |value| format!("{} (sum {:x})", value.id, value.sum))
}
