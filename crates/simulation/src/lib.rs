//! Whole nodes and their clients in a simulated world: one thread, one seed, no machine.
//!
//! Start at [`run::run`], which plays a [`scenario`]. The [`world`] is made of the simulated network, disks, clocks and entropy, and nodes live in it. A
//! [`workload`] lets clients loose on them, [`fault`] disturbs them, and all that clients ask and hear goes into a
//! [`history`], which is judged at the end.
//!
//! *Invariant:* equal seeds give equal traces, byte for byte: nothing here, and nothing that runs in here, asks the
//! machine for time, randomness, files or sockets.
//!
//! *Invariant:* no crate of the product depends on it.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

pub mod crash;
pub mod fault;
pub mod history;
pub mod run;
pub mod scenario;
pub mod workload;
pub mod world;
