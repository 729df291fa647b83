//! What a partition knows of its idempotent and transactional producers.
//!
//! Start at [`ProducerState`]. It is a pure value: snapshots are written and read by the log.
//!
//! *Invariant:* the state is that of all batches before [`ProducerState::end`] and of none after it.

pub(crate) mod check;
pub(crate) mod snapshot;
pub(crate) mod window;

use std::collections::BTreeMap;

use kernel::{Offset, ProducerId};
use wire::batch::BatchHeader;

pub use check::Origin;
pub use window::ProducerInfo;

use crate::error::AppendError;
use crate::index::txn::AbortedTxn;
use check::Staged;
use window::{AppendedBatch, ProducerEntry};

/// The end of a transaction, as its control record has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    pub commit: bool,
    pub coordinator_epoch: i32,
    pub timestamp: i64,
}

/// A transaction that a marker has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CompletedTxn {
    pub producer_id: i64,
    pub first_offset: i64,
    pub last_offset: i64,
    pub aborted: bool,
}

/// What a batch is to the state of its producer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incoming {
    pub header: BatchHeader,
    pub base_offset: i64,
    /// What the batch's control record says, if it is a transaction marker.
    pub marker: Option<Marker>,
}

/// What the checks of an append found.
pub(crate) enum Checked {
    Accepted(Vec<Staged>),
    Duplicate(AppendedBatch),
}

/// All producers of a partition.
#[derive(Debug, Default, Clone)]
pub(crate) struct ProducerState {
    producers: BTreeMap<i64, ProducerEntry>,
    /// Open transactions: first offset to producer.
    ongoing: BTreeMap<i64, i64>,
    /// Ended transactions whose marker may not be replicated yet: first offset to the marker's offset.
    unreplicated: BTreeMap<i64, i64>,
    end: i64,
}

impl ProducerState {
    /// The state before `offset` of a log about whose producers nothing is known.
    pub fn starting_at(offset: i64) -> Self {
        Self { end: offset, ..Self::default() }
    }

    /// The state that a snapshot holds, without the producers that have expired since.
    pub fn from_snapshot(entries: Vec<ProducerEntry>, offset: i64, now_ms: i64, expiration_ms: i64) -> Self {
        let mut state = Self::starting_at(offset);
        for entry in entries {
            if expired(&entry, now_ms, expiration_ms) {
                continue;
            }
            if let Some(first) = entry.txn_first_offset {
                state.ongoing.insert(first, entry.id);
            }
            state.producers.insert(entry.id, entry);
        }
        state
    }

    pub fn end(&self) -> i64 {
        self.end
    }

    pub fn set_end(&mut self, end: i64) {
        self.end = end;
    }

    pub fn entries(&self) -> impl ExactSizeIterator<Item = &ProducerEntry> {
        self.producers.values()
    }

    /// Checks batches that are to be appended together. Changes nothing.
    pub fn check(&self, batches: &[Incoming], origin: Origin) -> Result<Checked, AppendError> {
        let mut staged: Vec<Staged> = Vec::new();
        for batch in batches {
            let header = &batch.header;
            if !header.has_producer_id() {
                continue;
            }
            let id = header.producer_id().0;
            let current = self.producers.get(&id);
            if origin == Origin::Client
                && let Some(entry) = current
                && let Some(duplicate) = entry.find_duplicate(
                    header.producer_epoch().0,
                    header.base_sequence(),
                    header.last_sequence(),
                )
            {
                return Ok(Checked::Duplicate(duplicate));
            }
            let at = match staged.iter().position(|staged| staged.entry.id == id) {
                Some(at) => at,
                None => {
                    staged.push(Staged::new(id, current));
                    staged.len() - 1
                }
            };
            if let Some(staged) = staged.get_mut(at) {
                stage(staged, batch, origin)?;
            }
        }
        Ok(Checked::Accepted(staged))
    }

    /// Takes the batches before the last one of each producer from a state of the same log that has seen more of them.
    pub fn lengthen_windows(&mut self, other: &Self) {
        for (id, entry) in &mut self.producers {
            if let Some(longer) = other.producers.get(id) {
                entry.lengthen_window(longer);
            }
        }
    }

    /// Takes over what [`Self::check`] accepted, now that it is written. Returns the aborted transactions that the
    /// segment's index is to keep.
    pub fn apply(&mut self, staged: Vec<Staged>, end: i64) -> Vec<AbortedTxn> {
        let mut completed = Vec::new();
        for staged in staged {
            self.take(staged, &mut completed);
        }
        self.end = end;
        completed.sort_unstable_by_key(|txn| txn.last_offset);
        self.complete(&completed)
    }

    /// Takes a batch that was accepted before: by a leader, or by this node in an earlier life.
    pub fn replay(&mut self, batch: &Incoming) -> Vec<AbortedTxn> {
        let header = &batch.header;
        let mut completed = Vec::new();
        if header.has_producer_id() {
            let id = header.producer_id().0;
            let mut staged = Staged::new(id, self.producers.get(&id));
            // Nothing is checked for this origin, so nothing can be refused.
            if stage(&mut staged, batch, Origin::Replication).is_ok() {
                self.take(staged, &mut completed);
            }
        }
        self.end = batch.base_offset.saturating_add(i64::from(header.last_offset_delta())).saturating_add(1);
        self.complete(&completed)
    }

    fn take(&mut self, staged: Staged, completed: &mut Vec<CompletedTxn>) {
        for first in &staged.started {
            self.ongoing.insert(*first, staged.entry.id);
        }
        completed.extend(staged.completed);
        self.producers.insert(staged.entry.id, staged.entry);
    }

    fn complete(&mut self, completed: &[CompletedTxn]) -> Vec<AbortedTxn> {
        let mut aborted = Vec::new();
        for txn in completed {
            self.ongoing.remove(&txn.first_offset);
            self.unreplicated.insert(txn.first_offset, txn.last_offset);
            if txn.aborted {
                let stable = self.ongoing.keys().next().copied().unwrap_or(txn.last_offset.saturating_add(1));
                aborted.push(AbortedTxn {
                    producer_id: ProducerId(txn.producer_id),
                    first_offset: Offset(txn.first_offset),
                    last_offset: Offset(txn.last_offset),
                    last_stable_offset: Offset(stable),
                });
            }
        }
        aborted
    }

    /// The first offset whose fate is open: of a transaction that goes on, or whose marker is not replicated yet.
    pub fn first_unstable(&mut self, high_watermark: i64) -> Option<i64> {
        self.unreplicated.retain(|_, marker| *marker >= high_watermark);
        let ongoing = self.ongoing.keys().next().copied();
        let unreplicated = self.unreplicated.keys().next().copied();
        match (ongoing, unreplicated) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Forgets producers that have been silent too long. A producer with an open transaction is kept.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.producers.retain(|_, entry| !expired(entry, now_ms, expiration_ms));
    }
}

fn expired(entry: &ProducerEntry, now_ms: i64, expiration_ms: i64) -> bool {
    entry.txn_first_offset.is_none() && now_ms.saturating_sub(entry.last_timestamp) >= expiration_ms
}

fn stage(staged: &mut Staged, batch: &Incoming, origin: Origin) -> Result<(), AppendError> {
    let header = &batch.header;
    match batch.marker {
        Some(marker) => staged.marker(marker, header.producer_epoch().0, batch.base_offset, origin),
        // A control batch without a record is what cleaning leaves of a marker: it says nothing any more.
        None if header.is_control() => Ok(()),
        None => staged.data(header, batch.base_offset, origin),
    }
}

#[cfg(test)]
mod tests;
