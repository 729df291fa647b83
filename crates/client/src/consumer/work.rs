//! What a consumer does while it is polled with what arrives.

use std::sync::Arc;

use kernel::{ErrorCode, NodeId, TopicPartition};
use tokio::task::JoinError;
use tokio::time::Instant;

use super::fetch::{Fetched, Got};
use super::group::Joined;
use super::position::{self, At, Found, Position};
use super::validate::Checked;
use super::{Consumer, ConsumerRecord, Pattern};
use crate::Error;
use crate::metadata::Metadata;

/// Something that was waited for.
#[derive(Debug)]
pub(super) enum Done {
    Fetched {
        node: NodeId,
        asked: Vec<(TopicPartition, u64)>,
        result: Result<Vec<Got>, Error>,
    },
    Found {
        asked: Vec<(TopicPartition, u64)>,
        result: Result<Vec<Found>, Error>,
    },
    Validated {
        asked: Vec<(TopicPartition, u64)>,
        result: Result<Vec<Checked>, Error>,
    },
    /// What there is, if all topics were asked for.
    Refreshed(Result<Option<Arc<Metadata>>, Error>),
    /// Nothing: the group does not know the member, who has to begin again.
    Joined {
        /// The topics it has said that it wants.
        wanted: Vec<String>,
        result: Result<Option<Joined>, Error>,
    },
    Committed(Result<(), Error>),
}

impl Consumer {
    pub(super) fn commit_in_background(&mut self) {
        let due = self.config.enable_auto_commit
            && !self.committing
            && self.committed_at.elapsed() >= self.config.auto_commit_interval;
        let Some(group) = self.group.clone().filter(|_| due) else {
            return;
        };
        let committing = group.commit(self.to_commit(), self.commits_by());
        self.committing = true;
        self.committed_at = Instant::now();
        self.of_group.spawn(async move { Done::Committed(committing.await) });
    }

    /// Takes records out of what has arrived.
    pub(super) fn take(&mut self, max: usize) -> Vec<ConsumerRecord> {
        let mut records = Vec::new();
        while records.len() < max {
            let paused = |fetched: &Fetched| self.positions.get(&fetched.name).is_some_and(|p| p.paused);
            let Some(next) = self.buffered.iter().position(|fetched| !paused(fetched)) else {
                break;
            };
            let Some(mut fetched) = self.buffered.remove(next) else {
                break;
            };
            let Some(position) = self.positions.get_mut(&fetched.name).filter(|p| p.token == fetched.token)
            else {
                continue;
            };
            let before = records.len();
            let taken = fetched.take(max, &mut records);
            let epoch = records.last().filter(|_| records.len() > before).and_then(|r| r.leader_epoch);
            let known = if let At::Known(_, epoch) = position.at { epoch } else { None };
            position.at = At::Known(fetched.position(), epoch.or(known));
            match taken {
                Ok(()) => {
                    position.went_well();
                    if !fetched.is_empty() {
                        self.buffered.push_front(fetched);
                    }
                }
                // It is fetched again, as it may be whole then.
                Err(error) => {
                    position.back_off(&self.client);
                    self.failures.of(fetched.name, fetched.token, error);
                }
            }
        }
        records
    }

    /// What was ended before is of no use any more.
    pub(super) fn finished(&mut self, done: Result<Done, JoinError>) {
        if let Ok(done) = done {
            self.finish(done);
        }
    }

    fn finish(&mut self, done: Done) {
        match done {
            Done::Fetched { node, asked, result } => {
                self.busy.remove(&node);
                self.answered(&asked);
                match result {
                    Ok(gots) => gots.into_iter().for_each(|got| self.got(got)),
                    Err(error) => {
                        self.leave_replicas(&asked);
                        self.failed(&asked, error);
                    }
                }
            }
            Done::Found { asked, result } => {
                self.answered(&asked);
                self.found(&asked, result);
            }
            Done::Validated { asked, result } => {
                self.answered(&asked);
                self.validated(&asked, result);
            }
            Done::Refreshed(result) => self.refreshed(result),
            Done::Joined { wanted, result } => match result {
                Ok(Some(joined)) => self.joined(joined, &wanted),
                Ok(None) => {}
                Err(error) => self.failures.general(error),
            },
            Done::Committed(result) => {
                self.committing = false;
                if let Err(error) = result {
                    tracing::warn!(%error, "positions could not be committed");
                }
            }
        }
    }

    fn refreshed(&mut self, result: Result<Option<Arc<Metadata>>, Error>) {
        self.refreshing = false;
        self.refreshed_at = Instant::now();
        let wait = match result {
            Ok(all) => {
                self.refresh_backoff.reset();
                if let Some(metadata) = all {
                    self.choose_topics(&metadata);
                }
                self.client.backoff()
            }
            Err(error) => {
                tracing::debug!(%error, "metadata could not be refreshed");
                self.refresh_backoff.next(&self.client)
            }
        };
        self.refresh_after = Instant::now() + wait;
        self.notice_growth();
    }

