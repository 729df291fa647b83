//! Which nodes a cluster has: brokers, also those that are fenced, or controllers.

use std::collections::BTreeSet;

use kernel::NodeId;
use wire::messages::describe_cluster_request::DescribeClusterRequest;
use wire::messages::describe_cluster_response::DescribeClusterResponse;

use super::Admin;
use crate::metadata::Broker;
use crate::{BrokerError, Error};

/// What a cluster is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDescription {
    /// Drawn when the cluster was formatted; nothing where it is too old to tell.
    pub cluster_id: Option<String>,
    /// The broker that takes administrative requests; of [`Endpoints::Controllers`] the controller that decides.
    pub controller: Option<NodeId>,
    /// Those that are alive, by id, and with [`ClusterQuery::fenced`] the others. Controllers, where those were asked for.
    pub brokers: Vec<Broker>,
    /// Those of the brokers that are registered but serve nobody: they start, stop, or are not heard of. Empty unless
    /// [`ClusterQuery::fenced`] asked for them.
    pub fenced: BTreeSet<NodeId>,
}

/// What is asked of a cluster; by default its brokers that are alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClusterQuery {
    /// Which nodes.
    pub endpoints: Endpoints,
    /// Brokers that are fenced as well; needs Kafka 4.0.
    pub fenced: bool,
}

/// Which nodes of a cluster are meant. Each kind is known at its own listeners only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Endpoints {
    /// At the listeners for clients.
    #[default]
    Brokers,
    /// At those of `controller.listener.names`, where `bootstrap.servers` has to lead then; needs Kafka 3.7.
    Controllers,
}

/// The versions from which a request says which kind of nodes it means, and whether it means fenced ones.
const ENDPOINTS_FROM: i16 = 1;
const FENCED_FROM: i16 = 2;

impl Admin {
    /// Describes the cluster, with its brokers that are alive.
    ///
    /// # Errors
    /// Only those of all calls: what is too old for the question answers by its metadata. It needs no right.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, Error> {
        self.describe_cluster_as(ClusterQuery::default()).await
    }

    /// Describes the cluster with the nodes that are asked for.
    ///
    /// # Errors
    /// `MISMATCHED_ENDPOINT_TYPE` where the listener tells of the other kind of nodes, and [`Error::Unsupported`] where the
    /// server is too old for more than brokers that are alive.
    pub async fn describe_cluster_as(&self, query: ClusterQuery) -> Result<ClusterDescription, Error> {
        let connection = self.client.any().await?;
        let needed = match (query.fenced, query.endpoints) {
            (true, _) => FENCED_FROM,
            (false, Endpoints::Controllers) => ENDPOINTS_FROM,
            (false, Endpoints::Brokers) => 0,
        };
        match connection.version::<DescribeClusterRequest>() {
            Ok(version) if version < needed => {
                let address = connection.address().to_owned();
                return Err(Error::Unsupported { address, api: "DescribeCluster of such nodes" });
            }
            Err(Error::Unsupported { .. }) if query == ClusterQuery::default() => {
                return self.cluster_by_metadata().await;
            }
            version => version?,
        };
        let request = DescribeClusterRequest {
            endpoint_type: match query.endpoints {
                Endpoints::Brokers => 1,
                Endpoints::Controllers => 2,
            },
            include_fenced_brokers: query.fenced,
            ..Default::default()
        };
        let answer = self.client.read_any(&request).await?;
        let described = read(answer)?;
        let known = self.client.metadata();
        let is_new = |broker: &Broker| {
            !described.fenced.contains(&broker.id) && known.brokers.get(&broker.id) != Some(broker)
        };
        // Whoever reads of a broker can ask it next.
        if query.endpoints == Endpoints::Brokers && described.brokers.iter().any(is_new) {
            self.client.fetch_metadata(Some(&[])).await?;
        }
        Ok(described)
    }

    async fn cluster_by_metadata(&self) -> Result<ClusterDescription, Error> {
        let metadata = self.client.fetch_metadata(Some(&[])).await?;
        Ok(ClusterDescription {
            cluster_id: metadata.cluster_id.clone(),
            controller: metadata.controller,
            brokers: metadata.brokers.values().cloned().collect(),
            fenced: BTreeSet::new(),
        })
    }
}

fn read(answer: DescribeClusterResponse) -> Result<ClusterDescription, Error> {
    BrokerError::check(answer.error_code).map_err(|error| error.message(answer.error_message))?;
    let fenced = answer.brokers.iter().filter(|broker| broker.is_fenced);
    let fenced = fenced.map(|broker| NodeId(broker.broker_id)).collect();
    let brokers = answer.brokers.into_iter().map(|broker| Broker {
        id: NodeId(broker.broker_id),
        host: broker.host,
        port: u16::try_from(broker.port).unwrap_or_default(),
        rack: broker.rack,
    });
    let mut brokers: Vec<Broker> = brokers.collect();
    brokers.sort_by_key(|broker| broker.id);
    Ok(ClusterDescription {
        cluster_id: (!answer.cluster_id.is_empty()).then_some(answer.cluster_id),
        controller: (answer.controller_id >= 0).then_some(NodeId(answer.controller_id)),
        brokers,
        fenced,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Cluster, metadata};
    use wire::api_table::ApiKey;
    use wire::messages::describe_cluster_response::DescribeClusterBroker;
    use wire::messages::metadata_request::MetadataRequest;

    fn cluster(version: i16) -> Cluster {
        Cluster::of_versions([(ApiKey::DescribeCluster, version)], |asked| {
            if asked.is::<MetadataRequest>() {
                return asked.answer(&metadata(1, 1));
            }
            let request = asked.read::<DescribeClusterRequest>();
            let broker = |broker_id| DescribeClusterBroker {
                broker_id,
                host: "node".to_owned(),
                port: broker_id,
                rack: Some(format!("rack-{broker_id}")),
                is_fenced: broker_id == 3,
            };
            let fenced = request.include_fenced_brokers.then_some(3);
            asked.answer(&DescribeClusterResponse {
                cluster_id: "c".to_owned(),
                controller_id: 2,
                brokers: fenced.into_iter().chain([2, 1]).map(broker).collect(),
                ..Default::default()
            })
        })
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_too_old_tells_of_its_brokers_by_metadata() {
        for (version, controller) in [(2, 2), (0, 2), (-1, 1)] {
            let admin = Admin::new(&cluster(version).client().await);
            let described = admin.describe_cluster().await.expect("every server tells");
            let ids: Vec<i32> = described.brokers.iter().map(|broker| broker.id.0).collect();
            assert_eq!(
                (described.controller, ids),
                (Some(NodeId(controller)), vec![1, 2]),
                "version {version}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn fenced_brokers_are_told_where_they_are_asked_for() {
        let fenced = ClusterQuery { fenced: true, ..ClusterQuery::default() };
        let admin = Admin::new(&cluster(2).client().await);
        let described = admin.describe_cluster_as(fenced).await.expect("it is served");
        assert_eq!((described.brokers.len(), described.fenced), (3, BTreeSet::from([NodeId(3)])));
        let controllers = ClusterQuery { endpoints: Endpoints::Controllers, ..ClusterQuery::default() };
        for (version, query) in [(1, fenced), (0, controllers), (-1, controllers)] {
            let admin = Admin::new(&cluster(version).client().await);
            let refused = admin.describe_cluster_as(query).await;
            assert!(matches!(refused, Err(Error::Unsupported { .. })), "version {version}: {refused:?}");
        }
    }
}
