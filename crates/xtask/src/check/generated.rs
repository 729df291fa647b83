//! What a program wrote is what it would write again, and says that a program wrote it.

use super::{Complaint, Tree};

/// Folders that only programs write to.
const FOLDERS: &[&str] = &["crates/wire/src/generated/"];

pub fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints: Vec<_> = tree
        .files
        .iter()
        .filter(|file| FOLDERS.iter().any(|folder| file.path.starts_with(folder)) && !file.is_generated())
        .map(|file| Complaint::new(&file.path, "only generated files belong here, and they say `@generated`"))
        .collect();
    let compare = ["--check".to_owned()];
    let runs =
        [("cargo xtask gen", crate::r#gen::run(&compare)), ("cargo xtask docs", crate::docs::run(&compare))];
    let map = ("docs/conformance.md", crate::kafka_it::check_map(&tree.root));
    complaints.extend(
        runs.into_iter()
            .chain([map])
            .filter_map(|(name, outcome)| Some(Complaint::new(name, outcome.err()?))),
    );
    complaints
}
