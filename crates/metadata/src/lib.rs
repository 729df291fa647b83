//! The cluster's facts: the records of the metadata log, the [`Image`] they add up to, the [`Delta`] from one image to
//! the next, and the controller's decisions.
//!
//! Start at [`controller`] for what can be decided, and at [`Delta::replay`] for what a record does.
//!
//! *Invariant:* [`controller`] only reads an image and returns records; [`Delta::replay`] is the only thing that
//! changes one, and it cannot fail. A node that replays the same records has the same image.
//!
//! *Invariant:* nothing here waits, draws a random number, asks for the time or opens a file. Identifiers and
//! timestamps are arguments.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

pub mod controller;
mod delta;
pub mod image;
pub mod log;
pub mod record;
mod version;

pub use delta::{Delta, LocalChanges, LocalReplica, Notes, PartitionChange, TopicChange};
pub use image::{Image, Provenance};
pub use record::MetadataRecord;
pub use version::MetadataVersion;
