//! The brokers that are registered, and what each said of itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::{NodeId, Uuid};

use super::Unknown;
use crate::record::{
    BrokerEndpoint, BrokerFeature, BrokerRegistrationChangeRecord, MetadataRecord, RegisterBrokerRecord,
    UnregisterBrokerRecord,
};
use crate::version::MetadataVersion;

/// One broker's registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    pub id: NodeId,
    /// Which registration this is; a request that carries an older one is refused.
    pub epoch: i64,
    /// Which process this is: it differs after each restart.
    pub incarnation: Uuid,
    pub endpoints: Vec<Endpoint>,
    /// The levels of each feature that this broker can serve, lowest and highest.
    pub features: BTreeMap<String, (i16, i16)>,
    pub rack: Option<String>,
    /// A fenced broker leads nothing and is shown to no client.
    pub fenced: bool,
    pub in_controlled_shutdown: bool,
    /// The log directories that are online, sorted.
    pub log_dirs: Vec<Uuid>,
    /// The directories that take no new replica (KIP-1066); nothing until the broker has said which.
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
    /// Kept only so that a record of a cluster that once migrated from ZooKeeper survives a snapshot.
    pub migrating_zk: bool,
}

/// Where a broker or controller listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name.
    pub name: String,
    pub host: String,
    pub port: u16,
    /// Kafka's number: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

impl Broker {
    /// The endpoint of the listener with this name, in whatever case it is written.
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.name.eq_ignore_ascii_case(listener))
    }

    /// Whether the broker may lead: neither fenced nor about to leave.
    pub fn active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }

    /// Whether a new replica may be placed here.
    pub fn takes_new_replicas(&self) -> bool {
        match &self.cordoned_log_dirs {
            Some(cordoned) if !self.log_dirs.is_empty() => {
                self.log_dirs.iter().any(|directory| !cordoned.contains(directory))
            }
            _ => true,
        }
    }

    /// The directory that a new replica goes to, as far as the controller can know it (KIP-858).
    pub fn default_directory(&self) -> Uuid {
        match self.log_dirs.as_slice() {
            [] => directory_id::MIGRATING,
            [only] => *only,
            _ => directory_id::UNASSIGNED,
        }
    }

    fn from_record(record: &RegisterBrokerRecord) -> Self {
        let mut log_dirs = record.log_dirs.clone();
        log_dirs.sort_unstable();
        let features = record.features.iter().map(|feature| {
            (feature.name.clone(), (feature.min_supported_version, feature.max_supported_version))
        });
        let endpoints = record.end_points.iter().map(|endpoint| Endpoint {
            name: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
        });
        Self {
            id: NodeId(record.broker_id),
            epoch: record.broker_epoch,
            incarnation: record.incarnation_id,
            endpoints: endpoints.collect(),
            features: features.collect(),
            rack: record.rack.clone(),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            log_dirs,
            cordoned_log_dirs: record.cordoned_log_dirs.clone(),
            migrating_zk: record.is_migrating_zk_broker,
        }
    }

    /// The record that registers this broker as it is, with what a cluster at `level` can say.
    pub fn to_record(&self, level: MetadataVersion) -> RegisterBrokerRecord {
        let endpoints = self.endpoints.iter().map(|endpoint| BrokerEndpoint {
            name: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
        });
        let features = self.features.iter().map(|(name, (lowest, highest))| BrokerFeature {
            name: name.clone(),
            min_supported_version: *lowest,
            max_supported_version: *highest,
        });
        RegisterBrokerRecord {
            broker_id: self.id.0,
            is_migrating_zk_broker: self.migrating_zk && level.0 >= 8,
            incarnation_id: self.incarnation,
            broker_epoch: self.epoch,
            end_points: endpoints.collect(),
            features: features.collect(),
            rack: self.rack.clone(),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: if level.directories() { self.log_dirs.clone() } else { Vec::new() },
            cordoned_log_dirs: self.cordoned_log_dirs.clone().filter(|_| level.cordoned_directories()),
        }
    }
}

/// The identifiers that stand for no particular directory (KIP-858).
pub mod directory_id {
    use kernel::Uuid;

    /// The replica was there before directories were recorded.
    pub const MIGRATING: Uuid = Uuid::ZERO;
    /// The broker has several directories and has not said yet which one it took.
    pub const UNASSIGNED: Uuid = Uuid::from_bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    /// The directory is gone.
    pub const LOST: Uuid = Uuid::from_bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

    /// Whether Kafka keeps this identifier for itself.
    pub fn reserved(id: Uuid) -> bool {
        u128::from_be_bytes(*id.as_bytes()) < 100
    }
}

/// All registered brokers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Brokers {
    by_id: BTreeMap<NodeId, Arc<Broker>>,
}

impl Brokers {
    pub fn get(&self, id: NodeId) -> Option<&Arc<Broker>> {
        self.by_id.get(&id)
    }

    /// All brokers, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Broker>> {
        self.by_id.values()
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Whether the broker is registered, not fenced and not about to leave.
    pub fn is_active(&self, id: NodeId) -> bool {
        self.get(id).is_some_and(|broker| broker.active())
    }

    pub(crate) fn register(&mut self, record: &RegisterBrokerRecord) {
        self.by_id.insert(NodeId(record.broker_id), Arc::new(Broker::from_record(record)));
    }

    pub(crate) fn unregister(&mut self, record: &UnregisterBrokerRecord) -> Result<(), Unknown> {
        let removed = self.by_id.remove(&NodeId(record.broker_id));
        removed.map(drop).ok_or_else(|| Unknown::new("broker", record.broker_id))
    }

    pub(crate) fn set_fenced(&mut self, id: i32, epoch: i64, fenced: bool) -> Result<(), Unknown> {
        self.change(id, epoch)?.fenced = fenced;
        Ok(())
    }

    pub(crate) fn change_registration(
        &mut self,
        record: &BrokerRegistrationChangeRecord,
    ) -> Result<(), Unknown> {
        let broker = self.change(record.broker_id, record.broker_epoch)?;
        match record.fenced {
            1 => broker.fenced = true,
            -1 => broker.fenced = false,
            _ => {}
        }
        if record.in_controlled_shutdown == 1 {
            broker.in_controlled_shutdown = true;
        }
        if !record.log_dirs.is_empty() {
            broker.log_dirs = record.log_dirs.clone();
            broker.log_dirs.sort_unstable();
        }
        if let Some(cordoned) = &record.cordoned_log_dirs {
            broker.cordoned_log_dirs = Some(cordoned.clone());
        }
        Ok(())
    }

    /// The broker to change, provided that its registration is still the one that is meant.
    fn change(&mut self, id: i32, epoch: i64) -> Result<&mut Broker, Unknown> {
        let broker = self.by_id.get_mut(&NodeId(id)).ok_or_else(|| Unknown::new("broker", id))?;
        if broker.epoch != epoch {
            return Err(Unknown::new("broker epoch", format_args!("{epoch} of broker {id}")));
        }
        Ok(Arc::make_mut(broker))
    }

    pub(crate) fn records(&self, level: MetadataVersion) -> impl Iterator<Item = MetadataRecord> + '_ {
        self.iter().map(move |broker| broker.to_record(level).into())
    }
}
