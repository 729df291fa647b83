//! The rules by which a producer's batch is taken, refused or recognised as one that came before.

use kernel::ErrorCode;
use kernel::planted::{self, Bug};
use wire::batch::BatchHeader;

use super::window::{AppendedBatch, NO_SEQUENCE, ProducerEntry};
use super::{CompletedTxn, Marker};
use crate::error::AppendError;

/// Who wrote what is appended; decides which checks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A producer: all checks.
    Client,
    /// A coordinator of this node: its own records, or transaction markers of this transaction version.
    Coordinator { transaction_version: i16 },
    /// Records that a leader has accepted, or that are read back from the disk: no checks.
    Replication,
}

/// The changes that an append makes to one producer, kept apart until the batches are written.
#[derive(Debug, Clone)]
pub(crate) struct Staged {
    pub entry: ProducerEntry,
    /// Whether the producer was known at all.
    known: bool,
    pub completed: Vec<CompletedTxn>,
    pub started: Vec<i64>,
}

impl Staged {
    pub fn new(id: i64, current: Option<&ProducerEntry>) -> Self {
        Self {
            entry: current.cloned().unwrap_or_else(|| ProducerEntry::new(id)),
            known: current.is_some(),
            completed: Vec::new(),
            started: Vec::new(),
        }
    }

    /// Takes a batch of records that will have its first record at `first_offset`.
    pub fn data(
        &mut self,
        header: &BatchHeader,
        first_offset: i64,
        origin: Origin,
    ) -> Result<(), AppendError> {
        let epoch = header.producer_epoch().0;
        if origin != Origin::Replication {
            self.check_epoch(epoch, 0)?;
        }
        if origin == Origin::Client {
            self.check_sequence(epoch, header.base_sequence(), first_offset)?;
        }
        if self.entry.txn_first_offset.is_some()
            && !header.is_transactional()
            && origin != Origin::Replication
        {
            return Err(AppendError::rejected(
                ErrorCode::InvalidTxnState,
                format!(
                    "producer {} has an open transaction, but the batch is not transactional",
                    self.entry.id
                ),
            ));
        }
        let delta = header.last_offset_delta();
        let batch = AppendedBatch {
            last_sequence: header.last_sequence(),
            last_offset: first_offset.saturating_add(i64::from(delta)),
            offset_delta: delta,
            timestamp: header.max_timestamp().0,
        };
        self.entry.add(epoch, batch);
        self.known = true;
        if self.entry.txn_first_offset.is_none() && header.is_transactional() {
            self.entry.txn_first_offset = Some(first_offset);
            self.started.push(first_offset);
        }
        Ok(())
    }

    /// Takes the marker that ends the producer's transaction, at `offset`.
    pub fn marker(
        &mut self,
        marker: Marker,
        epoch: i16,
        offset: i64,
        origin: Origin,
    ) -> Result<(), AppendError> {
        if let Origin::Coordinator { transaction_version } = origin {
            self.check_epoch(epoch, transaction_version)?;
        }
        if origin != Origin::Replication && self.entry.coordinator_epoch > marker.coordinator_epoch {
            return Err(AppendError::rejected(
                ErrorCode::TransactionCoordinatorFenced,
                format!(
                    "the marker for producer {} is of coordinator epoch {}, epoch {} was seen",
                    self.entry.id, marker.coordinator_epoch, self.entry.coordinator_epoch
                ),
            ));
        }
        // A marker without records of the transaction here changes nothing that a reader sees.
        if let Some(first_offset) = self.entry.txn_first_offset.take() {
            self.completed.push(CompletedTxn {
                producer_id: self.entry.id,
                first_offset,
                last_offset: offset,
                aborted: !marker.commit,
            });
        }
        self.entry.set_epoch(epoch);
        self.entry.coordinator_epoch = marker.coordinator_epoch;
        self.entry.last_timestamp = marker.timestamp;
        Ok(())
    }

    fn check_epoch(&self, epoch: i16, transaction_version: i16) -> Result<(), AppendError> {
        let current = self.entry.epoch;
        let fenced = if transaction_version >= 2 { epoch <= current } else { epoch < current };
        if !fenced {
            return Ok(());
        }
        // From version 2 on each transaction ends with a higher epoch. The same one again is a marker that was written
        // already and is repeated, or a producer that has no higher epoch left.
        let repeated = self.entry.txn_first_offset.is_none() || epoch == i16::MAX;
        if transaction_version >= 2 && epoch == current && repeated {
            return Ok(());
        }
        Err(AppendError::rejected(
            ErrorCode::InvalidProducerEpoch,
            format!("producer {} wrote with epoch {epoch}, epoch {current} was seen", self.entry.id),
        ))
    }

    fn check_sequence(&self, epoch: i16, first: i32, offset: i64) -> Result<(), AppendError> {
        let out_of_order = |expected: String| {
            Err(AppendError::rejected(
                ErrorCode::OutOfOrderSequenceNumber,
                format!(
                    "producer {} sent sequence {first} for offset {offset}, {expected} was expected",
                    self.entry.id
                ),
            ))
        };
        if epoch != self.entry.epoch {
            // Of a producer that is not known, or whose epoch is not, any number can be the next.
            if first != 0 && self.entry.epoch != -1 {
                return out_of_order(format!("0 for the new epoch {epoch}"));
            }
            return Ok(());
        }
        if !self.known {
            return Ok(());
        }
        let last = self.entry.last_sequence();
        let next = if last == i32::MAX { 0 } else { last.wrapping_add(1) };
        if first == next || planted::on(Bug::AcceptAnySequence) {
            return Ok(());
        }
        if last == NO_SEQUENCE { out_of_order("0".to_owned()) } else { out_of_order(next.to_string()) }
    }
}
