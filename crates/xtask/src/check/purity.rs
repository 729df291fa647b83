//! The cores do not wait, what is simulated leaves nothing to chance, and `unsafe` lives in one crate.
//!
//! The compiler's lints say most of this already (`unsafe_code`, and clippy's disallowed methods and types). What is
//! checked here is what a lint cannot see or an `allow` could hide.

use super::crates::CORES;
use super::source::{code_only, has_word};
use super::{Complaint, SourceFile, Tree};

/// The only crate that may use `unsafe`.
const HOST: &str = "host";

/// The crates that a simulation runs, so that equal seeds give equal runs.
const SIMULATED: &[&str] = &["broker", "client", "simulation"];

/// Words of waiting.
const WAITING: &[&str] = &["async", "await", "tokio", "futures"];

/// The lints that hold the walls of the cores; allowing one of them opens a hole.
const WALL_LINTS: &[&str] = &["clippy::disallowed_methods", "clippy::disallowed_types", "unsafe_code"];

/// The rules for the cores are one text in five places, because clippy reads only the nearest file.
const CORE_RULES: &str = "clippy.toml";

pub fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints: Vec<_> =
        tree.files.iter().filter(|file| file.path.ends_with(".rs")).flat_map(check_file).collect();
    complaints.extend(check_core_rules(tree));
    complaints.extend(CORES.iter().filter_map(|name| check_crate_docs(tree, name)));
    complaints
}

fn check_file(file: &SourceFile) -> Vec<Complaint> {
    let name = file.crate_name().unwrap_or_default();
    let is_core = CORES.contains(&name);
    let code = code_only(&file.text);
    let mut complaints = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let place = || format!("{}:{}", file.path, index + 1);
        if name != HOST && has_word(line, "unsafe") {
            complaints
                .push(Complaint::new(place(), "`unsafe` belongs in the host crate, behind a safe function"));
        }
        if !is_core {
            continue;
        }
        if let Some(word) = WAITING.iter().find(|word| has_word(line, word)) {
            let what = format!("`{word}` in a core: return what should happen, and let the broker wait");
            complaints.push(Complaint::new(place(), what));
        }
        if let Some(lint) = WALL_LINTS.iter().find(|lint| line.contains("allow(") && line.contains(**lint)) {
            let what =
                format!("`allow({lint})` in a core: take what you need as an argument or through a port");
            complaints.push(Complaint::new(place(), what));
        }
    }
    if SIMULATED.contains(&name) {
        complaints.extend(check_selects(file, &code));
    }
    complaints
}

/// Without `biased;` tokio looks at the branches of a `select!` in an order that no seed decides.
fn check_selects(file: &SourceFile, code: &str) -> Vec<Complaint> {
    let selects = code.match_indices("select!").filter(|(at, _)| {
        let body = code.get(*at..).and_then(|rest| rest.split_once('{')).map_or("", |(_, body)| body);
        !body.trim_start().starts_with("biased;")
    });
    let complaint = |(at, _)| {
        let line = code.get(..at).map_or(0, |before| before.matches('\n').count()) + 1;
        Complaint::new(
            format!("{}:{line}", file.path),
            "begin this `select!` with `biased;`: else chance decides, and no seed repeats it",
        )
    };
    selects.map(complaint).collect()
}

fn check_core_rules(tree: &Tree) -> Vec<Complaint> {
    let path = |name: &str| format!("crates/{name}/{CORE_RULES}");
    let rules = |name: &str| tree.file(&path(name)).map(|file| file.text.as_str());
    let model = rules("kernel");
    CORES
        .iter()
        .filter(|name| rules(name).is_none() || rules(name) != model)
        .map(|name| {
            Complaint::new(path(name), "the rules of the cores are one text: copy crates/kernel/clippy.toml")
        })
        .collect()
}

/// The crate says what it is for and what it never does.
fn check_crate_docs(tree: &Tree, name: &str) -> Option<Complaint> {
    let path = format!("crates/{name}/src/lib.rs");
    let text = &tree.file(&path)?.text;
    let documented = text.starts_with("//!") && text.contains("//! *Invariant:*");
    (!documented)
        .then(|| Complaint::new(path, "begin with `//!` purpose and entry point, and an `*Invariant:*` line"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> usize {
        check_file(&SourceFile { path: path.into(), text: text.into() }).len()
    }

    #[test]
    fn unsafe_is_for_the_host() {
        assert_eq!(complaints("crates/host/src/lib.rs", "unsafe fn f() {}"), 0);
        assert_eq!(complaints("crates/broker/src/lib.rs", "unsafe fn f() {}"), 1);
        assert_eq!(complaints("crates/broker/src/lib.rs", "// unsafe\n#![forbid(unsafe_code)]"), 0);
    }

    #[test]
    fn what_a_seed_repeats_chooses_in_order() {
        let (chance, order) =
            ("tokio::select! {\n  _ = a => {} }", "select! {\n // so\n biased;\n _ = a => {} }");
        assert_eq!(complaints("crates/broker/src/lib.rs", chance), 1);
        assert_eq!(complaints("crates/broker/src/lib.rs", order), 0);
        assert_eq!(complaints("crates/cli/src/main.rs", chance), 0);
    }

    #[test]
    fn a_core_does_not_wait_nor_open_a_hole() {
        for text in
            ["async fn f() {}", "f().await", "#[allow(clippy::disallowed_methods)]", "use tokio::net;"]
        {
            assert_eq!(complaints("crates/storage/src/lib.rs", text), 1, "{text}");
            assert_eq!(complaints("crates/broker/src/lib.rs", text), 0, "{text}");
        }
    }
}
