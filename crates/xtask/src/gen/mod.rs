//! `cargo xtask gen`: writes the wire codec's messages, its API table and `docs/apis.md` from `crates/wire/schema`.
//!
//! With `--check` nothing is written, and it fails if anything would have changed.

mod emit;
pub(crate) mod names;
pub(crate) mod schema;
pub(crate) mod table;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the command; what it returns is for the user to read.
pub fn run(args: &[String]) -> Result<(), String> {
    let check = match args {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => return Err("usage: cargo xtask gen [--check]".to_owned()),
    };
    let root = root()?;
    let files = generate(&root)?;
    let stale = stale(&root, &files)?;
    if check {
        return match stale.as_slice() {
            [] => Ok(()),
            [first, ..] => Err(format!(
                "{} generated files are stale, {first} first: run `cargo xtask gen`",
                stale.len()
            )),
        };
    }
    for name in &stale {
        let path = root.join(name);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(|error| at(directory, error))?;
        }
        match files.get(name) {
            Some(text) => fs::write(&path, text).map_err(|error| at(&path, error))?,
            None => fs::remove_file(&path).map_err(|error| at(&path, error))?,
        }
    }
    println!("{} files, {} of them new", files.len(), stale.len());
    Ok(())
}

const SCHEMA: &str = "crates/wire/schema";
/// The table of APIs that a broker answers.
const DISPATCH: &str = "crates/broker/src/dispatch.rs";
const GENERATED: &str = "crates/wire/src/generated";

/// Every generated file by its path below the root, formatted.
fn generate(root: &Path) -> Result<BTreeMap<String, String>, String> {
    let mut messages = Vec::new();
    let mut problems = Vec::new();
    for (module, path) in listed(&root.join(SCHEMA), "msg")? {
        let text = fs::read_to_string(&path).map_err(|error| at(&path, error))?;
        match schema::parse(&module, &text) {
            Ok(message) => messages.push(message),
            Err(error) => problems.push(error.to_string()),
        }
    }
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    let mut code: BTreeMap<String, String> =
        messages.iter().map(|message| (message.module.clone(), emit::module(message))).collect();
    code.insert("mod".to_owned(), table::modules(&messages));
    code.insert("api_table".to_owned(), table::api_table(&messages));
    let mut files: BTreeMap<String, String> = formatted(root, code)?
        .into_iter()
        .map(|(module, text)| (format!("{GENERATED}/{module}.rs"), text))
        .collect();
    let dispatch = fs::read_to_string(root.join(DISPATCH)).map_err(|error| format!("{DISPATCH}: {error}"))?;
    files.insert("docs/apis.md".to_owned(), table::page(&messages, &table::answered(&dispatch)));
    Ok(files)
}

/// Formats modules by one run of rustfmt over copies of them.
fn formatted(root: &Path, code: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    let scratch = root.join("target/xtask-gen");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).map_err(|error| at(&scratch, error))?;
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--edition", "2024", "--config-path"]).arg(root.join("rustfmt.toml"));
    for (module, text) in &code {
        let path = scratch.join(module).with_extension("rs");
        fs::write(&path, text).map_err(|error| at(&path, error))?;
        rustfmt.arg(path);
    }
    let status = rustfmt.status().map_err(|error| format!("rustfmt: {error}"))?;
    if !status.success() {
        return Err(format!("rustfmt does not take what was generated in {}", scratch.display()));
    }
    code.into_keys()
        .map(|module| {
            let path = scratch.join(&module).with_extension("rs");
            fs::read_to_string(&path).map(|text| (module, text)).map_err(|error| at(&path, error))
        })
        .collect()
}

/// The paths whose content differs from what was generated, and those that nothing generates any more.
fn stale(root: &Path, files: &BTreeMap<String, String>) -> Result<Vec<String>, String> {
    let generated = root.join(GENERATED);
    fs::create_dir_all(&generated).map_err(|error| at(&generated, error))?;
    let mut stale: Vec<String> = files
        .iter()
        .filter(|(name, text)| fs::read_to_string(root.join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| name.clone())
        .collect();
    for (module, _) in listed(&generated, "rs")? {
        let name = format!("{GENERATED}/{module}.rs");
        if !files.contains_key(&name) {
            stale.push(name);
        }
    }
    Ok(stale)
}

/// The files of a directory with this ending, by name without it.
fn listed(directory: &Path, ending: &str) -> Result<BTreeMap<String, PathBuf>, String> {
    let entries = fs::read_dir(directory).map_err(|error| at(directory, error))?;
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|error| at(directory, error))?.path();
        if path.extension().is_some_and(|found| found == ending)
            && let Some(name) = path.file_stem()
        {
            files.insert(name.to_string_lossy().into_owned(), path);
        }
    }
    Ok(files)
}

/// The top of the repository, as cargo tells it.
fn root() -> Result<PathBuf, String> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("run this as `cargo xtask gen`")?;
    let manifest = PathBuf::from(manifest);
    manifest
        .parent()
        .and_then(Path::parent)
        .map(Path::to_owned)
        .ok_or("the crate is not in a workspace".to_owned())
}

fn at(path: &Path, error: std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
