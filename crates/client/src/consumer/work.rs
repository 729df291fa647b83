//! What a consumer does while it is polled: asks for what it lacks, and deals with what arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, NodeId, TopicPartition};
use tokio::time::Instant;

use super::fetch::{self, Fetched, Got, Want};
use super::group::Joined;
use super::position::{self, At, Found, Position, Start};
use super::validate::{Checked, Doubt, Reign};
use super::{Consumer, ConsumerRecord, Pattern};
use crate::Error;
use crate::cluster::Wanted;
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
    /// Where all topics were asked for, and told.
    Refreshed(Option<Arc<Metadata>>),
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
        let (offsets, by, turn) = (self.to_commit(), self.commits_by(), group.commits.take());
        self.committing = true;
        self.committed_at = Instant::now();
        self.running.spawn(async move { Done::Committed(group.commit(&offsets, by, turn).await) });
    }

    /// Takes records out of what has arrived.
    pub(super) fn take(&mut self, max: usize) -> Result<Vec<ConsumerRecord>, Error> {
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
                Ok(()) if fetched.is_empty() => {}
                Ok(()) => self.buffered.push_front(fetched),
                // Records that could be read are returned before the error, which comes again with the next fetch.
                Err(_) if !records.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }

    /// Asks for positions that are not known, for the ends of epochs where positions are in doubt, and for records where
    /// they are not.
    pub(super) fn ask(&mut self) {
        let now = Instant::now();
        let mut lost = Vec::new();
        let mut doubts: BTreeMap<NodeId, Vec<Doubt>> = BTreeMap::new();
        let mut wants: BTreeMap<NodeId, Vec<Want>> = BTreeMap::new();
        let mut outdated = false;
        let buffered: BTreeSet<&TopicPartition> = self.buffered.iter().map(|fetched| &fetched.name).collect();
        let stocked = self.stocked(&buffered);
        for (name, position) in &mut self.positions {
            if position.asked || position.not_before.is_some_and(|at| at > now) {
                continue;
            }
            let (offset, epoch) = match position.at {
                At::Unknown(start) => {
                    position.asked = true;
                    lost.push((name.clone(), position.token, start));
                    continue;
                }
                At::Known(offset, epoch) => (offset, epoch),
            };
            if !position.doubted && (position.paused || buffered.contains(name)) {
                continue;
            }
            // Only those leaders are asked that positions were compared with.
            let Some(reign) = Reign::of(&self.followed, name) else {
                outdated = true;
                continue;
            };
            let (name, token) = (name.clone(), position.token);
            if let Some(epoch) = epoch.filter(|_| position.doubted) {
                position.asked = true;
                doubts.entry(reign.leader).or_default().push(Doubt {
                    name,
                    token,
                    epoch,
                    current: reign.epoch,
                });
                continue;
            }
            let Some(node) = position.source(reign.leader, &self.followed, &name, now) else {
                position.not_before = Some(now + self.client.backoff());
                outdated = true;
                continue;
            };
            if self.busy.contains(&node) {
                continue;
            }
            position.reign.get_or_insert(reign);
            let (topic_id, leader_epoch) = (reign.topic_id, reign.epoch);
            wants.entry(node).or_default().push(Want { name, topic_id, offset, leader_epoch, token });
        }
        // An answer is looked at when no records are left here. So if the first partition that is read were asked for at once,
        // all others would be on their way while there is nothing to read but that one. Halves keep both sides busy.
        wants.retain(|node, wants| wants.len() >= stocked.get(node).copied().unwrap_or(0));
        let unknown = self.pattern.is_some() && self.subscription.is_none();
        if outdated || unknown || self.refreshed_at + self.client.config().metadata_max_age < now {
            self.refresh();
        }
        self.find(lost);
        for (leader, doubts) in doubts {
            self.validate(leader, doubts);
        }
        for (node, wants) in wants {
            self.fetch(node, wants);
        }
    }

    /// Of how many partitions that a broker is asked for there are still records here that may be returned.
    fn stocked(&self, buffered: &BTreeSet<&TopicPartition>) -> BTreeMap<NodeId, usize> {
        let mut stocked = BTreeMap::new();
        for name in buffered {
            let position = self.positions.get(*name).filter(|position| !position.paused);
            if let (Some(position), Some(reign)) = (position, Reign::of(&self.followed, name)) {
                *stocked.entry(position.likely_source(reign.leader)).or_default() += 1;
            }
        }
        stocked
    }

    fn find(&mut self, lost: Vec<(TopicPartition, u64, Start)>) {
        if lost.is_empty() {
            return;
        }
        let asked = lost.iter().map(|(name, token, _)| (name.clone(), *token)).collect();
        let (client, config) = (self.client.clone(), Arc::clone(&self.config));
        self.running
            .spawn(async move { Done::Found { asked, result: position::find(client, config, lost).await } });
    }

    fn fetch(&mut self, node: NodeId, wants: Vec<Want>) {
        self.busy.insert(node);
        for want in &wants {
            if let Some(position) = self.positions.get_mut(&want.name) {
                position.asked = true;
            }
        }
        let asked = wants.iter().map(|want| (want.name.clone(), want.token)).collect();
        let (client, config, id) = (self.client.clone(), Arc::clone(&self.config), self.id);
        self.running.spawn(async move {
            let result = fetch::fetch(client, config, id, node, wants).await;
            Done::Fetched { node, asked, result }
        });
    }

    pub(super) fn refresh(&mut self) {
        if self.refreshing {
            return;
        }
        self.refreshing = true;
        let client = self.client.clone();
        let mut names: Vec<String> = self.positions.keys().map(|name| name.topic.to_string()).collect();
        names.extend(self.subscription.iter().flatten().cloned());
        names.sort();
        names.dedup();
        let all = self.pattern.is_some();
        // The first question is no repetition.
        let wait = if all && self.subscription.is_none() { Duration::ZERO } else { client.backoff() };
        self.running.spawn(async move {
            tokio::time::sleep(wait).await;
            let wanted = if all { Wanted::All } else { Wanted::Topics { names: &names, create: false } };
            match client.refresh(wanted).await {
                Ok(metadata) => Done::Refreshed(Some(metadata).filter(|_| all)),
                Err(error) => {
                    tracing::debug!(%error, "metadata could not be refreshed");
                    tokio::time::sleep(client.backoff()).await;
                    Done::Refreshed(None)
                }
            }
        });
    }

    /// When to look again though nothing has arrived.
    pub(super) fn rest_until(&self, deadline: Instant) -> Instant {
        let now = Instant::now();
        let waits = self.positions.values().filter_map(|position| position.not_before);
        waits.filter(|at| *at > now).fold(deadline, Instant::min)
    }

    pub(super) fn finish(&mut self, done: Done) -> Result<(), Error> {
        match done {
            Done::Fetched { node, asked, result } => {
                self.busy.remove(&node);
                self.answered(&asked);
                match result {
                    Ok(gots) => gots.into_iter().try_for_each(|got| self.got(got))?,
                    Err(error) => {
                        self.leave_replicas(&asked);
                        self.failed(&asked, error)?;
                    }
                }
            }
            Done::Found { asked, result } => {
                self.answered(&asked);
                match result {
                    Ok(found) => self.found(found),
                    Err(error) => self.failed(&asked, error)?,
                }
            }
            Done::Validated { asked, result } => {
                self.answered(&asked);
                self.validated(&asked, result)?;
            }
            Done::Refreshed(all) => {
                self.refreshing = false;
                self.refreshed_at = Instant::now();
                if let Some(metadata) = all {
                    self.choose_topics(&metadata);
                }
                self.notice_growth();
            }
            Done::Joined { wanted, result } => {
                if let Some(joined) = result? {
                    self.joined(joined, &wanted);
                }
            }
            Done::Committed(result) => {
                self.committing = false;
                if let Err(error) = result {
                    tracing::warn!(%error, "positions could not be committed");
                }
            }
        }
        Ok(())
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
    pub(super) fn failed(&mut self, asked: &[(TopicPartition, u64)], error: Error) -> Result<(), Error> {
        if !error.retriable() && !error.is_connection() {
            return Err(error);
        }
        tracing::debug!(%error, "trying again");
        self.back_off(asked);
        self.refresh();
        Ok(())
    }

    pub(super) fn back_off(&mut self, asked: &[(TopicPartition, u64)]) {
        let not_before = Instant::now() + self.client.backoff();
        for (name, token) in asked {
            if let Some(position) = self.positions.get_mut(name).filter(|position| position.token == *token) {
                position.not_before = Some(not_before);
            }
        }
    }

    fn got(&mut self, got: Got) -> Result<(), Error> {
        let token = self.token();
        let Some(position) = self.positions.get_mut(&got.name).filter(|position| position.token == got.token)
        else {
            return Ok(());
        };
        let error = match got.result {
            Ok(fetched) => {
                position.bounds = fetched.bounds.or(position.bounds);
                position.end = fetched.end.or(position.end);
                if let Some(node) = fetched.preferred {
                    position.prefer(node, Instant::now() + self.client.config().metadata_max_age);
                }
                if !fetched.is_empty() {
                    self.buffered.push_back(fetched);
                }
                return Ok(());
            }
            Err(error) => error,
        };
        // A replica that does not know of the leader's epoch yet will hear of it.
        let preferred = position.preferred.take_if(|_| error.code != ErrorCode::UnknownLeaderEpoch);
        match error.code {
            // A replica may be behind its leader, who is asked next.
            ErrorCode::OffsetOutOfRange if preferred.is_some() => Ok(()),
            ErrorCode::OffsetOutOfRange => {
                let restart = position::restart(&self.config);
                let start = restart.ok_or_else(|| position::no_offset(&got.name))?;
                tracing::info!(partition = %got.name, "the position is out of range; going to auto.offset.reset");
                *position = Position { paused: position.paused, ..Position::new(start, token) };
                Ok(())
            }
            code if code.retriable() || code == ErrorCode::InconsistentTopicId => {
                self.back_off(&[(got.name, got.token)]);
                self.refresh();
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    fn found(&mut self, found: Vec<Found>) {
        for found in found {
            let Some(position) = self.positions.get_mut(&found.name).filter(|p| p.token == found.token)
            else {
                continue;
            };
            position.at = At::Known(found.offset, found.leader_epoch);
            if let Some(seen) = found.seen {
                self.wait_for_newer(&found.name, seen);
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
    fn notice_growth(&mut self) {
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
