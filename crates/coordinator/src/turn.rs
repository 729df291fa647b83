//! One call of the machine: what it may look at, and where it leaves what should happen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kernel::{ErrorCode, Instant, Now, Offset, ProducerEpoch, ProducerId};

use crate::config::GroupConfig;
use crate::effects::{Append, AppendId, Effects, Event, Token};
use crate::group::ForeignGroup;
use crate::group::classic::ReplacedMember;
use crate::record::Change;
use crate::reply::Reply;
use crate::timers::{Timer, Timers};

/// What a decision is given, and collects, while it is made.
pub(crate) struct Turn<'a> {
    pub now: Now,
    pub config: &'a GroupConfig,
    pub timers: &'a mut Timers,
    pub appends: &'a mut PendingAppends,
    pub out: Effects,
}

impl Turn<'_> {
    pub fn reply(&mut self, token: Token, reply: Reply) {
        self.out.replies.push((token, reply));
    }

    pub fn event(&mut self, event: Event) {
        self.out.events.push(event);
    }

    /// Asks for `changes` to be appended; `then` says what their fate leads to.
    pub fn append(&mut self, changes: Vec<Change>, then: Then) {
        let id = self.appends.add(then);
        self.out.appends.push(Append { id, changes, transaction: None });
    }

    /// Asks for `changes` to be appended, and remembers them as they are once they are stored.
    pub fn append_and_apply(&mut self, changes: Vec<Change>) {
        self.append(changes.clone(), Then::Apply { producer: ProducerId::NONE, changes });
    }

    /// The same within a transaction, which decides later whether the changes count.
    pub fn append_in_transaction(
        &mut self,
        producer: ProducerId,
        epoch: ProducerEpoch,
        changes: Vec<Change>,
    ) {
        let id = self.appends.add(Then::Apply { producer, changes: changes.clone() });
        self.out.appends.push(Append { id, changes, transaction: Some((producer, epoch)) });
    }

    /// Answers once everything that this call appends is stored; at once, if that is nothing.
    pub fn reply_when_stored(&mut self, token: Token, reply: Reply) {
        match self.out.appends.last().and_then(|append| self.appends.get_mut(append.id)) {
            Some(pending) => pending.answer = Some((token, reply)),
            None => self.reply(token, reply),
        }
    }

    pub fn after(&self, delay: Duration) -> Instant {
        self.now.mono + delay
    }

    pub fn schedule(&mut self, timer: Timer, delay: Duration) {
        let at = self.after(delay);
        self.timers.schedule(timer, at);
    }
}

/// What the fate of an append leads to.
#[derive(Debug)]
pub(crate) enum Then {
    /// Stored, the changes become what the shard remembers.
    Apply { producer: ProducerId, changes: Vec<Change> },
    /// The group was created by a join, perhaps in the place of one of another type. Not stored, it has never existed.
    Created { group: Arc<str>, instead_of: Option<ForeignGroup> },
    /// The group has lost its last member. There is nothing to do either way: an old generation without members that comes
    /// back by a replay expires by itself.
    Emptied { group: Arc<str> },
    /// The leader has brought the assignment of a generation.
    Assigned { group: Arc<str>, generation: i32, assignments: BTreeMap<Arc<str>, Bytes> },
    /// A static member has come back under a new id.
    Replaced { group: Arc<str>, replaced: Box<ReplacedMember> },
    /// The group and its offsets are removed.
    Removed { groups: Vec<Arc<str>>, changes: Vec<Change> },
}

/// Appends whose fate is not known yet, in their order.
///
/// *Invariant:* outcomes take effect in that order too, whatever the order in which they become known. Otherwise an older commit
/// could take the place of a newer one.
#[derive(Debug, Default)]
pub(crate) struct PendingAppends {
    next: u64,
    pending: BTreeMap<AppendId, PendingAppend>,
}

#[derive(Debug)]
pub(crate) struct PendingAppend {
    pub then: Then,
    pub answer: Option<(Token, Reply)>,
    outcome: Option<Result<Offset, ErrorCode>>,
}

impl PendingAppends {
    fn add(&mut self, then: Then) -> AppendId {
        let id = AppendId(self.next);
        self.next += 1;
        self.pending.insert(id, PendingAppend { then, answer: None, outcome: None });
        id
    }

    fn get_mut(&mut self, id: AppendId) -> Option<&mut PendingAppend> {
        self.pending.get_mut(&id)
    }

    /// Notes the outcome of an append, the first time it is reported.
    pub fn note(&mut self, id: AppendId, outcome: Result<Offset, ErrorCode>) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.outcome.get_or_insert(outcome);
        }
    }

    /// Takes the oldest append, if its outcome is known.
    pub fn take_settled(&mut self) -> Option<(PendingAppend, Result<Offset, ErrorCode>)> {
        let oldest = self.pending.first_entry()?;
        let outcome = oldest.get().outcome?;
        Some((oldest.remove(), outcome))
    }

    /// The changes on their way into the log.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.pending.values().flat_map(|pending| match &pending.then {
            Then::Apply { changes, .. } | Then::Removed { changes, .. } => changes.as_slice(),
            _ => &[],
        })
    }

    /// Gives up on everything that is on its way, and hands out the answers that waited for it.
    pub fn abandon(&mut self) -> Vec<(Token, Reply)> {
        std::mem::take(&mut self.pending).into_values().filter_map(|pending| pending.answer).collect()
    }
}

/// The code that a member gets for a failed append, as Kafka maps it: the log's own codes mean nothing to it.
pub(crate) fn append_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition | ErrorCode::NotEnoughReplicas | ErrorCode::RequestTimedOut => {
            ErrorCode::CoordinatorNotAvailable
        }
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        // What the client could take for a complaint about its own request.
        ErrorCode::InvalidRecord | ErrorCode::CorruptMessage => ErrorCode::UnknownServerError,
        ErrorCode::NetworkException => ErrorCode::CoordinatorLoadInProgress,
        other => other,
    }
}
