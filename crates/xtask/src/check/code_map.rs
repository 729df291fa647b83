//! The code map of `ARCHITECTURE.md` names what is there, and what is there is named.
//!
//! The map has a heading ``### `crates/NAME` `` for each crate; under it, list items begin with the places they speak
//! of: ``- `src/log/`, `src/segment.rs`: what is there``. Folders end with a slash.

use std::collections::BTreeSet;

use super::{Complaint, Tree};

const PAGE: &str = "ARCHITECTURE.md";
const SECTION: &str = "## Code map";

/// A crate's part of the map: its places, relative to the crate, each with the line it stands on.
#[derive(Debug, PartialEq, Eq)]
struct Entry<'a> {
    name: &'a str,
    line: usize,
    places: Vec<(&'a str, usize)>,
}

pub fn check(tree: &Tree) -> Vec<Complaint> {
    let Some(page) = tree.file(PAGE) else {
        return vec![Complaint::new(PAGE, "is missing")];
    };
    compare(&read(&page.text), &paths(tree))
}

/// Every file under a crate, and every folder with a slash at its end; tests beside what they test go without saying.
fn paths(tree: &Tree) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for file in tree.files.iter().filter(|file| is_on_the_map(&file.path)) {
        paths.insert(file.path.clone());
        paths.extend(
            file.path.match_indices('/').filter_map(|(at, _)| file.path.get(..=at)).map(str::to_owned),
        );
    }
    paths
}

fn is_on_the_map(path: &str) -> bool {
    path.starts_with("crates/") && !path.ends_with("/tests.rs") && !path.contains("/src/tests/")
}

fn read(page: &str) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut in_map = false;
    for (index, line) in page.lines().enumerate() {
        if line.starts_with("## ") {
            in_map = line == SECTION;
        } else if !in_map {
            continue;
        } else if let Some(name) = line.strip_prefix("### `crates/") {
            let name = name.split('`').next().unwrap_or(name);
            entries.push(Entry { name, line: index + 1, places: Vec::new() });
        } else if let Some(item) = line.strip_prefix("- `")
            && let Some(entry) = entries.last_mut()
        {
            entry.places.extend(leading_places(item).map(|place| (place, index + 1)));
        }
    }
    entries
}

/// ``a`, `b`: text`` begins with the places `a` and `b`; names later in the text are not places.
fn leading_places(item: &str) -> impl Iterator<Item = &str> {
    let names = item.split("`:").next().unwrap_or(item);
    names.split("`, `")
}

fn compare(map: &[Entry<'_>], paths: &BTreeSet<String>) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for entry in map {
        for (place, line) in &entry.places {
            if !paths.contains(&format!("crates/{}/{place}", entry.name)) {
                let what = format!("`{place}` of `{}` is not there", entry.name);
                complaints.push(Complaint::new(format!("{PAGE}:{line}"), what));
            }
        }
        if !paths.contains(&format!("crates/{}/", entry.name)) {
            complaints.push(Complaint::new(
                format!("{PAGE}:{}", entry.line),
                format!("there is no crate `{}`", entry.name),
            ));
        }
    }
    complaints.extend(paths.iter().filter_map(|path| unnamed(map, path)));
    complaints
}

/// A crate, or a folder right under its `src/`, that the map does not name.
fn unnamed(map: &[Entry<'_>], path: &str) -> Option<Complaint> {
    let inner = path.strip_prefix("crates/")?.strip_suffix('/')?;
    let (name, place) = inner.split_once('/').unwrap_or((inner, ""));
    let entry = map.iter().find(|entry| entry.name == name);
    let named = match place.strip_prefix("src/") {
        None if place.is_empty() => entry.is_some(),
        Some(folder) if !folder.contains('/') => entry
            .is_some_and(|entry| entry.places.iter().any(|(named, _)| *named == format!("src/{folder}/"))),
        _ => true,
    };
    (!named).then(|| Complaint::new(path, format!("is not in the code map of {PAGE}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "## Code map\n\n### `crates/a` (one)\n\n- `src/x.rs`, `src/y/`: about `z`\n\n## Else\n\n- `nothing`\n";

    fn complaints(map: &str, paths: &[&str]) -> Vec<String> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        compare(&read(map), &paths).into_iter().map(|complaint| complaint.place).collect()
    }

    #[test]
    fn a_map_that_is_true_is_fine() {
        let paths =
            ["crates/a/", "crates/a/src/", "crates/a/src/x.rs", "crates/a/src/y/", "crates/a/src/y/deeper/"];
        assert_eq!(complaints(MAP, &paths), [""; 0]);
    }

    #[test]
    fn what_is_gone_or_unnamed_is_found() {
        let paths = ["crates/a/", "crates/a/src/", "crates/a/src/y/", "crates/a/src/new/", "crates/b/"];
        assert_eq!(complaints(MAP, &paths), ["ARCHITECTURE.md:5", "crates/a/src/new/", "crates/b/"]);
    }
}
