//! Runs a list of tests in a few JVMs, and brings the rows that they wrote.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::expectations::Name;
use super::harness::Harness;
use super::judge::{Results, parse_results};
use crate::test::process::Reaped;

/// The runner ends so when not even an interrupt ended a test: the classes after that one need a new JVM.
const STUCK: i32 = 75;

/// What a test may take beyond its timeout: its cluster starts and ends, and the runner gives it up if all else fails.
const GRACE: Duration = Duration::from_secs(240);

/// A part of a run: tests that are run under the same rules.
#[derive(Debug)]
pub struct Stage<'a> {
    /// Its folder among the results.
    pub name: &'a str,
    pub tests: Vec<Name>,
    pub timeout: Duration,
    pub jobs: usize,
    pub ports: (u16, u16),
    /// After how many tests of a class in a row that waited in vain the others are not tried; 0 is never.
    pub vain_max: usize,
    /// Controllers run inside the first brokers, whatever a test asks for.
    pub combined: bool,
}

impl Stage<'_> {
    pub fn run(&self, harness: &Harness) -> Result<Results, String> {
        let dir = harness.out.join(self.name);
        let io = |error: std::io::Error| format!("{}: {error}", dir.display());
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(io)?;
        }
        let shares = shares(&self.tests, self.jobs);
        let mut results = Results::new();
        thread::scope(|scope| {
            let running: Vec<_> = shares
                .iter()
                .enumerate()
                .map(|(number, share)| {
                    let dir = dir.join(format!("job-{number}"));
                    scope.spawn(move || self.run_share(harness, number, share, &dir))
                })
                .collect();
            for job in running {
                results.extend(job.join().map_err(|_| "a job of the run panicked".to_owned())??);
            }
            Ok(results)
        })
    }

    /// One JVM at a time over its share of the classes.
    fn run_share(
        &self,
        harness: &Harness,
        number: usize,
        share: &Share,
        dir: &Path,
    ) -> Result<Results, String> {
        let io = |error: std::io::Error| format!("{}: {error}", dir.display());
        fs::create_dir_all(dir).map_err(io)?;
        fs::write(dir.join("list"), share.classes.join("\n")).map_err(io)?;
        fs::write(dir.join("wanted"), share.wanted.join("\n")).map_err(io)?;
        let tests = u32::try_from(share.wanted.len()).unwrap_or(u32::MAX);
        let deadline = Instant::now() + (self.timeout + GRACE).saturating_mul(tests);
        let rows = dir.join("results.tsv");
        // Each new JVM leaves out at least one class.
        for _ in 0..=share.classes.len() {
            let status = self.run_jvm(harness, number, dir, deadline)?;
            if status != Some(STUCK) {
                break;
            }
            let stuck = fs::read_to_string(dir.join("stuck")).map_err(io)?;
            let done = fs::read_to_string(dir.join("done")).unwrap_or_default();
            fs::write(dir.join("done"), format!("{done}{stuck}")).map_err(io)?;
        }
        // Without a row no test ran, and each of them will be missed.
        Ok(parse_results(&fs::read_to_string(rows).unwrap_or_default()))
    }

    fn run_jvm(
        &self,
        harness: &Harness,
        number: usize,
        dir: &Path,
        deadline: Instant,
    ) -> Result<Option<i32>, String> {
        let log = File::options().create(true).append(true).open(dir.join("stderr.log"));
        let log = log.map_err(|error| format!("{}: {error}", dir.display()))?;
        let mut java = Command::new("java");
        java.args([
            "-Xmx1g",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+EnableDynamicAgentLoading",
        ]);
        for (key, value) in self.properties(harness, number, dir) {
            java.arg(format!("-D{key}={value}"));
        }
        java.args(["-cp", &harness.class_path, "kafkait.Main"]).arg(dir.join("list"));
        // The runner ends, and its nodes with it, when this pipe breaks, however we end.
        java.stdin(Stdio::piped()).stderr(log).env("RIVERRUN_BINARY", &harness.binary);
        let child = java.spawn().map_err(|error| format!("java cannot be started: {error}"))?;
        let mut child = Reaped(child);
        let status = child.wait_until(deadline);
        drop(child);
        sweep(dir);
        Ok(status.and_then(|status| status.code()))
    }

    fn properties(&self, harness: &Harness, number: usize, dir: &Path) -> Vec<(&'static str, String)> {
        let (from, to) = slice(self.ports, number, self.jobs);
        let logging = harness.places.root.join("conformance/backends/log4j2.properties");
        vec![
            ("kafkait.out", dir.display().to_string()),
            ("kafkait.backend", harness.backend.clone()),
            ("kafkait.timeout", self.timeout.as_secs().to_string()),
            ("kafkait.vain.max", self.vain_max.to_string()),
            ("kafkait.wanted", dir.join("wanted").display().to_string()),
            ("kafkait.combined", self.combined.to_string()),
            ("kafkait.ports.from", from.to_string()),
            ("kafkait.ports.to", to.to_string()),
            ("log4j2.configurationFile", logging.display().to_string()),
            ("conformance.log", "OFF".to_owned()),
        ]
    }
}

