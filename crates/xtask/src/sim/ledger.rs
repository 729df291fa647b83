//! `docs/ledger.md`: what was run, when, on which commit, and what it found. Lines are added and never changed.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::grouped;
use super::seeds::Found;
use crate::Outcome;

const PAGE: &str = "docs/ledger.md";

const HEAD: &str = "# Ledger of the simulator

What `cargo xtask sim --seeds N` has run. The command adds a line each time; lines are never changed or removed. A commit
with a `+` had changes that were not committed. What the columns mean is in [simulation.md](simulation.md).

| date | commit | seeds | simulated h | acknowledged | faults | violations |
|---|---|---|---|---|---|---|
";

/// Adds a line for what was found.
pub fn append(root: &Path, found: &Found) -> Outcome {
    let path = root.join(PAGE);
    let before = fs::read_to_string(&path).unwrap_or_else(|_| HEAD.to_owned());
    let page = before + &line(&today()?, &commit(root)?, found);
    fs::write(&path, page).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn line(date: &str, commit: &str, found: &Found) -> String {
    let kinds = |counts: &std::collections::BTreeMap<String, u64>| {
        let kinds = counts.iter().map(|(kind, count)| format!("{kind} {}", grouped(*count)));
        kinds.collect::<Vec<_>>().join(", ")
    };
    let violations = match found.violations.is_empty() {
        true => "0".to_owned(),
        false => format!("{} (seeds {:?})", kinds(&found.violations), found.failing),
    };
    format!(
        "| {date} | {commit} | {} from {} | {:.1} | {} | {} | {violations} |\n",
        grouped(found.seeds),
        found.first,
        found.simulated.as_secs_f64() / 3600.0,
        grouped(found.acked),
        kinds(&found.faults)
    )
}

pub(crate) fn today() -> Result<String, String> {
    said(Command::new("date").args(["-u", "+%F"]))
}

pub(crate) fn commit(root: &Path) -> Result<String, String> {
    let commit = said(Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root))?;
    let changed = said(
        Command::new("git")
            .args(["status", "--porcelain", "--untracked-files=no", "--", "crates", "Cargo.lock"])
            .current_dir(root),
    )?;
    Ok(if changed.is_empty() { commit } else { commit + "+" })
}

fn said(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot run {name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name} fails: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_run_and_found() {
        let mut found = Found { first: 1, seeds: 1500, acked: 2_000_000, ..Found::default() };
        found.faults.insert("power cut".to_owned(), 4000);
        let shown = line("2026-11-21", "abc1234", &found);
        assert_eq!(
            shown,
            "| 2026-11-21 | abc1234 | 1,500 from 1 | 0.0 | 2,000,000 | power cut 4,000 | 0 |\n"
        );
        found.violations.insert("lost write".to_owned(), 2);
        found.failing.push(17);
        assert!(line("d", "c", &found).ends_with("| lost write 2 (seeds [17]) |\n"));
        let columns = |text: &str| text.matches('|').count();
        assert_eq!(HEAD.lines().last().map(columns), Some(columns(&shown)));
    }
}
