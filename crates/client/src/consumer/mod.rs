//! Reads records: from partitions that the caller names, or as a member of a group.

mod assign;
mod fetch;
mod group;
mod position;
pub(crate) mod protocol;
mod record;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, NodeId, Offset, TopicPartition, Uuid};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

pub use position::Start;
pub use record::ConsumerRecord;

use crate::cluster::{ConsumerId, Wanted};
use crate::retry::jittered;
use crate::{Client, ConsumerConfig, Error};
use fetch::{Fetched, Got, Want};
use group::{Group, Joined, Positions, Standing};
use position::{At, Found, Position};

/// Reads records. What it does in the background is joined to [`Consumer::poll`]: a consumer that is not polled fetches
/// no more than it has asked for, and leaves its group after `max.poll.interval.ms`.
#[derive(Debug)]
pub struct Consumer {
    client: Client,
    config: Arc<ConsumerConfig>,
    id: ConsumerId,
    positions: BTreeMap<TopicPartition, Position>,
    next_token: u64,
    buffered: VecDeque<Fetched>,
    running: JoinSet<Done>,
    /// Leaders that owe an answer.
    busy: HashSet<NodeId>,
    refreshing: bool,
    refreshed_at: Instant,
    group: Option<Arc<Group>>,
    subscription: Vec<String>,
    /// What the group's leader shared out, to notice when topics have grown.
    counts: Option<BTreeMap<String, i32>>,
    assignments: u64,
    beating: Option<AbortHandle>,
    committed_at: Instant,
    committing: bool,
}

/// Something that was waited for.
#[derive(Debug)]
enum Done {
    Fetched { leader: NodeId, asked: Vec<(TopicPartition, u64)>, result: Result<Vec<Got>, Error> },
    Found { asked: Vec<(TopicPartition, u64)>, result: Result<Vec<Found>, Error> },
    Refreshed,
    Joined(Result<Joined, Error>),
    Committed(Result<(), Error>),
}

impl Consumer {
    /// A consumer on a client's cluster, which reads nothing yet.
    pub fn new(client: &Client, config: ConsumerConfig) -> Result<Consumer, Error> {
        config.check()?;
        let config = Arc::new(config);
        let id = client.new_consumer();
        let group = config
            .group_id
            .clone()
            .map(|name| Arc::new(Group::new(client.clone(), Arc::clone(&config), id, name)));
        Ok(Consumer {
            client: client.clone(),
            config,
            id,
            positions: BTreeMap::new(),
            next_token: 0,
            buffered: VecDeque::new(),
            running: JoinSet::new(),
            busy: HashSet::new(),
            refreshing: false,
            refreshed_at: Instant::now(),
            group,
            subscription: Vec::new(),
            counts: None,
            assignments: 0,
            beating: None,
            committed_at: Instant::now(),
            committing: false,
        })
    }

    /// Reads these partitions, and no others. The group, if there is one, only keeps offsets.
    pub fn assign(&mut self, partitions: impl IntoIterator<Item = (TopicPartition, Start)>) {
        self.subscription.clear();
        self.set_positions(partitions);
    }

    /// Reads topics as a member of the group, from where it has committed to.
    ///
    /// # Errors
    /// [`Error::Config`] without a `group.id`.
    pub fn subscribe(&mut self, topics: impl IntoIterator<Item = impl Into<String>>) -> Result<(), Error> {
        let Some(group) = &self.group else {
            let reason = "a consumer without a group cannot subscribe".to_owned();
            return Err(Error::Config { name: "group.id", reason });
        };
        self.subscription = topics.into_iter().map(Into::into).collect();
        group.rejoin();
        Ok(())
    }

    /// The partitions that are read now.
    pub fn assignment(&self) -> impl Iterator<Item = &TopicPartition> {
        self.positions.keys()
    }

    /// How many times an assignment was received: a member of a group that sees it change has lost or gained partitions.
    pub fn assignment_count(&self) -> u64 {
        self.assignments
    }

