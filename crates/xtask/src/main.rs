//! `cargo xtask …`: the project's own tools. Never linked into the product.
//!
//! Each command is a module with `run(args)`; this file only knows their names.

mod bench;
mod check;
mod crash_points;
mod docs;
mod fuzz;
mod r#gen;
mod kafka_it;
mod oracle;
mod pattern;
mod powercut;
#[cfg(not(all(feature = "bench", any(feature = "oracle", test))))]
mod rebuilt;
mod sim;
mod test;

use std::process::ExitCode;

/// What a command gives back: nothing, or the sentence to print before failing.
pub type Outcome = Result<(), String>;

const COMMANDS: &str = "commands:
  bench     the broker beside Apache Kafka and a limit program, our client beside librdkafka: CPU, latency, memory
  check     the walls: crate arrows, unsafe, purity of the cores, sizes, code map, words
  crash-points
            every state that a crash could leave of a node's disk, started from and judged
  docs      docs/config.md and docs/metrics.md from what kernel declares; --check only compares
  fuzz      every reader of foreign bytes under coverage-guided fuzzing; --replay FILE runs one input again
  gen       the wire messages, the API table and docs/apis.md from crates/wire/schema; --check only compares
  kafka-it  Apache Kafka's own integration tests against our broker; --quick for some of them
  oracle    the same requests to our broker and to Apache Kafka, their answers compared field by field
  powercut  a broker's disk loses its power under load, again and again; what was acknowledged is compared (needs root)
  sim       whole brokers in a simulated world: one seed, many seeds, or planted bugs that must be found
  test      every test that can run here, those with other people's clients included; names what it skipped";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    if std::env::var_os(fuzz::plain::WRAPS).is_some() {
        return exit(fuzz::plain::run(&command, &rest));
    }
    exit(match command.as_str() {
        "bench" => bench::run(&rest),
        "check" => check::run(&rest),
        "crash-points" => crash_points::run(&rest),
        "docs" => docs::run(&rest),
        "fuzz" => fuzz::run(&rest),
        "gen" => r#gen::run(&rest),
        "kafka-it" => kafka_it::run(&rest),
        "oracle" => oracle::run(&rest),
        "powercut" => powercut::run(&rest),
        "sim" => sim::run(&rest),
        "test" => test::run(&rest),
        _ => Err(format!("usage: cargo xtask COMMAND\n{COMMANDS}")),
    })
}

fn exit(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // A command that has said everything itself gives no message.
            if !message.is_empty() {
                eprintln!("{message}");
            }
            ExitCode::FAILURE
        }
    }
}
