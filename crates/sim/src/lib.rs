//! The other world: a disk, a clock and entropy that do exactly what a seed says.
//!
//! Start at [`SimDisk`]: it implements the same port as the real disk, remembers what is durable and what is not, and
//! can lose, tear, refuse and delay. A failure that a seed has shown once can be shown again, byte for byte.
//!
//! *Invariant:* nothing here asks the machine for time, randomness or files. Equal seeds and equal calls give equal
//! results.
//!
//! *Invariant:* this crate is a means of tests; no crate of the product depends on it except as a dev-dependency.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

pub mod clock;
pub mod disk;
pub mod entropy;

pub use clock::SimClock;
pub use disk::{
    Completions, Fault, Kept, Left, Moment, Op, Operation, Part, Pending, PowerCut, SimDisk, Watch, When,
    choices,
};
pub use entropy::{Chance, SimEntropy};
