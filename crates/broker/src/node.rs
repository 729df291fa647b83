//! A whole node: what it is made of, and nothing else. Decisions are in the rooms it holds.

use std::sync::Arc;
use std::time::Duration;

use kernel::option::{BrokerConfig, NodeOptions};
use kernel::port::{Clock, Disk, Entropy};
use kernel::{NodeId, Now, Uuid};
use metadata::Image;
use parking_lot::RwLock;

use crate::cleaner::Cleaner;
use crate::conn::Connections;
use crate::controller::{Controller, METADATA_TOPIC};
use crate::dirs::Dirs;
use crate::fetch_session::FetchSessions;
use crate::groups::{Groups, OFFSETS_TOPIC};
use crate::hosted::Hosted;
use crate::log_levels::LogLevels;
use crate::memory::{Memory, MemoryParts};
use crate::metrics::Traffic;
use crate::moves::Moves;
use crate::producer_ids::ProducerIds;
use crate::request::Peer;
use crate::slot::Awake;
use crate::stop::{Stop, StopSignal};
use crate::topic_creation::InCreation;

/// Bounds that every connection asks for.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// `socket.request.max.bytes`
    pub request_bytes_max: usize,
    /// `connections.max.idle.ms`
    pub idle_max: Duration,
}

/// Where this node can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    /// The listener's name.
    pub listener: String,
    pub host: String,
    pub port: u16,
}

/// A running node.
pub struct Node {
    pub id: NodeId,
    pub cluster_id: Arc<str>,
    pub memory: Memory,
    pub connections: Arc<Connections>,
    pub(crate) traffic: Traffic,
    pub fetch_sessions: FetchSessions,
    pub hosted: Hosted,
    pub groups: Arc<Groups>,
    pub controller: Controller,
    pub producer_ids: ProducerIds,
    pub in_creation: InCreation,
    pub dirs: Dirs,
    pub cleaner: Cleaner,
    pub moves: Moves,
    /// The partitions whose logs are in use.
    pub awake: Arc<Awake>,
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub advertised: Vec<Advertised>,
    /// Where the controller in this node is reached, if it has a listener at all.
    pub controller_advertised: Vec<Advertised>,
    pub(crate) options: RwLock<Arc<NodeOptions>>,
    pub(crate) config: RwLock<Arc<BrokerConfig>>,
    pub(crate) log_levels: LogLevels,
    pub(crate) stop: Stop,
}

impl Node {
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The cluster's facts as of now.
    pub fn image(&self) -> Arc<Image> {
        self.controller.image()
    }

    /// The settings that count now, typed.
    pub fn config(&self) -> Arc<BrokerConfig> {
        Arc::clone(&self.config.read())
    }

    /// The settings that count now, with where each comes from.
    pub fn options(&self) -> Arc<NodeOptions> {
        Arc::clone(&self.options.read())
    }

    /// The levels at which this process logs.
    pub fn log_levels(&self) -> &LogLevels {
        &self.log_levels
    }

    /// The bounds of the memory that the work of clients may hold, and what it holds now.
    pub fn memory_parts(&self) -> MemoryParts {
        let journal = self.dirs.iter().map(|dir| dir.journal().figures().memory).sum();
        self.memory.parts(&self.config(), journal, self.cleaner.status().memory())
    }

    pub fn limits(&self) -> ConnectionLimits {
        let config = self.config.read();
        ConnectionLimits {
            request_bytes_max: config.network.max_request_bytes,
            idle_max: config.network.max_idle.unwrap_or(Duration::MAX / 4),
        }
    }

    /// Resolves for everybody when the node stops.
    pub fn stopping(&self) -> StopSignal {
        self.stop.signal()
    }

    /// Whether clients may not write to a topic, because the node keeps its own records there.
    pub fn is_internal(&self, topic: &str) -> bool {
        matches!(topic, OFFSETS_TOPIC | "__transaction_state" | "__share_group_state" | METADATA_TOPIC)
    }

    /// A random identifier that is none of the reserved ones.
    pub fn random_uuid(&self) -> Uuid {
        self.entropy.uuid()
    }

    /// A random number above zero.
    pub fn random_id(&self) -> i32 {
        let mut bytes = [0; 4];
        self.entropy.fill(&mut bytes);
        (i32::from_be_bytes(bytes) & i32::MAX).max(1)
    }

    /// The address to tell a client that came in through `peer`'s listener.
    pub fn advertised_to(&self, peer: &Peer) -> Option<&Advertised> {
        self.advertised.iter().find(|one| *one.listener == *peer.listener).or_else(|| self.advertised.first())
    }
}