    /// The offset of the next record of a partition that `poll` will return; nothing while it is being looked up.
    pub fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        match self.positions.get(partition)?.at {
            At::Known(offset, _) => Some(offset),
            At::Unknown(_) => None,
        }
    }

    /// The end of the partition as the last answer had it; nothing before there was one.
    pub fn high_watermark(&self, partition: &TopicPartition) -> Option<Offset> {
        self.positions.get(partition)?.high_watermark
    }

    /// Goes elsewhere in a partition that is assigned; in others it does nothing.
    pub fn seek(&mut self, partition: &TopicPartition, start: Start) {
        let token = self.token();
        if let Some(position) = self.positions.get_mut(partition) {
            let paused = position.paused;
            *position = Position { paused, ..Position::new(start, token) };
            self.buffered.retain(|fetched| fetched.name != *partition);
        }
    }

    /// Stops or starts fetching from a partition, without leaving it.
    pub fn pause(&mut self, partition: &TopicPartition, paused: bool) {
        if let Some(position) = self.positions.get_mut(partition) {
            position.paused = paused;
        }
    }

    /// The next records, in the order of each partition; none if `time` passes without any.
    ///
    /// Dropping the call loses nothing: what arrived is returned by the next one. With `enable.auto.commit`, calling it
    /// again says that the records of the call before are dealt with.
    ///
    /// # Errors
    /// Those that trying again does not mend, such as [`Error::NoOffset`], [`Error::Records`], or a topic that is not
    /// there. The consumer can be polled again, and the error comes again if its cause is still there.
    pub async fn poll(&mut self, time: Duration) -> Result<Vec<ConsumerRecord>, Error> {
        self.poll_up_to(self.config.max_poll_records, time).await
    }

    /// As [`Consumer::poll`], but at most `max` records.
    pub async fn poll_up_to(&mut self, max: usize, time: Duration) -> Result<Vec<ConsumerRecord>, Error> {
        let deadline = Instant::now() + time;
        loop {
            self.tend_group();
            self.commit_in_background();
            let records = self.take(max)?;
            self.ask();
            if !records.is_empty() {
                return Ok(records);
            }
            let rest_until = self.rest_until(deadline);
            let group = self.group.clone();
            let changed = async {
                match &group {
                    Some(group) => group.changed.notified().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(done) = self.running.join_next() => {
                    if let Ok(done) = done {
                        self.finish(done)?;
                    }
                }
                () = changed => {}
                () = sleep_until(rest_until) => {
                    if Instant::now() >= deadline {
                        return Ok(Vec::new());
                    }
                }
            }
        }
    }

    /// Commits the positions, and waits until that is done.
    ///
    /// # Errors
    /// [`Error::Config`] without a `group.id`; [`Error::Broker`] if the group has meanwhile given the partitions to
    /// somebody else, in which case the records will be read again there.
    pub async fn commit(&mut self) -> Result<(), Error> {
        let Some(group) = self.group.clone() else {
            let reason = "a consumer without a group cannot commit".to_owned();
            return Err(Error::Config { name: "group.id", reason });
        };
        self.committed_at = Instant::now();
        group.commit(&self.to_commit()).await
    }

    /// Commits, if `enable.auto.commit` says so, and leaves the group. At most `default.api.timeout.ms`.
    pub async fn close(mut self) -> Result<(), Error> {
        if let Some(beating) = self.beating.take() {
            beating.abort();
        }
        let Some(group) = self.group.clone() else {
            return Ok(());
        };
        let time = self.client.config().default_api_timeout;
        let last = async {
            let committed = match self.config.enable_auto_commit {
                true => group.commit(&self.to_commit()).await,
                false => Ok(()),
            };
            let left = if self.subscription.is_empty() { Ok(()) } else { group.leave().await };
            committed.and(left)
        };
        timeout(time, last).await.unwrap_or(Err(Error::Timeout { what: "closing", after: time }))
    }

    fn set_positions(&mut self, partitions: impl IntoIterator<Item = (TopicPartition, Start)>) {
        self.buffered.clear();
        self.positions.clear();
        for (name, start) in partitions {
            let token = self.token();
            self.positions.insert(name, Position::new(start, token));
        }
    }

    fn token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }

    fn to_commit(&self) -> Positions {
        let known = |(name, position): (&TopicPartition, &Position)| match position.at {
            At::Known(offset, epoch) => Some((name.clone(), offset, epoch)),
            At::Unknown(_) => None,
        };
        self.positions.iter().filter_map(known).collect()
    }

    /// Joins the group when that is due.
    fn tend_group(&mut self) {
        let Some(group) = self.group.clone() else {
            return;
        };
        group.polled();
        if self.subscription.is_empty() || group.standing() != Standing::Out {
            return;
        }
        let last = if self.config.enable_auto_commit { self.to_commit() } else { Vec::new() };
        self.set_positions([]);
        group.joining();
        let topics = self.subscription.clone();
        self.running.spawn(async move {
            // What was returned is dealt with: whoever gets the partitions next should not read it again.
            if let Err(error) = group.commit(&last).await {
                tracing::debug!(%error, "the commit before joining again failed");
            }
            group.joining();
            Done::Joined(group.join(&topics).await)
        });
    }

    fn commit_in_background(&mut self) {
        let due = self.config.enable_auto_commit
            && !self.committing
            && self.committed_at.elapsed() >= self.config.auto_commit_interval;
        let Some(group) = self.group.clone().filter(|_| due) else {
            return;
        };
        let positions = self.to_commit();
        self.committing = true;
        self.committed_at = Instant::now();
        self.running.spawn(async move { Done::Committed(group.commit(&positions).await) });
    }

    /// Takes records out of what has arrived.
    fn take(&mut self, max: usize) -> Result<Vec<ConsumerRecord>, Error> {
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
            match fetched.take(max, &mut records) {
                Ok(after) => {
                    let epoch =
                        records.last().filter(|_| records.len() > before).and_then(|r| r.leader_epoch);
                    let known = if let At::Known(_, epoch) = position.at { epoch } else { None };
                    position.at = At::Known(after, epoch.or(known));
                    if !fetched.is_empty() {
                        self.buffered.push_front(fetched);
                    }
                }
                // Records that could be read are returned before the error, which comes again with the next fetch.
                Err(_) if !records.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }

    /// Asks for positions that are not known and for records of those that are.
    fn ask(&mut self) {
        let now = Instant::now();
        let mut lost = Vec::new();
        let mut wants: HashMap<NodeId, Vec<Want>> = HashMap::new();
        let mut leaderless = false;
        let metadata = self.client.metadata();
        let buffered: HashSet<&TopicPartition> = self.buffered.iter().map(|fetched| &fetched.name).collect();
        for (name, position) in &mut self.positions {
            if position.asked || position.not_before.is_some_and(|at| at > now) {
                continue;
            }
            let (offset, _) = match position.at {
                At::Unknown(start) => {
                    position.asked = true;
                    lost.push((name.clone(), position.token, start));
                    continue;
                }
                At::Known(offset, epoch) => (offset, epoch),
            };
            if position.paused || buffered.contains(name) {
                continue;
            }
            let known = metadata.partition(&name.topic, name.partition);
            let Some((leader, partition)) = known.and_then(|partition| Some((partition.leader?, partition)))
            else {
                leaderless = true;
                continue;
            };
            if self.busy.contains(&leader) {
                continue;
            }
            let topic_id = metadata.topic(&name.topic).map_or(Uuid::ZERO, |topic| topic.id);
            let leader_epoch = partition.leader_epoch;
            let want = Want { name: name.clone(), topic_id, offset, leader_epoch, token: position.token };
            position.asked = true;
            wants.entry(leader).or_default().push(want);
        }
        if leaderless || self.refreshed_at + self.client.config().metadata_max_age < now {
            self.refresh();
        }
        self.find(lost);
        for (leader, wants) in wants {
            self.fetch(leader, wants);
        }
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

    fn fetch(&mut self, leader: NodeId, wants: Vec<Want>) {
        self.busy.insert(leader);
        let asked = wants.iter().map(|want| (want.name.clone(), want.token)).collect();
        let (client, config, id) = (self.client.clone(), Arc::clone(&self.config), self.id);
        self.running.spawn(async move {
            let result = fetch::fetch(client, config, id, leader, wants).await;
            Done::Fetched { leader, asked, result }
        });
    }

    fn refresh(&mut self) {
        if self.refreshing {
            return;
        }
        self.refreshing = true;
        let client = self.client.clone();
        let mut names: Vec<String> = self.positions.keys().map(|name| name.topic.to_string()).collect();
        names.extend(self.subscription.iter().cloned());
        names.sort();
        names.dedup();
        let wait = jittered(client.config().retry_backoff);
        self.running.spawn(async move {
            tokio::time::sleep(wait).await;
            if let Err(error) = client.refresh(Wanted::Topics { names: &names, create: false }).await {
                tracing::debug!(%error, "metadata could not be refreshed");
            }
            Done::Refreshed
        });
    }

    /// When to look again though nothing has arrived.
    fn rest_until(&self, deadline: Instant) -> Instant {
        let now = Instant::now();
        let waits = self.positions.values().filter_map(|position| position.not_before);
        waits.filter(|at| *at > now).fold(deadline, Instant::min)
    }

    fn finish(&mut self, done: Done) -> Result<(), Error> {
        match done {
            Done::Fetched { leader, asked, result } => {
                self.busy.remove(&leader);
                self.answered(&asked);
                match result {
                    Ok(gots) => gots.into_iter().try_for_each(|got| self.got(got))?,
                    Err(error) => self.failed(&asked, error)?,
                }
            }
            Done::Found { asked, result } => {
                self.answered(&asked);
                match result {
                    Ok(found) => self.found(found),
                    Err(error) => self.failed(&asked, error)?,
                }
            }
            Done::Refreshed => {
                self.refreshing = false;
                self.refreshed_at = Instant::now();
                self.notice_growth();
            }
            Done::Joined(joined) => self.joined(joined?),
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
    fn failed(&mut self, asked: &[(TopicPartition, u64)], error: Error) -> Result<(), Error> {
        if !error.retriable() && !error.is_connection() {
            return Err(error);
        }
        tracing::debug!(%error, "trying again");
        self.back_off(asked);
        self.refresh();
        Ok(())
    }

    fn back_off(&mut self, asked: &[(TopicPartition, u64)]) {
        let not_before = Instant::now() + jittered(self.client.config().retry_backoff);
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
                position.high_watermark = Some(fetched.high_watermark);
                if !fetched.is_empty() {
                    self.buffered.push_back(fetched);
                }
                return Ok(());
            }
            Err(error) => error,
        };
        match error.code {
            ErrorCode::OffsetOutOfRange => {
                let start = match position::reset_to(&self.config) {
                    Some(crate::admin::OffsetSpec::Earliest) => Start::Earliest,
                    Some(_) => Start::Latest,
                    None => return Err(position::no_offset(&got.name)),
                };
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
            if let Some(position) = self.positions.get_mut(&found.name).filter(|p| p.token == found.token) {
                position.at = At::Known(found.offset, found.leader_epoch);
            }
        }
    }

    fn joined(&mut self, joined: Joined) {
        self.assignments += 1;
        self.counts = joined.counts;
        self.set_positions(joined.partitions.into_iter().map(|name| (name, Start::Committed)));
        self.committed_at = Instant::now();
        if let Some(group) = self.group.clone() {
            let beating = tokio::spawn(group.beat()).abort_handle();
            if let Some(before) = self.beating.replace(beating) {
                before.abort();
            }
        }
    }

    /// The group's leader joins again when a topic has got partitions that nobody reads.
    fn notice_growth(&mut self) {
        let (Some(counts), Some(group)) = (&self.counts, &self.group) else {
            return;
        };
        let metadata = self.client.metadata();
        let grown = counts.iter().any(|(topic, count)| {
            let now = metadata.topic(topic).map(|topic| topic.partitions.len());
            now.is_some_and(|now| i32::try_from(now) != Ok(*count))
        });
        if grown {
            group.rejoin();
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if let Some(beating) = self.beating.take() {
            beating.abort();
        }
        self.client.forget_consumer(self.id);
    }
}
