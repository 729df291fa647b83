//! What is to be committed, in the order in which it was asked for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use kernel::TopicPartition;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{By, Offsets};
use crate::Error;

/// Why partitions could not be committed.
pub type Refused = BTreeMap<TopicPartition, Error>;

/// Why a commit is not done, or not for all of its partitions.
#[derive(Debug, PartialEq)]
pub struct Undone {
    pub error: Error,
    /// That is all: the others, if there are any, are committed.
    pub only_gone: bool,
}

/// How many callers may wait before it is looked whether they still do.
const CALLERS_MIN: usize = 64;

/// Commits that wait for those before them. One goes at a time: if it is tried again it must not overwrite a later one.
#[derive(Debug, Default)]
pub struct Commits(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Batch>,
    is_running: bool,
    task: Option<AbortHandle>,
}

/// Commits that go together: of each partition the offset that was asked for last.
#[derive(Debug)]
pub struct Batch {
    pub offsets: Offsets,
    pub by: By,
    /// Of the last of its callers.
    pub deadline: Instant,
    callers: Vec<Caller>,
    callers_max: usize,
}

/// Who waits for the outcome of a commit.
#[derive(Debug)]
struct Caller {
    partitions: Arc<[TopicPartition]>,
    end: oneshot::Sender<Result<(), Undone>>,
}

impl Commits {
    /// Takes a commit into the queue. Returns where its outcome comes, and whether nobody works on the queue yet.
    pub fn put(&self, offsets: Offsets, by: By, deadline: Instant) -> (Outcome, bool) {
        let (end, outcome) = oneshot::channel();
        let mut queue = self.0.lock();
        if offsets.is_empty() && !queue.is_running {
            let _ = end.send(Ok(()));
            return (outcome, false);
        }
        // Who commits nothing only waits for the others, whoever they were.
        match queue.waiting.back_mut().filter(|last| last.by == by || offsets.is_empty()) {
            Some(last) => last.absorb(offsets, deadline, end),
            None => queue.waiting.push_back(Batch::new(offsets, by, deadline, end)),
        }
        (outcome, !std::mem::replace(&mut queue.is_running, true))
    }

    /// What works on the queue.
    pub fn runs_in(&self, task: AbortHandle) {
        self.0.lock().task = Some(task);
    }

    /// The commit that is next; with nothing left the queue is not worked on any more.
    pub fn next(&self) -> Option<Batch> {
        let mut queue = self.0.lock();
        let next = queue.waiting.pop_front();
        queue.is_running = next.is_some();
        next
    }

    /// Gives up whatever is not done.
    pub fn stop(&self) {
        let mut queue = self.0.lock();
        queue.waiting.clear();
        if let Some(task) = queue.task.take() {
            task.abort();
        }
    }
}

pub type Outcome = oneshot::Receiver<Result<(), Undone>>;

impl Batch {
    fn new(offsets: Offsets, by: By, deadline: Instant, end: oneshot::Sender<Result<(), Undone>>) -> Batch {
        let callers = vec![Caller { partitions: offsets.keys().cloned().collect(), end }];
        Batch { offsets, by, deadline, callers, callers_max: CALLERS_MIN }
    }

    /// Newer offsets take the place of older ones. Nobody is told that a commit is done before one as new as it is.
    fn absorb(&mut self, offsets: Offsets, deadline: Instant, end: oneshot::Sender<Result<(), Undone>>) {
        let as_before = self.callers.last().map(|last| &last.partitions);
        let as_before = as_before.filter(|partitions| partitions.iter().eq(offsets.keys()));
        let partitions = as_before.cloned().unwrap_or_else(|| offsets.keys().cloned().collect());
        self.offsets.extend(offsets);
        self.deadline = self.deadline.max(deadline);
        if self.callers.len() >= self.callers_max {
            self.callers.retain(|caller| !caller.end.is_closed());
            self.callers_max = (2 * self.callers.len()).max(CALLERS_MIN);
        }
        self.callers.push(Caller { partitions, end });
    }

