//! Commits: one after the other, each as the member that the consumer was when it began. Those that wait are joined, so
//! that there is never more than what each partition is to have at last.

mod queue;

use std::collections::{BTreeMap, BTreeSet};
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;

use kernel::{ErrorCode, LeaderEpoch, TopicPartition, Uuid};
use tokio::time::{Instant, sleep_until, timeout_at};
use wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};

use super::group::{Group, Member};
use crate::admin::CommittedOffset;
use crate::backoff::Backoff;
use crate::cluster::{Lane, Wanted};
use crate::{BrokerError, Error};
pub(super) use queue::Commits;
use queue::{Batch, Outcome, Refused};

/// The last version in which topics of a commit go by name; from the next on they go by id.
pub(crate) const NAMES_UP_TO: i16 = 9;
/// The versions from which fields exist.
const EPOCH_FROM: i16 = 6;
const INSTANCE_FROM: i16 = 7;

/// What is committed.
pub(super) type Offsets = BTreeMap<TopicPartition, Commit>;

/// What is committed for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit {
    pub committed: CommittedOffset,
    /// The topic that was read, as there may be another one of its name by now, of which this is no offset. Zero where
    /// nobody knows.
    pub topic_id: Uuid,
}

/// As whom offsets are committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    /// Who got the partitions from the group, and may have lost them to another member.
    Member(Member),
    /// Who has chosen its partitions itself.
    Anybody,
}

impl Group {
    /// Commits offsets once all commits before have ended. It goes on by itself, whether or not somebody waits for it, and
    /// ends with the consumer; it is given up after `default.api.timeout.ms`.
    pub fn commit(self: &Arc<Self>, offsets: Offsets, by: By) -> Committing {
        let deadline = Instant::now() + self.client.config().default_api_timeout;
        let (ended, begins) = self.commits.put(offsets, by, deadline);
        if begins {
            let task = host::task::spawn(Arc::clone(self).commit_all());
            self.commits.runs_in(task.abort_handle());
        }
        Committing(ended)
    }

    async fn commit_all(self: Arc<Self>) {
        while let Some(mut batch) = self.commits.next() {
            let (refused, gone) = self.commit_batch(&mut batch).await;
            batch.end(&refused, &gone);
        }
    }

    /// Tries until every partition is committed, or cannot be. Returns why those are not that are not, and which of them are
    /// not there any more.
    async fn commit_batch(&self, batch: &mut Batch) -> (Refused, BTreeSet<TopicPartition>) {
        let mut open = std::mem::take(&mut batch.offsets);
        let all =
            |open: &Offsets, error: Error| open.keys().map(|name| (name.clone(), error.clone())).collect();
        let (mut refused, mut all_gone) = (Refused::new(), BTreeSet::new());
        let mut last: Refused = all(&open, self.too_late());
        let mut backoff = Backoff::default();
        while !open.is_empty() {
            if let Err(error) = self.may_commit(&batch.by) {
                refused.extend::<Refused>(all(&open, error));
                break;
            }
            let told: Refused = match timeout_at(batch.deadline, self.commit_once(&open, &batch.by)).await {
                Ok(Ok(told)) => told,
                Ok(Err(error)) => all(&open, error),
                Err(_) => {
                    // One that says nothing may have been replaced.
                    self.client.coordinators().forget(&self.id);
                    open.keys().filter_map(|name| last.remove_entry(name)).collect()
                }
            };
            told.values().for_each(|error| _ = self.client.coordinators().heed(&self.id, error));
            open.retain(|name, _| told.contains_key(name));
            if let Some(error) = told.values().find(|error| self.is_about_member(error)) {
                refused.extend::<Refused>(all(&open, self.refused(&batch.by, error.clone())));
                break;
            }
            let gone = self.gone(&told, &open, batch.deadline).await;
            let (again, given_up): (Refused, Refused) =
                told.into_iter().partition(|(name, error)| error.retriable() && !gone.contains(name));
            open.retain(|name, _| again.contains_key(name));
            refused.extend(given_up);
            all_gone.extend(gone);
            last = again;
            let at = Instant::now() + backoff.next(&self.client);
            if at >= batch.deadline {
                refused.extend(last);
                break;
            }
            if !open.is_empty() {
                sleep_until(at).await;
            }
        }
        (refused, all_gone)
    }

    /// Which of the partitions that the coordinator does not know are unknown to the cluster too: topics are deleted while they
    /// are read, and nobody is to wait for their coming back.
    async fn gone(&self, told: &Refused, sent: &Offsets, deadline: Instant) -> BTreeSet<TopicPartition> {
        let is_unknown = |error: &Error| {
            matches!(error.code(), Some(ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId))
        };
        let unknown: Vec<&TopicPartition> =
            told.iter().filter(|(_, error)| is_unknown(error)).map(|(name, _)| name).collect();
        if unknown.is_empty() {
            return BTreeSet::new();
        }
        let mut names: Vec<String> = unknown.iter().map(|name| name.topic.to_string()).collect();
        names.dedup();
        let wanted = Wanted::Topics { names: &names, create: false };
        let Ok(Ok(metadata)) = timeout_at(deadline, self.client.refresh(wanted)).await else {
            return BTreeSet::new();
        };
        let is_gone = |name: &TopicPartition| match metadata.topic(&name.topic) {
            Some(topic) => {
                let of = sent.get(name).map_or(Uuid::ZERO, |commit| commit.topic_id);
                let is_another = !of.is_zero() && !topic.id.is_zero() && of != topic.id;
                is_another || !topic.partitions.contains_key(&name.partition)
            }
            None => metadata.error(&name.topic) == Some(ErrorCode::UnknownTopicOrPartition),
        };
        unknown.into_iter().filter(|name| is_gone(name)).cloned().collect()
    }

