//! The real world: files, sockets, threads, signals, the clock and entropy.
//!
//! Start at [`disk::RealDisk`] and [`net`]. Each type here implements a port of `kernel`, or wraps a wait of tokio.
//!
//! *Invariant:* no decision about records, groups or metadata is taken here, and no other crate opens a file, a socket
//! or a thread.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

pub mod clock;
pub mod disk;
pub mod entropy;
pub mod limits;
pub mod net;
pub mod signal;
pub mod task;

pub use clock::RealClock;
pub use disk::RealDisk;
pub use entropy::RealEntropy;
pub use net::RealNet;
