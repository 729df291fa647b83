//! `riverrun topic create`.

use clap::Args;
use client::ErrorCode;
use client::admin::NewTopic;
use serde_json::json;

use super::{await_topic, partitions};
use crate::command::ask::Change;
use crate::command::session::changing;
use crate::command::{Failure, Session, config, units};
use crate::print::Output;

/// Create a topic.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun topic create orders
  riverrun topic create orders --partitions 3
  riverrun topic create clicks --partitions 6 --config retention.ms=86400000 --config compression.type=zstd")]
pub struct Create {
    /// What the topic is to be called.
    name: String,
    /// How many partitions it has; the broker's num.partitions if not given.
    #[arg(long, short, value_name = "N", value_parser = units::within(1..=i32::MAX))]
    partitions: Option<i32>,
    /// How many brokers keep each partition; the broker's default.replication.factor if not given.
    #[arg(long, short, value_name = "N", value_parser = units::within(1..=i16::MAX))]
    replication_factor: Option<i16>,
    /// A setting of the topic, as Kafka names it; may be given several times.
    #[arg(long = "config", short, value_name = "KEY=VALUE", value_parser = units::key_value)]
    configs: Vec<(String, String)>,
    #[command(flatten)]
    change: Change,
}

/// Topics that hold what the cluster itself has to keep, with as many partitions and such settings as it needs.
const OF_THE_CLUSTER: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

const DOING: &str = "cannot create the topic";

pub async fn run(create: Create, session: &Session) -> Result<(), Failure> {
    let keys: Vec<&str> = create.configs.iter().map(|(key, _)| key.as_str()).collect();
    if let Some(key) = config::twice(&keys) {
        return Err(Failure::wrong_use(format!("{key} is to be set twice"))
            .next("give each setting one value; values of a list are separated by commas"));
    }
    if OF_THE_CLUSTER.contains(&create.name.as_str()) {
        return Err(Failure::failed(format!(
            "cannot create the topic: {} is the cluster's own",
            create.name
        ))
        .next("the cluster makes it as it needs it, with the first group, transaction or share group"));
    }
    let topic = NewTopic {
        partitions: create.partitions,
        replication_factor: create.replication_factor,
        configs: create.configs,
        ..NewTopic::new(create.name)
    };
    let dry_run = create.change.dry_run;
    let look = format!("riverrun topic describe {}", topic.name);
    let created = changing(DOING, &look, session.admin.create_topic(&topic, dry_run)).await?;
    let created = created.map_err(|error| {
        let code = error.code();
        let failure = Failure::of_change(error, DOING, &look);
        let keys: Vec<&str> = topic.configs.iter().map(|(key, _)| key.as_str()).collect();
        match code {
            Some(ErrorCode::InvalidConfig) => config::advice::of_new_topic(failure, &keys),
            Some(ErrorCode::InvalidRequest) => {
                failure.or_next("take another name: the cluster keeps this one")
            }
            _ => failure,
        }
    })?;
    let name = &topic.name;
    if !dry_run {
        await_topic(name, &created, session).await;
    }
    let count = created.partitions.or(topic.partitions);
    let words =
        count.map_or(String::new(), |count| format!(" with {}", partitions(count.unsigned_abs() as usize)));
    let line =
        if dry_run { format!("{name} could be created{words}") } else { format!("created {name}{words}") };
    let value = json!({ "name": name, "partitions": count, "dry_run": dry_run });
    session.show(&Output::new(value).line(line).names([name.as_str()]))
}