/// What one job runs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Share {
    classes: Vec<String>,
    /// Classes and tests with a tab between.
    wanted: Vec<String>,
}

/// Whole classes, the large ones first and each to whom has the least.
fn shares(tests: &[Name], jobs: usize) -> Vec<Share> {
    let mut by_class: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (class, test) in tests {
        by_class.entry(class).or_default().push(test);
    }
    let mut classes: Vec<_> = by_class.into_iter().collect();
    classes.sort_by_key(|(_, tests)| std::cmp::Reverse(tests.len()));
    let mut shares: Vec<Share> = Vec::new();
    shares.resize_with(jobs.clamp(1, classes.len().max(1)), Share::default);
    for (class, tests) in classes {
        if let Some(share) = shares.iter_mut().min_by_key(|share| share.wanted.len()) {
            share.classes.push(class.to_owned());
            share.wanted.extend(tests.iter().map(|test| format!("{class}\t{test}")));
        }
    }
    shares
}

/// Ports of its own for each job.
fn slice((from, to): (u16, u16), number: usize, jobs: usize) -> (u16, u16) {
    let jobs = u16::try_from(jobs).unwrap_or(u16::MAX).max(1);
    let width = (to - from) / jobs;
    let from = from + width.saturating_mul(u16::try_from(number).unwrap_or(0).min(jobs - 1));
    (from, from + width)
}

/// Kills, by their ids, nodes that a JVM left which was killed itself; their command lines name our folder.
fn sweep(dir: &Path) {
    let pids = fs::read_to_string(dir.join("pids")).unwrap_or_default();
    let ours = dir.display().to_string();
    for pid in pids.lines().filter(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit())) {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command).contains(&ours) {
            // It may have ended by now.
            let _ = Command::new("kill").args(["-9", pid]).status();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests(of: &[(&str, usize)]) -> Vec<Name> {
        let tests = of.iter().flat_map(|(class, count)| (0..*count).map(move |n| (class, n)));
        tests.map(|(class, n)| ((*class).to_owned(), format!("t{n}"))).collect()
    }

    #[test]
    fn classes_are_shared_out_whole_and_evenly() {
        let shares = shares(&tests(&[("a", 1), ("b", 5), ("c", 3), ("d", 1)]), 2);
        let classes: Vec<_> = shares.iter().map(|share| share.classes.clone()).collect();
        assert_eq!(classes, [vec!["b"], vec!["c", "a", "d"]]);
        assert_eq!(shares[1].wanted, ["c\tt0", "c\tt1", "c\tt2", "a\tt0", "d\tt0"]);
    }

    #[test]
    fn there_are_no_more_jobs_than_classes() {
        assert_eq!(shares(&tests(&[("a", 3)]), 4).len(), 1);
    }

    #[test]
    fn jobs_do_not_share_ports() {
        assert_eq!(slice((11_000, 12_000), 0, 2), (11_000, 11_500));
        assert_eq!(slice((11_000, 12_000), 1, 2), (11_500, 12_000));
    }
}
