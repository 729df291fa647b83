//! Arrows between crates point only down, and the cores depend on nothing that waits.

use super::{Complaint, Tree};

/// What each crate may depend on within the project. A new crate or arrow is a change of architecture: it belongs in
/// `ARCHITECTURE.md` as well.
const ARROWS: &[(&str, &[&str])] = &[
    ("kernel", &[]),
    ("wire", &["kernel"]),
    ("storage", &["kernel", "wire"]),
    ("metadata", &["kernel", "wire"]),
    ("coordinator", &["kernel", "wire"]),
    ("host", &["kernel"]),
    ("broker", &["kernel", "wire", "storage", "metadata", "coordinator", "host"]),
    ("client", &["kernel", "wire", "host"]),
    ("cli", &["kernel", "wire", "host", "broker", "client"]),
    ("sim", &["kernel"]),
    (
        "simulation",
        &["kernel", "wire", "storage", "metadata", "coordinator", "host", "broker", "client", "sim"],
    ),
    ("foreign", &["wire"]),
    ("fuzz", &["kernel", "wire", "storage", "metadata", "coordinator"]),
    ("xtask", &["kernel", "wire"]),
];

/// Crates that decide and never wait.
pub const CORES: &[&str] = &["kernel", "wire", "storage", "metadata", "coordinator"];

/// What a core may use of other people: bytes, sums, codecs and error types. Nothing that waits, asks for the time or
/// is random.
const CORE_EXTERNAL: &[&str] =
    &["bytes", "crc-fast", "flate2", "lz4_flex", "siphasher", "snap", "thiserror", "twox-hash", "zstd"];

/// Kinds of dependency in a manifest.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Normal,
    Dev,
}

pub fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for name in tree.crate_names() {
        let path = format!("crates/{name}/Cargo.toml");
        match tree.file(&path) {
            Some(manifest) => complaints.extend(check_manifest(name, &path, &manifest.text)),
            None => complaints.push(Complaint::new(path, "a folder under crates/ is a crate")),
        }
    }
    complaints
}

fn check_manifest(name: &str, path: &str, manifest: &str) -> Vec<Complaint> {
    let Some((_, allowed)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else {
        return vec![Complaint::new(
            path,
            "unknown crate: give it a place in the table of arrows in xtask's check/crates.rs",
        )];
    };
    let is_ours = |dependency: &str| ARROWS.iter().any(|(crate_name, _)| *crate_name == dependency);
    dependencies(manifest)
        .into_iter()
        .filter_map(|(kind, dependency)| {
            // Tests may look up: a dev-dependency is no part of the product.
            let problem = if kind == Kind::Dev {
                return None;
            } else if is_ours(dependency) && !allowed.contains(&dependency) {
                format!("`{name}` may not depend on `{dependency}`: arrows only point down (it may use: {})", allowed.join(", "))
            } else if CORES.contains(&name) && !is_ours(dependency) && !CORE_EXTERNAL.contains(&dependency) {
                format!("the core `{name}` may not depend on `{dependency}`: nothing that waits, asks for the time or is random")
            } else {
                return None;
            };
            Some(Complaint::new(path, problem))
        })
        .collect()
}

/// Names of the dependencies in a manifest, in the few forms that this project uses.
fn dependencies(manifest: &str) -> Vec<(Kind, &str)> {
    let mut found = Vec::new();
    let mut section = None;
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            section = section_kind(header);
            // `[dependencies.name]`
            if let Some((_, name)) = header.rsplit_once("dependencies.")
                && let Some(kind) = section.take()
            {
                found.push((kind, name));
            }
        } else if let Some(kind) = &section
            && let Some(end) = line.find(['.', ' ', '='])
            && !line.starts_with('#')
        {
            let kind = if *kind == Kind::Dev { Kind::Dev } else { Kind::Normal };
            found.push((kind, line.get(..end).unwrap_or(line)));
        }
    }
    found
}

fn section_kind(header: &str) -> Option<Kind> {
    if header.contains("dev-dependencies") {
        Some(Kind::Dev)
    } else if header.contains("dependencies") {
        Some(Kind::Normal)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(name: &str, manifest: &str) -> Vec<String> {
        check_manifest(name, "Cargo.toml", manifest).into_iter().map(|complaint| complaint.what).collect()
    }

    #[test]
    fn an_arrow_up_is_found_in_every_spelling() {
        for manifest in [
            "[dependencies]\nbroker.workspace = true\n",
            "[dependencies]\nbroker = { path = \"../broker\" }\n",
            "[dependencies.broker]\npath = \"../broker\"\n",
            "[target.'cfg(unix)'.dependencies]\nbroker.workspace = true\n",
            "[build-dependencies]\nbroker.workspace = true\n",
        ] {
            assert_eq!(complaints("storage", manifest).len(), 1, "{manifest}");
        }
    }

    #[test]
    fn arrows_down_and_test_helpers_are_fine() {
        let manifest = "[dependencies]\nkernel.workspace = true\nwire.workspace = true\nbytes.workspace = true\n\n\
                        [dev-dependencies]\nsim.workspace = true\n\n[lints]\nworkspace = true\n";
        assert_eq!(complaints("storage", manifest), [""; 0]);
    }

    #[test]
    fn a_core_may_not_bring_a_runtime() {
        assert_eq!(complaints("storage", "[dependencies]\ntokio.workspace = true\n").len(), 1);
        assert_eq!(complaints("broker", "[dependencies]\ntokio.workspace = true\n").len(), 0);
    }

    #[test]
    fn an_unknown_crate_needs_a_place() {
        assert_eq!(complaints("surprise", "").len(), 1);
    }
}
