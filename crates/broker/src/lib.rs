//! A whole node: connections, one file for each API, and the wiring of the cores.
//!
//! Start at [`start::start`]; follow a request from [`conn`] through [`dispatch`] to its file in [`api`].
//!
//! *Invariant:* a request enters one connection's task, is decided in one call of a core, and leaves from the same task;
//! what has to wait is parked with its reply slot.
//! *Invariant:* no lock is held across a wait, but for the controller's own writer.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

pub mod api;
mod apply;
mod background;
pub mod cleaner;
mod close;
mod cold;
pub mod conn;
pub mod controller;
mod dir_state;
pub mod dirs;
pub mod dispatch;
pub mod fetch_session;
mod flush;
pub mod format;
pub mod groups;
pub mod hosted;
pub mod journal;
mod leader_hint;
pub mod log_levels;
mod lookup;
pub mod memory;
pub mod metrics;
pub mod moves;
pub mod node;
mod open;
mod parked;
pub mod partition;
mod producer_ids;
mod quorum;
mod replay;
pub mod request;
mod settings;
mod sleepers;
pub mod slot;
pub mod start;
mod stop;
mod throttle;
mod told;
mod topic_creation;

pub use controller::{METADATA_FOLDER, MetadataError};
pub use dirs::{DirError, Lost};
pub use node::Node;
pub use start::{Running, StartError, World, start};
pub use storage::StorageError;
