//! What a partition remembers of one producer: its epoch, its last five batches and its open transaction.

use kernel::planted::{self, Bug};
use kernel::{Offset, ProducerEpoch, ProducerId};
use wire::batch::increment_sequence;

/// How many batches a producer may have in flight, and so how many can come again.
pub(crate) const WINDOW: usize = 5;
/// What stands where there is no sequence number.
pub(crate) const NO_SEQUENCE: i32 = -1;

/// A batch that was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AppendedBatch {
    pub last_sequence: i32,
    pub last_offset: i64,
    pub offset_delta: i32,
    pub timestamp: i64,
}

impl AppendedBatch {
    pub fn first_sequence(&self) -> i32 {
        // Going back by n is going on by 2^31 - n, since numbers wrap after 2^31 - 1.
        increment_sequence(self.last_sequence, self.offset_delta.wrapping_neg())
    }

    pub fn first_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }
}

/// The state of one producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProducerEntry {
    pub id: i64,
    pub epoch: i16,
    pub coordinator_epoch: i32,
    pub last_timestamp: i64,
    pub txn_first_offset: Option<i64>,
    /// The last batches, oldest first; `count` of them.
    batches: [AppendedBatch; WINDOW],
    count: u8,
}

const NO_BATCH: AppendedBatch =
    AppendedBatch { last_sequence: NO_SEQUENCE, last_offset: -1, offset_delta: 0, timestamp: -1 };

impl ProducerEntry {
    pub fn new(id: i64) -> Self {
        Self {
            id,
            epoch: -1,
            coordinator_epoch: -1,
            last_timestamp: -1,
            txn_first_offset: None,
            batches: [NO_BATCH; WINDOW],
            count: 0,
        }
    }

    pub fn batches(&self) -> &[AppendedBatch] {
        self.batches.get(..usize::from(self.count)).unwrap_or_default()
    }

    pub fn last_batch(&self) -> Option<&AppendedBatch> {
        self.batches().last()
    }

    pub fn last_sequence(&self) -> i32 {
        self.last_batch().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    /// The batch in the window that has exactly these sequence numbers.
    pub fn find_duplicate(&self, epoch: i16, first: i32, last: i32) -> Option<AppendedBatch> {
        let same = |batch: &&AppendedBatch| batch.first_sequence() == first && batch.last_sequence == last;
        let forgotten = usize::from(planted::on(Bug::ForgetOldestBatch) && self.batches().len() == WINDOW);
        if epoch == self.epoch { self.batches().iter().skip(forgotten).find(same).copied() } else { None }
    }

    /// Takes the batches of `other`, if they end with the same one and are more.
    pub fn lengthen_window(&mut self, other: &Self) {
        let same = self.epoch == other.epoch && self.last_batch() == other.last_batch();
        if same && other.count > self.count {
            (self.batches, self.count) = (other.batches, other.count);
        }
    }

    /// Takes over a newer epoch: batches of the older one can no longer come again.
    pub fn set_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.count = 0;
            self.epoch = epoch;
        }
    }

    pub fn add(&mut self, epoch: i16, batch: AppendedBatch) {
        self.set_epoch(epoch);
        if usize::from(self.count) == WINDOW {
            self.batches.rotate_left(1);
        } else {
            self.count += 1;
        }
        if let Some(slot) = usize::from(self.count).checked_sub(1).and_then(|at| self.batches.get_mut(at)) {
            *slot = batch;
        }
        self.last_timestamp = batch.timestamp;
    }
}

/// An active producer, as DescribeProducers shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerInfo {
    pub producer_id: ProducerId,
    pub epoch: ProducerEpoch,
    /// -1 if it has written no batch since its state began.
    pub last_sequence: i32,
    pub last_timestamp: i64,
    pub coordinator_epoch: i32,
    /// Where its open transaction begins.
    pub txn_start: Option<Offset>,
}

impl From<&ProducerEntry> for ProducerInfo {
    fn from(entry: &ProducerEntry) -> Self {
        Self {
            producer_id: ProducerId(entry.id),
            epoch: ProducerEpoch(entry.epoch),
            last_sequence: entry.last_sequence(),
            last_timestamp: entry.last_timestamp,
            coordinator_epoch: entry.coordinator_epoch,
            txn_start: entry.txn_first_offset.map(Offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(last_sequence: i32, offset_delta: i32) -> AppendedBatch {
        AppendedBatch { last_sequence, last_offset: 100, offset_delta, timestamp: 1 }
    }

    #[test]
    fn the_window_holds_the_last_five_batches() {
        let mut entry = ProducerEntry::new(1);
        for sequence in 0..7 {
            entry.add(0, batch(sequence, 0));
        }
        assert_eq!(entry.batches().iter().map(|b| b.last_sequence).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
        assert_eq!(entry.find_duplicate(0, 1, 1), None);
        assert!(entry.find_duplicate(0, 2, 2).is_some());
        assert_eq!(entry.find_duplicate(1, 2, 2), None, "of another epoch");
        assert_eq!(entry.find_duplicate(0, 2, 3), None, "not exactly one batch");
    }

    #[test]
    fn the_first_sequence_is_found_across_the_wrap() {
        assert_eq!(batch(4, 9).first_sequence(), i32::MAX - 4);
        assert_eq!(batch(9, 9).first_sequence(), 0);
    }

    #[test]
    fn a_new_epoch_empties_the_window() {
        let mut entry = ProducerEntry::new(1);
        entry.add(0, batch(5, 0));
        entry.add(1, batch(0, 0));
        assert_eq!(entry.batches(), [batch(0, 0)]);
    }
}
