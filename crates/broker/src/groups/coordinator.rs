//! One shard with its partition and those who wait.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ::coordinator::{Append, AppendId, Effects, Event, GroupShard, Reply, Token};
use kernel::planted::{self, Bug};
use kernel::port::Clock;
use kernel::{ErrorCode, Instant, Now, Offset};
use parking_lot::{Mutex, MutexGuard};
use storage::Origin;
use tokio::sync::{Notify, oneshot};
use tracing::{debug, info, warn};
use wire::batch::BatchBuilder;
use wire::batch::validate::Validated;
use wire::compress::Compression;

use crate::partition::{Appended, Partition};

/// Without a deadline the timer task looks again after this long.
pub(super) const NO_DEADLINE: Duration = Duration::from_secs(3600);

/// A coordinator writes one batch at a time; it needs no sequence to find duplicates.
const NO_SEQUENCE: i32 = -1;

/// The coordinator of the groups of one partition.
///
/// *Invariant:* the shard hears of its appends in the order in which it asked for them, whatever order syncs end in.
pub struct Coordinator {
    partition: Arc<Partition>,
    state: Mutex<State>,
    /// What became of appends that waited for a sync, until somebody with the lock of the state tells the shard. Whoever
    /// reports it may be one that holds the lock, or waits for one who does: a failing disk answers all who wait at once,
    /// in the middle of an append.
    landed: Mutex<Vec<Landed>>,
    compression: Compression,
    timers: Arc<Notify>,
    clock: Arc<dyn Clock>,
}

struct State {
    shard: GroupShard,
    waiting: BTreeMap<Token, oneshot::Sender<Reply>>,
    /// Appends that the shard has not heard of yet, in their order.
    unsettled: VecDeque<Unsettled>,
}

struct Unsettled {
    id: AppendId,
    /// Unknown while its sync runs.
    outcome: Option<Result<Offset, ErrorCode>>,
}

/// An append whose outcome a sync will tell.
struct Unsynced {
    id: AppendId,
    base: Offset,
    end: Offset,
}

struct Landed {
    id: AppendId,
    outcome: Result<Offset, ErrorCode>,
}

impl Coordinator {
    pub(super) fn new(
        partition: &Arc<Partition>,
        shard: GroupShard,
        compression: Compression,
        timers: Arc<Notify>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let state = State { shard, waiting: BTreeMap::new(), unsettled: VecDeque::new() };
        let partition = Arc::clone(partition);
        Arc::new(Self {
            partition,
            state: Mutex::new(state),
            landed: Mutex::default(),
            compression,
            timers,
            clock,
        })
    }

    /// Looks something up that needs no record and no wait.
    pub fn look<R>(self: &Arc<Self>, look: impl FnOnce(&mut GroupShard, Now) -> R) -> R {
        self.with_state(|state, now, _| look(&mut state.shard, now))
    }

    /// Whether this coordinator's partition is the one given.
    pub fn partition(&self) -> i32 {
        self.partition.index
    }

    pub(super) async fn ask(
        self: &Arc<Self>,
        token: Token,
        decide: impl FnOnce(&mut GroupShard, Now, Token) -> Effects,
    ) -> Result<Reply, ErrorCode> {
        let (tell, told) = oneshot::channel();
        self.change(|state, now| {
            state.waiting.insert(token, tell);
            decide(&mut state.shard, now, token)
        });
        told.await.map_err(|_| ErrorCode::CoordinatorNotAvailable)
    }

    pub(super) fn decide(self: &Arc<Self>, decide: impl FnOnce(&mut GroupShard, Now) -> Effects) {
        self.change(|state, now| decide(&mut state.shard, now));
    }

    fn change(self: &Arc<Self>, change: impl FnOnce(&mut State, Now) -> Effects) {
        self.with_state(|state, now, unsynced| {
            let effects = change(state, now);
            self.drive(state, effects, now, unsynced);
        });
    }

    /// The only way to the state: what landed meanwhile is told to the shard when the lock is free again.
    fn with_state<R>(self: &Arc<Self>, work: impl FnOnce(&mut State, Now, &mut Vec<Unsynced>) -> R) -> R {
        let result = self.work_on(self.state.lock(), work);
        self.tell_landed();
        result
    }

    fn work_on<R>(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        work: impl FnOnce(&mut State, Now, &mut Vec<Unsynced>) -> R,
    ) -> R {
        let mut unsynced = Vec::new();
        let before = state.shard.next_deadline();
        let result = work(&mut state, self.clock.now(), &mut unsynced);
        self.tell_timers(before, &state.shard);
        drop(state);
        self.await_durable(unsynced);
        result
    }

