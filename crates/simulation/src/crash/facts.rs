//! What is known of a life from outside: what was asked for, and what was acknowledged, in that order.

use std::sync::Arc;

use bytes::Bytes;
use kernel::{ProducerEpoch, ProducerId, Timestamp};
use parking_lot::Mutex;
use sim::SimDisk;
use wire::batch::BatchBuilder;

/// A topic that a life has; one that is made again under the same name is another.
#[derive(Debug, Clone)]
pub struct Topic {
    pub name: String,
    pub kind: Kind,
    /// All that was sent to it, in order: what is appended gets these offsets and no others.
    pub sent: Vec<Batch>,
}

/// What may become of a topic's records by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Kept,
    /// The oldest may go once there are so many bytes.
    Retained(u64),
    /// What a later record of the same key supersedes may go.
    Compacted,
}

/// Records that were sent together.
#[derive(Debug, Clone)]
pub struct Batch {
    pub bytes: Bytes,
    /// The offset that it gets.
    pub base: i64,
    /// Key and value of each.
    pub records: Vec<(String, Option<String>)>,
}

impl Batch {
    pub fn new(
        base: i64,
        producer: i64,
        sequence: i32,
        now: Timestamp,
        records: Vec<(String, Option<String>)>,
    ) -> Option<Self> {
        let mut builder = BatchBuilder::new().producer(ProducerId(producer), ProducerEpoch(0), sequence);
        for (key, value) in &records {
            builder.append(now, Some(key.as_bytes()), value.as_deref().map(str::as_bytes));
        }
        Some(Self { bytes: builder.build().ok()?, base, records })
    }

    pub fn end(&self) -> i64 {
        self.base + self.records.len() as i64
    }
}

/// Something that became known. Topics are named by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    Creating(usize),
    Created(usize),
    Deleting(usize),
    Deleted(usize),
    /// The batch of this number is on its way.
    Sending(usize, usize),
    Acknowledged(usize, usize),
    /// Records before this offset are to go.
    Trimming(usize, i64),
    Trimmed(usize, i64),
    Committing(usize, i64),
    Committed(usize, i64),
}

/// All facts of a life, in order. The disk's moments have the number of facts as their mark.
#[derive(Default)]
pub struct Facts {
    known: Mutex<Known>,
}

#[derive(Default, Clone)]
pub struct Known {
    pub topics: Vec<Topic>,
    pub facts: Vec<Fact>,
}

impl Facts {
    pub fn add_topic(&self, name: &str, kind: Kind) -> usize {
        let mut known = self.known.lock();
        known.topics.push(Topic { name: name.to_owned(), kind, sent: Vec::new() });
        known.topics.len() - 1
    }

    pub fn note(&self, disk: &SimDisk, fact: Fact) {
        let mut known = self.known.lock();
        known.facts.push(fact);
        disk.set_mark(known.facts.len() as u64);
    }

    /// Adds a batch to what is sent to a topic. Returns its number.
    pub fn send(
        &self,
        disk: &SimDisk,
        topic: usize,
        make: impl FnOnce(i64) -> Option<Batch>,
    ) -> Option<(usize, Bytes)> {
        let mut known = self.known.lock();
        let sent = &mut known.topics.get_mut(topic)?.sent;
        let batch = make(sent.last().map_or(0, Batch::end))?;
        let bytes = batch.bytes.clone();
        sent.push(batch);
        let number = sent.len() - 1;
        drop(known);
        self.note(disk, Fact::Sending(topic, number));
        Some((number, bytes))
    }

    /// The offset that a batch gets.
    pub fn base_of(&self, topic: usize, batch: usize) -> Option<i64> {
        Some(self.known.lock().topics.get(topic)?.sent.get(batch)?.base)
    }

    /// How many records were sent to a topic.
    pub fn sent_to(&self, topic: usize) -> i64 {
        let known = self.known.lock();
        known.topics.get(topic).and_then(|topic| topic.sent.last()).map_or(0, Batch::end)
    }

    pub fn known(&self) -> Known {
        self.known.lock().clone()
    }
}

/// Those facts about one topic that a judge asks for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub creating: bool,
    pub created: bool,
    pub deleting: bool,
    pub deleted: bool,
    /// Batches that were sent, and those that were acknowledged.
    pub sent: usize,
    pub acknowledged: usize,
    pub trimming: i64,
    pub trimmed: i64,
    pub committing: i64,
    pub committed: i64,
}

impl Known {
    /// How a topic stands after the first `mark` facts.
    pub fn standing(&self, topic: usize, mark: u64) -> Standing {
        let mut standing = Standing { committing: -1, committed: -1, ..Standing::default() };
        for fact in self.facts.iter().take(usize::try_from(mark).unwrap_or(usize::MAX)) {
            match *fact {
                Fact::Creating(of) if of == topic => standing.creating = true,
                Fact::Created(of) if of == topic => standing.created = true,
                Fact::Deleting(of) if of == topic => standing.deleting = true,
                Fact::Deleted(of) if of == topic => standing.deleted = true,
                Fact::Sending(of, number) if of == topic => standing.sent = number + 1,
                Fact::Acknowledged(of, number) if of == topic => {
                    standing.acknowledged = standing.acknowledged.max(number + 1);
                }
                Fact::Trimming(of, to) if of == topic => standing.trimming = standing.trimming.max(to),
                Fact::Trimmed(of, to) if of == topic => standing.trimmed = standing.trimmed.max(to),
                Fact::Committing(of, to) if of == topic => standing.committing = to,
                Fact::Committed(of, to) if of == topic => standing.committed = to,
                _ => {}
            }
        }
        standing
    }
}

/// Facts that are shared by those who gather them.
pub type Shared = Arc<Facts>;
