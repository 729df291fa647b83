//! The project's own tests, by cargo.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Context;
use super::report::{Row, Status};

/// Runs `cargo test --workspace`; its output passes through, its counts become rows.
pub fn run(context: &Context) -> Result<Vec<Row>, String> {
    let mut command = Command::new("cargo");
    command.args(["test", "--workspace", "--no-fail-fast"]).current_dir(&context.root);
    count(command, "unit", "cargo test --workspace")
}

/// Runs a `cargo test`; its output passes through, its counts become rows of `part`.
pub fn count(mut command: Command, part: &'static str, check: &str) -> Result<Vec<Row>, String> {
    let start = Instant::now();
    let mut child = command
        .env_remove("RIVERRUN_XTASK_LIMITS")
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    let mut counts = Counts::default();
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            println!("{line}");
            counts.add(&line);
        }
    }
    let status = child.wait().map_err(|error| format!("cargo test: {error}"))?;
    let mut rows = Vec::new();
    let mut row = |check: &str, status, count, message: &str| {
        if count > 0 {
            let row = Row { status, count, ..Row::pass(part, check, message) };
            rows.push(row.took(start.elapsed()));
        }
    };
    row(check, Status::Pass, counts.passed, "");
    row(&format!("{check}, failed"), Status::Fail, counts.failed, "see above");
    row(&format!("{check}, ignored"), Status::Skip, counts.ignored, "marked #[ignore]");
    if !status.success() && counts.failed == 0 {
        row(check, Status::Fail, 1, "a test program did not compile or ended early; see above");
    }
    Ok(rows)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// Adds up lines like `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out`.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split("; ") {
            let Some((number, word)) = part.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_several_test_programs_add_up() {
        let mut counts = Counts::default();
        counts.add(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        );
        counts.add("test ok: nothing");
        counts.add("test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(counts, Counts { passed: 5, failed: 4, ignored: 1 });
    }
}
