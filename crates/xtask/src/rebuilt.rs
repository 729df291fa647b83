//! Commands that need more of the project than `gen` can rely on: a feature each, and this program built again with it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::Outcome;

/// Builds the broker, and this program with the command's feature, both optimised; and goes on there.
pub fn run(command: &str, args: &[String]) -> Outcome {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .ok_or("the xtask crate is not where it should be")?;
    for package in [&["--package", "cli"][..], &["--package", "xtask", "--features", command]] {
        let status = Command::new("cargo")
            .args(["build", "--release"])
            .args(package)
            .current_dir(root)
            .status()
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        if !status.success() {
            return Err(format!("cargo build --release {} failed", package.join(" ")));
        }
    }
    let program = root.join("target/release/xtask");
    let error = Command::new(&program).arg(command).args(args).exec();
    Err(format!("cannot start {}: {error}", program.display()))
}
