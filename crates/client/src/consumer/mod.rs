//! Reads records: from partitions that the caller names, or as a member of a group.

mod ask;
mod assign;
pub(crate) mod commit;
mod committing;
mod failures;
mod fetch;
mod group;
mod listener;
mod membership;
mod position;
pub(crate) mod protocol;
mod record;
mod replica;
mod room;
mod sticky;
#[cfg(test)]
mod tests;
mod validate;
mod work;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kernel::{NodeId, Offset, TopicPartition, Uuid};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep_until};

pub use commit::Committing;
pub use fetch::Bounds;
pub use listener::{Rebalance, RebalanceListener};
pub use position::Start;
pub use record::{ConsumerRecord, Headers, Origin};

use crate::backoff::Backoff;
use crate::cluster::ConsumerId;
use crate::metadata::Metadata;
use crate::retry::instant_after;
use crate::{Client, ConsumerConfig, Error};
use commit::Offsets;
use failures::Failures;
use fetch::Fetched;
use group::Group;
use listener::Listener;
use position::{At, Position};
use room::Room;
use work::Done;

/// Reads records.
///
/// ```no_run
#[doc = include_str!("../../examples/group.rs")]
/// ```
///
/// What it does in the background is joined to [`Consumer::poll`]: a consumer that is not polled fetches
/// no more than it has asked for, and leaves its group after `max.poll.interval.ms`.
///
/// Dropping a consumer ends it as a crash would: nothing is committed, and the group waits for `session.timeout.ms`.
#[derive(Debug)]
pub struct Consumer {
    client: Client,
    config: Arc<ConsumerConfig>,
    id: ConsumerId,
    positions: BTreeMap<TopicPartition, Position>,
    next_token: u64,
    buffered: VecDeque<Fetched>,
    room: Room,
    running: JoinSet<Done>,
    /// Joins and commits. What comes of them is not left for when all that was fetched is taken.
    of_group: JoinSet<Done>,
    /// Brokers that owe an answer to a fetch.
    busy: BTreeSet<NodeId>,
    refreshing: bool,
    refreshed_at: Instant,
    /// Metadata is not asked for again before this.
    refresh_after: Instant,
    refresh_backoff: Backoff,
    /// What polls have yet to tell.
    failures: Failures,
    /// The metadata by which positions go.
    followed: Arc<Metadata>,
    group: Option<Arc<Group>>,
    /// The topics that it wants as a member; nothing while it wants to be none, or does not know yet which there are.
    subscription: Option<Vec<String>>,
    /// Says of each topic of the cluster whether it wants it.
    pattern: Option<Pattern>,
    /// What the group's leader shared out, to notice when topics have grown.
    counts: Option<BTreeMap<String, i32>>,
    assigned: bool,
    /// In which generation the group gave what is read.
    owned_in: i32,
    listener: Listener,
    /// To be committed before the next join: of partitions that go to others.
    parting: Offsets,
    /// Groups that are still to be told that it leaves.
    leaving: JoinSet<()>,
    committed_at: Instant,
    committing: bool,
    /// The last poll returned records.
    has_returned: bool,
}

impl Consumer {
    /// A consumer on a client's cluster, which reads nothing yet.
    ///
    /// # Errors
    /// [`Error::Config`] if the settings cannot work, by themselves or with those of the client.
    pub fn new(client: &Client, config: ConsumerConfig) -> Result<Consumer, Error> {
        config.check(client.config())?;
        let config = Arc::new(config);
        let id = client.new_consumer();
        let group = config
            .group_id
            .clone()
            .map(|name| Arc::new(Group::new(client.clone(), Arc::clone(&config), id, name)));
        Ok(Consumer {
            room: Room::new(&config),
            client: client.clone(),
            config,
            id,
            positions: BTreeMap::new(),
            next_token: 0,
            buffered: VecDeque::new(),
            running: JoinSet::new(),
            of_group: JoinSet::new(),
            busy: BTreeSet::new(),
            refreshing: false,
            refreshed_at: Instant::now(),
            refresh_after: Instant::now(),
            refresh_backoff: Backoff::default(),
            failures: Failures::default(),
            followed: Arc::default(),
            group,
            subscription: None,
            pattern: None,
            counts: None,
            assigned: false,
            owned_in: group::NO_GENERATION,
            listener: Listener::default(),
            parting: Offsets::new(),
            leaving: JoinSet::new(),
            committed_at: Instant::now(),
            committing: false,
            has_returned: false,
        })
    }

    /// Reads these partitions, and no others. The group, if there is one, only keeps offsets. Called again, it changes which.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a consumer that has subscribed: it has to unsubscribe first.
    pub fn assign(
        &mut self,
        partitions: impl IntoIterator<Item = (TopicPartition, Start)>,
    ) -> Result<(), Error> {
        if self.is_subscribed() {
            return Err(Error::Misuse(
                "a consumer that has subscribed must unsubscribe before it is assigned",
            ));
        }
        self.set_positions(partitions);
        self.assigned = true;
        Ok(())
    }