    /// Tells the shard what became of its appends. Whoever holds the lock now does so once it lets go.
    fn tell_landed(self: &Arc<Self>) {
        while !self.landed.lock().is_empty() {
            let Some(state) = self.state.try_lock() else { return };
            self.work_on(state, |state, now, unsynced| {
                for Landed { id, outcome } in std::mem::take(&mut *self.landed.lock()) {
                    if let Some(append) = state.unsettled.iter_mut().find(|append| append.id == id) {
                        append.outcome = Some(outcome);
                    }
                }
                self.drive(state, Effects::default(), now, unsynced);
            });
        }
    }

    /// Wakes the timer task if it would sleep for too long. A deadline that moved away does not matter: it wakes for nothing
    /// once, and not for every heartbeat.
    fn tell_timers(&self, before: Option<Instant>, shard: &GroupShard) {
        if let Some(deadline) = shard.next_deadline()
            && before.is_none_or(|before| deadline < before)
            && !planted::on(Bug::MissTimerWake)
        {
            self.timers.notify_one();
        }
    }

    /// Lets due timers fire; returns how long until the next.
    pub(super) fn run_timers(self: &Arc<Self>, now: Now) -> Duration {
        self.with_state(|state, _, unsynced| {
            while state.shard.next_deadline().is_some_and(|deadline| deadline <= now.mono) {
                let effects = state.shard.on_timer(now);
                self.drive(state, effects, now, unsynced);
            }
            state.shard.next_deadline().map_or(NO_DEADLINE, |deadline| deadline.since(now.mono))
        })
    }

    /// Does what a decision asks for, and what follows from it. Appends that wait for a sync go to `unsynced`.
    fn drive(&self, state: &mut State, effects: Effects, now: Now, unsynced: &mut Vec<Unsynced>) {
        let mut todo = VecDeque::from([effects]);
        while let Some(effects) = todo.pop_front() {
            effects.events.iter().for_each(report);
            for (token, reply) in effects.replies {
                if let Some(waiting) = state.waiting.remove(&token) {
                    // The client may have gone.
                    let _ = waiting.send(reply);
                }
            }
            for append in effects.appends {
                let id = append.id;
                let outcome = match self.write(&append, now) {
                    Ok(Appended { info, wait_for: Some(wait) }) if !planted::on(Bug::AckCommitBeforeSync) => {
                        unsynced.push(Unsynced { id, base: info.base_offset, end: wait.end });
                        None
                    }
                    Ok(Appended { info, .. }) => Some(Ok(info.base_offset)),
                    Err(code) => Some(Err(code)),
                };
                state.unsettled.push_back(Unsettled { id, outcome });
            }
            while let Some(&Unsettled { id, outcome: Some(outcome) }) = state.unsettled.front() {
                state.unsettled.pop_front();
                todo.push_back(state.shard.on_appended(now, id, outcome));
            }
        }
    }

    /// Settles appends once they are durable. Called without the lock, as a disk may answer at once.
    fn await_durable(self: &Arc<Self>, unsynced: Vec<Unsynced>) {
        for Unsynced { id, base, end } in unsynced {
            let coordinator = Arc::clone(self);
            let settle = move |result: Result<(), ErrorCode>| {
                coordinator.landed.lock().push(Landed { id, outcome: result.map(|()| base) });
                coordinator.tell_landed();
            };
            self.partition.when_durable(end, Box::new(settle));
        }
    }

    fn write(&self, append: &Append, now: Now) -> Result<Appended, ErrorCode> {
        let records = append.encode()?;
        let mut batch = BatchBuilder::new().compression(self.compression);
        if let Some((producer, epoch)) = append.transaction {
            batch = batch.producer(producer, epoch, NO_SEQUENCE).transactional();
        }
        for record in &records {
            batch.append(now.wall, Some(&record.key), record.value.as_deref());
        }
        let batch = batch.build().map_err(|_| ErrorCode::InvalidRecord)?;
        if batch.len() > self.partition.rules().max_message_bytes {
            return Err(ErrorCode::MessageTooLarge);
        }
        let batch = Validated::trusted(&batch).map_err(|_| ErrorCode::InvalidRecord)?;
        self.partition
            .append(now, batch, Origin::Coordinator { transaction_version: 0 })
            .map_err(|error| error.code())
    }
}

fn report(event: &Event) {
    match event {
        Event::Rebalancing { group, generation, reason } => {
            info!(%group, generation, %reason, "group rebalances");
        }
        Event::Completed { group, generation, members } => {
            info!(%group, generation, members, "group has a new generation");
        }
        Event::Stable { group, generation } => debug!(%group, generation, "group is stable"),
        Event::Emptied { group, generation } => info!(%group, generation, "group is empty"),
        Event::MemberExpired { group, member } => {
            info!(%group, %member, "member was not heard of and is removed");
        }
        Event::Removed { group } => info!(%group, "group is removed"),
        Event::StoreFailed { group, error } => warn!(%group, %error, "group cannot be stored"),
    }
}
