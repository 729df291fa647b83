//! Words that have no place in the project: paths and hosts of somebody's machine, and notes to oneself.

use super::{Complaint, SourceFile, Tree};

/// The only place that dependencies come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A word, put together here so that this file does not contain it, and what to do instead.
const WORDS: &[(&[&str], &str)] = &[
    (&["/wo", "rk/"], "a path of one machine: build it from the project's root"),
    (&["/ro", "ot/"], "a path of one machine: use `~` or an argument"),
    (
        &["arti", "factory"],
        "a host of one network: registries are reached through their clients' own settings",
    ),
    (&["TO", "DO"], "a note to oneself: do it, or open an issue"),
    (&["FIX", "ME"], "a note to oneself: do it, or open an issue"),
    (&["todo", "!("], "unfinished: answer with an error that says what is not there"),
    (&["unimplemented", "!("], "unfinished: answer with an error that says what is not there"),
];

pub fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints: Vec<_> = tree
        .files
        .iter()
        .filter(|file| file.path != "LICENSE" && !file.path.ends_with(".lock"))
        .flat_map(check_file)
        .collect();
    complaints.extend(tree.file("Cargo.lock").into_iter().flat_map(check_sources));
    complaints
}

fn check_file(file: &SourceFile) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for (parts, instead) in WORDS {
            let word = parts.concat();
            if line.contains(&word) {
                let place = format!("{}:{}", file.path, index + 1);
                complaints.push(Complaint::new(place, format!("`{word}` is {instead}")));
            }
        }
    }
    complaints
}

fn check_sources(lock: &SourceFile) -> Vec<Complaint> {
    lock.text
        .lines()
        .filter_map(|line| line.strip_prefix("source = "))
        .filter(|source| source.trim_matches('"') != REGISTRY)
        .map(|source| Complaint::new(&lock.path, format!("{source}: dependencies come from crates.io")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: String) -> SourceFile {
        SourceFile { path: path.into(), text }
    }

    #[test]
    fn every_word_is_found() {
        for (parts, _) in WORDS {
            let text = format!("fine\nx {} y\n", parts.concat());
            let places: Vec<_> = check_file(&file("a.rs", text)).into_iter().map(|c| c.place).collect();
            assert_eq!(places, ["a.rs:2"]);
        }
    }

    #[test]
    fn another_source_than_the_registry_is_found() {
        let text = format!("source = \"{REGISTRY}\"\nsource = \"git+https://example.org/x\"\n");
        assert_eq!(check_sources(&file("Cargo.lock", text)).len(), 1);
    }
}
