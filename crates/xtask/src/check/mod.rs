//! `cargo xtask check`: the walls of the house, as far as a compiler does not hold them.
//!
//! Each check looks at the tree as git knows it and gives a list of complaints; a complaint says what to do instead.

mod code_map;
mod crates;
mod generated;
mod links;
mod planted;
mod purity;
mod release;
mod sizes;
mod source;
mod words;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::Outcome;

/// One thing that is wrong: where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Complaint {
    /// A path from the project's root, with a line where there is one.
    pub place: String,
    pub what: String,
}

impl Complaint {
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

/// A file of the project: its path from the root, with slashes, and its text.
#[derive(Debug)]
pub struct SourceFile {
    pub path: String,
    pub text: String,
}

/// The project's tree as the checks see it.
#[derive(Debug)]
pub struct Tree {
    pub root: PathBuf,
    pub files: Vec<SourceFile>,
}

impl Tree {
    /// Reads every text file that git tracks or would track; without git, every one outside of what builds leave.
    fn read() -> Result<Self, String> {
        let root = root()?;
        let names = match listed_by_git(&root) {
            Some(names) => names,
            None => walk(&root).map_err(|error| format!("cannot read the tree: {error}"))?,
        };
        let files = names
            .into_iter()
            .filter_map(|path| {
                // A file that is tracked but deleted, or is not text, is nothing to check.
                let text = fs::read_to_string(root.join(&path)).ok()?;
                Some(SourceFile { path, text })
            })
            .collect();
        Ok(Self { root, files })
    }

    /// Rust files written by people.
    pub fn rust(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| file.path.ends_with(".rs") && !file.is_generated())
    }

    pub fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Names of the folders under `crates/`.
    pub fn crate_names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.files.iter().filter_map(|file| crate_of(&file.path)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl SourceFile {
    /// Written by a program, and says so in its first lines.
    pub fn is_generated(&self) -> bool {
        self.text.lines().take(5).any(|line| line.contains("@generated"))
    }

    pub fn crate_name(&self) -> Option<&str> {
        crate_of(&self.path)
    }
}

fn listed_by_git(root: &Path) -> Option<Vec<String>> {
    let listing = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root)
        .output()
        .ok()
        .filter(|listing| listing.status.success())?;
    let names = String::from_utf8(listing.stdout).ok()?;
    Some(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// What builds, brokers and clients leave in a tree; the same as in `.gitignore`.
const LEFT_BEHIND: &[&str] = &[".git", "target", "riverrun-data", ".cache", "__pycache__", "node_modules"];

fn walk(root: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if LEFT_BEHIND.contains(&name.as_str()) || name.ends_with(".log") {
                continue;
            }
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                names.push(path);
            }
        }
    }
    names.sort();
    Ok(names)
}

fn crate_of(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?.split_once('/').map(|(name, _)| name)
}

/// The project's root: the folder above `crates/xtask`.
pub fn root() -> Result<PathBuf, String> {
    let manifest = env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    Path::new(&manifest)
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .ok_or_else(|| format!("{manifest} is not inside the project"))
}

/// Looks at the tree and complains.
type Check = fn(&Tree) -> Vec<Complaint>;

pub fn run(args: &[String]) -> Outcome {
    let tree = Tree::read()?;
    if args.iter().any(|arg| arg == "--update-ratchet") {
        return sizes::update_ratchet(&tree);
    }
    let checks: [(&str, Check); 9] = [
        ("crate arrows", crates::check),
        ("purity of the cores, unsafe", purity::check),
        ("lints fire", planted::check),
        ("no planted bug in a release", release::check),
        ("sizes", sizes::check),
        ("code map", code_map::check),
        ("links", links::check),
        ("words", words::check),
        ("generated files", generated::check),
    ];
    let mut count = 0;
    for (name, check) in checks {
        let mut complaints = check(&tree);
        complaints.sort();
        println!(
            "check {name}: {}",
            if complaints.is_empty() { "ok".to_owned() } else { complaints.len().to_string() }
        );
        for Complaint { place, what } in &complaints {
            println!("  {place}: {what}");
        }
        count += complaints.len();
    }
    sizes::report(&tree);
    if count == 0 { Ok(()) } else { Err(format!("cargo xtask check: {count} complaints")) }
}