    fn too_late(&self) -> Error {
        Error::Timeout { what: "committing".into(), after: self.client.config().default_api_timeout }
    }

    /// Without a member's name and generation a group that is empty by now would take a commit, over what others have
    /// committed.
    fn may_commit(&self, by: &By) -> Result<(), Error> {
        match by {
            By::Member(member) if member.id.is_empty() || member.generation < 0 => {
                let unknown = || BrokerError::new(ErrorCode::UnknownMemberId.code()).group(&self.id).into();
                Err(self.failure().unwrap_or_else(unknown))
            }
            _ => Ok(()),
        }
    }

    /// Whether an error says that this is not the time, or not the member, to commit anything.
    fn is_about_member(&self, error: &Error) -> bool {
        matches!(
            error.code(),
            Some(
                ErrorCode::RebalanceInProgress
                    | ErrorCode::UnknownMemberId
                    | ErrorCode::IllegalGeneration
                    | ErrorCode::FencedInstanceId
            )
        )
    }

    /// The group refused a commit by who it does not know, or not now. That may be because this member has meanwhile joined
    /// again.
    fn refused(&self, by: &By, error: Error) -> Error {
        let By::Member(member) = by else {
            return error;
        };
        let code = error.code();
        if code == Some(ErrorCode::RebalanceInProgress) {
            self.rejoin();
            return error;
        }
        if self.has_joined_since(member) {
            let words = Some("the member joined the group again meanwhile");
            let code = ErrorCode::RebalanceInProgress.code();
            return BrokerError::new(code).group(&self.id).message(words).into();
        }
        if code == Some(ErrorCode::FencedInstanceId) {
            self.fenced(error.clone());
        } else {
            self.expelled(code == Some(ErrorCode::IllegalGeneration));
        }
        error
    }

    /// Asks once. Returns which partitions were refused, and why.
    async fn commit_once(&self, offsets: &Offsets, by: &By) -> Result<Refused, Error> {
        // Not on the member's own connection, where it may wait behind a join.
        let connection = self.client.coordinator(&self.id, Lane::General).await?;
        let by_name = offsets.values().any(|commit| commit.topic_id.is_zero());
        let limit = if by_name { NAMES_UP_TO } else { i16::MAX };
        let version = connection.version_up_to::<OffsetCommitRequest>(limit)?;
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
            topics: topics(
                offsets.iter().map(|(name, commit)| (name, &commit.committed, commit.topic_id)),
                version,
            ),
            ..Default::default()
        };
        let names: BTreeMap<Uuid, &str> =
            offsets.iter().map(|(name, commit)| (commit.topic_id, &*name.topic)).collect();
        let answer = connection.ask_in(&request, version, connection.request_timeout()).await?;
        let mut refused = Refused::new();
        for topic in answer.topics {
            let name = match version > NAMES_UP_TO {
                true => names.get(&topic.topic_id).copied().unwrap_or_default(),
                false => topic.name.as_str(),
            };
            for partition in topic.partitions {
                if let Err(error) = BrokerError::check(partition.error_code) {
                    let index = partition.partition_index;
                    let error = error.partition(name, index).group(&self.id);
                    refused.insert(TopicPartition::new(name, index), error.into());
                }
            }
        }
        Ok(refused)
    }
}

/// Offsets as the request carries them, each with the id of its topic.
pub(crate) fn topics<'o>(
    offsets: impl IntoIterator<Item = (&'o TopicPartition, &'o CommittedOffset, Uuid)>,
    version: i16,
) -> Vec<OffsetCommitRequestTopic> {
    let mut topics: BTreeMap<(&str, Uuid), Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for (name, committed, topic_id) in offsets {
        let topic_id = if version > NAMES_UP_TO { topic_id } else { Uuid::ZERO };
        let epoch = committed.leader_epoch.filter(|_| version >= EPOCH_FROM).unwrap_or(LeaderEpoch::NONE);
        topics.entry((&name.topic, topic_id)).or_default().push(OffsetCommitRequestPartition {
            partition_index: name.partition,
            committed_offset: committed.offset.0,
            committed_leader_epoch: epoch.0,
            committed_metadata: Some(committed.metadata.clone()),
        });
    }
    let topic = |((name, topic_id), partitions): ((&str, _), _)| OffsetCommitRequestTopic {
        name: name.to_owned(),
        topic_id,
        partitions,
    };
    topics.into_iter().map(topic).collect()
}

/// A commit that goes on by itself, to be awaited by whoever wants to know what became of it. Dropping it changes nothing.
#[derive(Debug)]
pub struct Committing(Outcome);

impl Committing {
    /// Waits until the offsets are committed, or cannot be.
    ///
    /// # Errors
    /// Those of [`crate::Consumer::commit`], and [`Error::Closed`] if the consumer is gone.
    pub async fn wait(self) -> Result<(), Error> {
        match self.0.await {
            Ok(ended) => ended.map_err(|undone| undone.error),
            Err(_) => Err(Error::Closed),
        }
    }

    /// As [`Committing::wait`], for who commits at last what was read: of topics that were deleted nobody needs to know.
    pub(super) async fn wait_for_what_is_there(self) -> Result<(), Error> {
        match self.0.await {
            Ok(Err(undone)) if !undone.only_gone => Err(undone.error),
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Closed),
        }
    }
}

impl IntoFuture for Committing {
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.wait())
    }
}
