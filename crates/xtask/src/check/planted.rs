//! The lints that hold the walls really fire: a small crate with one violation a line is linted by the rules of the
//! cores, and each line must be complained about.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Complaint, Tree};

const RULES: &str = "crates/kernel/clippy.toml";

const MANIFEST: &str = "[package]
name = \"planted\"
version = \"0.0.0\"
edition = \"2024\"

[workspace]

[lints.clippy]
disallowed_methods = \"deny\"
disallowed_types = \"deny\"
unwrap_used = \"deny\"

[lints.rust]
unsafe_code = \"deny\"
";

/// Each line breaks one wall.
const VIOLATIONS: &[&str] = &[
    "pub fn clock() { let _ = std::time::SystemTime::now(); }",
    "pub fn forward_clock() { let _ = std::time::Instant::now(); }",
    "pub fn thread() { std::thread::spawn(|| ()); }",
    "pub fn sleep(long: std::time::Duration) { std::thread::sleep(long); }",
    "pub fn file() -> bool { std::fs::read(\"x\").is_ok() }",
    "pub fn path(path: &std::path::Path) -> bool { path.exists() }",
    "pub fn open_file(_: std::fs::File) {}",
    "pub fn socket(_: std::net::TcpStream) {}",
    "pub fn environment() -> bool { std::env::var(\"x\").is_ok() }",
    "pub fn entropy() { let _ = std::hash::RandomState::new(); }",
    "pub fn order(_: std::collections::HashMap<u8, u8>) {}",
    "pub fn end() { std::process::exit(1) }",
    "pub fn unwrapped(x: Option<u8>) -> u8 { x.unwrap() }",
    "pub fn raw(x: *const u8) -> u8 { unsafe { *x } }",
];

pub fn check(tree: &Tree) -> Vec<Complaint> {
    match lint(tree) {
        Ok(reported) => silent(&reported),
        Err(error) => vec![Complaint::new(RULES, error)],
    }
}

fn silent(reported: &BTreeSet<usize>) -> Vec<Complaint> {
    VIOLATIONS
        .iter()
        .enumerate()
        .filter(|(index, _)| !reported.contains(&(index + 1)))
        .map(|(_, violation)| Complaint::new(RULES, format!("no lint complains about `{violation}`")))
        .collect()
}

/// The lines of the planted crate that clippy complains about.
fn lint(tree: &Tree) -> Result<BTreeSet<usize>, String> {
    let folder = tree.root.join("target/planted");
    plant(tree, &folder).map_err(|error| format!("cannot plant violations: {error}"))?;
    let output = Command::new(env!("CARGO"))
        .args(["clippy", "--offline", "--message-format", "short", "--target-dir", "target"])
        .current_dir(&folder)
        .env_remove("CLIPPY_CONF_DIR")
        .output()
        .map_err(|error| format!("cannot run cargo clippy: {error}"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    let lines: BTreeSet<_> = report.lines().filter_map(reported_line).collect();
    if lines.is_empty() {
        Err(format!("cargo clippy is silent about the planted crate: {report}"))
    } else {
        Ok(lines)
    }
}

fn plant(tree: &Tree, folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    fs::copy(tree.root.join(RULES), folder.join("clippy.toml"))?;
    fs::write(folder.join("Cargo.toml"), MANIFEST)?;
    fs::write(folder.join("src/lib.rs"), VIOLATIONS.join("\n"))
}

/// `src/lib.rs:3:19: error: …` is about line 3. Warnings do not fail a build, so they do not count.
fn reported_line(message: &str) -> Option<usize> {
    let (line, rest) = message.strip_prefix("src/lib.rs:")?.split_once(':')?;
    if rest.contains(" error") { line.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_count() {
        assert_eq!(reported_line("src/lib.rs:3:19: error: use of a disallowed method"), Some(3));
        assert_eq!(reported_line("src/lib.rs:3:19: warning: unused"), None);
        assert_eq!(reported_line("error: could not compile"), None);
    }
}
