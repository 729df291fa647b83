//! Commits: one after the other, each as the member that the consumer was when it began.

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::pin::Pin;

use kernel::{ErrorCode, LeaderEpoch, TopicPartition};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};

use super::group::{Group, Member};
use crate::admin::CommittedOffset;
use crate::cluster::Lane;
use crate::{BrokerError, Error};

/// The last version in which topics of a commit go by name.
pub(crate) const NAMES_UP_TO: i16 = 9;
/// The versions from which fields exist.
const EPOCH_FROM: i16 = 6;
const INSTANCE_FROM: i16 = 7;

/// What is committed.
pub(super) type Offsets = BTreeMap<TopicPartition, CommittedOffset>;

/// As whom offsets are committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    /// Who got the partitions from the group, and may have lost them to another member.
    Member(Member),
    /// Who has chosen its partitions itself.
    Anybody,
}

impl Group {
    /// Commits offsets once all commits before `turn` have ended.
    pub async fn commit(&self, offsets: &Offsets, by: By, mut turn: Turn) -> Result<(), Error> {
        turn.comes().await;
        if offsets.is_empty() {
            return Ok(());
        }
        let mut retry = self.retry();
        loop {
            if matches!(&by, By::Member(member) if member.id.is_empty() || member.generation < 0) {
                // Without a member's name and generation a group that is empty by now would take it, over what others have committed.
                return Err(BrokerError::new(ErrorCode::UnknownMemberId.code()).group(&self.id).into());
            }
            let error = match self.commit_once(offsets, &by).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match error.code() {
                Some(ErrorCode::RebalanceInProgress) => {
                    self.rejoin();
                    return Err(error);
                }
                Some(code @ (ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration)) => {
                    return Err(self.not_as(&by, code, error));
                }
                _ => retry.after(error).await?,
            }
        }
    }

    /// The group refused a commit by who it does not know. That may be because this member has meanwhile joined again.
    fn not_as(&self, by: &By, code: ErrorCode, error: Error) -> Error {
        let By::Member(member) = by else {
            return error;
        };
        if self.has_joined_since(member) {
            let words = Some("the member joined the group again meanwhile");
            let code = ErrorCode::RebalanceInProgress.code();
            return BrokerError::new(code).group(&self.id).message(words).into();
        }
        self.expelled(code == ErrorCode::IllegalGeneration);
        error
    }

    async fn commit_once(&self, offsets: &Offsets, by: &By) -> Result<(), Error> {
        // Not on the member's own connection, where it may wait behind a join.
        let connection = self.client.coordinator(&self.id, Lane::General).await?;
        let version = connection.version_up_to::<OffsetCommitRequest>(NAMES_UP_TO)?;
        let (member_id, generation_id_or_member_epoch) = match by {
            By::Member(member) => (member.id.clone(), member.generation),
            By::Anybody => (String::new(), -1),
        };
        let named = matches!(by, By::Member(_));
        let request = OffsetCommitRequest {
            group_id: self.id.clone(),
            generation_id_or_member_epoch,
            member_id,
            group_instance_id: self.instance(version, INSTANCE_FROM).filter(|_| named),
            topics: topics(offsets, version),
            ..Default::default()
        };
        let answer = connection.ask_in(&request, version, connection.request_timeout()).await?;
        for topic in answer.topics {
            for partition in topic.partitions {
                BrokerError::check(partition.error_code).map_err(|error| {
                    error.partition(&topic.name, partition.partition_index).group(&self.id)
                })?;
            }
        }
        Ok(())
    }
}

/// Offsets as the request carries them.
pub(crate) fn topics(offsets: &Offsets, version: i16) -> Vec<OffsetCommitRequestTopic> {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for (name, committed) in offsets {
        let epoch = committed.leader_epoch.filter(|_| version >= EPOCH_FROM).unwrap_or(LeaderEpoch::NONE);
        topics.entry(&name.topic).or_default().push(OffsetCommitRequestPartition {
            partition_index: name.partition,
            committed_offset: committed.offset.0,
            committed_leader_epoch: epoch.0,
            committed_metadata: Some(committed.metadata.clone()),
        });
    }
    let topic = |(name, partitions): (&str, _)| OffsetCommitRequestTopic {
        name: name.to_owned(),
        partitions,
        ..Default::default()
    };
    topics.into_iter().map(topic).collect()
}

/// Lets commits go one at a time, in the order in which they asked for their turn: one that is tried again must not
/// overwrite a later one.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<Option<oneshot::Receiver<Before>>>);

/// One commit's place in the order. Whoever comes after waits until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    before: Option<oneshot::Receiver<Before>>,
    after: Option<oneshot::Sender<Before>>,
}

/// Whom the next one has to wait for in place of one that gave up while it waited.
#[derive(Debug)]
struct Before(Option<oneshot::Receiver<Before>>);

impl Turns {
    pub fn take(&self) -> Turn {
        let (after, next) = oneshot::channel();
        Turn { before: self.0.lock().replace(next), after: Some(after) }
    }
}

impl Turn {
    /// Waits for all that came before.
    pub async fn comes(&mut self) {
        while let Some(before) = &mut self.before {
            self.before = before.await.ok().and_then(|before| before.0);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(after) = self.after.take() {
            let _ = after.send(Before(self.before.take()));
        }
    }
}

/// A commit that goes on by itself, to be awaited by whoever wants to know what became of it. Dropping it changes nothing.
#[derive(Debug)]
pub struct Committing(pub(super) oneshot::Receiver<Result<(), Error>>);

impl Committing {
    /// Waits until the offsets are committed, or cannot be: [`Error::Closed`] if the consumer is gone.
    pub async fn wait(self) -> Result<(), Error> {
        self.0.await.unwrap_or(Err(Error::Closed))
    }
}

impl IntoFuture for Committing {
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.wait())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{Future, poll_fn};
    use std::task::Poll;

    /// Whether the turn has come.
    async fn has_come(turn: &mut Turn) -> bool {
        let mut comes = std::pin::pin!(turn.comes());
        poll_fn(|context| Poll::Ready(comes.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn turns_come_in_order_whoever_gives_up() {
        let turns = Turns::default();
        let (mut first, mut second, mut third) = (turns.take(), turns.take(), turns.take());
        assert!(has_come(&mut first).await);
        assert!(!has_come(&mut second).await && !has_come(&mut third).await);
        drop(second);
        assert!(!has_come(&mut third).await, "the first is not done");
        drop(first);
        assert!(has_come(&mut third).await);
        drop(third);
        assert!(has_come(&mut turns.take()).await);
    }
}
