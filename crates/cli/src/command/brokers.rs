//! Brokers that the cluster names, and that may be down.

use std::collections::{BTreeMap, BTreeSet};

use client::admin::ClusterQuery;
use client::metadata::{Broker, Topic};
use kernel::NodeId;

use super::{Failure, Session};

/// Brokers that should be there and are not, with what the cluster knows of them.
pub type Down = BTreeMap<NodeId, Option<Broker>>;

/// Those of the replicas of these topics that are not alive.
pub fn missing(alive: &BTreeSet<NodeId>, topics: &[Topic]) -> BTreeSet<NodeId> {
    let partitions = topics.iter().flat_map(|topic| topic.partitions.values());
    partitions.flat_map(|partition| &partition.replicas).filter(|id| !alive.contains(id)).copied().collect()
}

/// Those that are not alive, though they have replicas or are registered: since Kafka 4.0 a cluster tells of these as well.
pub async fn down(alive: &BTreeSet<NodeId>, topics: &[Topic], session: &Session) -> Down {
    let mut down: Down = missing(alive, topics).into_iter().map(|id| (id, None)).collect();
    // What is too old for the question, or refuses it, has told of its replicas.
    let query = ClusterQuery { fenced: true, ..ClusterQuery::default() };
    if let Ok(all) = session.admin.describe_cluster_as(query).await {
        let fenced = all.brokers.into_iter().filter(|broker| all.fenced.contains(&broker.id));
        down.extend(fenced.map(|broker| (broker.id, Some(broker))));
    }
    down
}

/// Why a broker cannot be asked that was named: it is down, or nobody has heard of it.
pub async fn no_broker(id: NodeId, session: &Session) -> Failure {
    let alive: BTreeSet<NodeId> = session.client.metadata().brokers.keys().copied().collect();
    let topics = session.admin.list_topics().await.unwrap_or_default();
    match down(&alive, &topics, session).await.get(&id) {
        Some(known) => is_down(&[(id, known.as_ref())]),
        None => Failure::not_there(format!("there is no broker {}", id.0))
            .next("`riverrun cluster info` shows those that are there"),
    }
}

/// What it means that brokers are down which a command is about.
pub fn is_down(brokers: &[(NodeId, Option<&Broker>)]) -> Failure {
    let one = |(id, known): &(NodeId, Option<&Broker>)| match known {
        Some(broker) => format!("{} ({}:{})", id.0, broker.host, broker.port),
        None => id.0.to_string(),
    };
    let names: Vec<String> = brokers.iter().map(one).collect();
    let are = if brokers.len() == 1 { "broker is down" } else { "brokers are down" };
    Failure::failed(format!("{are}: {}", names.join(", "))).next(
        "start it again, or look at its log; `riverrun cluster health --format wide` shows which partitions miss it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{LeaderEpoch, Uuid};

    #[test]
    fn a_broker_is_missing_that_has_replicas_and_is_not_alive() {
        let partition = client::metadata::Partition {
            partition: 0,
            leader: Some(NodeId(1)),
            leader_epoch: LeaderEpoch(0),
            replicas: vec![NodeId(1), NodeId(3)],
            isr: vec![NodeId(1)],
            offline: vec![NodeId(3)],
        };
        let topic = Topic {
            name: "t".to_owned(),
            id: Uuid::ZERO,
            internal: false,
            partitions: [(0, partition)].into(),
        };
        let alive = BTreeSet::from([NodeId(1), NodeId(2)]);
        assert_eq!(missing(&alive, &[topic]), BTreeSet::from([NodeId(3)]));
        assert_eq!(missing(&alive, &[]), BTreeSet::new());
    }
}
