//! The nouns everyone shares: identifiers, offsets, epochs, time, error codes, options, metrics, limits and the ports.
//!
//! Start at [`port`] for what a node asks of the world outside it, and at [`error_code`] for what a broker may answer.
//!
//! [`option`] holds every setting there is, [`metric`] everything that is measured.
//!
//! *Invariant:* nothing here waits, opens, spawns or asks for the time. Ports are traits; their implementations live in
//! `host` (the real world) and `sim` (the simulated one).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

pub mod error_code;
pub mod ids;
pub mod isolation_level;
pub mod limits;
pub mod metric;
pub mod offset;
pub mod option;
pub mod planted;
pub mod port;
pub mod time;
pub mod topic_name;

pub use error_code::ErrorCode;
pub use ids::{NodeId, ProducerEpoch, ProducerId, TopicPartition, Uuid};
pub use isolation_level::IsolationLevel;
pub use offset::{LeaderEpoch, Offset};
pub use time::{Instant, Now, Timestamp};
