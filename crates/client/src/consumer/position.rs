//! Where a consumer stands in its partitions, and how it finds out where to begin.

use std::sync::Arc;

use kernel::{LeaderEpoch, NodeId, Offset, Timestamp, TopicPartition, Uuid};
use tokio::time::Instant;

use super::commit::Commit;
use super::fetch::Bounds;
use super::replica::Preferred;
use super::validate::Reign;
use crate::admin::{CommittedOffset, ListedOffset, OffsetSpec, committed_of, list_offsets_of};
use crate::backoff::Backoff;
use crate::config::OffsetReset;
use crate::{BrokerError, Client, ConsumerConfig, Error};

/// Where to begin in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the first record that is kept.
    Earliest,
    /// After the last record that is there now.
    Latest,
    /// At this offset.
    Offset(Offset),
    /// At the first record of this time or later; at the end if there is none.
    At(Timestamp),
    /// Where the group has committed to; where it has not, as `auto.offset.reset` says.
    Committed,
}

/// A partition that a consumer reads.
#[derive(Debug)]
pub(super) struct Position {
    pub at: At,
    /// Changes whenever the consumer is sent elsewhere, so that answers to earlier questions are told apart.
    pub token: u64,
    pub paused: bool,
    /// Whether an answer is on its way.
    pub asked: bool,
    /// Nothing is asked before this, after something went wrong.
    pub not_before: Option<Instant>,
    /// How long it waits after the next thing that goes wrong.
    pub backoff: Backoff,
    /// Whether it waits for nothing but somebody to ask.
    pub leaderless: bool,
    pub bounds: Bounds,
    /// Up to where this consumer may read.
    pub end: Option<Offset>,
    /// Whom it was compared with last.
    pub reign: Option<Reign>,
    /// Whether it has to be compared with the leader's log before anything is fetched.
    pub doubted: bool,
    /// The replica that is read in place of the leader.
    pub preferred: Option<Preferred>,
    /// Grows each time that there are records of it, so that it comes after others that had to wait.
    pub served: u64,
}

/// How much is known of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// It has to be looked up.
    Unknown(Start),
    /// The next record to be returned.
    Known(Offset, Option<LeaderEpoch>),
}

impl Position {
    pub fn new(start: Start, token: u64) -> Position {
        let at = match start {
            Start::Offset(offset) => At::Known(offset, None),
            start => At::Unknown(start),
        };
        Position {
            at,
            token,
            paused: false,
            asked: false,
            not_before: None,
            backoff: Backoff::default(),
            leaderless: false,
            bounds: Bounds::default(),
            end: None,
            reign: None,
            doubted: false,
            preferred: None,
            served: 0,
        }
    }

    /// Asks for nothing for a while, as something went wrong.
    pub fn back_off(&mut self, client: &Client) {
        self.not_before = Some(Instant::now() + self.backoff.next(client));
    }

    /// What was asked for it is answered well.
    pub fn went_well(&mut self) {
        self.not_before = None;
        self.leaderless = false;
        self.backoff.reset();
    }

    /// What to commit for it; nothing while it is being looked up.
    pub fn committable(&self) -> Option<Commit> {
        match self.at {
            At::Known(offset, leader_epoch) => {
                let committed = CommittedOffset { offset, leader_epoch, metadata: String::new() };
                Some(Commit { committed, topic_id: self.topic_id() })
            }
            At::Unknown(_) => None,
        }
    }

    /// The topic that the position is in; zero where that is not known.
    pub fn topic_id(&self) -> Uuid {
        self.reign.map_or(Uuid::ZERO, |reign| reign.topic_id)
    }
}

/// A position to be looked up.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    pub name: TopicPartition,
    pub token: u64,
    pub spec: OffsetSpec,
}

/// What came of looking a position up.
#[derive(Debug)]
pub(super) struct Found {
    pub name: TopicPartition,
    pub token: u64,
    /// Nothing if the group has committed nothing.
    pub result: Result<Option<Place>, BrokerError>,
}

/// A position that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub offset: Offset,
    /// Of the record before it.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The latest epoch that who told knows of.
    pub seen: Option<LeaderEpoch>,
}

/// Asks a leader, once, where positions are; where no record is late enough, the end is meant.
pub(super) async fn list(
    client: Client,
    config: Arc<ConsumerConfig>,
    leader: NodeId,
    lookups: Vec<Lookup>,
) -> Result<Vec<Found>, Error> {
    let ask = |wanted| list_offsets_of(client.clone(), leader, wanted, config.isolation_level);
    let mut listed = ask(lookups.iter().map(|lookup| (lookup.name.clone(), lookup.spec)).collect()).await?;
    let is_beyond = |(_, listed): &(_, &Result<ListedOffset, BrokerError>)| {
        listed.as_ref().is_ok_and(|listed| listed.offset.is_none())
    };
    let beyond: Vec<_> =
        listed.iter().filter(is_beyond).map(|(name, _)| (name.clone(), OffsetSpec::Latest)).collect();
    if !beyond.is_empty() {
        listed.extend(ask(beyond).await?);
    }
    let found = |lookup: Lookup| {
        let result = match listed.remove(&lookup.name)? {
            // The epoch is that of the record at the offset; nothing says whose the one before it is.
            Ok(listed) => {
                Ok(Some(Place { offset: listed.offset?, leader_epoch: None, seen: listed.leader_epoch }))
            }
            Err(error) => Err(error),
        };
        Some(Found { name: lookup.name, token: lookup.token, result })
    };
    Ok(lookups.into_iter().filter_map(found).collect())
}

/// Asks the group, once, where it has committed to.
pub(super) async fn committed(
    client: Client,
    group: String,
    wanted: Vec<(TopicPartition, u64)>,
) -> Result<Vec<Found>, Error> {
    let names: Vec<TopicPartition> = wanted.iter().map(|(name, _)| name.clone()).collect();
    let mut committed = committed_of(&client, &group, &names).await?;
    let found = |(name, token): (TopicPartition, u64)| {
        let place = |committed: CommittedOffset| {
            let (offset, leader_epoch) = (committed.offset, committed.leader_epoch);
            Place { offset, leader_epoch, seen: leader_epoch }
        };
        let result = committed.remove(&name)?.map(|committed| committed.map(place));
        Some(Found { name, token, result })
    };
    Ok(wanted.into_iter().filter_map(found).collect())
}

/// Where to go if nothing says where to begin.
pub(super) fn restart(config: &ConsumerConfig, client: &Client) -> Option<Start> {
    match config.auto_offset_reset {
        OffsetReset::Earliest => Some(Start::Earliest),
        OffsetReset::Latest => Some(Start::Latest),
        OffsetReset::ByDuration(duration) => {
            let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
            // Times before that of the first record find it; negative ones have other meanings.
            let time = client.world().now().0.saturating_sub(ms).max(0);
            Some(Start::At(Timestamp(time)))
        }
        OffsetReset::None => None,
    }
}

pub(super) fn out_of_range(name: &TopicPartition, offset: Offset) -> Error {
    Error::OutOfRange { topic: name.topic.to_string(), partition: name.partition, offset: offset.0 }
}

pub(super) fn no_offset(name: &TopicPartition) -> Error {
    Error::NoOffset { topic: name.topic.to_string(), partition: name.partition }
}
