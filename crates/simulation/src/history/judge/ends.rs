//! The end of what consumers may read only moves forward, and is never beyond what is there in the end.

use std::collections::BTreeMap;

use kernel::TopicPartition;

use super::super::{CallId, Event, Op, Phase};
use super::{Promise, Violation};

/// An end that somebody was told, or that follows from an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    end: i64,
    by: usize,
}

#[derive(Default)]
pub(super) struct Ends {
    /// The largest so far.
    told: BTreeMap<TopicPartition, Told>,
    /// The largest that was told before a call began: it may not be told less.
    floors: BTreeMap<CallId, Told>,
    /// What the final reads found: the offset after the last record, and the last of these reads.
    drained: BTreeMap<TopicPartition, Told>,
    violations: Vec<Violation>,
}

impl Promise for Ends {
    fn hear(&mut self, number: usize, event: &Event) {
        match (&event.op, event.phase) {
            (Op::End { of, .. }, Phase::Invoke) => {
                if let Some(told) = self.told.get(of) {
                    self.floors.insert(event.call, *told);
                }
            }
            (Op::End { of, offset: Some(end) }, Phase::Ok) => self.told(number, event.call, of, *end),
            (Op::Read { from, high_watermark: Some(end), records, .. }, Phase::Ok) => {
                if let Some(beyond) = records.iter().find(|seen| seen.offset >= *end) {
                    let what = format!(
                        "a read of {from} gives @{}, and says that only what is before @{end} may be read",
                        beyond.offset
                    );
                    self.violations.push(Violation::new("read past high watermark", what, [number]));
                }
                // A client may have had it for a while, so that others were told more meanwhile.
                self.raise(number, from, *end);
            }
            (Op::Send { to, offset: Some(offset), .. }, Phase::Ok) => self.raise(number, to, *offset + 1),
            (Op::Drain { of, records }, Phase::Ok) => {
                let end = records.iter().map(|seen| seen.offset + 1).max().unwrap_or(0);
                let drained = self.drained.entry(of.clone()).or_insert(Told { end, by: number });
                *drained = Told { end: drained.end.max(end), by: number };
            }
            (_, Phase::Fail | Phase::Info) => {
                self.floors.remove(&event.call);
            }
            _ => {}
        }
    }

    fn broken(mut self: Box<Self>) -> Vec<Violation> {
        for (partition, told) in &self.told {
            let Some(drained) = self.drained.get(partition).filter(|drained| drained.end < told.end) else {
                continue;
            };
            let what = format!(
                "the end of {partition} was @{}, but in the end there is nothing from @{} on",
                told.end, drained.end
            );
            self.violations.push(Violation::new("high watermark vanished", what, [told.by, drained.by]));
        }
        self.violations
    }
}

impl Ends {
    fn told(&mut self, number: usize, call: CallId, partition: &TopicPartition, end: i64) {
        if let Some(floor) = self.floors.remove(&call)
            && end < floor.end
        {
            let what = format!("the end of {partition} was @{}, and is @{end} later", floor.end);
            self.violations.push(Violation::new("high watermark backward", what, [floor.by, number]));
        }
        self.raise(number, partition, end);
    }

    fn raise(&mut self, number: usize, partition: &TopicPartition, end: i64) {
        let told = self.told.entry(partition.clone()).or_insert(Told { end, by: number });
        if told.end < end {
            *told = Told { end, by: number };
        }
    }
}
