//! No release has a bug that was planted for the simulator, and every such bug stands in one place.

use super::source::{code_only, has_word};
use super::{Complaint, Tree};

/// Where the bugs are declared.
const DECLARATION: &str = "crates/kernel/src/planted.rs";

/// The only lines of manifests that may speak of the feature: its declaration, and the simulator that asks for it.
const ALLOWED: &[(&str, &str)] = &[
    ("crates/kernel/Cargo.toml", "planted = []"),
    ("crates/simulation/Cargo.toml", "planted = [\"kernel/planted\"]"),
];

pub fn check(tree: &Tree) -> Vec<Complaint> {
    let manifests = tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml"));
    let mut complaints: Vec<_> =
        manifests.flat_map(|manifest| check_manifest(&manifest.path, &manifest.text)).collect();
    if let Some(declaration) = tree.file(DECLARATION) {
        let code: Vec<String> = tree
            .rust()
            .filter(|file| file.path != DECLARATION && !file.path.starts_with("crates/xtask/"))
            .map(|file| code_only(&file.text))
            .collect();
        complaints.extend(check_bugs(&declaration.text, &code));
    }
    complaints
}

fn check_manifest(path: &str, manifest: &str) -> Vec<Complaint> {
    let spoken = manifest.lines().enumerate().filter(|(_, line)| {
        let code = line.split('#').next().unwrap_or_default();
        has_word(code, "planted") && !ALLOWED.contains(&(path, code.trim()))
    });
    let what = "planted bugs are for the simulator: nothing that is released may ask for them";
    spoken.map(|(number, _)| Complaint::new(format!("{path}:{}", number + 1), what)).collect()
}

/// Every bug stands in exactly one place outside its declaration.
fn check_bugs(declaration: &str, code: &[String]) -> Vec<Complaint> {
    let bugs = declaration
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.strip_suffix(','))
        .filter(|name| name.chars().all(char::is_alphanumeric));
    let count = |bug: &str| -> usize {
        let planted = format!("planted::on(Bug::{bug})");
        code.iter().map(|code| code.matches(&planted).count()).sum()
    };
    let wrong = bugs.map(|bug| (bug, count(bug))).filter(|(_, places)| *places != 1);
    wrong
        .map(|(bug, places)| {
            Complaint::new(DECLARATION, format!("`{bug}` is planted in {places} places: one line is enough"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_asks_for_planted_bugs_is_found() {
        for manifest in [
            "[features]\ndefault = [\"planted\"]\n",
            "[dependencies]\nkernel = { path = \"../kernel\", features = [\"planted\"] }\n",
            "[features]\nplanted = [\"kernel/planted\"]\n",
        ] {
            assert_eq!(check_manifest("crates/cli/Cargo.toml", manifest).len(), 1, "{manifest}");
        }
        assert_eq!(check_manifest("crates/kernel/Cargo.toml", "[features]\nplanted = []\n"), []);
        let simulation = "default = [\"planted\"]\nplanted = [\"kernel/planted\"]\n";
        assert_eq!(check_manifest("crates/simulation/Cargo.toml", simulation).len(), 1);
    }

    #[test]
    fn a_bug_that_is_nowhere_or_twice_is_found() {
        let declaration = "        Self::One,\n        Self::Two,\n        Self::One => \"text\",\n";
        let code = ["if planted::on(Bug::One) {}".to_owned()];
        assert_eq!(check_bugs(declaration, &code).len(), 1);
        let twice = [code.concat(), "planted::on(Bug::One) planted::on(Bug::Two)".to_owned()];
        assert_eq!(check_bugs(declaration, &twice).len(), 1);
    }
}
