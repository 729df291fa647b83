//! The cluster's facts at one moment.

mod acls;
mod brokers;
mod configs;
mod controllers;
mod features;
mod partition;
mod producer_ids;
mod quorum;
mod quotas;
mod scram;
mod tokens;
mod topics;
mod unknown;

use std::sync::Arc;

use kernel::{LeaderEpoch, NodeId, Offset, Timestamp, Uuid};

pub use acls::{Acl, Acls};
pub use brokers::{Broker, Brokers, Endpoint, directory_id};
pub use configs::{ConfigResource, ConfigResourceType, ConfigValues, Configs};
pub use controllers::{Controller, Controllers};
pub use features::{ELR_FEATURE, Features, KRAFT_VERSION};
pub use partition::Partition;
pub(crate) use partition::numbers;
pub use producer_ids::ProducerIds;
pub(crate) use quorum::encode as encode_control;
pub use quorum::{Quorum, QuorumRecord};
pub(crate) use quotas::quota_record;
pub use quotas::{ClientQuotas, QuotaEntity};
pub use scram::{Scram, ScramCredential};
pub use tokens::{DelegationToken, DelegationTokens};
pub use topics::{Topic, Topics};
pub use unknown::Unknown;

use crate::record::MetadataRecord;

/// The cluster's facts at one moment: immutable, and cheap to clone and share.
///
/// A [`Delta`](crate::Delta) makes the next one, which shares with this one all that did not change.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Image {
    /// Up to where the log is contained.
    pub provenance: Provenance,
    pub quorum: Quorum,
    pub features: Arc<Features>,
    pub brokers: Arc<Brokers>,
    pub controllers: Arc<Controllers>,
    pub topics: Arc<Topics>,
    pub configs: Arc<Configs>,
    pub quotas: Arc<ClientQuotas>,
    pub producer_ids: ProducerIds,
    pub acls: Arc<Acls>,
    pub scram: Arc<Scram>,
    pub tokens: Arc<DelegationTokens>,
}

/// The last record of the log that an image contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provenance {
    /// The record's offset; -1 before the first.
    pub offset: Offset,
    /// The controller's epoch in which it was appended.
    pub epoch: LeaderEpoch,
    /// When it was appended.
    pub timestamp: Timestamp,
}

impl Default for Provenance {
    fn default() -> Self {
        Self { offset: Offset(-1), epoch: LeaderEpoch::NONE, timestamp: Timestamp::NONE }
    }
}

impl Image {
    /// The records that make this image from an empty one, but for what control records say, in the order in which they have to be replayed.
    ///
    /// Each is meant to be written in the version that [`Features::record_level`] asks for.
    pub fn write_snapshot(&self) -> impl Iterator<Item = MetadataRecord> + '_ {
        let level = self.features.record_level();
        self.features
            .records()
            .chain(self.brokers.records(level))
            .chain(self.controllers.records(level))
            .chain(self.topics.records(level))
            .chain(self.configs.records())
            .chain(self.quotas.records())
            .chain(self.producer_ids.records())
            .chain(self.acls.records())
            .chain(self.scram.records(level))
            .chain(self.tokens.records(level))
    }

    /// The finalized level of a feature; 0 if it is off or unknown.
    pub fn feature_level(&self, name: &str) -> i16 {
        if name == KRAFT_VERSION { self.quorum.version() } else { self.features.level(name) }
    }

    /// Every finalized feature with its level, those that control records keep among them.
    pub fn finalized_features(&self) -> impl Iterator<Item = (&str, i16)> {
        let quorum = self.quorum.version();
        self.features.iter().chain((quorum > 0).then_some((KRAFT_VERSION, quorum)))
    }

    /// A topic by name.
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    /// A topic by id.
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.topics.by_id(id)
    }

    /// A broker's registration.
    pub fn broker(&self, id: NodeId) -> Option<&Arc<Broker>> {
        self.brokers.get(id)
    }
}
