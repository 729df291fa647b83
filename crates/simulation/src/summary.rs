//! What came of a seed, in one line for programs.

use std::collections::BTreeMap;

use serde_json::json;
use simulation::run::Outcome;

/// The fields that `cargo xtask sim` reads.
pub fn json(outcome: &Outcome) -> serde_json::Value {
    let faults: BTreeMap<String, u64> =
        outcome.faults.iter().map(|(kind, count)| (format!("{kind:?}"), *count)).collect();
    let mut violations: BTreeMap<&str, u64> = BTreeMap::new();
    for violation in &outcome.violations {
        *violations.entry(violation.kind).or_default() += 1;
    }
    json!({
        "seed": outcome.seed,
        "acked": outcome.acknowledged,
        "faults": faults,
        "violations": violations,
        "first": outcome.violations.first().map(ToString::to_string),
        "simulated_ms": u64::try_from(outcome.time.as_millis()).unwrap_or(u64::MAX),
        "hits": hits(),
    })
}

/// How often the planted bug was come across.
#[cfg(feature = "planted")]
fn hits() -> u64 {
    kernel::planted::hits()
}

#[cfg(not(feature = "planted"))]
fn hits() -> u64 {
    0
}
