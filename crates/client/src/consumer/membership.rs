//! What a consumer does with its partitions as its group rebalances.

use std::collections::BTreeSet;

use kernel::TopicPartition;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::Consumer;
use super::commit::{By, Offsets};
use super::group::{self, Joined, Standing};
use super::listener::Rebalance;
use super::position::{Position, Start};
use super::protocol::Subscription;
use super::work::Done;
use crate::Error;

/// How partitions go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Going {
    /// To others, who wait for it.
    Revoked,
    /// They are gone already.
    Lost,
}

impl Consumer {
    /// Joins the group when that is due.
    pub(super) fn tend_group(&mut self) {
        let Some(group) = self.group.clone() else {
            return;
        };
        group.polled();
        let Some(topics) = self.subscription.clone().filter(|_| group.standing() == Standing::Out) else {
            return;
        };
        let last = self.before_joining();
        // What was returned is dealt with: whoever gets the partitions next should not read it again.
        let committing = group.commit(last, self.commits_by());
        let own = Subscription {
            topics,
            owned: self.positions.keys().cloned().collect(),
            generation: self.owned_in,
        };
        self.assigned = false;
        let era = group.preparing();
        self.of_group.spawn(async move {
            if let Err(error) = committing.await {
                tracing::debug!(%error, "the commit before joining again failed");
            }
            let result = group.join(&own, era).await;
            Done::Joined { wanted: own.topics, result }
        });
    }

    /// Gives up what cannot be kept while the group rebalances. Returns what is to be committed first.
    fn before_joining(&mut self) -> Offsets {
        let mut last = std::mem::take(&mut self.parting);
        let is_member = self.group.as_ref().is_some_and(|group| group.generation().is_some());
        if !is_member {
            let all: Vec<TopicPartition> = self.positions.keys().cloned().collect();
            self.give_up(&all, Going::Lost);
            self.owned_in = group::NO_GENERATION;
            return Offsets::new();
        }
        if self.config.enable_auto_commit {
            last.extend(self.to_commit());
        }
        let keeps = |name: &TopicPartition| self.config.is_cooperative() && self.subscribes_to(&name.topic);
        let going: Vec<TopicPartition> = self.positions.keys().filter(|name| !keeps(name)).cloned().collect();
        last.extend(self.give_up(&going, Going::Revoked));
        last
    }

    /// Stops reading partitions, and tells the listener. Returns what it wants to be committed.
    fn give_up(&mut self, partitions: &[TopicPartition], going: Going) -> Offsets {
        let mut wanted = Offsets::new();
        if partitions.is_empty() {
            return wanted;
        }
        if let Some(listener) = &mut self.listener.0 {
            let mut rebalance = Rebalance::new(partitions, &self.positions);
            match going {
                Going::Revoked => listener.revoked(&mut rebalance),
                Going::Lost => listener.lost(&mut rebalance),
            }
            wanted = rebalance.commits;
            wanted.retain(|name, _| going == Going::Revoked && partitions.contains(name));
        }
        for name in partitions {
            self.positions.remove(name);
        }
        self.buffered.retain(|fetched| self.positions.contains_key(&fetched.name));
        wanted
    }

    /// Takes what the group has given to a member that wanted `topics`, and gives up what it has given to others.
    pub(super) fn joined(&mut self, joined: Joined, topics: &[String]) {
        let Some(group) = self.group.clone() else {
            return;
        };
        self.counts = joined.counts;
        self.committed_at = Instant::now();
        if self.subscription.as_deref() != Some(topics) {
            // The subscription changed since it was sent; what was given is for the one before.
            return group.rejoin();
        }
        let given: BTreeSet<TopicPartition> = joined.partitions.into_iter().collect();
        let going: Vec<TopicPartition> =
            self.positions.keys().filter(|name| !given.contains(*name)).cloned().collect();
        self.owned_in = joined.generation;
        if !going.is_empty() {
            if self.config.enable_auto_commit {
                self.parting = self.to_commit();
                self.parting.retain(|name, _| going.contains(name));
            }
            let wanted = self.give_up(&going, Going::Revoked);
            self.parting.extend(wanted);
            // Others get them once this member has joined without them.
            group.rejoin();
        }
        self.assigned = going.is_empty();
        let new: Vec<TopicPartition> =
            given.into_iter().filter(|name| !self.positions.contains_key(name)).collect();
        for name in &new {
            let token = self.token();
            self.positions.insert(name.clone(), Position::new(Start::Committed, token));
        }
        if let Some(listener) = &mut self.listener.0 {
            let mut rebalance = Rebalance::new(&new, &self.positions);
            listener.assigned(&mut rebalance);
            for (name, start) in rebalance.seeks {
                if new.contains(&name) {
                    self.seek(&name, start);
                }
            }
        }
    }

    /// Gives up what was lost when the membership ended for good. Returns what ended it, if it did.
    pub(super) fn ended_for_good(&mut self) -> Option<Error> {
        let failure = self.group.as_ref()?.failure()?;
        let all: Vec<TopicPartition> = self.positions.keys().cloned().collect();
        self.give_up(&all, Going::Lost);
        self.assigned = false;
        Some(failure)
    }

    /// Gives up everything, commits what has to be, and leaves the group. All that happens at once; the group is told of it
    /// even if nobody waits for that, as long as the consumer is there.
    pub(super) async fn leave(&mut self) -> Result<(), Error> {
        let Some(group) = self.group.clone() else {
            self.stop();
            return Ok(());
        };
        let mut last = std::mem::take(&mut self.parting);
        if self.config.enable_auto_commit {
            last.extend(self.to_commit());
        }
        let by = self.commits_by();
        let is_member = matches!(by, By::Member(_));
        if is_member {
            let all: Vec<TopicPartition> = self.positions.keys().cloned().collect();
            let going = if group.generation().is_some() { Going::Revoked } else { Going::Lost };
            last.extend(self.give_up(&all, going));
        }
        if group.standing() == Standing::Joining {
            // The connection waits for the other members, and what is sent on it with it.
            self.client.forget_consumer(self.id);
        }
        self.stop();
        let member = group.part();
        let committing = group.commit(last, by);
        let time = self.client.config().default_api_timeout;
        let (end, ended) = oneshot::channel();
        while self.leaving.try_join_next().is_some() {}
        self.leaving.spawn(async move {
            let last = async {
                let committed = committing.wait_for_what_is_there().await;
                let left = if is_member { group.leave(&member).await } else { Ok(()) };
                committed.and(left)
            };
            let late = Err(Error::Timeout { what: "closing".into(), after: time });
            let _ = end.send(timeout(time, last).await.unwrap_or(late));
        });
        ended.await.unwrap_or(Err(Error::Closed))
    }

    /// Reads nothing any more, and wants nothing.
    fn stop(&mut self) {
        (self.subscription, self.pattern) = (None, None);
        self.set_positions([]);
        (self.counts, self.assigned, self.owned_in) = (None, false, group::NO_GENERATION);
        self.running.abort_all();
        self.of_group.abort_all();
        (self.refreshing, self.committing) = (false, false);
        self.busy.clear();
    }
}
