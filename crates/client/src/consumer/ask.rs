//! What a consumer asks for while it is polled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kernel::{NodeId, TopicPartition};
use tokio::time::Instant;

use super::Consumer;
use super::fetch::{self, Want};
use super::position::{self, At, Lookup, Position, Start};
use super::room::Held;
use super::validate::{Doubt, Reign};
use super::work::Done;
use crate::admin::OffsetSpec;
use crate::cluster::Wanted;
use crate::metadata::Metadata;
use crate::{BrokerError, Error};

/// What there is to ask, and whom.
#[derive(Default)]
struct Questions {
    /// Positions that only the group knows.
    committed: Vec<(TopicPartition, u64)>,
    lookups: BTreeMap<NodeId, Vec<Lookup>>,
    doubts: BTreeMap<NodeId, Vec<Doubt>>,
    wants: BTreeMap<NodeId, Vec<Want>>,
    /// Partitions that nobody can be asked about.
    leaderless: Vec<(TopicPartition, u64)>,
    outdated: bool,
}

impl Questions {
    /// Takes note of what is asked of a leader about a position.
    fn put(&mut self, name: &TopicPartition, position: &mut Position, reign: Reign, source: Option<NodeId>) {
        let (name, token) = (name.clone(), position.token);
        let (offset, epoch) = match position.at {
            At::Unknown(start) => {
                position.asked = true;
                let lookup = Lookup { name, token, spec: spec(start) };
                return self.lookups.entry(reign.leader).or_default().push(lookup);
            }
            At::Known(offset, epoch) => (offset, epoch),
        };
        if let Some(epoch) = epoch.filter(|_| position.doubted) {
            position.asked = true;
            let doubt = Doubt { name, token, epoch, current: reign.epoch };
            return self.doubts.entry(reign.leader).or_default().push(doubt);
        }
        if let Some(node) = source {
            position.reign.get_or_insert(reign);
            let (topic_id, leader_epoch) = (reign.topic_id, reign.epoch);
            self.wants.entry(node).or_default().push(Want { name, topic_id, offset, leader_epoch, token });
        }
    }
}

/// How a leader is asked for where a reader begins.
fn spec(start: Start) -> OffsetSpec {
    match start {
        Start::Earliest => OffsetSpec::Earliest,
        Start::At(time) => OffsetSpec::AtOrAfter(time),
        // The last two are not asked of leaders.
        Start::Latest | Start::Offset(_) | Start::Committed => OffsetSpec::Latest,
    }
}

impl Consumer {
    /// Asks for positions that are not known, for the ends of epochs where positions are in doubt, and for records where
    /// they are not.
    pub(super) fn ask(&mut self) {
        let now = Instant::now();
        let buffered: BTreeSet<&TopicPartition> = self.buffered.iter().map(|fetched| &fetched.name).collect();
        let stocked = self.stocked(&buffered);
        let mut questions = Questions::default();
        for (name, position) in &mut self.positions {
            if position.asked || position.not_before.is_some_and(|at| at > now) {
                continue;
            }
            if position.at == At::Unknown(Start::Committed) {
                position.asked = true;
                questions.committed.push((name.clone(), position.token));
                continue;
            }
            let is_read = matches!(position.at, At::Known(..)) && !position.doubted;
            if is_read && (position.paused || buffered.contains(name)) {
                continue;
            }
            // Only those leaders are asked that positions were compared with.
            let Some(reign) = Reign::of(&self.followed, name) else {
                position.leaderless = true;
                questions.leaderless.push((name.clone(), position.token));
                continue;
            };
            let source =
                if is_read { position.source(reign.leader, &self.followed, name, now) } else { None };
            if is_read && source.is_none() {
                position.back_off(&self.client);
                questions.outdated = true;
                continue;
            }
            if source.is_none_or(|node| !self.busy.contains(&node)) {
                questions.put(name, position, reign, source);
            }
        }
        // An answer is looked at when no records are left here. So if the first partition that is read were asked for at once,
        // all others would be on their way while there is nothing to read but that one. Halves keep both sides busy.
        questions.wants.retain(|node, wants| wants.len() >= stocked.get(node).copied().unwrap_or(0));
        let unknown = self.pattern.is_some() && self.subscription.is_none();
        let is_old = self.refreshed_at + self.client.config().metadata_max_age <= now;
        if questions.outdated || !questions.leaderless.is_empty() || unknown || is_old {
            self.refresh();
        }
        self.send(questions, &stocked);
    }

