//! What a group has committed is what it is told, and an older generation commits nothing any more.
//!
//! Each partition of a group is a register. A call takes effect at one moment between its beginning and its end; one
//! whose outcome nobody knows, at any moment after its beginning, or never. A value may be told if a commit of it may
//! still be in force: none that was acknowledged began after it had ended, and ended before the question.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::TopicPartition;

use super::super::{CallId, Event, Op, Phase};
use super::{Promise, Violation};

type Key = (Arc<str>, TopicPartition);

/// All commits of one value.
#[derive(Debug, Clone, Copy)]
struct Value {
    /// When the first of them began.
    began: usize,
    /// How many may still take effect.
    open: usize,
    /// When the last that was acknowledged ended.
    ended: Option<usize>,
}

/// One partition of one group.
#[derive(Default)]
struct Register {
    values: BTreeMap<i64, Value>,
    /// When the calls began that have not ended.
    calls: BTreeMap<CallId, usize>,
    floor: Option<Floor>,
}

/// A commit that is known to have been in force.
#[derive(Debug, Clone, Copy)]
struct Floor {
    began: usize,
    value: i64,
    /// The event from which it is known.
    known: usize,
}

#[derive(Default)]
pub(super) struct Commits {
    registers: BTreeMap<Key, Register>,
    /// What was known when a question began.
    asked: BTreeMap<(CallId, TopicPartition), Floor>,
    /// The newest generation that somebody is known to be in, and the event that tells.
    generations: BTreeMap<Arc<str>, (i32, usize)>,
    /// The newest generation when a commit began, where the commit is of an older one.
    stale: BTreeMap<CallId, (i32, usize)>,
    violations: Vec<Violation>,
}

impl Promise for Commits {
    fn hear(&mut self, number: usize, event: &Event) {
        match (&event.op, event.phase) {
            (Op::Join { group, generation }, Phase::Ok) => self.join(number, group, *generation),
            (Op::Commit { group, generation, offsets }, phase) => {
                self.generation(number, event, group, *generation);
                for (partition, offset) in offsets {
                    let key = (Arc::clone(group), partition.clone());
                    self.registers.entry(key).or_default().commit(number, event.call, phase, *offset);
                }
            }
            (Op::Committed { group, offsets }, Phase::Invoke) => {
                for partition in offsets.keys() {
                    let floor = self.registers.get(&(Arc::clone(group), partition.clone()));
                    if let Some(floor) = floor.and_then(|register| register.floor) {
                        self.asked.insert((event.call, partition.clone()), floor);
                    }
                }
            }
            (Op::Committed { group, offsets }, Phase::Ok) => {
                for (partition, offset) in offsets {
                    self.told(number, event.call, (Arc::clone(group), partition.clone()), *offset);
                }
            }
            _ => {}
        }
    }

    fn broken(self: Box<Self>) -> Vec<Violation> {
        self.violations
    }
}

impl Commits {
    fn join(&mut self, number: usize, group: &Arc<str>, generation: i32) {
        let newest = self.generations.entry(Arc::clone(group)).or_insert((generation, number));
        if newest.0 < generation {
            *newest = (generation, number);
        }
    }

    fn generation(&mut self, number: usize, event: &Event, group: &Arc<str>, generation: i32) {
        match event.phase {
            Phase::Invoke => {
                let newest =
                    self.generations.get(group).filter(|(newest, _)| (0..*newest).contains(&generation));
                self.stale.extend(newest.map(|newest| (event.call, *newest)));
            }
            Phase::Ok => {
                let Some((newest, since)) = self.stale.remove(&event.call) else { return };
                let what = format!(
                    "client {} committed for {group} in generation {generation}, which generation {newest} had followed",
                    event.client.0
                );
                self.violations.push(Violation::new("zombie commit", what, [since, number]));
            }
            Phase::Fail | Phase::Info => {
                self.stale.remove(&event.call);
            }
        }
    }

    fn told(&mut self, number: usize, call: CallId, key: Key, value: i64) {
        let floor = self.asked.remove(&(call, key.1.clone()));
        let (group, partition) = (Arc::clone(&key.0), key.1.clone());
        let register = self.registers.entry(key).or_default();
        let known = register.values.get(&value).filter(|known| known.open > 0 || known.ended.is_some());
        let none = value < 0;
        let fresh = |known: &&Value| {
            floor.is_none_or(|floor| known.open > 0 || known.ended.is_some_and(|ended| ended > floor.began))
        };
        match (known, floor) {
            (None, _) if !none => {
                let what = format!("{group} is told @{value} for {partition}, which nobody has committed");
                self.violations.push(Violation::new("invented commit", what, [number]));
            }
            (Some(known), _) if fresh(&known) => {
                let began = known.began;
                register.raise(Floor { began, value, known: number });
            }
            (_, Some(floor)) => {
                let is = if none { "none".to_owned() } else { format!("@{value}") };
                let what =
                    format!("{group} had committed @{} for {partition}, and is told {is} later", floor.value);
                self.violations.push(Violation::new("commit backward", what, [floor.known, number]));
            }
            (_, None) => {}
        }
    }
}

impl Register {
    fn commit(&mut self, number: usize, call: CallId, phase: Phase, value: i64) {
        if phase == Phase::Invoke {
            self.calls.insert(call, number);
            self.values.entry(value).or_insert(Value { began: number, open: 0, ended: None }).open += 1;
            return;
        }
        let (Some(began), Some(known)) = (self.calls.remove(&call), self.values.get_mut(&value)) else {
            return;
        };
        if phase != Phase::Info {
            known.open = known.open.saturating_sub(1);
        }
        if phase == Phase::Ok {
            known.ended = Some(number);
            self.raise(Floor { began, value, known: number });
        }
    }

    fn raise(&mut self, floor: Floor) {
        if self.floor.is_none_or(|before| before.began < floor.began) {
            self.floor = Some(floor);
        }
    }
}
