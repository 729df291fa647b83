//! What clients do: produce, read, commit, make and delete topics. Each call and its outcome goes into the history.

pub mod admin;
pub mod audit;
pub mod drain;
pub mod member;
pub mod payload;
pub mod producer;
pub mod program;
pub mod reader;

use std::sync::Arc;
use std::time::Duration;

use client::ClientConfig;
use kernel::TopicPartition;

/// A topic that is there from the beginning to the end.
#[derive(Debug, Clone)]
pub struct Topic {
    pub name: Arc<str>,
    pub partitions: i32,
    pub configs: Vec<(String, String)>,
}

impl Topic {
    pub fn partitions(&self) -> impl Iterator<Item = TopicPartition> {
        (0..self.partitions).map(|index| TopicPartition::new(Arc::clone(&self.name), index))
    }
}

/// A client's settings: as the defaults, but faults last seconds here and not minutes, and so does patience.
fn config(name: &str, servers: &str) -> ClientConfig {
    ClientConfig {
        client_id: name.to_owned(),
        request_timeout: Duration::from_secs(3),
        connection_setup_timeout: Duration::from_secs(2),
        default_api_timeout: Duration::from_secs(15),
        ..ClientConfig::new(servers)
    }
}

/// Partitions of the topic that keeps what groups commit.
pub const OFFSETS_PARTITIONS: u64 = 2;

/// How long a producer tries to deliver a record.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a program waits before it tries again what failed.
const PAUSE: Duration = Duration::from_millis(200);
