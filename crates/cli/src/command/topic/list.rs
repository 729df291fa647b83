//! `riverrun topic list`.

use clap::Args;
use serde_json::{Value, json};

use crate::command::{Failure, Session};
use crate::print::{Output, table::Table};

/// List topics.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun topic list
  riverrun topic list --format json | jq -r '.[].name'")]
pub struct List {
    /// List those that the cluster made for itself as well.
    #[arg(long)]
    internal: bool,
}

pub async fn run(list: &List, session: &Session) -> Result<(), Failure> {
    let topics = session.admin.list_topics().await;
    let topics = topics.map_err(|error| Failure::of(error, "cannot list topics"))?;
    let topics: Vec<_> = topics.into_iter().filter(|topic| list.internal || !topic.internal).collect();
    let replicas = |topic: &client::metadata::Topic| {
        topic.partitions.values().map(|partition| partition.replicas.len()).max().unwrap_or(0)
    };
    let entry = |topic: &client::metadata::Topic| {
        json!({
            "name": topic.name,
            "id": topic.id.to_string(),
            "partitions": topic.partitions.len(),
            "replication_factor": replicas(topic),
            "internal": topic.internal,
        })
    };
    let mut table = Table::new(&["NAME", ">PARTITIONS", ">REPLICATION", "+ID", "+INTERNAL"]);
    for topic in &topics {
        table.row([
            topic.name.clone(),
            topic.partitions.len().to_string(),
            replicas(topic).to_string(),
            topic.id.to_string(),
            topic.internal.to_string(),
        ]);
    }
    let value = Value::from(topics.iter().map(entry).collect::<Vec<_>>());
    let output = Output::new(value).table(table).names(topics.iter().map(|topic| topic.name.as_str()));
    session.show(&match topics.is_empty() {
        true => output.hint("there are no topics; `riverrun topic create NAME` makes one"),
        false => output,
    })
}
