//! The differences that are meant, each with its reason: `conformance/oracle/accepted.tsv`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::compare::Difference;
use crate::pattern::matches;

pub const FILE: &str = "conformance/oracle/accepted.tsv";

#[derive(Debug)]
pub struct Accepted {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    line: usize,
    api: String,
    versions: (i16, i16),
    path: String,
    ours: String,
    kafka: String,
    reason: String,
    used: Cell<u64>,
    /// The API and what both answered where the entry was needed, the first few.
    seen: RefCell<BTreeSet<(String, String, String)>>,
}

/// How many different answers are told of an entry.
const SEEN_MAX: usize = 6;

impl Accepted {
    pub fn read(root: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(root.join(FILE)).map_err(|error| format!("{FILE}: {error}"))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let entries: Result<_, _> = lines
            .map(|(line, text)| entry(line, text).ok_or_else(|| {
                format!("{FILE}:{line}: expected API, versions, path, ours, Kafka's, reason, with tabs between")
            }))
            .collect();
        Ok(Self { entries: entries? })
    }

    /// Whether a difference is meant.
    pub fn covers(&self, api: &str, version: i16, difference: &Difference) -> bool {
        let found = self.entries.iter().find(|entry| {
            one_matches(&entry.api, api)
                && (entry.versions.0..=entry.versions.1).contains(&version)
                && one_matches(&entry.path, &difference.path)
                && one_matches(&entry.ours, &difference.ours)
                && one_matches(&entry.kafka, &difference.kafka)
        });
        if let Some(entry) = found {
            entry.used.set(entry.used.get() + 1);
            let mut seen = entry.seen.borrow_mut();
            if seen.len() < SEEN_MAX {
                seen.insert((api.to_owned(), difference.ours.clone(), difference.kafka.clone()));
            }
        }
        found.is_some()
    }

    /// How many differences were meant.
    pub fn total(&self) -> u64 {
        self.entries.iter().map(|entry| entry.used.get()).sum()
    }

    /// For each entry how often it was needed, and for what: where it allows more than that, it can be narrowed.
    pub fn uses(&self) -> String {
        let mut text = String::new();
        for entry in &self.entries {
            let Entry { line, api, path, used, seen, .. } = entry;
            // Writing to a string does not fail.
            let _ = writeln!(text, "{FILE}:{line}: {api} {path}: {} times", used.get());
            for (api, ours, kafka) in seen.borrow().iter() {
                let _ = writeln!(text, "  {api}: ours {ours}, Kafka {kafka}");
            }
        }
        text
    }

    /// The entries that nothing needed.
    pub fn unused(&self) -> Vec<String> {
        let unused = self.entries.iter().filter(|entry| entry.used.get() == 0);
        unused
            .map(|entry| format!("{FILE}:{}: {} {} ({})", entry.line, entry.api, entry.path, entry.reason))
            .collect()
    }
}

/// Whether one of the patterns of a column, with `|` between, is what a text says.
fn one_matches(patterns: &str, text: &str) -> bool {
    patterns.split(" | ").any(|pattern| matches(pattern, text))
}

fn entry(line: usize, text: &str) -> Option<Entry> {
    let mut columns = text.split('\t').map(str::to_owned);
    let mut next = || columns.next().filter(|column| !column.is_empty());
    let (api, versions, path, ours, kafka, reason) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let versions = match versions.split_once('-') {
        _ if versions == "*" => (i16::MIN, i16::MAX),
        Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
        None => (versions.parse().ok()?, versions.parse().ok()?),
    };
    columns.next().is_none().then_some(Entry {
        line,
        api,
        versions,
        path,
        ours,
        kafka,
        reason,
        used: Cell::new(0),
        seen: RefCell::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(path: &str, ours: &str, kafka: &str) -> Difference {
        Difference { path: path.into(), ours: ours.into(), kafka: kafka.into() }
    }

    #[test]
    fn an_entry_covers_what_it_says_and_what_nothing_needed_is_told() {
        let accepted =
            Accepted::parse("# head\nFetch\t4-6\tA\t0\t*\twhy\nFetch\t*\tB\t*\t*\twhy\n").expect("it is one");
        assert!(accepted.covers("Fetch", 5, &difference("A", "0", "7")));
        assert!(!accepted.covers("Fetch", 7, &difference("A", "0", "7")));
        assert!(!accepted.covers("Fetch", 5, &difference("A", "1", "7")));
        assert_eq!(accepted.unused().len(), 1);
        assert_eq!(accepted.total(), 1);
        assert!(
            accepted.uses().contains("Fetch A: 1 times\n  Fetch: ours 0, Kafka 7\n"),
            "{}",
            accepted.uses()
        );
    }

    #[test]
    fn a_column_may_have_several_patterns() {
        let accepted = Accepted::parse("Fetch\t*\tA\tabsent\t17 | 2*\twhy\n").expect("it is one");
        let covers = |kafka: &str| accepted.covers("Fetch", 5, &difference("A", "absent", kafka));
        assert!(covers("17") && covers("24"));
        assert!(!covers("1") && !covers("17 | 2*"));
    }

    #[test]
    fn an_entry_needs_a_reason() {
        assert!(Accepted::parse("Fetch\t4\tA\t0\t1\n").is_err());
    }
}
