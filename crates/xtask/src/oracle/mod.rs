//! `cargo xtask oracle`: the same requests to Apache Kafka and to our broker, and their answers compared field by field.
//!
//! What is compared, how a difference is replayed and where those that are meant are written down is in
//! `docs/conformance.md`.

#[cfg(any(feature = "oracle", test))]
mod accepted;
#[cfg(any(feature = "oracle", test))]
mod cases;
#[cfg(any(feature = "oracle", test))]
mod catalog;
#[cfg(any(feature = "oracle", test))]
mod codec;
#[cfg(any(feature = "oracle", test))]
mod compare;
#[cfg(any(feature = "oracle", test))]
mod duel;
#[cfg(any(feature = "oracle", test))]
mod fill;
#[cfg(any(feature = "oracle", test))]
mod identity;
#[cfg(any(feature = "oracle", test))]
mod link;
#[cfg(any(feature = "oracle", test))]
mod options;
#[cfg(any(feature = "oracle", test))]
mod pools;
#[cfg(any(feature = "oracle", test))]
mod prepare;
#[cfg(any(feature = "oracle", test))]
mod random;
#[cfg(any(feature = "oracle", test))]
mod records;
#[cfg(any(feature = "oracle", test))]
mod report;
#[cfg(any(feature = "oracle", test))]
mod run;
#[cfg(any(feature = "oracle", test))]
mod side;
#[cfg(any(feature = "oracle", test))]
mod tame;
#[cfg(any(feature = "oracle", test))]
mod value;

use crate::Outcome;

#[cfg(any(feature = "oracle", test))]
pub fn run(args: &[String]) -> Outcome {
    run::run(args)
}

/// Builds the broker and this program with the oracle, and goes on there.
#[cfg(not(any(feature = "oracle", test)))]
pub fn run(args: &[String]) -> Outcome {
    crate::rebuilt::run("oracle", args)
}
