//! The rules for producers, on the state alone.

use kernel::{ErrorCode, LeaderEpoch, Offset};
use wire::batch::BatchHeader;

use super::{Checked, Incoming, Marker, Origin, ProducerState};
use crate::error::AppendError;
use crate::testing::{from_producer, in_txn};

fn data(batch: &[u8], offset: i64) -> Incoming {
    let mut header = BatchHeader::read(batch).unwrap();
    header.assign(Offset(offset), LeaderEpoch(0));
    Incoming { header, base_offset: offset, marker: None }
}

fn end(id: i64, epoch: i16, offset: i64, commit: bool, coordinator_epoch: i32) -> Incoming {
    let batch = in_txn(id, epoch, -1, 1);
    Incoming { marker: Some(Marker { commit, coordinator_epoch, timestamp: 9 }), ..data(&batch, offset) }
}

/// Appends if the state accepts it; otherwise tells the offset of the duplicate, or the error.
fn offer(state: &mut ProducerState, batch: Incoming, origin: Origin) -> Result<Option<i64>, AppendError> {
    match state.check(&[batch], origin)? {
        Checked::Duplicate(before) => Ok(Some(before.first_offset())),
        Checked::Accepted(staged) => {
            state.apply(staged, batch.header.next_offset().0);
            Ok(None)
        }
    }
}

fn produce(
    state: &mut ProducerState,
    epoch: i16,
    sequence: i32,
    count: usize,
) -> Result<Option<i64>, ErrorCode> {
    let batch = data(&from_producer(7, epoch, sequence, count), state.end());
    offer(state, batch, Origin::Client).map_err(|error| error.code())
}

const OUT_OF_ORDER: Result<Option<i64>, ErrorCode> = Err(ErrorCode::OutOfOrderSequenceNumber);

#[test]
fn batches_in_sequence_are_taken_and_each_of_the_last_five_is_recognised() {
    let mut state = ProducerState::default();
    for sequence in [0, 10, 20, 30, 40, 50] {
        assert_eq!(produce(&mut state, 0, sequence, 10), Ok(None));
    }
    for sequence in [10, 20, 30, 40, 50] {
        assert_eq!(produce(&mut state, 0, sequence, 10), Ok(Some(i64::from(sequence))));
    }
    assert_eq!(produce(&mut state, 0, 0, 10), OUT_OF_ORDER, "older than the window");
    assert_eq!(produce(&mut state, 0, 70, 10), OUT_OF_ORDER, "a gap");
    assert_eq!(produce(&mut state, 0, 50, 5), OUT_OF_ORDER, "part of a batch");
    assert_eq!(produce(&mut state, 0, 60, 1), Ok(None), "refusals change nothing");
}

#[test]
fn an_unknown_producer_may_begin_anywhere() {
    let mut state = ProducerState::default();
    assert_eq!(produce(&mut state, 4, 1234, 1), Ok(None));
    assert_eq!(produce(&mut state, 4, 1236, 1), OUT_OF_ORDER);
}

#[test]
fn sequence_numbers_wrap_to_zero() {
    let mut state = ProducerState::default();
    assert_eq!(produce(&mut state, 0, i32::MAX - 1, 2), Ok(None));
    assert_eq!(produce(&mut state, 0, 0, 3), Ok(None));
    let mut state = ProducerState::default();
    assert_eq!(produce(&mut state, 0, i32::MAX - 1, 4), Ok(None), "across the wrap within a batch");
    assert_eq!(produce(&mut state, 0, i32::MAX - 1, 4), Ok(Some(0)));
    assert_eq!(produce(&mut state, 0, 2, 1), Ok(None));
}

#[test]
fn a_new_epoch_begins_at_zero_and_fences_the_old_one() {
    let mut state = ProducerState::default();
    assert_eq!(produce(&mut state, 1, 0, 5), Ok(None));
    assert_eq!(produce(&mut state, 2, 5, 1), OUT_OF_ORDER);
    assert_eq!(produce(&mut state, 2, 0, 1), Ok(None));
    assert_eq!(produce(&mut state, 1, 5, 1), Err(ErrorCode::InvalidProducerEpoch));
    assert_eq!(
        produce(&mut state, 1, 0, 5),
        Err(ErrorCode::InvalidProducerEpoch),
        "no duplicate of the old epoch"
    );
}

