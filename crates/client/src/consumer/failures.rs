//! What is wrong and has yet to be told: an error of one partition keeps nobody from the records of the others.

use std::collections::{BTreeMap, VecDeque};

use kernel::TopicPartition;

use super::position::Position;
use crate::Error;

/// Errors that polls have yet to return.
#[derive(Debug, Default)]
pub(super) struct Failures {
    waiting: VecDeque<Failure>,
    /// Whether records went before what waits. The next time it is the other way round.
    overtaken: bool,
}

#[derive(Debug)]
struct Failure {
    /// The partition, and its position's token then, if it is about one.
    of: Option<(TopicPartition, u64)>,
    error: Error,
}

impl Failures {
    /// Keeps an error of a partition, in place of an earlier one.
    pub fn of(&mut self, name: TopicPartition, token: u64, error: Error) {
        self.waiting.retain(|other| other.of.as_ref().is_none_or(|(of, _)| *of != name));
        self.put(Some((name, token)), error);
    }

    /// Keeps an error of more than one partition.
    pub fn general(&mut self, error: Error) {
        self.put(None, error);
    }

    fn put(&mut self, of: Option<(TopicPartition, u64)>, error: Error) {
        // What is wrong with a topic or a group is told once, and not for each of its partitions.
        if self.waiting.iter().all(|other| other.error != error) {
            self.waiting.push_back(Failure { of, error });
        }
    }

    /// The next error to be returned. Those of positions that have been left since are not of interest any more.
    pub fn next(&mut self, positions: &BTreeMap<TopicPartition, Position>) -> Option<Error> {
        self.overtaken = false;
        let is_current = |failure: &Failure| {
            failure.of.as_ref().is_none_or(|(name, token)| {
                positions.get(name).is_some_and(|position| position.token == *token)
            })
        };
        std::iter::from_fn(|| self.waiting.pop_front()).find(is_current).map(|failure| failure.error)
    }

    /// The next error, if records went before it already.
    pub fn overdue(&mut self, positions: &BTreeMap<TopicPartition, Position>) -> Option<Error> {
        if self.overtaken { self.next(positions) } else { None }
    }

    /// Records are returned before what waits.
    pub fn overtake(&mut self) {
        self.overtaken = !self.waiting.is_empty();
    }

    /// Forgets what was about a membership, or partitions, that is over.
    pub fn clear(&mut self) {
        *self = Failures::default();
    }
}
