//! `riverrun topic list`.

use clap::Args;
use serde_json::{Value, json};

use crate::command::several::Patterns;
use crate::command::{Failure, Session};
use crate::print::{Output, table::Table};

/// List topics.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun topic list
  riverrun topic list --regex '^orders-'
  riverrun topic list --format json | jq -r '.[].name'")]
pub struct List {
    /// List those that the cluster made for itself as well.
    #[arg(long)]
    internal: bool,
    /// List only those of whose names this regular expression matches a part; may be given several times.
    #[arg(long, short = 'r', value_name = "REGEX")]
    regex: Vec<String>,
}

pub async fn run(list: &List, session: &Session) -> Result<(), Failure> {
    let patterns = Patterns::of(&list.regex)?;
    let topics = session.admin.list_topics().await;
    let mut topics = topics.map_err(|error| Failure::of(error, "cannot list topics"))?;
    let any = topics.iter().any(|topic| list.internal || !topic.internal);
    topics.retain(|topic| list.regex.is_empty() || patterns.want(&topic.name));
    let matched = topics.len();
    topics.retain(|topic| list.internal || !topic.internal);
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
    session.show(&match (topics.is_empty(), any) {
        (true, _) if matched > 0 && !list.regex.is_empty() => {
            output.hint("only topics match that the cluster made for itself; --internal lists them as well")
        }
        (true, true) => output.hint(patterns.nothing("topic").message()),
        (true, false) => output.hint("there are no topics; `riverrun topic create NAME` makes one"),
        (false, _) => output,
    })
}
