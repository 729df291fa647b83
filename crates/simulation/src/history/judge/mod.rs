//! What a history must not show.
//!
//! Each part looks at one promise, and at every event once, in the order in which they happened; what only the final
//! reads can tell is compared at the end. The cost grows with the length of the history and no faster.
//!
//! What is allowed: a write whose outcome nobody knows may appear, now, later or never; offsets may have gaps; a producer
//! may skip a record that it gave up; a member that gets a partition reads again what was not committed.

mod commits;
mod content;
mod ends;
mod positions;
#[cfg(test)]
mod tests;

use std::fmt;

use super::{Entry, Event, History};
use commits::Commits;
use content::Content;
use ends::Ends;
use positions::Positions;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The class of error, one or two words of the field: `lost write`, `duplicate`.
    pub kind: &'static str,
    /// What happened, in a sentence with offsets and values.
    pub what: String,
    /// The entries of the history that prove it, by their place in it.
    pub proof: Vec<usize>,
}

impl Violation {
    fn new(kind: &'static str, what: String, proof: impl IntoIterator<Item = usize>) -> Self {
        let mut proof: Vec<usize> = proof.into_iter().collect();
        proof.sort_unstable();
        proof.dedup();
        Self { kind, what, proof }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.what)
    }
}

/// One promise: hears of every event, and says what is wrong at the end.
trait Promise {
    /// `number` is the place of the event in the history.
    fn hear(&mut self, number: usize, event: &Event);
    fn broken(self: Box<Self>) -> Vec<Violation>;
}

/// Looks for broken promises in a history whose end was drained: after the world was healed, every partition was read
/// from its start to its end.
pub fn judge(history: &History) -> Vec<Violation> {
    let mut promises: [Box<dyn Promise>; 4] = [
        Box::<Content>::default(),
        Box::<Positions>::default(),
        Box::<Commits>::default(),
        Box::<Ends>::default(),
    ];
    let mut violations = Vec::new();
    for (number, entry) in history.entries.iter().enumerate() {
        match entry {
            Entry::Client(event) => promises.iter_mut().for_each(|promise| promise.hear(number, event)),
            Entry::Stuck { what, .. } => violations.push(Violation::new("stuck", what.clone(), [number])),
            Entry::World { .. } => {}
        }
    }
    violations.extend(promises.into_iter().flat_map(Promise::broken));
    violations
}
