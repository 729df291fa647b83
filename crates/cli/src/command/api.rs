//! `riverrun api`: what a broker answers.

use std::time::Duration;

use clap::Args;
use client::Error;
use client::admin::ApiVersions;
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

fn failed(error: Error) -> Failure {
    Failure::of(error, "cannot ask what is answered")
}

pub async fn run(api: &Api, session: &Session) -> Result<(), Failure> {
    let cluster = session.admin.describe_cluster().await.map_err(failed)?;
    let (broker, versions) = match api.broker {
        Some(id) => {
            let Some(broker) = cluster.brokers.iter().find(|broker| broker.id.0 == id) else {
                return Err(no_broker(NodeId(id), session).await);
            };
            let versions = session.ask(async |admin| admin.api_versions(broker.id).await).await;
            (broker, versions.map_err(failed)?)
        }
        None => first(&cluster.brokers, session).await?,
    };
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

/// What the first broker says that answers: one whose address was given, or else any.
async fn first<'b>(brokers: &'b [Broker], session: &Session) -> Result<(&'b Broker, ApiVersions), Failure> {
    let servers = &session.client.config().bootstrap_servers;
    let place = |broker: &Broker| {
        let address = format!("{}:{}", broker.host, broker.port);
        servers.iter().position(|server| *server == address).unwrap_or(servers.len())
    };
    let mut in_order: Vec<&Broker> = brokers.iter().collect();
    in_order.sort_by_key(|broker| place(broker));
    // The last one is given all the time that there is.
    let Some((last, others)) = in_order.split_last() else {
        return Err(no_broker(NodeId(0), session).await);
    };
    for broker in others {
        if let Ok(versions) = session.admin.within(ALONE).api_versions(broker.id).await {
            return Ok((broker, versions));
        }
    }
    let versions = session.ask(async |admin| admin.api_versions(last.id).await).await;
    versions.map(|versions| (*last, versions)).map_err(failed)
}

/// How long one broker may take before another is asked, where any will do.
const ALONE: Duration = Duration::from_secs(2);
