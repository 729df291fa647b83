//! A consumer that reads by itself gets every record once: each read goes on where the last one ended.

use std::collections::{BTreeMap, BTreeSet};

use kernel::TopicPartition;

use super::super::{ClientId, Event, Op, Phase};
use super::{Promise, Violation};

/// Where a consumer stands in a partition.
struct Position {
    next: i64,
    /// The event that brought it there.
    since: usize,
}

#[derive(Default)]
pub(super) struct Positions {
    positions: BTreeMap<(ClientId, TopicPartition), Position>,
    /// Members of groups: where they stand changes with every generation.
    members: BTreeSet<ClientId>,
    violations: Vec<Violation>,
}

impl Promise for Positions {
    fn hear(&mut self, number: usize, event: &Event) {
        match (&event.op, event.phase) {
            (Op::Join { .. }, _) => {
                self.members.insert(event.client);
            }
            (Op::Seek { of, to }, Phase::Invoke | Phase::Ok) => {
                self.stand(event.client, of, *to, number);
            }
            (Op::Read { from, position, .. }, Phase::Fail) => {
                let why = event.reason.as_deref().unwrap_or("no reason is given");
                let what = format!("a read of {from} from @{position} is refused: {why}");
                let since = self.positions.get(&(event.client, from.clone())).map(|before| before.since);
                self.violations.push(Violation::new(
                    "position gone",
                    what,
                    since.into_iter().chain([number]),
                ));
            }
            (Op::Read { from, position, records, .. }, Phase::Ok) => {
                if !self.members.contains(&event.client) {
                    self.compare(number, event.client, from, *position);
                }
                let mut next = *position;
                for seen in records {
                    if seen.offset < next {
                        let what = format!(
                            "a read of {from} from @{position} gives @{} where @{next} or later is next",
                            seen.offset
                        );
                        self.violations.push(Violation::new("nonmonotonic poll", what, [number]));
                    }
                    next = next.max(seen.offset + 1);
                }
                self.stand(event.client, from, next, number);
            }
            _ => {}
        }
    }

    fn broken(self: Box<Self>) -> Vec<Violation> {
        self.violations
    }
}

impl Positions {
    fn stand(&mut self, client: ClientId, partition: &TopicPartition, next: i64, since: usize) {
        self.positions.insert((client, partition.clone()), Position { next, since });
    }

    fn compare(&mut self, number: usize, client: ClientId, from: &TopicPartition, position: i64) {
        let Some(before) = self.positions.get(&(client, from.clone())) else { return };
        let kind = match position.cmp(&before.next) {
            std::cmp::Ordering::Equal => return,
            std::cmp::Ordering::Less => "nonmonotonic poll",
            std::cmp::Ordering::Greater => "poll skip",
        };
        let what = format!(
            "client {} reads {from} from @{position}, its last read ended before @{}",
            client.0, before.next
        );
        self.violations.push(Violation::new(kind, what, [before.since, number]));
    }
}