    fn answered(&mut self, asked: &[(TopicPartition, u64)]) {
        for (name, token) in asked {
            if let Some(position) = self.positions.get_mut(name).filter(|position| position.token == *token) {
                position.asked = false;
                position.not_before = None;
            }
        }
    }

    /// A question failed as a whole.
    pub(super) fn failed(&mut self, asked: &[(TopicPartition, u64)], error: Error) {
        self.back_off(asked);
        if error.retriable() || error.is_connection() {
            tracing::debug!(%error, "trying again");
            self.refresh();
        } else {
            self.failures.general(error);
        }
    }

    pub(super) fn back_off(&mut self, asked: &[(TopicPartition, u64)]) {
        for (name, token) in asked {
            if let Some(position) = self.positions.get_mut(name).filter(|position| position.token == *token) {
                position.back_off(&self.client);
            }
        }
    }

    fn got(&mut self, got: Got) {
        let token = self.token();
        let Some(position) = self.positions.get_mut(&got.name).filter(|position| position.token == got.token)
        else {
            return;
        };
        let error = match got.result {
            Ok(fetched) => {
                position.bounds = fetched.bounds.or(position.bounds);
                position.end = fetched.end.or(position.end);
                if let Some(node) = fetched.preferred {
                    position.prefer(node, Instant::now() + self.client.config().metadata_max_age);
                }
                if fetched.is_empty() {
                    position.went_well();
                } else {
                    position.served = token;
                    // Whether it went well shows as it is read.
                    self.buffered.push_back(fetched);
                }
                return;
            }
            Err(error) => error,
        };
        // A replica that does not know of the leader's epoch yet will hear of it.
        let preferred = position.preferred.take_if(|_| error.code != ErrorCode::UnknownLeaderEpoch);
        // A replica may be behind its leader, who is asked next.
        if error.code == ErrorCode::OffsetOutOfRange && preferred.is_some() {
            return;
        }
        if error.code == ErrorCode::OffsetOutOfRange
            && let Some(start) = position::restart(&self.config, &self.client)
        {
            tracing::info!(partition = %got.name, "the position is out of range; going to auto.offset.reset");
            *position = Position { paused: position.paused, ..Position::new(start, token) };
            return;
        }
        position.back_off(&self.client);
        match (error.code, position.at) {
            (ErrorCode::OffsetOutOfRange, At::Known(offset, _)) => {
                let error = position::out_of_range(&got.name, offset);
                self.failures.of(got.name, got.token, error);
            }
            (code, _) if code.retriable() || code == ErrorCode::InconsistentTopicId => self.refresh(),
            _ => self.failures.of(got.name, got.token, error.into()),
        }
    }

    /// Goes to where positions were found; where they were not, they are looked up again after a while.
    pub(super) fn found(&mut self, asked: &[(TopicPartition, u64)], result: Result<Vec<Found>, Error>) {
        let found = match result {
            Ok(found) => found,
            Err(error) => return self.failed(asked, error),
        };
        self.back_off(asked);
        for Found { name, token, result } in found {
            let Some(position) = self.positions.get_mut(&name).filter(|position| position.token == token)
            else {
                continue;
            };
            match (result, position::restart(&self.config, &self.client)) {
                (Ok(Some(place)), _) => {
                    position.at = At::Known(place.offset, place.leader_epoch);
                    position.went_well();
                    if let Some(seen) = place.seen {
                        self.wait_for_newer(&name, seen);
                    }
                }
                (Ok(None), Some(start)) => {
                    position.at = At::Unknown(start);
                    position.went_well();
                }
                (Ok(None), None) => {
                    let error = position::no_offset(&name);
                    self.failures.of(name, token, error);
                }
                (Err(error), _) if error.code.retriable() => {
                    tracing::debug!(%error, "looking a position up again");
                    self.refresh();
                }
                (Err(error), _) => self.failures.of(name, token, error.into()),
            }
        }
        // What was committed is compared with the log as well.
        self.followed = Arc::default();
    }

    /// Joins again where other topics of the cluster are wanted than before.
    fn choose_topics(&mut self, metadata: &Metadata) {
        let (Some(Pattern(wanted)), Some(group)) = (&self.pattern, &self.group) else {
            return;
        };
        let topics = metadata.topics().filter(|topic| !topic.internal && wanted(&topic.name));
        let topics: Vec<String> = topics.map(|topic| topic.name.clone()).collect();
        if self.subscription.as_ref() != Some(&topics) {
            self.subscription = Some(topics);
            group.rejoin();
        }
    }

    /// The group's leader joins again when a topic has got partitions that nobody reads.
    pub(super) fn notice_growth(&mut self) {
        let (Some(counts), Some(group)) = (&self.counts, &self.group) else {
            return;
        };
        let metadata = self.client.metadata();
        let grown = counts.iter().any(|(topic, count)| {
            let now = metadata.topic(topic).map_or(0, |topic| topic.partitions.len());
            i32::try_from(now) != Ok(*count)
        });
        if grown {
            group.rejoin();
        }
    }
}
