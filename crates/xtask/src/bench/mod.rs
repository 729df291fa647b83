//! `cargo xtask bench`: the broker beside Apache Kafka on the same machine in the same run.
//!
//! What is compared is work per CPU second of the broker's process, because that is what stays the same on a machine
//! that others use as well. How to read and repeat the figures is in `docs/benchmarks.md`.

#[cfg(feature = "bench")]
mod admin;
#[cfg(feature = "bench")]
mod catchup;
#[cfg(feature = "bench")]
mod client;
#[cfg(feature = "bench")]
mod fanout;
#[cfg(feature = "bench")]
mod flame;
#[cfg(feature = "bench")]
mod footprint;
#[cfg(feature = "bench")]
mod frames;
#[cfg(feature = "bench")]
mod journal;
#[cfg(feature = "bench")]
mod limit;
#[cfg(feature = "bench")]
mod load;
#[cfg(feature = "bench")]
mod machine;
#[cfg(feature = "bench")]
mod metric;
#[cfg(feature = "bench")]
mod options;
#[cfg(feature = "bench")]
mod partitions;
#[cfg(feature = "bench")]
mod poll;
#[cfg(feature = "bench")]
mod produce;
#[cfg(feature = "bench")]
mod profile;
#[cfg(feature = "bench")]
mod quiet;
#[cfg(feature = "bench")]
mod readers;
#[cfg(feature = "bench")]
mod recorded;
#[cfg(feature = "bench")]
mod recovery;
#[cfg(feature = "bench")]
mod report;
#[cfg(feature = "bench")]
mod side;
#[cfg(feature = "bench")]
mod start;
#[cfg(feature = "bench")]
mod suite;
#[cfg(feature = "bench")]
mod tail;
#[cfg(feature = "bench")]
mod warm;
#[cfg(feature = "bench")]
mod workloads;

use crate::Outcome;

#[cfg(feature = "bench")]
pub fn run(args: &[String]) -> Outcome {
    suite::run(args)
}

/// Builds the broker and this program with the load generator, and goes on there.
#[cfg(not(feature = "bench"))]
pub fn run(args: &[String]) -> Outcome {
    crate::rebuilt::run("bench", args)
}
