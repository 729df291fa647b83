//! `riverrun topic create`.

use clap::Args;
use client::admin::NewTopic;
use serde_json::json;

use crate::command::{Failure, Format, Session};
use crate::print;

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
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// How many brokers keep each partition; the broker's default.replication.factor if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// A setting of the topic, as Kafka names it; may be given several times.
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
    configs: Vec<(String, String)>,
    /// Only say whether it could be created.
    #[arg(long)]
    dry_run: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE is expected".to_owned()),
    }
}

pub async fn run(create: Create, session: &Session) -> Result<(), Failure> {
    let topic = NewTopic {
        name: create.name,
        partitions: create.partitions,
        replication_factor: create.replication_factor,
        configs: create.configs,
    };
    let created = session.admin.create_topic(&topic, create.dry_run).await;
    let partitions = created.map_err(|error| Failure::of(error, "cannot create the topic"))?;
    let name = &topic.name;
    if session.format == Format::Json {
        print::json::print(&json!({ "name": name, "partitions": partitions, "dry_run": create.dry_run }))?;
        return Ok(());
    }
    let partitions = match partitions.or(topic.partitions) {
        Some(1) => " with 1 partition".to_owned(),
        Some(count) => format!(" with {count} partitions"),
        None => String::new(),
    };
    match create.dry_run {
        true => print::line(&format!("{name} could be created{partitions}"))?,
        false => print::line(&format!("created {name}{partitions}"))?,
    }
    Ok(())
}