    /// Tells each caller what became of its partitions. Those that are `gone` are named last.
    pub fn end(self, refused: &Refused, gone: &BTreeSet<TopicPartition>) {
        for caller in self.callers {
            let own = || caller.partitions.iter().filter_map(|name| refused.get_key_value(name));
            let serious = own().find(|(name, _)| !gone.contains(*name));
            let undone = serious
                .or_else(|| own().next())
                .map(|(_, error)| Undone { error: error.clone(), only_gone: serious.is_none() });
            let _ = caller.end.send(undone.map_or(Ok(()), Err));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{ErrorCode, Offset, Uuid};

    use crate::BrokerError;
    use crate::consumer::commit::Commit;
    use crate::consumer::group::Member;

    fn offsets<const N: usize>(of: [(i32, i64); N]) -> Offsets {
        let commit = |offset| Commit { committed: Offset(offset).into(), topic_id: Uuid::ZERO };
        of.into_iter()
            .map(|(partition, offset)| (TopicPartition::new("t", partition), commit(offset)))
            .collect()
    }

    fn put(commits: &Commits, offsets: Offsets, by: &By) -> (Outcome, bool) {
        commits.put(offsets, by.clone(), Instant::now())
    }

    fn member(generation: i32) -> By {
        By::Member(Member { id: "m".to_owned(), generation })
    }

    #[tokio::test]
    async fn newer_offsets_take_the_place_of_those_that_wait() {
        let commits = Commits::default();
        let (first, begins) = put(&commits, offsets([(0, 1)]), &By::Anybody);
        assert!(begins, "nobody works on it");
        let running = commits.next().expect("it is there");
        let (second, begins) = put(&commits, offsets([(0, 2), (1, 7)]), &By::Anybody);
        let (third, _) = put(&commits, offsets([(0, 3)]), &By::Anybody);
        assert!(!begins, "somebody works on it");
        let nothing_gone = BTreeSet::new();
        running.end(&Refused::new(), &nothing_gone);
        let waiting = commits.next().expect("it is there");
        assert_eq!(waiting.offsets, offsets([(0, 3), (1, 7)]));
        let error = Error::from(BrokerError::new(ErrorCode::TopicAuthorizationFailed.code()));
        waiting.end(&[(TopicPartition::new("t", 1), error.clone())].into(), &nothing_gone);
        let error = Undone { error, only_gone: false };
        assert!(commits.next().is_none());
        let ended = (first.await, second.await, third.await);
        assert_eq!(ended, (Ok(Ok(())), Ok(Err(error)), Ok(Ok(()))), "each is told of its own partitions");
    }

    #[tokio::test]
    async fn commits_of_different_generations_are_not_joined() {
        let commits = Commits::default();
        for generation in [1, 2] {
            let _ = put(&commits, offsets([(0, 1)]), &member(generation));
        }
        let _ = put(&commits, Offsets::new(), &By::Anybody);
        let generations = std::iter::from_fn(|| commits.next()).map(|batch| batch.by);
        assert_eq!(generations.collect::<Vec<_>>(), [member(1), member(2)], "who commits nothing only waits");
    }

    #[tokio::test]
    async fn what_is_wrong_besides_deleted_topics_is_told_first() {
        let commits = Commits::default();
        let (all, _) = put(&commits, offsets([(0, 1), (1, 1)]), &By::Anybody);
        let running = commits.next().expect("it is there");
        let (gone, _) = put(&commits, offsets([(0, 2)]), &By::Anybody);
        let error = |code: ErrorCode| Error::from(BrokerError::new(code.code()));
        let (deleted, other) = (error(ErrorCode::UnknownTopicId), error(ErrorCode::TopicAuthorizationFailed));
        let names = [0, 1].map(|partition| TopicPartition::new("t", partition));
        let refused: Refused = names.iter().cloned().zip([deleted.clone(), other.clone()]).collect();
        let is_gone = names.into_iter().take(1).collect();
        running.end(&refused, &is_gone);
        commits.next().expect("it is there").end(&refused, &is_gone);
        assert_eq!(all.await, Ok(Err(Undone { error: other, only_gone: false })));
        assert_eq!(gone.await, Ok(Err(Undone { error: deleted, only_gone: true })));
    }

    #[tokio::test]
    async fn callers_that_went_away_are_forgotten() {
        let commits = Commits::default();
        let _running = put(&commits, offsets([(0, 0)]), &By::Anybody);
        let _batch = commits.next();
        for offset in 0..10_000 {
            let _ = put(&commits, offsets([(0, offset)]), &By::Anybody);
        }
        let waiting = commits.next().expect("it is there");
        assert_eq!(waiting.offsets, offsets([(0, 9_999)]));
        assert!(waiting.callers.len() <= CALLERS_MIN, "{}", waiting.callers.len());
        assert!(commits.next().is_none());
    }

    #[tokio::test]
    async fn who_has_nothing_to_commit_waits_for_those_before() {
        let commits = Commits::default();
        let (nothing, begins) = put(&commits, Offsets::new(), &By::Anybody);
        assert_eq!((nothing.await, begins), (Ok(Ok(())), false), "there is nobody before");
        let _running = put(&commits, offsets([(0, 0)]), &By::Anybody);
        let batch = commits.next().expect("it is there");
        let (mut nothing, _) = put(&commits, Offsets::new(), &By::Anybody);
        assert!(nothing.try_recv().is_err());
        batch.end(&Refused::new(), &BTreeSet::new());
        commits.next().expect("it is there").end(&Refused::new(), &BTreeSet::new());
        assert_eq!(nothing.await, Ok(Ok(())));
    }
}
