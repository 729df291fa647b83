//! The controllers that are registered (KIP-919).

use std::collections::BTreeMap;

use kernel::{NodeId, Uuid};

use super::{Endpoint, Unknown};
use crate::record::{
    ControllerEndpoint, ControllerFeature, MetadataRecord, RegisterControllerRecord,
    UnregisterControllerRecord,
};
use crate::version::MetadataVersion;

/// One controller's registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    pub id: NodeId,
    pub incarnation: Uuid,
    pub endpoints: Vec<Endpoint>,
    /// The levels of each feature that this controller can serve, lowest and highest.
    pub features: BTreeMap<String, (i16, i16)>,
    /// Kept only so that a record of a cluster that once migrated from ZooKeeper survives a snapshot.
    pub zk_migration_ready: bool,
}

/// All registered controllers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Controllers {
    by_id: BTreeMap<NodeId, Controller>,
}

impl Controllers {
    pub fn get(&self, id: NodeId) -> Option<&Controller> {
        self.by_id.get(&id)
    }

    /// All controllers, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Controller> {
        self.by_id.values()
    }

    pub(crate) fn register(&mut self, record: &RegisterControllerRecord) {
        let endpoints = record.end_points.iter().map(|endpoint| Endpoint {
            name: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
        });
        let features = record.features.iter().map(|feature| {
            (feature.name.clone(), (feature.min_supported_version, feature.max_supported_version))
        });
        let controller = Controller {
            id: NodeId(record.controller_id),
            incarnation: record.incarnation_id,
            endpoints: endpoints.collect(),
            features: features.collect(),
            zk_migration_ready: record.zk_migration_ready,
        };
        self.by_id.insert(controller.id, controller);
    }

    pub(crate) fn unregister(&mut self, record: &UnregisterControllerRecord) -> Result<(), Unknown> {
        let removed = self.by_id.remove(&NodeId(record.controller_id));
        removed.map(drop).ok_or_else(|| Unknown::new("controller", record.controller_id))
    }

    pub(crate) fn records(&self, level: MetadataVersion) -> impl Iterator<Item = MetadataRecord> + '_ {
        let sayable = level.controller_registration();
        self.by_id.values().filter(move |_| sayable).map(|controller| controller.to_record().into())
    }
}

impl Controller {
    fn to_record(&self) -> RegisterControllerRecord {
        let endpoints = self.endpoints.iter().map(|endpoint| ControllerEndpoint {
            name: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
        });
        let features = self.features.iter().map(|(name, (lowest, highest))| ControllerFeature {
            name: name.clone(),
            min_supported_version: *lowest,
            max_supported_version: *highest,
        });
        RegisterControllerRecord {
            controller_id: self.id.0,
            incarnation_id: self.incarnation,
            zk_migration_ready: self.zk_migration_ready,
            end_points: endpoints.collect(),
            features: features.collect(),
        }
    }
}
