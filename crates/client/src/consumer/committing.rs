//! What a consumer commits, and as whom.

use kernel::{TopicPartition, Uuid};
use tokio::time::{Instant, timeout};

use super::Consumer;
use super::commit::{By, Commit, Committing, Offsets};
use super::position::Position;
use crate::Error;
use crate::admin::CommittedOffset;

impl Consumer {
    /// Commits the positions, and waits until that is done and all commits before it are, for up to
    /// `default.api.timeout.ms`. Dropping the call does not take the commit back.
    ///
    /// # Errors
    /// [`Error::Config`] without a `group.id`; [`Error::Broker`] with `REBALANCE_IN_PROGRESS` while the group shares
    /// out anew (poll, and commit again), and with `UNKNOWN_MEMBER_ID` or `ILLEGAL_GENERATION` if it has meanwhile given
    /// the partitions to somebody else, in which case the records will be read again there; with `UNKNOWN_TOPIC_ID` or
    /// `UNKNOWN_TOPIC_OR_PARTITION` for a topic that was deleted, also where another one has its name by now; otherwise what
    /// kept being wrong until the time was up, or [`Error::Timeout`].
    pub async fn commit(&mut self) -> Result<(), Error> {
        let committing = self.commit_async()?;
        self.committed(committing).await
    }

    /// As [`Consumer::commit`], of offsets that the caller names: of the records that are to be read next.
    ///
    /// # Errors
    /// Those of [`Consumer::commit`].
    pub async fn commit_offsets(
        &mut self,
        offsets: impl IntoIterator<Item = (TopicPartition, CommittedOffset)>,
    ) -> Result<(), Error> {
        let committing = self.commit_offsets_async(offsets)?;
        self.committed(committing).await
    }

    /// The consumer is not held while it is waited for: its listener is for one thread at a time, and whoever commits may
    /// go from one to another meanwhile.
    fn committed(&self, committing: Committing) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let time = self.client.config().default_api_timeout;
        async move {
            let late = Err(Error::Timeout { what: "committing".into(), after: time });
            timeout(time, committing.wait()).await.unwrap_or(late)
        }
    }

    /// Commits the positions without waiting. Commits end in the order in which they were begun, so that a later one is
    /// never undone by one before it, and those that wait for another one become one, with the latest offset of each
    /// partition. They go on without `poll` being called, for up to `default.api.timeout.ms`, and end with the consumer.
    ///
    /// # Errors
    /// [`Error::Config`] without a `group.id`. What becomes of the commit is the result of [`Committing::wait`].
    pub fn commit_async(&mut self) -> Result<Committing, Error> {
        let offsets = self.to_commit();
        self.begin_commit(offsets)
    }

    /// As [`Consumer::commit_async`], of offsets that the caller names.
    ///
    /// # Errors
    /// Those of [`Consumer::commit_async`].
    pub fn commit_offsets_async(
        &mut self,
        offsets: impl IntoIterator<Item = (TopicPartition, CommittedOffset)>,
    ) -> Result<Committing, Error> {
        let commit = |(name, committed)| {
            let topic_id = self.positions.get(&name).map_or(Uuid::ZERO, Position::topic_id);
            (name, Commit { committed, topic_id })
        };
        let offsets = offsets.into_iter().map(commit).collect();
        self.begin_commit(offsets)
    }

    fn begin_commit(&mut self, offsets: Offsets) -> Result<Committing, Error> {
        let group = self.group_or("a consumer without a group cannot commit")?;
        self.committed_at = Instant::now();
        Ok(group.commit(offsets, self.commits_by()))
    }

    pub(super) fn commits_by(&self) -> By {
        match &self.group {
            Some(group) if self.is_subscribed() => By::Member(group.member()),
            _ => By::Anybody,
        }
    }

    pub(super) fn to_commit(&self) -> Offsets {
        let known =
            |(name, position): (&TopicPartition, &Position)| Some((name.clone(), position.committable()?));
        self.positions.iter().filter_map(known).collect()
    }
}
