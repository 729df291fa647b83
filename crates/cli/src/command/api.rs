//! `riverrun api`: what a broker answers.

use clap::Args;
use serde_json::{Value, json};

use super::{Failure, Session};
use crate::print::{Output, table::Table};

/// See which requests a broker answers, and in which versions.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun api
  riverrun api --broker 2
  riverrun api --format json | jq '.[] | select(.name == \"Fetch\")'")]
pub struct Api {
    /// Which broker; the first that there is if not given.
    #[arg(long, value_name = "BROKER")]
    broker: Option<i32>,
}

pub async fn run(api: &Api, session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot ask what is answered");
    let cluster = session.admin.describe_cluster().await.map_err(failed)?;
    let wanted = cluster.brokers.iter().find(|broker| api.broker.is_none_or(|id| broker.id.0 == id));
    let broker = wanted.ok_or_else(|| {
        Failure::not_there(format!("there is no broker {}", api.broker.unwrap_or_default()))
            .next("`riverrun cluster info` shows those that are there")
    })?;
    let versions = session.admin.api_versions(broker.id).await.map_err(failed)?;
    let mut table = Table::new(&[">KEY", "NAME", ">FROM", ">TO"]);
    let mut values = Vec::new();
    let mut names = Vec::new();
    for (key, (name, min, max)) in &versions.apis {
        let name = name.unwrap_or("(not known here)");
        table.row([key.to_string(), name.to_owned(), min.to_string(), max.to_string()]);
        values.push(json!({ "key": key, "name": name, "min_version": min, "max_version": max }));
        names.push(name);
    }
    session.show(&Output::new(Value::from(values)).table(table).names(names))
}
