//! `riverrun api`: what a broker answers.

use clap::Args;
use client::metadata::Broker;
use kernel::NodeId;
use serde_json::{Value, json};

use super::brokers::no_broker;
use super::{Failure, Session, units};
use crate::print::{Output, table::Table};

/// See which requests a broker answers, and in which versions.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun api
  riverrun api --broker 2
  riverrun api --format wide
  riverrun api --format json | jq '.[] | select(.name == \"Fetch\")'

--format wide has the versions of this command beside those of the broker, the one that both would use, and what the newer
ones bring.")]
pub struct Api {
    /// Which broker; if not given the one whose address the command was given, or else the first that there is.
    #[arg(long, value_name = "BROKER", value_parser = units::broker)]
    broker: Option<i32>,
}

pub async fn run(api: &Api, session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot ask what is answered");
    let cluster = session.admin.describe_cluster().await.map_err(failed)?;
    let servers = &session.client.config().bootstrap_servers;
    let is_named = |broker: &&Broker| servers.contains(&format!("{}:{}", broker.host, broker.port));
    let wanted = match api.broker {
        Some(id) => cluster.brokers.iter().find(|broker| broker.id.0 == id),
        None => cluster.brokers.iter().find(is_named).or(cluster.brokers.first()),
    };
    let Some(broker) = wanted else {
        return Err(no_broker(NodeId(api.broker.unwrap_or_default()), session).await);
    };
    let versions = session.admin.api_versions(broker.id).await.map_err(failed)?;
    let mut table =
        Table::new(&[">KEY", "NAME", ">FROM", ">TO", "+>OURS-FROM", "+>OURS-TO", "+>USED", "+NOTE"]);
    let mut values = Vec::new();
    let mut names = Vec::new();
    for (key, (name, min, max)) in &versions.apis {
        let name = name.unwrap_or("(not known here)");
        let ours = wire::api_table::lookup(*key);
        let used = ours
            .map(|ours| ours.max.min(*max))
            .filter(|used| ours.is_some_and(|ours| *used >= ours.min.max(*min)));
        let number = |number: Option<i16>| number.map(|number| number.to_string()).unwrap_or_default();
        table.row([
            key.to_string(),
            name.to_owned(),
            min.to_string(),
            max.to_string(),
            number(ours.map(|ours| ours.min)),
            number(ours.map(|ours| ours.max)),
            number(used),
            ours.map(|ours| ours.note.to_owned()).unwrap_or_default(),
        ]);
        values.push(json!({
            "broker": broker.id.0,
            "key": key,
            "name": name,
            "min_version": min,
            "max_version": max,
            "own_min_version": ours.map(|ours| ours.min),
            "own_max_version": ours.map(|ours| ours.max),
            "used_version": used,
        }));
        names.push(name);
    }
    let output = Output::new(Value::from(values)).table(table).names(names);
    session.show(&match api.broker {
        None if cluster.brokers.len() > 1 => {
            output.hint(format!("this is of broker {}; --broker names another one", broker.id.0))
        }
        _ => output,
    })
}
