//! `riverrun topic list`.

use clap::Args;
use serde_json::{Value, json};

use crate::command::{Failure, Format, Session};
use crate::print::{self, table::Table};

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
    if session.format == Format::Json {
        let entry = |topic: &client::metadata::Topic| {
            json!({
                "name": topic.name,
                "partitions": topic.partitions.len(),
                "replication_factor": replicas(topic),
                "internal": topic.internal,
            })
        };
        print::json::print(&Value::from(topics.iter().map(entry).collect::<Vec<_>>()))?;
        return Ok(());
    }
    if topics.is_empty() {
        print::note("there are no topics; `riverrun topic create NAME` makes one");
        return Ok(());
    }
    let mut table = Table::new(&["NAME", ">PARTITIONS", ">REPLICATION"]);
    for topic in &topics {
        table.row([topic.name.clone(), topic.partitions.len().to_string(), replicas(topic).to_string()]);
    }
    table.print()?;
    Ok(())
}
