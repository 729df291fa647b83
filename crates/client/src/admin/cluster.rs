//! The cluster as a whole.

use kernel::NodeId;

use super::Admin;
use crate::Error;
use crate::metadata::Broker;

/// What a cluster is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDescription {
    pub cluster_id: Option<String>,
    /// The broker that takes administrative requests.
    pub controller: Option<NodeId>,
    /// Those that are alive, by id.
    pub brokers: Vec<Broker>,
}

impl Admin {
    /// Describes the cluster.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, Error> {
        let metadata = self.client.fetch_metadata(Some(&[])).await?;
        Ok(ClusterDescription {
            cluster_id: metadata.cluster_id.clone(),
            controller: metadata.controller,
            brokers: metadata.brokers.values().cloned().collect(),
        })
    }
}
