//! A history that people can read: what is wrong, the events that prove it, and what happened last.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{History, Violation};

/// How many violations of a kind are shown; the rest are counted.
const SHOWN_OF_A_KIND: usize = 3;
/// How many of the last entries are shown.
const LAST: usize = 40;
/// An entry that is longer is cut: a read may hold thousands of records.
const LINE_CHARS: usize = 180;

/// Renders what is wrong in a history.
pub fn report(history: &History, violations: &[Violation]) -> String {
    let mut text = String::new();
    let mut kinds: BTreeMap<&str, Vec<&Violation>> = BTreeMap::new();
    for violation in violations {
        kinds.entry(violation.kind).or_default().push(violation);
    }
    for (kind, found) in kinds {
        line(&mut text, &format!("{kind}: {}", found.len()));
        for violation in found.iter().take(SHOWN_OF_A_KIND) {
            line(&mut text, &format!("  {}", violation.what));
            for number in &violation.proof {
                if let Some(entry) = history.entries.get(*number) {
                    line(&mut text, &format!("    {entry}"));
                }
            }
        }
        if let Some(more) = found.len().checked_sub(SHOWN_OF_A_KIND).filter(|more| *more > 0) {
            line(&mut text, &format!("  and {more} more"));
        }
    }
    let skipped = history.entries.len().saturating_sub(LAST);
    line(&mut text, &format!("the last of {} entries:", history.entries.len()));
    for entry in history.entries.iter().skip(skipped) {
        line(&mut text, &format!("  {entry}"));
    }
    text
}

fn line(text: &mut String, content: &str) {
    let cut: String = content.chars().take(LINE_CHARS).collect();
    let more = if cut.len() < content.len() { " …" } else { "" };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{cut}{more}");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Entry, judge};
    use super::*;

    #[test]
    fn a_report_shows_what_is_wrong_and_what_happened_last() {
        let entry = |n: usize| {
            let (at, what) = (Duration::from_millis(n as u64), format!("thing {n}"));
            if n == 3 { Entry::Stuck { at, what } } else { Entry::World { at, what } }
        };
        let history = History { entries: (0..100).map(entry).collect() };
        let text = report(&history, &judge(&history));
        assert!(text.starts_with("stuck: 1\n  thing 3\n         0.003 stuck thing 3\n"), "{text}");
        assert_eq!(text.lines().count(), 3 + 1 + LAST);
        assert!(text.ends_with("0.099 world thing 99\n"));
    }
}
