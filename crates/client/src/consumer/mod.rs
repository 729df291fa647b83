//! Reads records: from partitions that the caller names, or as a member of a group.

mod assign;
mod fetch;
mod group;
mod position;
pub(crate) mod protocol;
mod record;
mod work;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use kernel::{NodeId, Offset, TopicPartition};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

pub use position::Start;
pub use record::ConsumerRecord;

use crate::cluster::ConsumerId;
use crate::{Client, ConsumerConfig, Error};
use fetch::Fetched;
use group::{By, Group, Positions, Standing};
use position::{At, Position};
use work::Done;

/// Reads records.
///
/// ```no_run
/// # async fn example(client: client::Client) -> Result<(), client::Error> {
/// use client::{Consumer, ConsumerConfig};
/// use std::time::Duration;
///
/// let mut consumer = Consumer::new(&client, ConsumerConfig::group("kitchen"))?;
/// consumer.subscribe(["orders"])?;
/// for record in consumer.poll(Duration::from_secs(1)).await? {
///     println!("{}: {:?}", record.offset, record.value);
/// }
/// consumer.close().await
/// # }
/// ```
///
/// What it does in the background is joined to [`Consumer::poll`]: a consumer that is not polled fetches
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
    busy: BTreeSet<NodeId>,
    refreshing: bool,
    refreshed_at: Instant,
    group: Option<Arc<Group>>,
    subscription: Vec<String>,
    /// What the group's leader shared out, to notice when topics have grown.
    counts: Option<BTreeMap<String, i32>>,
    assigned: bool,
    beating: Option<AbortHandle>,
    committed_at: Instant,
    committing: bool,
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
            busy: BTreeSet::new(),
            refreshing: false,
            refreshed_at: Instant::now(),
            group,
            subscription: Vec::new(),
            counts: None,
            assigned: false,
            beating: None,
            committed_at: Instant::now(),
            committing: false,
        })
    }

    /// Reads these partitions, and no others. The group, if there is one, only keeps offsets.
    pub fn assign(&mut self, partitions: impl IntoIterator<Item = (TopicPartition, Start)>) {
        self.subscription.clear();
        self.set_positions(partitions);
        self.assigned = true;
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

    /// Whether [`Consumer::assignment`] is settled: always after `assign`; as a member of a group, while no rebalance is
    /// going on that this member knows of.
    pub fn has_assignment(&self) -> bool {
        self.assigned
    }

    /// The generation of the group that this member is in; nothing while it is in none.
    pub fn generation(&self) -> Option<i32> {
        self.group.as_ref()?.generation()
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
            if let Some(failure) = self.group.as_ref().and_then(|group| group.failure()) {
                return Err(failure);
            }
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
                // What has arrived goes before the deadline.
                biased;
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
        group.commit(&self.to_commit(), self.commits_by()).await
    }

    /// Commits, if `enable.auto.commit` says so, and leaves the group. At most `default.api.timeout.ms`.
    pub async fn close(mut self) -> Result<(), Error> {
        if let Some(beating) = self.beating.take() {
            beating.abort();
        }
        let Some(group) = self.group.clone() else {
            return Ok(());
        };
        let (positions, by) = (self.to_commit(), self.commits_by());
        self.running.abort_all();
        if group.standing() == Standing::Joining {
            // The connection waits for the other members, and what is sent on it with it.
            self.client.forget_consumer(self.id);
        }
        let time = self.client.config().default_api_timeout;
        let last = async {
            let committed = match self.config.enable_auto_commit {
                true => group.commit(&positions, by).await,
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

    fn commits_by(&self) -> By {
        if self.subscription.is_empty() { By::Anybody } else { By::Member }
    }

    fn to_commit(&self) -> Positions {
        let known = |(name, position): (&TopicPartition, &Position)| match position.at {
            At::Known(offset, epoch) => Some((name.clone(), offset, epoch)),
            At::Unknown(_) => None,
        };
        self.positions.iter().filter_map(known).collect()
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