    /// Of how many partitions that a broker is asked for there are still records here that may be returned.
    fn stocked(&self, buffered: &BTreeSet<&TopicPartition>) -> BTreeMap<NodeId, usize> {
        let mut stocked = BTreeMap::new();
        for name in buffered {
            let position = self.positions.get(*name).filter(|position| !position.paused);
            if let (Some(position), Some(reign)) = (position, Reign::of(&self.followed, name)) {
                *stocked.entry(position.likely_source(reign.leader)).or_default() += 1;
            }
        }
        stocked
    }

    fn send(&mut self, questions: Questions, stocked: &BTreeMap<NodeId, usize>) {
        self.back_off(&questions.leaderless);
        for (name, token) in questions.leaderless {
            if let Some(error) = why_not_there(&self.followed, &name) {
                self.failures.of(name, token, error);
            }
        }
        self.find_committed(questions.committed);
        for (leader, lookups) in questions.lookups {
            self.find(leader, lookups);
        }
        for (leader, doubts) in questions.doubts {
            self.validate(leader, doubts);
        }
        self.fetch_all(questions.wants, stocked);
    }

    fn find_committed(&mut self, wanted: Vec<(TopicPartition, u64)>) {
        let asked = wanted.clone();
        let Some(group) = self.config.group_id.clone() else {
            // Nobody commits for it.
            let nothing = |(name, token)| position::Found { name, token, result: Ok(None) };
            return self.found(&asked, Ok(wanted.into_iter().map(nothing).collect()));
        };
        if !wanted.is_empty() {
            let client = self.client.clone();
            self.running.spawn(async move {
                Done::Found { asked, result: position::committed(client, group, wanted).await }
            });
        }
    }

    fn find(&mut self, leader: NodeId, lookups: Vec<Lookup>) {
        let asked = lookups.iter().map(|lookup| (lookup.name.clone(), lookup.token)).collect();
        let (client, config) = (self.client.clone(), Arc::clone(&self.config));
        self.running.spawn(async move {
            Done::Found { asked, result: position::list(client, config, leader, lookups).await }
        });
    }

    pub(super) fn fetch(&mut self, node: NodeId, wants: Vec<Want>, held: Held, patience: Duration) {
        self.busy.insert(node);
        for want in &wants {
            if let Some(position) = self.positions.get_mut(&want.name) {
                position.asked = true;
            }
        }
        let asked = wants.iter().map(|want| (want.name.clone(), want.token)).collect();
        let (client, config, id) = (self.client.clone(), Arc::clone(&self.config), self.id);
        self.running.spawn(async move {
            let result = fetch::fetch(client, config, id, node, wants, held, patience).await;
            Done::Fetched { node, asked, result }
        });
    }

    /// Asks who leads what, unless that is on its way. It is not asked again at once.
    pub(super) fn refresh(&mut self) {
        if self.refreshing {
            return;
        }
        self.refreshing = true;
        let client = self.client.clone();
        let mut names: Vec<String> = self.positions.keys().map(|name| name.topic.to_string()).collect();
        names.extend(self.subscription.iter().flatten().cloned());
        // The group's leader looks after topics that only other members read.
        names.extend(self.counts.iter().flat_map(|counts| counts.keys().cloned()));
        names.sort();
        names.dedup();
        let all = self.pattern.is_some();
        let wait = self.refresh_after.saturating_duration_since(Instant::now());
        self.running.spawn(async move {
            tokio::time::sleep(wait).await;
            let wanted = if all { Wanted::All } else { Wanted::Topics { names: &names, create: false } };
            let result = client.refresh(wanted).await;
            Done::Refreshed(result.map(|metadata| Some(metadata).filter(|_| all)))
        });
    }

    /// When to look again though nothing has arrived: whoever waits in a poll does all that is due meanwhile.
    pub(super) fn rest_until(&self, deadline: Instant) -> Instant {
        let now = Instant::now();
        let waits = self.positions.values().filter_map(|position| position.not_before);
        let metadata = (!self.refreshing).then(|| self.refreshed_at + self.client.config().metadata_max_age);
        // Half of the time leaves another half for what is done with the records.
        let polled =
            self.group.as_ref().map(|_| now + (self.config.max_poll_interval / 2).max(SHORTEST_REST));
        let commits = self.group.is_some() && self.config.enable_auto_commit && !self.committing;
        let commit = commits.then(|| self.committed_at + self.config.auto_commit_interval);
        let all = waits.chain(metadata).chain(polled).chain(commit);
        all.filter(|at| *at > now).fold(deadline, Instant::min)
    }
}

/// Below this a rest would be none.
const SHORTEST_REST: Duration = Duration::from_millis(1);

/// Why a topic is not there, if that is nothing that trying again mends.
fn why_not_there(metadata: &Metadata, name: &TopicPartition) -> Option<Error> {
    let code = metadata.error(&name.topic).filter(|code| !code.retriable())?;
    Some(BrokerError::new(code.code()).topic(name.topic.as_ref()).into())
}
