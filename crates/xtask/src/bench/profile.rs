//! Where the broker's time goes: `perf` samples its stacks while a run is measured, and a flame graph is left of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::flame;
use crate::test::process::exists;

const SAMPLES_PER_SECOND: &str = "499";

/// One recording, from the first mark to the second.
#[derive(Debug)]
pub struct Profile {
    name: String,
    /// Without an ending.
    path: PathBuf,
    perf: Option<Child>,
    /// Why there will be none.
    missing: Option<String>,
}

impl Profile {
    pub fn new(root: &Path, name: &str) -> Self {
        let file: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
        let path = root.join("target/bench").join(file.to_lowercase());
        let missing = (!exists("perf")).then(|| "there is no `perf` on this machine".to_owned());
        Self { name: name.to_owned(), path, perf: None, missing }
    }

    /// Begins to record the process at the first call and ends at the second.
    pub fn mark(&mut self, pid: u32) {
        if self.missing.is_some() {
            return;
        }
        match self.perf.take() {
            None => {
                let mut perf = Command::new("perf");
                perf.args([
                    "record",
                    "--quiet",
                    "--freq",
                    SAMPLES_PER_SECOND,
                    "--call-graph",
                    "dwarf,8192",
                    "--pid",
                ]);
                perf.arg(pid.to_string()).arg("--output").arg(self.path.with_extension("perf"));
                match perf.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
                    Ok(child) => self.perf = Some(child),
                    Err(error) => self.missing = Some(format!("`perf` cannot be started: {error}")),
                }
            }
            Some(mut perf) => {
                // It writes what it has when it is interrupted.
                let _ = Command::new("kill").args(["-INT", &perf.id().to_string()]).status();
                let _ = perf.wait();
            }
        }
    }

    /// Writes the folded stacks and the flame graph, and says where; or why not.
    pub fn finish(self) -> String {
        let name = &self.name;
        if let Some(missing) = &self.missing {
            return format!("no flame graph of {name}: {missing}");
        }
        match self.draw() {
            Ok(path) => format!("flame graph of {name}: {}", path.display()),
            Err(error) => format!("no flame graph of {name}: {error}"),
        }
    }

    fn draw(&self) -> Result<PathBuf, String> {
        let mut script = Command::new("perf");
        script.args(["script", "--no-inline", "--fields", "comm,ip,sym", "--input"]);
        let output = script
            .arg(self.path.with_extension("perf"))
            .stderr(Stdio::null())
            .output()
            .map_err(|error| format!("perf script: {error}"))?;
        let folded = fold(&String::from_utf8_lossy(&output.stdout));
        if folded.is_empty() {
            return Err("perf recorded no stacks".to_owned());
        }
        let lines: String = folded.iter().map(|(stack, count)| format!("{stack} {count}\n")).collect();
        let (text, svg) = (self.path.with_extension("folded"), self.path.with_extension("svg"));
        fs::write(&text, lines).map_err(|error| format!("{}: {error}", text.display()))?;
        fs::write(&svg, flame::svg(&self.name, &folded))
            .map_err(|error| format!("{}: {error}", svg.display()))?;
        Ok(svg)
    }
}

/// What `perf script` prints, a paragraph for each sample with the innermost function first, as counts of whole stacks
/// with the outermost first.
fn fold(script: &str) -> BTreeMap<String, u64> {
    let mut stacks = BTreeMap::new();
    for sample in script.split("\n\n") {
        let mut lines = sample.lines().filter(|line| !line.trim().is_empty());
        let Some(thread) = lines.next() else { continue };
        let mut frames: Vec<String> =
            lines.filter_map(|line| Some(function(line.trim().split_once(' ')?.1))).collect();
        frames.push(thread.trim().replace(';', ":"));
        frames.reverse();
        *stacks.entry(frames.join(";")).or_insert(0) += 1;
    }
    stacks
}

/// The name of a function without its hash and offset.
fn function(symbol: &str) -> String {
    let name = symbol.trim();
    let name = name.rsplit_once("+0x").map_or(name, |(name, _)| name);
    let hashed = name.rsplit_once("::h").filter(|(_, hash)| hash.len() == 16);
    hashed.map_or(name, |(name, _)| name).replace(';', ":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_folded_with_the_outermost_function_first() {
        let script = "worker 12\n\t55 write\n\t66 broker::append::h0123456789abcdef\n\nworker 12\n\t55 write\n\t66 broker::append::h0123456789abcdef\n\nmain\n\t77 [unknown]\n\n";
        let folded = fold(script);
        assert_eq!(folded["worker 12;broker::append;write"], 2);
        assert_eq!(folded["main;[unknown]"], 1);
        assert_eq!(folded.len(), 2);
    }
}
