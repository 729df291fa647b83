//! `riverrun cluster info`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use client::admin::{ClusterDescription, Features, Quorum};
use client::metadata::{Broker, Topic};
use kernel::NodeId;
use serde_json::{Map, Value, json};

use super::if_served;
use crate::command::brokers::{self, Down};
use crate::command::{Failure, Session};
use crate::print::{Output, table::Table};

/// Say what the cluster is made of: its brokers, its controllers, what they have agreed on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun cluster info
  riverrun cluster info --format json | jq -r .cluster_id

It ends with 1 if a broker is down of which the cluster cannot say where it was, or no controller answers.")]
pub struct Info {}

pub async fn info(session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot describe the cluster");
    let cluster = session.admin.describe_cluster().await.map_err(failed)?;
    let features = if_served(session.admin.describe_features().await).map_err(failed)?;
    let topics = session.admin.list_topics().await.map_err(failed)?;
    let alive: BTreeSet<NodeId> = cluster.brokers.iter().map(|broker| broker.id).collect();
    let down = brokers::down(&alive, &topics, session).await;
    let counts = Counts::of(&topics);
    // Last, as a broker that waits for controllers answers nothing else meanwhile.
    let asked = super::quorum(&session.admin, super::ANSWER_MAX).await;
    let silent = asked.as_ref().err().cloned();
    let quorum = asked.ok().flatten();
    // Brokers name any of them as the controller, as all pass on what is for it. The quorum knows who it is.
    let named = cluster.controller.filter(|_| silent.is_none());
    let controller = quorum.as_ref().map(|quorum| quorum.leader).or(named);
    let of = |id: NodeId| counts.by_broker.get(&id).copied().unwrap_or_default();
    let broker = |broker: &Broker| {
        json!({
            "id": broker.id.0,
            "host": broker.host,
            "port": broker.port,
            "rack": broker.rack,
            "leads": of(broker.id).leads,
            "replicas": of(broker.id).replicas,
            "in_sync": of(broker.id).in_sync,
        })
    };
    let value = json!({
        "cluster_id": cluster.cluster_id,
        "controller": controller.map(|id| id.0),
        "brokers": cluster.brokers.iter().map(broker).collect::<Vec<_>>(),
        "brokers_down": down.keys().map(|id| id.0).collect::<Vec<_>>(),
        "topics": topics.len(),
        "partitions": counts.partitions,
        "quorum": quorum.as_ref().map(quorum_json),
        "features": features.as_ref().map(features_json),
    });
    let mut output = Output::new(value)
        .fact("cluster", cluster.cluster_id.as_deref().unwrap_or_default())
        .fact("brokers", counted(cluster.brokers.len(), &down))
        .fact("topics", format!("{} with {} partitions", topics.len(), counts.partitions));
    if let Some(quorum) = &quorum {
        let voters: Vec<String> = quorum.voters.iter().map(|voter| voter.id.0.to_string()).collect();
        let leader =
            format!("{} of voters {}, epoch {}", quorum.leader.0, voters.join(","), quorum.leader_epoch);
        output = output.fact("quorum", leader);
    } else if silent.is_some() {
        output = output.fact("quorum", "no controller answers");
    }
    if let Some(features) = &features {
        for (name, level) in features.by_name.keys().filter_map(|name| Some((name, features.level(name)?))) {
            output = output.fact("feature", format!("{name}={level}"));
        }
    }
    session.show(
        &output
            .table(table(&cluster, controller, &down, &counts))
            .names(cluster.brokers.iter().map(|broker| broker.id.0.to_string())),
    )?;
    let unknown: Vec<(NodeId, Option<&Broker>)> =
        down.iter().filter(|(_, known)| known.is_none()).map(|(id, _)| (*id, None)).collect();
    if let Some(error) = silent {
        return Err(Failure::of(error, "cannot describe the quorum of controllers")
            .next("look whether most of the controllers are alive: no setting, topic or leader changes without them"));
    }
    if unknown.is_empty() { Ok(()) } else { Err(brokers::is_down(&unknown)) }
}

/// How much each broker has.
#[derive(Debug, Default)]
struct Counts {
    partitions: usize,
    by_broker: BTreeMap<NodeId, Count>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    leads: usize,
    replicas: usize,
    in_sync: usize,
}

impl Counts {
    fn of(topics: &[Topic]) -> Counts {
        let mut counts = Counts::default();
        for partition in topics.iter().flat_map(|topic| topic.partitions.values()) {
            counts.partitions += 1;
            if let Some(leader) = partition.leader {
                counts.by_broker.entry(leader).or_default().leads += 1;
            }
            for id in &partition.replicas {
                counts.by_broker.entry(*id).or_default().replicas += 1;
            }
            for id in &partition.isr {
                counts.by_broker.entry(*id).or_default().in_sync += 1;
            }
        }
        counts
    }
}

fn table(cluster: &ClusterDescription, controller: Option<NodeId>, down: &Down, counts: &Counts) -> Table {
    let titles =
        [">BROKER", "STATE", "HOST", ">PORT", "RACK", ">LEADS", "+>REPLICAS", "+>IN-SYNC", "CONTROLLER"];
    let mut table = Table::new(&titles);
    let alive = cluster.brokers.iter().map(|broker| (broker.id, Some(broker)));
    let all: BTreeMap<NodeId, Option<&Broker>> =
        alive.chain(down.iter().map(|(id, known)| (*id, known.as_ref()))).collect();
    for (id, broker) in all {
        let count = counts.by_broker.get(&id).copied().unwrap_or_default();
        table.row([
            id.0.to_string(),
            if down.contains_key(&id) { "down".to_owned() } else { "up".to_owned() },
            broker.map(|broker| broker.host.clone()).unwrap_or_default(),
            broker.map(|broker| broker.port.to_string()).unwrap_or_default(),
            broker.and_then(|broker| broker.rack.clone()).unwrap_or_default(),
            count.leads.to_string(),
            count.replicas.to_string(),
            count.in_sync.to_string(),
            if controller == Some(id) { "yes".to_owned() } else { String::new() },
        ]);
    }
    table
}

/// How many brokers there are, and which should be there besides.
fn counted(alive: usize, down: &Down) -> String {
    let ids: Vec<String> = down.keys().map(|id| id.0.to_string()).collect();
    if ids.is_empty() { alive.to_string() } else { format!("{alive}, and down: {}", ids.join(", ")) }
}

fn quorum_json(quorum: &Quorum) -> Value {
    json!({
        "leader": quorum.leader.0,
        "leader_epoch": quorum.leader_epoch,
        "high_watermark": quorum.high_watermark.0,
        "voters": quorum.voters.iter().map(|voter| voter.id.0).collect::<Vec<_>>(),
        "observers": quorum.observers.iter().map(|observer| observer.id.0).collect::<Vec<_>>(),
    })
}

fn features_json(features: &Features) -> Value {
    let feature = |(name, feature): (&String, &client::admin::Feature)| {
        let mut value = json!({
            "supported_min": feature.supported.map(|(min, _)| min),
            "supported_max": feature.supported.map(|(_, max)| max),
        });
        // A cluster that does not tell may have it at any level.
        if let (Some(level), Some(members)) = (features.level(name), value.as_object_mut()) {
            members.insert("level".to_owned(), level.into());
        }
        (name.clone(), value)
    };
    features.by_name.iter().map(feature).collect::<Map<_, _>>().into()
}
