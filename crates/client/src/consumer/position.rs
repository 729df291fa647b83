//! Where a consumer stands in its partitions, and how it finds out where to begin.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::{LeaderEpoch, Offset, Timestamp, TopicPartition};
use tokio::time::Instant;

use super::fetch::Bounds;
use super::replica::Preferred;
use super::validate::Reign;
use crate::admin::{CommittedOffset, OffsetSpec, committed_of, list_offsets_of};
use crate::config::OffsetReset;
use crate::{Client, ConsumerConfig, Error};

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
    pub bounds: Bounds,
    /// Up to where this consumer may read.
    pub end: Option<Offset>,
    /// Whom it was compared with last.
    pub reign: Option<Reign>,
    /// Whether it has to be compared with the leader's log before anything is fetched.
    pub doubted: bool,
    /// The replica that is read in place of the leader.
    pub preferred: Option<Preferred>,
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
            bounds: Bounds::default(),
            end: None,
            reign: None,
            doubted: false,
            preferred: None,
        }
    }

    /// What to commit for it; nothing while it is being looked up.
    pub fn committable(&self) -> Option<CommittedOffset> {
        match self.at {
            At::Known(offset, leader_epoch) => {
                Some(CommittedOffset { offset, leader_epoch, metadata: String::new() })
            }
            At::Unknown(_) => None,
        }
    }
}

/// A position that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub name: TopicPartition,
    pub token: u64,
    pub offset: Offset,
    /// Of the record before it.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The latest epoch that who told knows of.
    pub seen: Option<LeaderEpoch>,
}

/// Looks positions up.
pub(super) async fn find(
    client: Client,
    config: Arc<ConsumerConfig>,
    wanted: Vec<(TopicPartition, u64, Start)>,
) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    let mut specs = Vec::new();
    let mut in_group = Vec::new();
    for (name, token, start) in wanted {
        match start {
            Start::Offset(offset) => {
                found.push(Found { name, token, offset, leader_epoch: None, seen: None })
            }
            Start::Earliest => specs.push((name, token, OffsetSpec::Earliest)),
            Start::Latest => specs.push((name, token, OffsetSpec::Latest)),
            Start::At(time) => specs.push((name, token, OffsetSpec::AtOrAfter(time))),
            Start::Committed => in_group.push((name, token)),
        }
    }
    if !in_group.is_empty() {
        let names: Vec<TopicPartition> = in_group.iter().map(|(name, _)| name.clone()).collect();
        let committed = match &config.group_id {
            Some(group) => committed_of(&client, group, Some(&names)).await?,
            None => BTreeMap::new(),
        };
        for (name, token) in in_group {
            match (committed.get(&name), reset_to(&config)) {
                (Some(offset), _) => {
                    let (offset, leader_epoch) = (offset.offset, offset.leader_epoch);
                    found.push(Found { name, token, offset, leader_epoch, seen: leader_epoch });
                }
                (None, Some(spec)) => specs.push((name, token, spec)),
                (None, None) => return Err(no_offset(&name)),
            }
        }
    }
    found.extend(list(&client, &config, specs).await?);
    Ok(found)
}

/// Asks leaders; where no record is late enough, the end is meant.
async fn list(
    client: &Client,
    config: &ConsumerConfig,
    specs: Vec<(TopicPartition, u64, OffsetSpec)>,
) -> Result<Vec<Found>, Error> {
    if specs.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<_> = specs.iter().map(|(name, _, spec)| (name.clone(), *spec)).collect();
    let mut listed = list_offsets_of(client, &wanted, config.isolation_level).await?;
    let beyond: Vec<_> = listed
        .iter()
        .filter(|(_, listed)| listed.offset.is_none())
        .map(|(name, _)| (name.clone(), OffsetSpec::Latest))
        .collect();
    if !beyond.is_empty() {
        listed.extend(list_offsets_of(client, &beyond, config.isolation_level).await?);
    }
    let found = |(name, token, _): (TopicPartition, u64, OffsetSpec)| {
        let listed = listed.get(&name)?;
        // The epoch is that of the record at the offset; nothing says whose the one before it is.
        Some(Found { offset: listed.offset?, leader_epoch: None, seen: listed.leader_epoch, name, token })
    };
    Ok(specs.into_iter().filter_map(found).collect())
}

/// Where to go if nothing says where to begin.
pub(super) fn reset_to(config: &ConsumerConfig) -> Option<OffsetSpec> {
    match config.auto_offset_reset {
        OffsetReset::Earliest => Some(OffsetSpec::Earliest),
        OffsetReset::Latest => Some(OffsetSpec::Latest),
        OffsetReset::None => None,
    }
}

/// As [`reset_to`], for a position.
pub(super) fn restart(config: &ConsumerConfig) -> Option<Start> {
    match config.auto_offset_reset {
        OffsetReset::Earliest => Some(Start::Earliest),
        OffsetReset::Latest => Some(Start::Latest),
        OffsetReset::None => None,
    }
}

pub(super) fn no_offset(name: &TopicPartition) -> Error {
    Error::NoOffset { topic: name.topic.to_string(), partition: name.partition }
}
