//! How long a file and a function may be.
//!
//! A file of more than 800 lines is redesigned. A function of more than 70 lines is not written: those that are longer
//! stand in `crates/xtask/ratchet.txt` with their length, and may only shrink.

use std::collections::BTreeMap;
use std::fs;

use super::source::{code_only, functions};
use super::{Complaint, Tree};
use crate::Outcome;

const FILE_LINES_MAX: usize = 800;
const FILE_LINES_SMELL: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// A plain table of declarations may be longer than a file of decisions; it says so with this mark in its head.
const DECLARATIONS: &str = "@declarations";

const RATCHET_HEAD: &str = "# Functions that are too long: file, name, lines. They may only shrink.\n";
const RATCHET: &str = "crates/xtask/ratchet.txt";

/// The length of each function that is too long, by `path name`; of two with one name the longer.
type LongFunctions = BTreeMap<String, usize>;

pub fn check(tree: &Tree) -> Vec<Complaint> {
    let allowed = read_ratchet(tree.file(RATCHET).map_or("", |file| file.text.as_str()));
    let long = long_functions(tree);
    let mut complaints = long_files(tree);
    complaints.extend(compare(&long, &allowed));
    complaints
}

fn long_files(tree: &Tree) -> Vec<Complaint> {
    tree.rust()
        .filter(|file| !file.text.lines().take(15).any(|line| line.contains(DECLARATIONS)))
        .filter_map(|file| {
            let lines = file.text.lines().count();
            let what =
                format!("{lines} lines; more than {FILE_LINES_MAX} is a redesign: which noun is missing?");
            (lines > FILE_LINES_MAX).then(|| Complaint::new(&file.path, what))
        })
        .collect()
}

fn long_functions(tree: &Tree) -> LongFunctions {
    let mut long = LongFunctions::new();
    for file in tree.rust() {
        for function in functions(&code_only(&file.text)) {
            if function.lines > FUNCTION_LINES_MAX {
                let key = format!("{} {}", file.path, function.name);
                let length = long.entry(key).or_default();
                *length = function.lines.max(*length);
            }
        }
    }
    long
}

fn compare(long: &LongFunctions, allowed: &LongFunctions) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (key, lines) in long {
        let what = match allowed.get(key) {
            None => format!(
                "{lines} lines; a function has at most {FUNCTION_LINES_MAX}: branches in the parent, pure work in the leaves"
            ),
            Some(before) if lines > before => {
                format!("{lines} lines, and it had {before}: long functions only shrink")
            }
            Some(_) => continue,
        };
        complaints.push(Complaint::new(key, what));
    }
    for (key, before) in allowed {
        match long.get(key) {
            Some(lines) if lines >= before => {}
            _ => complaints.push(Complaint::new(
                key,
                "shorter than the ratchet says: run `cargo xtask check --update-ratchet`",
            )),
        }
    }
    complaints
}

fn read_ratchet(text: &str) -> LongFunctions {
    text.lines()
        .filter_map(|line| {
            let (key, lines) = line.rsplit_once(' ')?;
            Some((key.to_owned(), lines.parse().ok()?))
        })
        .collect()
}

/// Writes down the lengths as they are now.
pub fn update_ratchet(tree: &Tree) -> Outcome {
    let entries: String =
        long_functions(tree).iter().map(|(key, lines)| format!("{key} {lines}\n")).collect();
    fs::write(tree.root.join(RATCHET), format!("{RATCHET_HEAD}{entries}"))
        .map_err(|error| format!("{RATCHET}: {error}"))
}

/// Says how the house stands, without judging.
pub fn report(tree: &Tree) {
    let mut lengths: Vec<_> = tree.rust().map(|file| file.text.lines().count()).collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
    let smells = lengths.iter().filter(|lines| **lines > FILE_LINES_SMELL).count();
    let long = long_functions(tree).len();
    println!(
        "sizes: {} files, median {median} lines, {smells} above {FILE_LINES_SMELL}; {long} functions above {FUNCTION_LINES_MAX}",
        lengths.len()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(pairs: &[(&str, usize)]) -> LongFunctions {
        pairs.iter().map(|(key, lines)| ((*key).to_owned(), *lines)).collect()
    }

    #[test]
    fn long_functions_only_shrink() {
        let places = |now: &[(&str, usize)], allowed: &[(&str, usize)]| {
            compare(&lengths(now), &lengths(allowed)).into_iter().map(|c| c.place).collect::<Vec<_>>()
        };
        assert_eq!(places(&[("a f", 80)], &[("a f", 80)]), [""; 0]);
        assert_eq!(places(&[("a f", 81)], &[("a f", 80)]), ["a f"]);
        assert_eq!(places(&[("a f", 79)], &[("a f", 80)]), ["a f"]);
        assert_eq!(places(&[], &[("a f", 80)]), ["a f"]);
        assert_eq!(places(&[("a f", 71)], &[]), ["a f"]);
    }

    #[test]
    fn the_ratchet_reads_what_it_writes() {
        assert_eq!(
            read_ratchet("a/b.rs f 71\na/b.rs g 300\n"),
            lengths(&[("a/b.rs f", 71), ("a/b.rs g", 300)])
        );
    }
}
