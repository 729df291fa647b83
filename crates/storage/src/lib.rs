//! One partition's log on a [`kernel::port::Disk`], in Apache Kafka's own files.
//!
//! Start at [`Log`]: [`Log::open`], [`Log::append`], [`Log::read`]. [`LogDir`] is the directory that many logs share. Kafka's
//! tools read what is written here, and a log directory of Kafka 4.x is opened as it is.
//!
//! *Invariant:* nothing here waits for a clock, a network or a thread. A call takes the time and does its file work on
//! the port; what should happen later is returned.
//!
//! *Invariant:* no byte that is read from a disk is trusted: lengths are bounded, and damage is an error or is mended,
//! never a panic.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod checkpoint;
mod clean;
mod config;
mod dir;
mod epoch_cache;
mod error;
mod index;
pub mod journal;
mod log;
mod names;
mod place;
mod producer;
mod seal;
mod segment;
#[cfg(test)]
mod testing;

pub use clean::{CleanProgress, CleanStats, CleanStep, Cleanable, Cleaned, CleanerTools, Cleaning};
pub use config::{CleanupPolicy, LogConfig};
pub use dir::{
    Checkpoint, Damage, DirScan, FoundPartition, LogDir, MetaProperties, Offsets, Remembered,
    set_former_aside,
};
pub use epoch_cache::{EpochEnd, EpochStart};
pub use error::{AppendError, ReadError, StorageError};
pub use index::txn::AbortedTxn;
pub use log::{
    AppendInfo, Chores, FlushWork, Log, Next, OffsetQuery, OpenParams, ReadInfo, RecoveryReport, Rest,
    Retained, Span, Unchecked, take_away,
};
pub use names::{FolderName, future_folder_fits, parse_folder};
pub use producer::{Origin, ProducerInfo};
pub use segment::FoundRecord;
