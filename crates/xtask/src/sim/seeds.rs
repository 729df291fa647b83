//! Many seeds, by several processes, and their sum.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::worker::{Next, Outcome};
use super::{Simulator, grouped};

/// How many seeds a process is given at a time.
const CHUNK: u64 = 10;
/// Failing seeds that are shown whole; the others are named.
const SHOWN: usize = 3;
/// How often the sum so far is told.
const TOLD_EVERY: Duration = Duration::from_secs(30);

/// What many seeds came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub first: u64,
    pub seeds: u64,
    pub acked: u64,
    pub faults: BTreeMap<String, u64>,
    pub violations: BTreeMap<String, u64>,
    pub simulated: Duration,
    pub wall: Duration,
    pub failing: Vec<u64>,
}

impl Found {
    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.acked += outcome.acked;
        self.simulated += Duration::from_millis(outcome.simulated_ms);
        if !outcome.violations.is_empty() {
            self.failing.push(outcome.seed);
        }
        for (sum, more) in [(&mut self.faults, outcome.faults), (&mut self.violations, outcome.violations)] {
            more.into_iter().for_each(|(kind, count)| *sum.entry(kind).or_default() += count);
        }
    }

    fn line(&self) -> String {
        let speed = self.simulated.as_secs_f64() / self.wall.as_secs_f64().max(0.001);
        format!(
            "{} seeds acked {} faults {} violations {} simulated {:.1} h in {} s ({speed:.0} times real time)",
            grouped(self.seeds),
            grouped(self.acked),
            grouped(self.faults.values().sum()),
            grouped(self.violations.values().sum()),
            self.simulated.as_secs_f64() / 3600.0,
            self.wall.as_secs()
        )
    }

    pub fn verdict(&self) -> crate::Outcome {
        if self.seeds == 0 {
            return Err("no seed was run".to_owned());
        }
        match self.failing.as_slice() {
            [] => Ok(()),
            failing => Err(format!("{} seeds failed: {failing:?}", failing.len())),
        }
    }
}

pub fn run(
    simulator: &Simulator,
    from: u64,
    count: u64,
    minutes: Option<u64>,
    jobs: usize,
) -> Result<Found, String> {
    let (start, end) = (Instant::now(), from.saturating_add(count));
    let deadline = minutes.map(|minutes| start + Duration::from_secs(minutes.saturating_mul(60)));
    let next = AtomicU64::new(from);
    let told = Mutex::new((Found { first: from, ..Found::default() }, start));
    let work = || -> Result<(), String> {
        loop {
            let at = next.fetch_add(CHUNK, Ordering::Relaxed);
            if at >= end || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(());
            }
            simulator.run_seeds(at..end.min(at + CHUNK), None, &mut |outcome| {
                tell(&told, start, outcome);
                Next::On
            })?;
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked")?)
    })?;
    let (mut found, _) = told.into_inner().map_err(|_| "a worker panicked")?;
    found.wall = start.elapsed();
    found.failing.sort_unstable();
    for seed in found.failing.iter().take(SHOWN) {
        // It fails again, and says why.
        let _ = simulator.show(*seed, None, None);
    }
    println!("{}", found.line());
    Ok(found)
}

fn tell(told: &Mutex<(Found, Instant)>, start: Instant, outcome: Outcome) {
    let Ok(mut told) = told.lock() else { return };
    let (found, last) = &mut *told;
    if let Some(first) = &outcome.first {
        println!("seed {}: {first}", outcome.seed);
    }
    found.add(outcome);
    found.wall = start.elapsed();
    if last.elapsed() >= TOLD_EVERY {
        println!("{}", found.line());
        *last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_add_up_and_failing_ones_are_named() {
        let mut found = Found::default();
        let fine =
            Outcome { seed: 1, acked: 10, faults: [("kill".to_owned(), 2)].into(), ..Outcome::default() };
        let bad = Outcome { seed: 2, violations: [("lost write".to_owned(), 3)].into(), ..fine.clone() };
        found.add(fine);
        assert_eq!(found.verdict(), Ok(()));
        found.add(bad);
        assert_eq!((found.acked, found.faults.get("kill")), (20, Some(&4)));
        assert_eq!(found.verdict(), Err("1 seeds failed: [2]".to_owned()));
        assert!(Found::default().verdict().is_err(), "no seed proves nothing");
    }
}
