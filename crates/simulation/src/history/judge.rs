//! What a history must not show.

use std::collections::BTreeMap;

use kernel::TopicPartition;

use super::{Event, History, Op, Phase, Value};

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The class of error, one or two words of the field: `lost write`, `duplicate`.
    pub kind: &'static str,
    /// What happened, in a sentence with offsets and values.
    pub what: String,
}

/// Looks for broken promises in a history whose end was drained: after the world was healed, every partition was read
/// from its start to its end.
pub fn judge(history: &History) -> Vec<Violation> {
    let mut offsets = Offsets::default();
    for event in history.events().filter(|event| event.phase == Phase::Ok) {
        offsets.look(event);
    }
    offsets.violations
}

/// One offset holds one value, for whoever wrote it and for whoever reads it.
#[derive(Default)]
struct Offsets {
    values: BTreeMap<(TopicPartition, i64), Option<Value>>,
    violations: Vec<Violation>,
}

impl Offsets {
    fn look(&mut self, event: &Event) {
        match &event.op {
            Op::Send { to, value, offset: Some(offset) } => self.at(to, *offset, Some(*value)),
            Op::Read { from, records, .. } => {
                records.iter().for_each(|seen| self.at(from, seen.offset, seen.value));
            }
            _ => {}
        }
    }

    fn at(&mut self, partition: &TopicPartition, offset: i64, value: Option<Value>) {
        let first = *self.values.entry((partition.clone(), offset)).or_insert(value);
        if first != value {
            let what = format!("{partition} holds {first:?} and {value:?} at offset {offset}");
            self.violations.push(Violation { kind: "inconsistent offset", what });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{CallId, ClientId, Entry, Seen};
    use super::*;

    fn read(value: u64) -> Entry {
        let records = vec![Seen { offset: 3, value: Some(Value { id: value, sum: 0 }) }];
        let from = TopicPartition::new("t", 0);
        Entry::Client(Event {
            at: Duration::ZERO,
            client: ClientId(0),
            call: CallId(0),
            phase: Phase::Ok,
            op: Op::Read { from, position: 3, records },
            reason: None,
        })
    }

    #[test]
    fn an_offset_that_changes_its_value_is_a_violation() {
        assert_eq!(judge(&History { entries: vec![read(1), read(1)] }), []);
        let found = judge(&History { entries: vec![read(1), read(2)] });
        assert_eq!(found.iter().map(|one| one.kind).collect::<Vec<_>>(), ["inconsistent offset"]);
    }
}
