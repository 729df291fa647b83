//! What the engine said, for people.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::time::Duration;

/// What became of one target.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    pub target: String,
    pub runs: u64,
    /// Edges of the program that were reached.
    pub edges: u64,
    /// Inputs that each reached something of their own.
    pub inputs: u64,
    pub took: Duration,
    pub kept: Option<String>,
    pub failure: Option<String>,
}

impl Report {
    /// Reads the engine's last line: `#20000 DONE   cov: 7365 ft: 9746 corp: 621/44Kb lim: 185 exec/s: 10000 rss: 38Mb`.
    pub fn read(target: &str, said: &str) -> Self {
        let mut report = Self { target: target.to_owned(), ..Self::default() };
        let Some(line) = said.lines().rev().find(|line| line.contains("\tDONE ")) else {
            report.failure = Some("the engine ended without a last word".to_owned());
            return report;
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |name: &str| {
            let place = words.iter().position(|word| *word == name)?;
            words.get(place + 1)?.split('/').next()?.parse().ok()
        };
        let runs = words.first().and_then(|word| word.strip_prefix('#')?.parse().ok());
        report.runs = runs.unwrap_or(0);
        report.edges = after("cov:").unwrap_or(0);
        report.inputs = after("corp:").unwrap_or(0);
        report
    }

    pub fn failed(target: &str, failure: String) -> Self {
        Self { target: target.to_owned(), failure: Some(failure), ..Self::default() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        if let Some(failure) = &self.failure {
            return write!(f, "FOUND {} ({seconds:.0} s)\n{failure}", self.target);
        }
        let Self { target, runs, edges, inputs, .. } = self;
        write!(f, "ok    {target}: {runs} executions, {edges} edges, {inputs} inputs, {seconds:.0} s")?;
        self.kept.iter().try_for_each(|kept| write!(f, "; kept {kept}"))
    }
}

/// All reports, a line for each, and their sum.
pub fn table(reports: &[Report]) -> String {
    let mut table =
        format!("{:<14} {:>10} {:>7} {:>7} {:>9}\n", "target", "executed", "edges", "inputs", "a second");
    for report in reports {
        let rate = report.runs as f64 / report.took.as_secs_f64().max(0.001);
        let Report { target, runs, edges, inputs, failure, .. } = report;
        let found = if failure.is_some() { "  FOUND SOMETHING" } else { "" };
        // Writing to a string does not fail.
        let _ = writeln!(table, "{target:<14} {runs:>10} {edges:>7} {inputs:>7} {rate:>9.0}{found}");
    }
    let runs: u64 = reports.iter().map(|report| report.runs).sum();
    let found = reports.iter().filter(|report| report.failure.is_some()).count();
    let _ = write!(table, "{} targets, {runs} executions, {found} findings", reports.len());
    table
}

/// What to print of a finding: the panic, where its input is, and how to see it again.
pub fn finding(root: &Path, target: &str, said: &str, log: &Path) -> String {
    let what: Vec<&str> = said
        .lines()
        .skip_while(|line| !line.contains("panicked at") && !line.contains("ERROR: libFuzzer"))
        .take(4)
        .collect();
    let relative = |path: &str| {
        Path::new(path).strip_prefix(root).map_or_else(|_| path.to_owned(), |path| path.display().to_string())
    };
    let mut text = what.join("\n");
    let file = said.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, file)| file));
    match file.map(relative) {
        Some(file) => {
            let _ = write!(text, "\nagain: cargo xtask fuzz {target} --replay {file}");
        }
        None => text.push_str("\nno input was written"),
    }
    let _ = write!(text, "\nall that was said: {}", relative(&log.display().to_string()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_last_line_is_understood() {
        let said = "#92\tINITED cov: 1 ft: 1 corp: 1/1b exec/s: 0 rss: 37Mb\n\
                    #20000\tDONE   cov: 7365 ft: 9746 corp: 621/44Kb lim: 185 exec/s: 10000 rss: 38Mb\nDone 20000 runs";
        let report = Report::read("frame", said);
        assert_eq!((report.runs, report.edges, report.inputs), (20_000, 7_365, 621));
        assert!(report.failure.is_none());
        assert!(Report::read("frame", "nothing").failure.is_some());
    }

    #[test]
    fn a_finding_says_what_where_and_how_to_see_it_again() {
        let said = "#5 NEW\nthread '<unnamed>' panicked at a.rs:1:2:\nit broke\nnote: x\ny\n\
                    artifact_prefix='/p/'; Test unit written to /p/target/fuzz/crash-1\nBase64: eA==";
        let text = finding(Path::new("/p"), "frame", said, Path::new("/p/target/log"));
        assert!(text.starts_with("thread '<unnamed>' panicked at a.rs:1:2:\nit broke"), "{text}");
        assert!(text.contains("cargo xtask fuzz frame --replay target/fuzz/crash-1"), "{text}");
        assert!(text.ends_with("target/log"), "{text}");
    }
}
