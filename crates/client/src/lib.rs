//! Producer, consumer and admin for Rust programs. It speaks to a cluster only as any client does, and as well to Apache
//! Kafka as to Riverrun.
//!
//! Start at [`Client::connect`]; give the client to [`Producer::new`], [`Consumer::new`] or [`Admin::new`]. All of them
//! can share one client, which holds what is known of the cluster and the connections to it.
//!
//! ```no_run
#![doc = include_str!("../examples/write_and_read.rs")]
//! ```
//!
//! The examples of this crate are run by the tests against a broker; `group.rs` and `administer.rs` are shown at [`Consumer`]
//! and [`Admin`].
//!
//! *Invariant:* nothing that a server sends makes this crate panic, and no length or count in it is believed before the
//! bytes are there.
//! *Invariant:* a producer's records keep their order within a partition, whatever is sent again. Only one that is not
//! idempotent, and has more than one request on its way, may write a batch that is sent again after the next.

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

pub mod admin;
mod backoff;
mod cluster;
pub mod config;
mod conn;
pub mod consumer;
mod coordinator;
mod error;
pub mod metadata;
pub mod producer;
mod retry;
#[cfg(test)]
mod scripted;
mod world;

pub use admin::Admin;
pub use cluster::Client;
pub use config::{ClientConfig, ConsumerConfig, ProducerConfig};
pub use consumer::{Bounds, Consumer, ConsumerRecord, Headers, Origin, Rebalance, RebalanceListener, Start};
pub use error::{BrokerError, Error};
pub use kernel::{ErrorCode, NodeId, Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};
pub use producer::{Delivered, Delivery, Producer, ProducerRecord, RecordMetadata};
pub use wire::compress::Codec;
pub use world::World;
