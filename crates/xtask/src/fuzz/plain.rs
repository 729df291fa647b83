//! Crates that are built without instrumentation: what stands around the readers, and reads nothing itself.
//!
//! `cargo` is told to start this program where it would start the compiler.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::Outcome;

/// Set where this program stands for the compiler.
pub const WRAPS: &str = "RIVERRUN_FUZZ_WRAPS";

/// The counting of memory comes with every allocation, and locks with every access to a file in memory; what they compare is
/// never an input's.
const PLAIN: &[&str] =
    &["allocation_counter", "libfuzzer_sys", "lock_api", "parking_lot", "parking_lot_core", "rustix"];

/// Goes on as the compiler: the command line is its path and its arguments.
pub fn run(compiler: &str, args: &[String]) -> Outcome {
    let error = Command::new(compiler).args(without_instrumentation(args)).exec();
    Err(format!("cannot start {compiler}: {error}"))
}

fn without_instrumentation(args: &[String]) -> Vec<&String> {
    let name = args.iter().position(|arg| arg == "--crate-name").and_then(|place| args.get(place + 1));
    let is_plain = name.is_some_and(|name| PLAIN.contains(&name.as_str()));
    let instruments = |arg: &str| arg.contains("sancov") || arg.contains("sanitizer-coverage");
    args.iter().filter(|arg| !(is_plain && instruments(arg))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_reads_nothing_is_built_without_instrumentation() {
        let line = |name: &str| {
            ["--crate-name", name, "-Cpasses=sancov-module", "-Copt-level=3"].map(str::to_owned).to_vec()
        };
        let (plain, read) = (line("allocation_counter"), line("wire"));
        assert_eq!(without_instrumentation(&plain).len(), 3);
        assert_eq!(without_instrumentation(&read).len(), 4);
        assert_eq!(without_instrumentation(&["-vV".to_owned()]).len(), 1);
    }
}