    /// Reads these partitions besides those that it reads already, which stay where they are.
    ///
    /// # Errors
    /// Those of [`Consumer::assign`].
    pub fn incremental_assign(
        &mut self,
        partitions: impl IntoIterator<Item = (TopicPartition, Start)>,
    ) -> Result<(), Error> {
        if self.is_subscribed() {
            return Err(Error::Misuse("what a consumer that has subscribed reads is up to its group"));
        }
        for (name, start) in partitions {
            let token = self.token();
            self.positions.entry(name).or_insert_with(|| Position::new(start, token));
        }
        self.assigned = true;
        Ok(())
    }

    /// Whether what it reads is up to the group.
    fn is_subscribed(&self) -> bool {
        self.subscription.is_some() || self.pattern.is_some()
    }

    /// Reads topics as a member of the group, from where it has committed to. Called again, it changes which.
    ///
    /// # Errors
    /// [`Error::Config`] without a `group.id`; [`Error::Misuse`] for a consumer that was assigned partitions by hand: it has
    /// to unsubscribe first.
    pub fn subscribe(&mut self, topics: impl IntoIterator<Item = impl Into<String>>) -> Result<(), Error> {
        let group = self.begin_subscription()?;
        let mut topics: Vec<String> = topics.into_iter().map(Into::into).collect();
        topics.sort();
        topics.dedup();
        (self.subscription, self.pattern) = (Some(topics), None);
        group.rejoin();
        Ok(())
    }

    /// Reads all topics whose names `wanted` says it wants, as a member of the group; also those that are made later, which
    /// are noticed within `metadata.max.age.ms`. Topics that the cluster made for itself are left out.
    ///
    /// # Errors
    /// [`Error::Config`] without a `group.id`; [`Error::Misuse`] for a consumer that was assigned partitions by hand: it has
    /// to unsubscribe first.
    pub fn subscribe_matching(
        &mut self,
        wanted: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<(), Error> {
        // It joins once it knows which topics there are.
        self.begin_subscription()?;
        (self.subscription, self.pattern) = (None, Some(Pattern(Box::new(wanted))));
        Ok(())
    }

    fn begin_subscription(&mut self) -> Result<Arc<Group>, Error> {
        let group = self.group_or("a consumer without a group cannot subscribe")?;
        if self.assigned && !self.is_subscribed() {
            return Err(Error::Misuse("a consumer that was assigned must unsubscribe before it subscribes"));
        }
        self.assigned = false;
        Ok(group)
    }

    /// Whether a topic is one of those that it reads as a member.
    fn subscribes_to(&self, topic: &str) -> bool {
        self.subscription.iter().flatten().any(|name| name == topic)
    }

    /// Has `listener` told when partitions come and go by the group's doing. It replaces the one before.
    pub fn on_rebalance(&mut self, listener: impl RebalanceListener) {
        self.listener = Listener(Some(Box::new(listener)));
    }

    fn group_or(&self, reason: &str) -> Result<Arc<Group>, Error> {
        let refused = || Error::Config { name: "group.id", reason: reason.to_owned() };
        self.group.clone().ok_or_else(refused)
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

    /// Why this is not a member of its group yet, or again, where `poll` waits for a coordinator that takes it; nothing while
    /// it waits for nothing but other members.
    pub fn hindrance(&self) -> Option<Error> {
        self.group.as_ref()?.hindrance()
    }

    /// The offset of the next record of a partition that `poll` will return; nothing while it is being looked up.
    pub fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        match self.positions.get(partition)?.at {
            At::Known(offset, _) => Some(offset),
            At::Unknown(_) => None,
        }
    }

    /// The topic that the position is in, as one that is deleted and made anew is another one of the same name: a position
    /// stays where it is then, as with Kafka's consumer, and who wants the first records of the new one has to seek. Records
    /// that a poll returned are of this topic. Nothing before any were asked for, or where brokers are too old to tell.
    pub fn topic_id(&self, partition: &TopicPartition) -> Option<Uuid> {
        let id = self.positions.get(partition)?.topic_id();
        (!id.is_zero()).then_some(id)
    }

    /// The end of the partition as the last answer had it; nothing before there was one.
    pub fn high_watermark(&self, partition: &TopicPartition) -> Option<Offset> {
        self.bounds(partition).high_watermark
    }

    /// Where the partition begins and ends, as the last answer had it.
    pub fn bounds(&self, partition: &TopicPartition) -> Bounds {
        self.positions.get(partition).map_or(Bounds::default(), |position| position.bounds)
    }

    /// How many records of the partition are still to be returned, going by the last answer; nothing before there was
    /// one. With `isolation.level=read_committed` those count that such a consumer may see by now.
    pub fn lag(&self, partition: &TopicPartition) -> Option<u64> {
        let (end, position) = (self.positions.get(partition)?.end?, self.position(partition)?);
        Some(u64::try_from(end.0.saturating_sub(position.0)).unwrap_or(0))
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

    /// Stops returning records of these partitions, without leaving them, until [`Consumer::resume`]. A rebalance in
    /// which a partition is kept keeps it paused.
    pub fn pause<'p>(&mut self, partitions: impl IntoIterator<Item = &'p TopicPartition>) {
        self.set_paused(partitions, true);
    }

    /// Goes on with partitions that were paused.
    pub fn resume<'p>(&mut self, partitions: impl IntoIterator<Item = &'p TopicPartition>) {
        self.set_paused(partitions, false);
    }

