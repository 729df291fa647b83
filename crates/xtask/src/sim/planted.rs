//! Plants one bug after the other and looks for it: a run without violations says something only if these are found.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use super::worker::{Next, Outcome};
use super::{Simulator, grouped, replay};

/// Each bug must be found within so many seeds.
const SEEDS_MAX: u64 = 500;

/// A bug as the simulator names it.
#[derive(Debug)]
struct Bug {
    name: String,
    description: String,
}

/// What became of a bug.
#[derive(Debug)]
enum Fate {
    Caught {
        seed: u64,
        by: String,
    },
    /// How many seeds, and how often they came across it.
    Missed {
        seeds: u64,
        hits: u64,
    },
}

pub fn run(simulator: &Simulator, only: Option<&str>, jobs: usize) -> crate::Outcome {
    let mut bugs = list(simulator)?;
    if let Some(only) = only {
        bugs.retain(|bug| bug.name == only);
    }
    if bugs.is_empty() {
        return Err(format!("there is no bug named {}", only.unwrap_or("")));
    }
    let (next, caught) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let output = Mutex::new(());
    let work = || -> Result<(), String> {
        while let Some(bug) = bugs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let start = Instant::now();
            let fate = hunt(simulator, bug)?;
            let _together = output.lock();
            println!("{}: {}", bug.name, bug.description);
            match fate {
                Fate::Caught { seed, by } => {
                    caught.fetch_add(1, Ordering::Relaxed);
                    println!("  caught by seed {seed} in {:.1} s: {by}", start.elapsed().as_secs_f64());
                    println!("  {}", replay(seed, Some(&bug.name)));
                }
                Fate::Missed { seeds, hits } => {
                    println!("  NOT CAUGHT by {seeds} seeds, which came across it {} times", grouped(hits));
                }
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked")?)
    })?;
    let caught = caught.into_inner();
    println!("{caught} of {} planted bugs caught", bugs.len());
    if caught == bugs.len() { Ok(()) } else { Err(String::new()) }
}

fn list(simulator: &Simulator) -> Result<Vec<Bug>, String> {
    let output = Command::new(&simulator.program).arg("--bugs").output();
    let output = output.map_err(|error| simulator.cannot_start(&error))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let bugs = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(bugs
        .map(|(name, description)| Bug { name: name.to_owned(), description: description.to_owned() })
        .collect())
}

/// Runs seeds with the bug until one has a violation that it does not have without the bug.
fn hunt(simulator: &Simulator, bug: &Bug) -> Result<Fate, String> {
    let (mut next, end, mut hits) = (1, 1 + SEEDS_MAX, 0);
    while next < end {
        let mut suspect: Option<Outcome> = None;
        simulator.run_seeds(next..end, Some(&bug.name), &mut |outcome| {
            next = outcome.seed + 1;
            hits += outcome.hits;
            if outcome.violations.is_empty() {
                return Next::On;
            }
            suspect = Some(outcome);
            Next::Enough
        })?;
        let Some(Outcome { seed, first, .. }) = suspect else { break };
        if is_clean(simulator, seed)? {
            return Ok(Fate::Caught { seed, by: first.unwrap_or_default() });
        }
        println!("seed {seed} fails without {}, too", bug.name);
    }
    Ok(Fate::Missed { seeds: SEEDS_MAX, hits })
}

fn is_clean(simulator: &Simulator, seed: u64) -> Result<bool, String> {
    let mut clean = false;
    simulator.run_seeds(seed..seed + 1, None, &mut |outcome| {
        clean = outcome.violations.is_empty();
        Next::Enough
    })?;
    Ok(clean)
}
