//! Partitions that come to be while a reader without a group reads: they are read from their start. A group finds its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use client::metadata::{Metadata, Topic};
use client::{Consumer, Start, TopicPartition};
use tokio::task::JoinSet;

use super::{Consume, failed};
use crate::command::several::Patterns;
use crate::command::{Failure, Session};

/// How long a cluster may take to say which topics there are.
const LOOK: Duration = Duration::from_secs(5);

/// Looks for new partitions until it is dropped.
pub(super) struct Growth<'c> {
    session: &'c Session,
    consume: &'c Consume,
    patterns: Option<Arc<Patterns>>,
    /// Those that are read, or were left out when the command began.
    seen: BTreeSet<TopicPartition>,
    /// What is known of the cluster, as it was looked at last.
    looked_at: Arc<Metadata>,
    /// Asks which topics there are, as nobody else does.
    _asks: JoinSet<()>,
}

impl<'c> Growth<'c> {
    /// Nothing where what is to be read does not grow: a group sees to it itself, and before an end there is nothing new.
    pub fn begin(
        session: &'c Session,
        consume: &'c Consume,
        patterns: Option<&Arc<Patterns>>,
        topics: &[Topic],
    ) -> Option<Self> {
        let stops = consume.until_end || consume.until.is_some();
        if consume.group.is_some() || stops {
            return None;
        }
        let mut asks = JoinSet::new();
        if patterns.is_some() {
            let (admin, rest) = (session.admin.clone(), session.client.config().metadata_max_age);
            asks.spawn(async move {
                loop {
                    tokio::time::sleep(rest).await;
                    // What it answers is known to the client then.
                    let _ = tokio::time::timeout(LOOK, admin.list_topics()).await;
                }
            });
        }
        Some(Self {
            session,
            consume,
            patterns: patterns.cloned(),
            seen: topics.iter().flat_map(|topic| partitions(topic).collect::<Vec<_>>()).collect(),
            looked_at: Arc::default(),
            _asks: asks,
        })
    }

    /// Has the consumer read what is new.
    pub fn follow(&mut self, consumer: &mut Consumer) -> Result<(), Failure> {
        let metadata = self.session.client.metadata();
        if Arc::ptr_eq(&metadata, &self.looked_at) {
            return Ok(());
        }
        let wanted = metadata.topics().filter(|topic| self.wants(topic)).flat_map(partitions);
        let new: Vec<TopicPartition> = wanted
            .filter(|name| self.consume.partition.is_none_or(|wanted| wanted == name.partition))
            .filter(|name| !self.seen.contains(name))
            .collect();
        self.looked_at = Arc::clone(&metadata);
        self.seen.extend(new.iter().cloned());
        consumer.incremental_assign(new.into_iter().map(|name| (name, Start::Earliest))).map_err(failed)
    }

    fn wants(&self, topic: &Topic) -> bool {
        match &self.patterns {
            Some(patterns) => !topic.internal && patterns.want(&topic.name),
            None => self.consume.topics.contains(&topic.name),
        }
    }
}

fn partitions(topic: &Topic) -> impl Iterator<Item = TopicPartition> {
    topic.partitions.keys().map(|number| TopicPartition::new(topic.name.as_str(), *number))
}
