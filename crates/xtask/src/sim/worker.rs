//! One process that runs seeds one after the other and says of each, in a line, what came of it.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Simulator;
use crate::test::process::{Reaped, lines};

/// A seed takes a second or so; one that takes this long will not end.
const SEED_TIME_MAX: Duration = Duration::from_secs(120);

/// What came of a seed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Outcome {
    pub seed: u64,
    pub acked: u64,
    pub faults: BTreeMap<String, u64>,
    /// How many of each kind.
    pub violations: BTreeMap<String, u64>,
    /// The first of them, in a sentence.
    pub first: Option<String>,
    pub simulated_ms: u64,
    /// How often the planted bug was come across.
    pub hits: u64,
    /// Its process has ended with it.
    #[serde(skip)]
    pub died: bool,
}

impl Outcome {
    /// Of a seed whose process did not live to tell.
    fn died(seed: u64, how: &str) -> Self {
        let (violations, first) = ([(how.to_owned(), 1)].into(), Some(format!("the simulator {how}")));
        Self { seed, violations, first, died: true, ..Self::default() }
    }
}

/// Goes on to the next seed, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    On,
    Enough,
}

impl Simulator {
    /// Runs seeds in processes of their own until there are no more or `each` has enough. A seed that hangs, or takes its
    /// process with it, counts as one with a violation.
    pub fn run_seeds(
        &self,
        seeds: std::ops::Range<u64>,
        bug: Option<&str>,
        each: &mut dyn FnMut(Outcome) -> Next,
    ) -> Result<(), String> {
        let mut next = seeds.start;
        while next < seeds.end {
            let mut command = Command::new(&self.program);
            command.args(["--json", "--from", &next.to_string(), "--seeds", &(seeds.end - next).to_string()]);
            command.args(&self.world).args(bug.iter().flat_map(|bug| ["--bug", bug]));
            let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
            let mut child = Reaped(child.map_err(|error| self.cannot_start(&error))?);
            let stdout = child.0.stdout.take().ok_or("the simulator has no output")?;
            let lines = lines(stdout);
            while next < seeds.end {
                let outcome = match lines.recv_timeout(SEED_TIME_MAX) {
                    Ok(line) => serde_json::from_str(&line)
                        .map_err(|error| format!("the simulator says {line:?}: {error}"))?,
                    Err(RecvTimeoutError::Timeout) => Outcome::died(next, "hangs"),
                    Err(RecvTimeoutError::Disconnected) => {
                        let status = child.wait_until(Instant::now() + SEED_TIME_MAX);
                        Outcome::died(next, &format!("ends early ({})", status.unwrap_or_default()))
                    }
                };
                let died = outcome.died;
                next = outcome.seed + 1;
                if each(outcome) == Next::Enough {
                    return Ok(());
                }
                if died {
                    break;
                }
            }
        }
        Ok(())
    }
}
