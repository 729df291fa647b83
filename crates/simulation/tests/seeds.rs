//! Runs are what their seeds say, and nothing else.

use std::io;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use simulation::run::{Outcome, run};
use simulation::scenario::Scenario;

/// Lines in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn scenario(name: &str) -> Scenario {
    Scenario::named(name).expect("there is such a scenario").lasting(Duration::from_secs(4))
}

fn traced(seed: u64, scenario: &Scenario) -> (Outcome, Vec<u8>) {
    let lines = Lines::default();
    let outcome = run(seed, scenario, Some(Box::new(lines.clone()))).expect("it runs");
    let lines = std::mem::take(&mut *lines.0.lock());
    (outcome, lines)
}

#[test]
fn a_seed_gives_the_same_trace_again() {
    let scenario = scenario("two-nodes");
    let (first, trace) = traced(7, &scenario);
    let (second, again) = traced(7, &scenario);
    assert!(trace == again, "the traces differ");
    assert_eq!(first.to_string(), second.to_string());
    let (other, _) = traced(8, &scenario);
    assert_ne!(first.hash, other.hash);
}

#[test]
fn another_process_gives_the_same_trace() {
    let trace = |name: &str| {
        let path = format!("{}/{name}.trace", env!("CARGO_TARGET_TMPDIR"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_simulation"));
        command.args(["--seed", "7", "--seconds", "3", "--trace", &path]);
        let output = command.output().expect("it can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        read(&path)
    };
    let (first, second) = (trace("first"), trace("second"));
    assert!(!first.is_empty());
    assert!(first == second, "the traces differ");
}

#[expect(clippy::disallowed_methods, reason = "what another process has written")]
fn read(path: &str) -> Vec<u8> {
    std::fs::read(path).expect("the trace is there")
}

#[test]
fn clients_of_every_node_are_served_when_nothing_is_wrong() {
    for name in ["one-node", "three-clients", "two-nodes"] {
        let outcome = run(1, &scenario(name).quiet(), None).expect("it runs");
        assert!(outcome.violations.is_empty(), "{name}\n{}", outcome.report());
        assert!(outcome.acknowledged > 100, "{name}: {outcome}");
    }
}

#[test]
fn a_world_with_faults_keeps_its_promises() {
    let outcome = run(5, &scenario("one-node"), None).expect("it runs");
    assert!(outcome.violations.is_empty(), "{}", outcome.report());
    assert!(!outcome.faults.is_empty(), "{outcome}");
}
