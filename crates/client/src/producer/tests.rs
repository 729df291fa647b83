//! What must hold about the order of a partition's batches.

mod cluster;

use std::time::Duration;

use kernel::{ErrorCode, Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use tokio::time::Instant;

use super::ProducerRecord;
use super::batch::{Batch, Written};
use super::identity::Identity;
use super::queue::{Attempt, Queue, Readiness};
use crate::{BrokerError, Error};

const WRITTEN: Written = Written { base_offset: Some(Offset(0)), log_append_time: None };
const ID: Option<Identity> = Some(Identity { id: ProducerId(9), epoch: ProducerEpoch(0) });

/// A queue with batches 1 to `count`, of one record each.
fn queue(count: u64, start: Instant) -> Queue {
    let mut queue = Queue::default();
    for id in 1..=count {
        let mut batch = Batch::new(id, TopicPartition::new("t", 0), start, 0);
        batch.append(&ProducerRecord::new("t").value("v"), Timestamp(0), 10, 100).expect("there is room");
        queue.push(batch);
    }
    queue
}

fn at(now: Instant) -> Readiness {
    Readiness {
        now,
        batch_size: 1000,
        linger: Duration::from_millis(5),
        flush_through: u64::MAX,
        in_flight_max: 5,
    }
}

/// Has the first batch written, so that the broker knows the producer.
fn established(count: u64, start: Instant) -> Queue {
    let mut queue = queue(count, start);
    let first = queue.take(&at(start), ID).expect("it is ready");
    assert!(queue.take(&at(start), ID).is_none(), "nobody knows this producer yet");
    queue.succeeded(first, WRITTEN);
    queue
}

fn refused(queue: &mut Queue, batch: Batch, code: ErrorCode, now: Instant) -> Attempt {
    queue.refused(batch, BrokerError::new(code.code()), now)
}

fn base(batch: &Batch) -> (i16, i32) {
    let sequence = batch.sequence.expect("it has one");
    (sequence.epoch.0, sequence.base)
}

#[test]
fn a_lonely_batch_waits_for_the_linger_and_a_full_one_does_not() {
    let start = Instant::now();
    let lingering = Readiness { flush_through: 0, ..at(start) };
    let mut one = queue(1, start);
    assert_eq!(one.ready_at(&lingering), Some(start + Duration::from_millis(5)));
    assert!(one.take(&lingering, ID).is_none());
    assert_eq!(queue(2, start).ready_at(&lingering), Some(start));
}

#[test]
fn a_batch_that_is_begun_makes_the_one_before_it_ready_once() {
    let start = Instant::now();
    assert!(!queue(0, start).is_completed_by_another(1000));
    assert!(queue(1, start).is_completed_by_another(1000));
    assert!(!queue(1, start).is_completed_by_another(10), "it was full, and so ready, before");
    assert!(!queue(2, start).is_completed_by_another(1000), "the first is ready already");
}

#[test]
fn a_batch_begins_with_the_memory_that_the_last_one_took() {
    let start = Instant::now();
    let mut queue = queue(1, start);
    let last = queue.next_capacity(1 << 20);
    assert!(last.is_power_of_two() && last < 256, "{last}");
    assert_eq!(queue.next_capacity(80), 80, "never more than a batch may have");
    queue.take(&at(start), ID).expect("it is ready");
    assert_eq!(queue.next_capacity(1 << 20), last);
}

#[test]
fn five_batches_may_be_on_their_way_once_the_broker_knows_the_producer() {
    let start = Instant::now();
    let mut queue = established(9, start);
    let sequences: Vec<_> =
        std::iter::from_fn(|| queue.take(&at(start), ID)).map(|batch| base(&batch)).collect();
    assert_eq!(sequences, [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]);
}

#[test]
fn what_failed_goes_again_alone_in_order_and_before_anything_new() {
    let start = Instant::now();
    let mut queue = established(4, start);
    let second = queue.take(&at(start), ID).expect("it is ready");
    let third = queue.take(&at(start), ID).expect("it is ready");
    assert!(matches!(refused(&mut queue, second, ErrorCode::NotLeaderOrFollower, start), Attempt::Again));
    assert!(queue.take(&at(start), ID).is_none(), "the third is still on its way");
    assert!(matches!(refused(&mut queue, third, ErrorCode::OutOfOrderSequenceNumber, start), Attempt::Again));
    for (id, sequence) in [(2, (0, 1)), (3, (0, 2)), (4, (0, 3))] {
        let next = queue.take(&at(start), ID).expect("it is ready");
        assert_eq!((next.id, base(&next)), (id, sequence));
        assert_eq!(queue.take(&at(start), ID).map(|batch| batch.id), None);
        queue.succeeded(next, WRITTEN);
    }
    assert!(queue.is_idle());
}

#[test]
fn a_duplicate_was_written_before_and_counts_as_written() {
    let start = Instant::now();
    let mut queue = established(2, start);
    let batch = queue.take(&at(start), ID).expect("it is ready");
    let attempt = refused(&mut queue, batch, ErrorCode::DuplicateSequenceNumber, start);
    assert!(matches!(attempt, Attempt::Settled(_, Ok(Written { base_offset: None, .. }))));
}

#[test]
fn after_a_batch_is_refused_for_good_the_rest_go_on_under_a_new_epoch() {
    let start = Instant::now();
    let mut queue = established(3, start);
    let second = queue.take(&at(start), ID).expect("it is ready");
    let third = queue.take(&at(start), ID).expect("it is ready");
    let attempt = refused(&mut queue, second, ErrorCode::MessageTooLarge, start);
    assert!(matches!(attempt, Attempt::Settled(_, Err(Error::Broker(_)))));
    assert!(matches!(refused(&mut queue, third, ErrorCode::OutOfOrderSequenceNumber, start), Attempt::Again));
    assert!(queue.mend(ID).is_empty());
    let third = queue.take(&at(start), ID).expect("it is ready");
    assert_eq!((third.id, base(&third)), (3, (1, 0)));
}

#[test]
fn a_batch_that_is_too_large_goes_on_in_halves_before_what_follows() {
    let start = Instant::now();
    let mut queue = established(3, start);
    let second = queue.take(&at(start), ID).expect("it is ready");
    let third = queue.take(&at(start), ID).expect("it is ready");
    // One record cannot be halved; two can.
    let mut two = Batch::new(2, TopicPartition::new("t", 0), start, 0);
    for _ in 0..2 {
        two.append(&ProducerRecord::new("t").value("v"), Timestamp(0), 10, 100).expect("there is room");
    }
    two.sequence = second.sequence;
    two.seal(wire::compress::Compression::NONE).expect("it is small");
    let attempt = refused(&mut queue, two, ErrorCode::MessageTooLarge, start);
    assert!(matches!(attempt, Attempt::Split(..)));
    assert!(matches!(refused(&mut queue, third, ErrorCode::OutOfOrderSequenceNumber, start), Attempt::Again));
    let mut order = Vec::new();
    while let Some(batch) = queue.take(&at(start), ID) {
        order.push((batch.records(), base(&batch)));
        queue.succeeded(batch, WRITTEN);
    }
    assert_eq!(order, [(1, (0, 1)), (1, (0, 2)), (1, (0, 2))], "the third had its number before");
}

#[test]
fn what_may_have_been_written_is_not_written_again_under_a_new_epoch() {
    let start = Instant::now();
    let mut queue = established(3, start);
    let second = queue.take(&at(start), ID).expect("it is ready");
    let third = queue.take(&at(start), ID).expect("it is ready");
    let lost = Error::Connection { address: "b".to_owned(), reason: "gone".to_owned() };
    assert!(matches!(queue.lost(second, lost.clone(), start), Attempt::Again));
    assert!(matches!(queue.lost(third, lost, start), Attempt::Again));
    let second = queue.take(&at(start), ID).expect("it is ready");
    assert!(matches!(refused(&mut queue, second, ErrorCode::MessageTooLarge, start), Attempt::Settled(..)));
    let uncertain: Vec<u64> = queue.mend(ID).iter().map(|batch| batch.id).collect();
    assert_eq!(uncertain, [3]);
    assert!(queue.is_idle());
}

/// Has two batches refused with `code`, then the first of them for good. Says whether the second goes on.
fn goes_on_after(code: ErrorCode) -> bool {
    let start = Instant::now();
    let mut queue = established(3, start);
    let batches = [queue.take(&at(start), ID), queue.take(&at(start), ID)];
    for batch in batches {
        assert!(matches!(refused(&mut queue, batch.expect("it is ready"), code, start), Attempt::Again));
    }
    let second = queue.take(&at(start), ID).expect("it is ready");
    assert!(matches!(refused(&mut queue, second, ErrorCode::MessageTooLarge, start), Attempt::Settled(..)));
    let given_up = queue.mend(ID).len();
    assert_eq!(given_up + queue.len(), 1);
    given_up == 0
}

#[test]
fn what_may_have_been_appended_before_it_was_refused_is_not_written_again_under_a_new_epoch() {
    assert!(goes_on_after(ErrorCode::NotEnoughReplicas), "nothing was appended");
    for code in [
        ErrorCode::NotEnoughReplicasAfterAppend,
        ErrorCode::RequestTimedOut,
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::KafkaStorageError,
    ] {
        assert!(!goes_on_after(code), "{code}");
    }
}

#[test]
fn a_broker_that_forgot_the_producer_is_met_with_a_new_epoch() {
    let start = Instant::now();
    let mut queue = established(2, start);
    let second = queue.take(&at(start), ID).expect("it is ready");
    assert!(matches!(refused(&mut queue, second, ErrorCode::UnknownProducerId, start), Attempt::Again));
    assert!(queue.mend(ID).is_empty());
    let second = queue.take(&at(start), ID).expect("it is ready");
    assert_eq!(second.sequence.map(|s| (s.epoch, s.base)), Some((ProducerEpoch(1), 0)));
}

#[test]
fn what_is_too_old_is_taken_out() {
    let start = Instant::now();
    let mut queue = queue(2, start);
    assert!(queue.expire(start).is_empty());
    assert_eq!(queue.expire(start + Duration::from_secs(1)).len(), 2);
    assert!(queue.is_idle());
}

/// A queue whose first batch was refused under the last epoch of the producer.
fn spent(start: Instant) -> (Queue, Identity) {
    let last = Identity { id: ProducerId(9), epoch: ProducerEpoch(i16::MAX) };
    let mut queue = queue(2, start);
    let first = queue.take(&at(start), Some(last)).expect("it is ready");
    assert_eq!(base(&first), (i16::MAX, 0));
    assert!(matches!(refused(&mut queue, first, ErrorCode::UnknownProducerId, start), Attempt::Again));
    (queue, last)
}

#[test]
fn after_the_last_epoch_nothing_goes_on_under_the_same_producer_id() {
    let start = Instant::now();
    let (mut queue, last) = spent(start);
    assert!(queue.is_spent(last));
    assert!(queue.mend(Some(last)).is_empty());
    assert!(queue.take(&at(start), Some(last)).is_none());
    let next = Identity { id: ProducerId(10), epoch: ProducerEpoch(0) };
    assert!(!queue.is_spent(next));
    assert!(queue.mend(Some(next)).is_empty(), "nothing is uncertain");
    let first = queue.take(&at(start), Some(next)).expect("it is ready");
    assert_eq!(first.sequence.map(|s| (s.producer_id, s.epoch, s.base)), Some((next.id, next.epoch, 0)));
}

#[test]
fn what_waits_behind_a_batch_that_was_given_up_in_the_last_epoch_waits_for_another_id() {
    let start = Instant::now();
    let last = Identity { id: ProducerId(9), epoch: ProducerEpoch(i16::MAX) };
    let mut queue = queue(2, start);
    let first = queue.take(&at(start), Some(last)).expect("it is ready");
    assert!(matches!(refused(&mut queue, first, ErrorCode::InvalidRecord, start), Attempt::Settled(..)));
    assert!(queue.take(&at(start), Some(last)).is_none());
    let next = Identity { id: ProducerId(10), epoch: ProducerEpoch(3) };
    let second = queue.take(&at(start), Some(next)).expect("it is ready");
    assert_eq!(second.sequence.map(|s| (s.producer_id, s.epoch, s.base)), Some((next.id, next.epoch, 0)));
}
