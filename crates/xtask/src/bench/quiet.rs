//! Whether others use the machine. What they use is all busy CPU time but the benchmark's own, its brokers' and the
//! kernel's threads, which write back what the brokers appended.

use std::fs;
use std::thread;
use std::time::Duration;

/// A pair begins after so long with less than so much of the machine in use by others.
const QUIET_FOR: Duration = Duration::from_secs(2);
const QUIET_PERCENT: f64 = 12.0;

/// A pair in which others used more than this tells little.
pub const NOISY_PERCENT: f64 = 15.0;

/// The parent of all kernel threads.
const KTHREADD: u64 = 2;

/// CPU time since boot, in ticks.
#[derive(Debug, Clone, Copy)]
struct Busy {
    all: u64,
    idle: u64,
    ours: u64,
}

/// Watches the machine beside the runs.
#[derive(Debug)]
pub struct Quiet {
    brokers: Vec<u32>,
    /// How long may still be waited in all.
    patience: Duration,
    since: Busy,
    /// Pairs that began without a quiet moment before.
    pub given_up: usize,
}

impl Quiet {
    pub fn new(patience: Duration) -> Self {
        Self { brokers: Vec::new(), patience, since: Busy::now(&[]), given_up: 0 }
    }

    /// From now on these processes are no others.
    pub fn these_are_ours(&mut self, brokers: Vec<u32>) {
        self.brokers = brokers;
        self.begin();
    }

    /// The same for processes that were made since the beginning, so that all they have used counts.
    pub fn brokers_are(&mut self, brokers: Vec<u32>) {
        self.brokers = brokers;
    }

    pub fn begin(&mut self) {
        self.since = Busy::now(&self.brokers);
    }

    /// The share of the machine, in percent, that others have used since the beginning.
    pub fn foreign_percent(&self) -> f64 {
        Busy::now(&self.brokers).foreign_percent(self.since)
    }

    /// Waits for a quiet moment; goes on without one when the patience for the whole benchmark is used up.
    pub fn wait(&mut self) {
        self.begin();
        thread::sleep(QUIET_FOR);
        while self.foreign_percent() >= QUIET_PERCENT {
            if self.patience.is_zero() {
                self.given_up += 1;
                return;
            }
            let pause = QUIET_FOR.min(self.patience);
            self.patience -= pause;
            self.begin();
            thread::sleep(pause);
        }
    }
}

impl Busy {
    fn now(brokers: &[u32]) -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let cpu: Vec<u64> = stat
            .lines()
            .next()
            .into_iter()
            .flat_map(str::split_whitespace)
            .filter_map(|field| field.parse().ok())
            .collect();
        // user, nice, system, idle, iowait, irq, softirq, steal; what follows is part of user.
        let idle = cpu.iter().skip(3).take(2).sum();
        let all = cpu.iter().take(8).sum();
        let own = Process::read(std::process::id()).map_or(0, |own| own.ticks + own.children_ticks);
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let others = processes.filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let process = Process::read(pid)?;
            (process.parent == KTHREADD || brokers.contains(&pid)).then_some(process.ticks)
        });
        Self { all, idle, ours: own + others.sum::<u64>() }
    }

    fn foreign_percent(self, since: Self) -> f64 {
        let all = self.all.saturating_sub(since.all);
        let busy = all.saturating_sub(self.idle.saturating_sub(since.idle));
        let foreign = busy.saturating_sub(self.ours.saturating_sub(since.ours));
        if all == 0 { 0.0 } else { foreign as f64 * 100.0 / all as f64 }
    }
}

/// What is known of a process. Its children count once they have ended.
struct Process {
    parent: u64,
    ticks: u64,
    children_ticks: u64,
}

impl Process {
    fn read(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of the program, in parentheses, may have blanks.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            parent: field(1)?,
            ticks: field(11)? + field(12)?,
            children_ticks: field(13)? + field(14)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_use_is_what_is_busy_and_not_ours() {
        let since = Busy { all: 1000, idle: 900, ours: 50 };
        let now = Busy { all: 2000, idle: 1500, ours: 350 };
        assert_eq!(now.foreign_percent(since), 10.0);
        assert_eq!(since.foreign_percent(since), 0.0);
    }
}
