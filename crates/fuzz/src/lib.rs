//! Everything that reads what strangers sent or a disk returned, as functions of arbitrary bytes.
//!
//! Start at [`TARGETS`]. [`Target::execute`] runs one of them and fails by a panic: the target's own, or one that says that
//! it held more memory than [`bound`] allows or took longer than a second. `cargo xtask fuzz` drives them by coverage; the
//! tests replay the kept corpus and everything that was ever found, without the engine.
//!
//! *Invariant:* nothing depends on this crate, and no product contains what it depends on.

// Whoever calls a target wants it to panic where something is wrong.
#![allow(clippy::indexing_slicing)]

pub mod bound;
pub mod corpus;
mod input;
mod memory_disk;
mod seal;
mod target;

pub use target::{TARGETS, Target};
