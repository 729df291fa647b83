//! Groups and committed offsets, as a replicated machine: commands in; records, answers and deadlines out.
//!
//! Start at [`GroupShard`], which keeps the groups of one partition of `__consumer_offsets`. [`partition_for`] says which one
//! a group belongs to.
//!
//! *Invariant:* nothing here waits, reads a clock, draws a random number or touches a log: time and entropy are arguments, and
//! records are asked for in [`Effects`].
//!
//! *Invariant:* offsets change when their records are committed, never before, and by the same code that replays a log.
//!
//! *Invariant:* every [`Token`] comes back exactly once.
//!
//! *Invariant:* equal calls in equal order have equal effects.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod admin;
mod config;
mod effects;
mod group;
pub mod limits;
mod offsets;
mod partitioner;
mod protocol;
pub mod record;
pub mod reply;
pub mod request;
mod settle;
mod shard;
#[cfg(test)]
mod tests;
mod timers;
mod turn;

pub use config::GroupConfig;
pub use effects::{Append, AppendId, Effects, Event, Record, Token};
pub use partitioner::partition_for;
pub use protocol::offset_fetch_response;
pub use reply::Reply;
pub use shard::GroupShard;
