//! The batches of one partition, and what must hold about their order.
//!
//! *Invariant:* batches are sent in the order in which they were begun. While one has to be sent again, it is the only
//! one on its way; while a broker has acknowledged nothing under a producer's epoch, only one is, because a broker
//! without a memory of the producer takes any sequence number for the first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, ProducerEpoch, ProducerId};
use tokio::time::Instant;
use wire::batch::increment_sequence;

use super::batch::{Batch, Outcome, Sequence, Written};
use super::identity::Identity;
use crate::{BrokerError, Error};

/// What is to be sent to one partition.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Never sent; records are added to the last.
    waiting: VecDeque<Batch>,
    /// Sent without success, in their order; before everything that waits.
    again: VecDeque<Batch>,
    /// The ids of those on their way.
    in_flight: Vec<u64>,
    /// Whether the one on its way was sent before.
    resending: bool,
    /// Who writes here, and the next sequence number.
    writer: Option<Writer>,
    /// Whether a sequence number was given up, so that the broker takes none after it.
    gap: bool,
    not_before: Option<Instant>,
    /// How large the last batch was that was sent from here.
    last_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Writer {
    producer_id: ProducerId,
    epoch: ProducerEpoch,
    next_sequence: i32,
    /// Whether the broker knows this writer.
    established: bool,
}

/// What decides whether a batch is ready.
#[derive(Debug, Clone, Copy)]
pub(super) struct Readiness {
    pub now: Instant,
    pub batch_size: usize,
    pub linger: Duration,
    /// Batches up to this id are sent at once.
    pub flush_through: u64,
    pub in_flight_max: usize,
}

/// What an attempt led to.
#[derive(Debug)]
pub(super) enum Attempt {
    Settled(Batch, Result<Written, Error>),
    /// It is in the queue again.
    Again,
    /// Its halves are in the queue instead: for what became of the whole.
    Split(Batch, [(u64, Arc<Outcome>); 2]),
}

impl Queue {
    pub fn last_waiting(&mut self) -> Option<&mut Batch> {
        self.waiting.back_mut()
    }

    /// Whether the batch that records are added to has room for one of this size.
    pub fn has_room(&self, size: usize, limit: usize) -> bool {
        self.waiting.back().is_some_and(|batch| batch.has_room(size, limit))
    }

    /// Whether a batch after the one that records are added to makes that one ready.
    pub fn is_completed_by_another(&self, batch_size: usize) -> bool {
        self.waiting.len() == 1 && self.waiting.back().is_some_and(|batch| !batch.is_full(batch_size))
    }

    /// How much memory a new batch should begin with, going by the one before.
    pub fn next_capacity(&self, batch_size: usize) -> usize {
        let last = self.waiting.back().map_or(self.last_bytes, Batch::size_in_bytes);
        last.checked_next_power_of_two().unwrap_or(batch_size).min(batch_size)
    }

    pub fn push(&mut self, batch: Batch) {
        self.waiting.push_back(batch);
    }