    /// The partitions that are paused.
    pub fn paused(&self) -> impl Iterator<Item = &TopicPartition> {
        self.positions.iter().filter(|(_, position)| position.paused).map(|(name, _)| name)
    }

    fn set_paused<'p>(&mut self, partitions: impl IntoIterator<Item = &'p TopicPartition>, paused: bool) {
        for partition in partitions {
            if let Some(position) = self.positions.get_mut(partition) {
                position.paused = paused;
            }
        }
    }

    /// The next records, in the order of each partition; none if `time` passes without any.
    ///
    /// Dropping the call loses nothing: what arrived is returned by the next one. With `enable.auto.commit`, calling it
    /// again says that the records of the call before are dealt with.
    ///
    /// # Errors
    /// Those that trying again does not mend, such as [`Error::NoOffset`], [`Error::OutOfRange`], [`Error::Truncated`],
    /// [`Error::Records`], or a topic that may not be read. Others do not come: whoever is away, a topic that is not there, a coordinator that is
    /// being looked for are waited for, for as long as it takes.
    ///
    /// An error of one partition keeps nobody from the records of the others, which come before it. The consumer can be
    /// polled again, and the error comes again if its cause is still there, after `retry.backoff.ms` at first and up to
    /// `retry.backoff.max.ms`. After `FENCED_INSTANCE_ID`, which says that another consumer has this one's
    /// `group.instance.id`, only [`Consumer::unsubscribe`] helps.
    pub async fn poll(&mut self, time: Duration) -> Result<Vec<ConsumerRecord>, Error> {
        self.poll_up_to(self.config.max_poll_records, time).await
    }

    /// As [`Consumer::poll`], but at most `max` records.
    ///
    /// # Errors
    /// Those of [`Consumer::poll`].
    pub async fn poll_up_to(&mut self, max: usize, time: Duration) -> Result<Vec<ConsumerRecord>, Error> {
        let deadline = instant_after(time);
        // Where much is here already, nothing below waits, and what shares the thread would not get to run: heartbeats, and
        // commits. Where the call is dropped meanwhile, the next one does not wait.
        if std::mem::take(&mut self.has_returned) {
            yield_now().await;
        }
        while let Some(done) = self.of_group.try_join_next() {
            self.finished(done);
        }
        loop {
            if let Some(failure) = self.ended_for_good() {
                return Err(failure);
            }
            self.tend_group();
            self.commit_in_background();
            self.follow_leaders();
            if let Some(error) = self.failures.overdue(&self.positions) {
                return Err(error);
            }
            let records = self.take(max);
            self.ask();
            if !records.is_empty() {
                self.failures.overtake();
                self.has_returned = true;
                return Ok(records);
            }
            if let Some(error) = self.failures.next(&self.positions) {
                return Err(error);
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
                Some(done) = self.of_group.join_next() => self.finished(done),
                Some(done) = self.running.join_next() => self.finished(done),
                () = changed => {}
                () = sleep_until(rest_until) => {
                    if Instant::now() >= deadline {
                        return Ok(Vec::new());
                    }
                }
            }
        }
    }

    /// Gives up its partitions and leaves the group, as [`Consumer::close`] does; it can subscribe, or be assigned, again.
    /// What was wrong with the membership is forgotten.
    ///
    /// Dropping the call changes nothing: partitions are given up when it begins, and the group is told of that as long as the
    /// consumer is there.
    ///
    /// # Errors
    /// Those of [`Consumer::commit`], except that a topic is gone, and those of leaving. The consumer is out of the group all
    /// the same, which notices after `session.timeout.ms` at the latest.
    pub async fn unsubscribe(&mut self) -> Result<(), Error> {
        self.leave().await
    }

    /// Commits, if `enable.auto.commit` says so, and leaves the group. At most `default.api.timeout.ms`.
    ///
    /// Dropping the call drops the consumer: whether anything was committed, and the group told, is not known then.
    ///
    /// # Errors
    /// Those of [`Consumer::unsubscribe`].
    pub async fn close(mut self) -> Result<(), Error> {
        self.leave().await
    }

    fn set_positions(&mut self, partitions: impl IntoIterator<Item = (TopicPartition, Start)>) {
        self.buffered.clear();
        self.positions.clear();
        self.failures.clear();
        for (name, start) in partitions {
            let token = self.token();
            self.positions.insert(name, Position::new(start, token));
        }
    }

    fn token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }
}

/// Tells by a topic's name whether it is wanted.
struct Pattern(Box<dyn Fn(&str) -> bool + Send + Sync>);

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pattern")
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // A join that ends meanwhile is one of before, and begins no heart.
        self.running.abort_all();
        self.of_group.abort_all();
        self.leaving.abort_all();
        if let Some(group) = &self.group {
            group.part();
            group.commits.stop();
        }
        self.client.forget_consumer(self.id);
    }
}
