//! Our own client and command line against Apache Kafka: the tests that they pass against our broker, once more; and a
//! group of members of ours and of Java's.

use std::process::Command;

use super::report::Row;
use super::{Context, fetch, unit};

pub const PART: &str = "client";

/// The test programs of the command line that begin with a broker of their own.
const PROGRAMS: &[&str] = &[
    "admin",
    "bench",
    "client",
    "commands",
    "failover",
    "groups",
    "manage",
    "mixed",
    "outputs",
    "records",
    "settings",
    "sharing",
    "terminal",
    "topics",
    "transactions",
];

/// Runs them with the broker that `--broker` names, or Apache Kafka.
pub fn run(context: &Context) -> Result<Vec<Row>, String> {
    let broker = match &context.options.broker {
        Some(command) => command.clone(),
        None => {
            if let Err(missing) = fetch::java_tools(context) {
                return match context.options.everything_required {
                    true => Err(missing),
                    false => Ok(vec![Row::skip(PART, "whole suite", missing)]),
                };
            }
            context.root.join("conformance/backends/kafka").display().to_string()
        }
    };
    let mut command = Command::new("cargo");
    command.args(["test", "--package", "cli", "--no-fail-fast"]);
    command.args(PROGRAMS.iter().flat_map(|program| ["--test", *program]));
    // Each test starts a broker, which is a JVM.
    command.args(["--", "--test-threads", "2"]);
    command
        .current_dir(&context.root)
        .env("RIVERRUN_TEST_BROKER", broker)
        .env("RIVERRUN_TEST_JAVA", context.cache.join("java-tools"))
        .env("RIVERRUN_CACHE", &context.cache);
    unit::count(command, PART, "the client's tests and the commands' against Apache Kafka")
}
