//! What became of batches that were sent, or could not be: their queues learn of it, and so does who wrote their records.

use std::collections::BTreeMap;

use kernel::{NodeId, TopicPartition, Uuid};
use tokio::time::Instant;
use wire::messages::produce_response::ProduceResponse;

use super::answers::answers;
use super::batch::{Batch, Written};
use super::queue::{Attempt, Queue};
use super::send::{Sender, Sent};
use super::{Shared, Topics};
use crate::Error;

impl Sender {
    /// Judges each batch of a request by its answer.
    pub(super) fn produced(
        &mut self,
        leader: NodeId,
        sent: Vec<Sent>,
        result: Result<ProduceResponse, Error>,
    ) {
        let now = Instant::now();
        let node = self.nodes.entry(leader).or_default();
        match &result {
            Ok(_) => node.failures = 0,
            Err(_) => node.failed(&self.shared.client),
        }
        let mut answers = match &result {
            Ok(response) => answers(response),
            Err(_) => BTreeMap::new(),
        };
        let mut topics = self.shared.topics.lock();
        for Sent { partition, topic_id, batch } in sent {
            let Some(queue) = queue_of(&mut topics, &partition) else {
                continue;
            };
            let retry_at = now + self.shared.client.backoff_after(batch.attempts.saturating_add(1));
            let by_name = answers.remove(&(Uuid::ZERO, partition.topic.to_string(), partition.partition));
            let answer = by_name.or_else(|| answers.remove(&(topic_id, String::new(), partition.partition)));
            let attempt = match (&result, answer) {
                (Ok(_), Some(Ok(written))) => queue.succeeded(batch, written),
                (Ok(_), Some(Err(refused))) => {
                    let mut batch = batch;
                    batch.refused = refused.records;
                    let error = refused.error.partition(partition.topic.as_ref(), partition.partition);
                    self.stale |= error.code.retriable();
                    queue.refused(batch, error, retry_at)
                }
                (Ok(_), None) => {
                    let reason = "an answer does not mention a partition that was written to".to_owned();
                    queue.lost(batch, Error::Protocol { address: String::new(), reason }, retry_at)
                }
                (Err(error), _) if error.is_connection() => {
                    self.stale = true;
                    queue.lost(batch, again_after(error), retry_at)
                }
                (Err(error), _) => queue.given_up(batch, error.clone()),
            };
            conclude(&self.shared, &mut topics, attempt);
        }
    }

    /// Sent, and nobody will say what became of it.
    pub(super) fn unanswered(&mut self, sent: Vec<Sent>) {
        let mut topics = self.shared.topics.lock();
        for Sent { partition, batch, .. } in sent {
            let written = Written { base_offset: None, log_append_time: None };
            if let Some(queue) = queue_of(&mut topics, &partition) {
                let attempt = queue.succeeded(batch, written);
                conclude(&self.shared, &mut topics, attempt);
            }
        }
    }

    /// A request did not leave: the way to the leader is closed, or the leader takes no such request.
    pub(super) fn unsent(&mut self, leader: NodeId, sent: Vec<Sent>, error: &Error) {
        self.stale = true;
        self.nodes.entry(leader).or_default().failed(&self.shared.client);
        let now = Instant::now();
        let mut topics = self.shared.topics.lock();
        for Sent { partition, batch, .. } in sent {
            let Some(queue) = queue_of(&mut topics, &partition) else {
                continue;
            };
            let retry_at = now + self.shared.client.backoff_after(batch.attempts.saturating_add(1));
            let attempt = queue.unsent(batch, again_after(error), retry_at);
            conclude(&self.shared, &mut topics, attempt);
        }
    }

    /// Batches that cannot be sent as they are.
    pub(super) fn given_up(&self, failed: Vec<(Sent, Error)>) {
        let mut topics = self.shared.topics.lock();
        for (Sent { partition, batch, .. }, error) in failed {
            if let Some(queue) = queue_of(&mut topics, &partition) {
                let attempt = queue.given_up(batch, error);
                conclude(&self.shared, &mut topics, attempt);
            }
        }
    }
}

/// Bytes that make no sense end the connection; the next one may be better.
fn again_after(error: &Error) -> Error {
    match error {
        Error::Protocol { address, reason } => {
            Error::Connection { address: address.clone(), reason: reason.clone() }
        }
        error => error.clone(),
    }
}

pub(super) fn queue_of<'t>(topics: &'t mut Topics, name: &TopicPartition) -> Option<&'t mut Queue> {
    topics.by_name.get_mut(&name.topic)?.partitions.get_mut(&name.partition)
}

fn conclude(shared: &Shared, topics: &mut Topics, attempt: Attempt) {
    match attempt {
        Attempt::Settled(batch, outcome) => settle(shared, topics, &batch, outcome),
        Attempt::Split(whole, parts) => {
            topics.unsettled.remove(&whole.id);
            topics.unsettled.extend(parts);
        }
        Attempt::Again => {}
    }
}

/// Tells the senders of a batch's records what became of them, and frees the room that these took.
pub(super) fn settle(shared: &Shared, topics: &mut Topics, batch: &Batch, outcome: Result<Written, Error>) {
    topics.unsettled.remove(&batch.id);
    shared.memory.add_permits(batch.charged);
    match outcome {
        Err(Error::Broker(error)) if !batch.refused.is_empty() => {
            batch.outcome.refuse(error, batch.refused.clone());
        }
        outcome => batch.outcome.settle(outcome),
    }
}