#[test]
fn several_batches_of_one_append_are_checked_one_after_the_other() {
    let mut state = ProducerState::default();
    let batches = [data(&from_producer(7, 0, 0, 2), 0), data(&from_producer(7, 0, 2, 1), 2)];
    assert!(matches!(state.check(&batches, Origin::Client), Ok(Checked::Accepted(_))));
    let gap = [data(&from_producer(7, 0, 0, 2), 0), data(&from_producer(7, 0, 3, 1), 2)];
    let error = state.check(&gap, Origin::Client).err().expect("is refused");
    assert_eq!(error.code(), ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(produce(&mut state, 0, 0, 1), Ok(None), "nothing was taken");
}

#[test]
fn a_silent_producer_is_forgotten_unless_its_transaction_is_open() {
    let mut state = ProducerState::default();
    produce(&mut state, 0, 0, 1).unwrap();
    offer(&mut state, data(&in_txn(8, 0, 0, 1), 1), Origin::Client).unwrap();
    state.expire(1999, 1000);
    assert_eq!(state.entries().count(), 2);
    state.expire(2000, 1000);
    assert_eq!(state.entries().map(|entry| entry.id).collect::<Vec<_>>(), [8]);
}

#[test]
fn an_open_transaction_holds_the_stable_offset_until_its_marker_is_replicated() {
    let mut state = ProducerState::default();
    offer(&mut state, data(&in_txn(7, 0, 0, 2), 0), Origin::Client).unwrap();
    offer(&mut state, data(&in_txn(8, 0, 0, 2), 2), Origin::Client).unwrap();
    assert_eq!(state.first_unstable(4), Some(0));
    let coordinator = Origin::Coordinator { transaction_version: 0 };
    offer(&mut state, end(7, 0, 4, true, 1), coordinator).unwrap();
    assert_eq!(state.first_unstable(4), Some(0), "the marker is not replicated");
    assert_eq!(state.first_unstable(5), Some(2));
    offer(&mut state, end(8, 0, 5, false, 1), coordinator).unwrap();
    assert_eq!(state.first_unstable(6), None);
}

#[test]
fn only_aborted_transactions_are_indexed_with_the_stable_offset_after_them() {
    let mut state = ProducerState::default();
    for (id, offset) in [(7, 0), (8, 1), (9, 2)] {
        assert!(state.replay(&data(&in_txn(id, 0, 0, 1), offset)).is_empty());
    }
    let aborted = state.replay(&end(8, 0, 3, false, 1));
    let seen: Vec<_> =
        aborted.iter().map(|txn| (txn.first_offset.0, txn.last_offset.0, txn.last_stable_offset.0)).collect();
    assert_eq!(seen, [(1, 3, 0)]);
    assert!(state.replay(&end(7, 0, 4, true, 1)).is_empty());
    let aborted = state.replay(&end(9, 0, 5, false, 1));
    assert_eq!(aborted.first().map(|txn| txn.last_stable_offset), Some(Offset(6)));
    assert!(state.replay(&end(9, 0, 6, false, 1)).is_empty(), "an empty transaction leaves no trace");
}

#[test]
fn records_outside_of_the_transaction_are_refused_while_it_is_open() {
    let mut state = ProducerState::default();
    offer(&mut state, data(&in_txn(7, 0, 0, 1), 0), Origin::Client).unwrap();
    assert_eq!(produce(&mut state, 0, 1, 1), Err(ErrorCode::InvalidTxnState));
}

#[test]
fn a_marker_of_a_fenced_coordinator_or_producer_is_refused() {
    let coordinator = |version| Origin::Coordinator { transaction_version: version };
    let mut state = ProducerState::default();
    offer(&mut state, data(&in_txn(7, 3, 0, 1), 0), Origin::Client).unwrap();
    offer(&mut state, end(7, 3, 1, true, 5), coordinator(0)).unwrap();
    let stale = offer(&mut state, end(7, 3, 2, true, 4), coordinator(0)).unwrap_err();
    assert_eq!(stale.code(), ErrorCode::TransactionCoordinatorFenced);
    let fenced = offer(&mut state, end(7, 2, 2, true, 5), coordinator(0)).unwrap_err();
    assert_eq!(fenced.code(), ErrorCode::InvalidProducerEpoch);
}

#[test]
fn from_transaction_version_2_on_a_marker_needs_a_higher_epoch() {
    let coordinator = Origin::Coordinator { transaction_version: 2 };
    let mut state = ProducerState::default();
    offer(&mut state, data(&in_txn(7, 3, 0, 1), 0), Origin::Client).unwrap();
    let same = offer(&mut state, end(7, 3, 1, true, 1), coordinator).unwrap_err();
    assert_eq!(same.code(), ErrorCode::InvalidProducerEpoch);
    offer(&mut state, end(7, 4, 1, true, 1), coordinator).unwrap();
    assert!(offer(&mut state, end(7, 4, 2, true, 1), coordinator).is_ok(), "the marker is repeated");
}