    /// Whether nothing is left to be sent or answered.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.again.is_empty() && self.in_flight.is_empty()
    }

    /// When this queue may have something to send, if nothing else happens: now or earlier if it has.
    pub fn ready_at(&self, readiness: &Readiness) -> Option<Instant> {
        if !self.again.is_empty() {
            return self.in_flight.is_empty().then(|| self.not_before.unwrap_or(readiness.now));
        }
        let established = self.writer.is_none_or(|writer| writer.established);
        let in_flight_max = if established { readiness.in_flight_max } else { 1 };
        let alone = (self.gap || self.resending) && !self.in_flight.is_empty();
        if self.in_flight.len() >= in_flight_max || alone {
            return None;
        }
        let first = self.waiting.front()?;
        let full = self.waiting.len() > 1 || first.is_full(readiness.batch_size);
        let at_once = full || first.id <= readiness.flush_through;
        Some(if at_once { readiness.now } else { first.created + readiness.linger })
    }

    /// How large the next batch to send is, before compression.
    pub fn next_bytes(&self) -> usize {
        self.again.front().or(self.waiting.front()).map_or(0, |batch| batch.charged)
    }

    /// How many batches are still to be acknowledged.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.again.len() + self.in_flight.len()
    }

    /// Takes the next batch to send; nothing without one that is ready. `identity` is who an idempotent producer is.
    pub fn take(&mut self, readiness: &Readiness, identity: Option<Identity>) -> Option<Batch> {
        if self.ready_at(readiness)? > readiness.now || identity.is_some_and(|who| self.is_spent(who)) {
            return None;
        }
        self.not_before = None;
        let resent = self.again.pop_front();
        self.resending = resent.is_some();
        let mut batch = match resent {
            Some(batch) => batch,
            None => self.waiting.pop_front()?,
        };
        self.last_bytes = batch.size_in_bytes();
        if let Some(identity) = identity
            && batch.sequence.is_none()
        {
            batch.sequence = Some(self.next_sequence(identity, batch.records()));
        }
        self.in_flight.push(batch.id);
        Some(batch)
    }

    fn next_sequence(&mut self, identity: Identity, records: i32) -> Sequence {
        let writer = self.writer.get_or_insert(Writer::new(identity));
        if self.gap
            && let Some(successor) = writer.successor(identity)
        {
            *writer = successor;
            self.gap = false;
        }
        writer.sequence(records)
    }

    /// Whether it goes on only under another producer id than this one, which has had its last epoch here.
    pub fn is_spent(&self, identity: Identity) -> bool {
        self.gap && self.writer.is_some_and(|writer| writer.successor(identity).is_none())
    }

    /// The batch arrived.
    pub fn succeeded(&mut self, batch: Batch, written: Written) -> Attempt {
        self.landed(&batch);
        if let (Some(writer), Some(sequence)) = (&mut self.writer, batch.sequence) {
            writer.established |= writer.is_of(sequence);
        }
        Attempt::Settled(batch, Ok(written))
    }

    /// The broker refused the batch.
    pub fn refused(&mut self, batch: Batch, error: BrokerError, retry_at: Instant) -> Attempt {
        match error.code {
            ErrorCode::DuplicateSequenceNumber => {
                self.succeeded(batch, Written { base_offset: None, log_append_time: None })
            }
            ErrorCode::OutOfOrderSequenceNumber
            | ErrorCode::UnknownProducerId
            | ErrorCode::InvalidProducerEpoch
                if batch.sequence.is_some() =>
            {
                self.out_of_sequence(batch, error, retry_at)
            }
            ErrorCode::MessageTooLarge => match batch.split() {
                Some((low, high)) => self.split(batch, low, high),
                None => self.given_up(batch, error.into()),
            },
            code if code.retriable() => {
                let mut batch = batch;
                // Any other may be said of a batch that is in the leader's log: it waited for replicas that did not come, or
                // the leader changed meanwhile.
                batch.uncertain |= code != ErrorCode::NotEnoughReplicas;
                self.again(batch, error.into(), retry_at)
            }
            _ => self.given_up(batch, error.into()),
        }
    }

    /// The batch did not leave.
    pub fn unsent(&mut self, batch: Batch, error: Error, retry_at: Instant) -> Attempt {
        if error.retriable() { self.again(batch, error, retry_at) } else { self.given_up(batch, error) }
    }

    /// The way to the broker failed, so that nobody knows whether the batch was written.
    pub fn lost(&mut self, mut batch: Batch, error: Error, retry_at: Instant) -> Attempt {
        batch.uncertain = true;
        self.unsent(batch, error, retry_at)
    }

    /// Ends a batch that is in flight without success.
    pub fn given_up(&mut self, batch: Batch, error: Error) -> Attempt {
        self.landed(&batch);
        self.gap |= batch.sequence.is_some();
        Attempt::Settled(batch, Err(error))
    }

    /// Takes what was begun before `oldest`, or cannot be sent safely any more, out of the queue.
    pub fn expire(&mut self, oldest: Instant) -> Vec<Batch> {
        let mut expired = Vec::new();
        for queue in [&mut self.again, &mut self.waiting] {
            while let Some(batch) = queue.pop_front_if(|batch| batch.created < oldest) {
                self.gap |= batch.sequence.is_some();
                expired.push(batch);
            }
        }
        expired
    }

    /// After a gap, once nothing is on its way: begins a new epoch for what has to be sent again. Returns those that may
    /// have been written under the old one, which nobody could notice under the new.
    ///
    /// It waits while `identity` is spent, or is being asked for.
    pub fn mend(&mut self, identity: Option<Identity>) -> Vec<Batch> {
        if !self.gap || self.again.is_empty() || !self.in_flight.is_empty() {
            return Vec::new();
        }
        let writer = self.writer.zip(identity).and_then(|(writer, identity)| writer.successor(identity));
        let Some(mut writer) = writer else {
            return Vec::new();
        };
        let (uncertain, mut certain): (VecDeque<Batch>, VecDeque<Batch>) =
            std::mem::take(&mut self.again).into_iter().partition(|batch| batch.uncertain);
        for batch in &mut certain {
            batch.resequence(writer.sequence(batch.records()));
        }
        self.again = certain;
        self.writer = Some(writer);
        self.gap = false;
        uncertain.into()
    }

    /// The broker expects another sequence number than the batch has.
    fn out_of_sequence(&mut self, batch: Batch, error: BrokerError, retry_at: Instant) -> Attempt {
        let stale = self.writer.is_some_and(|w| batch.sequence.is_some_and(|sequence| !w.is_of(sequence)));
        let earlier_is_open = self.in_flight.iter().any(|id| *id < batch.id)
            || self.again.front().is_some_and(|first| first.id < batch.id);
        if earlier_is_open || self.gap || stale {
            // One before it has to be written first, or its number is to change anyway.
            return self.again(batch, error.into(), retry_at);
        }
        if batch.uncertain {
            return self.given_up(batch, error.into());
        }
        // The broker has forgotten this producer: it starts over as its own successor.
        self.gap = true;
        self.again(batch, error.into(), retry_at)
    }

    fn again(&mut self, mut batch: Batch, error: Error, retry_at: Instant) -> Attempt {
        self.landed(&batch);
        batch.attempts = batch.attempts.saturating_add(1);
        batch.last_error = Some(Box::new(error));
        self.not_before = Some(self.not_before.map_or(retry_at, |at| at.max(retry_at)));
        self.put_back(batch);
        Attempt::Again
    }

    fn split(&mut self, batch: Batch, low: Batch, high: Batch) -> Attempt {
        self.landed(&batch);
        batch.outcome.split(&low, &high);
        let parts = [&low, &high].map(|part| (part.id, Arc::clone(&part.outcome)));
        self.put_back(low);
        self.put_back(high);
        Attempt::Split(batch, parts)
    }

    fn put_back(&mut self, batch: Batch) {
        let place = self.again.partition_point(|other| other.id < batch.id);
        self.again.insert(place, batch);
    }

    fn landed(&mut self, batch: &Batch) {
        self.in_flight.retain(|id| *id != batch.id);
    }
}

impl Writer {
    fn new(Identity { id, epoch }: Identity) -> Writer {
        Writer { producer_id: id, epoch, next_sequence: 0, established: false }
    }

    /// The writer that takes over after a gap. Brokers know epochs by partition, so no one needs to be asked; but after the
    /// last epoch there is only another producer's first.
    fn successor(self, identity: Identity) -> Option<Writer> {
        if identity.id != self.producer_id {
            return Some(Writer::new(identity));
        }
        let epoch = ProducerEpoch(self.epoch.0.checked_add(1)?);
        Some(Writer::new(Identity { id: self.producer_id, epoch }))
    }

    fn is_of(&self, sequence: Sequence) -> bool {
        (self.producer_id, self.epoch) == (sequence.producer_id, sequence.epoch)
    }

    fn sequence(&mut self, records: i32) -> Sequence {
        let base = self.next_sequence;
        self.next_sequence = increment_sequence(base, records);
        Sequence { producer_id: self.producer_id, epoch: self.epoch, base }
    }
}
