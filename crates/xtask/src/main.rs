//! `cargo xtask …`: the project's own tools. Never linked into the product.
//!
//! Each command is a module with `run(args)`; this file only knows their names.

mod check;
mod r#gen;

use std::process::ExitCode;

/// What a command gives back: nothing, or the sentence to print before failing.
pub type Outcome = Result<(), String>;

const COMMANDS: &str = "commands:
  check   the walls: crate arrows, unsafe, purity of the cores, sizes, code map, words
  gen     the wire messages, the API table and docs/apis.md from crates/wire/schema; --check only compares";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let outcome = match command.as_str() {
        "check" => check::run(&rest),
        "gen" => r#gen::run(&rest),
        _ => Err(format!("usage: cargo xtask COMMAND\n{COMMANDS}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
