//! Records on their way in and out, seen from the client's side of the connection.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod client;
mod compaction;
mod connection;
mod disk;
mod fetch;
mod fetch_sessions;
mod idempotence;
mod log_dirs;
mod memory;
mod metrics;
mod moves;
mod offsets;
mod polls;
mod produce;
mod recovery;
mod resting;
#[path = "../support/mod.rs"]
mod support;
