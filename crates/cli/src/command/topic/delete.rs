//! `riverrun topic delete`.

use clap::Args;
use serde_json::json;

use crate::command::{Failure, Format, Session, ask};
use crate::print;

/// Delete a topic with all its records.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun topic delete orders
  riverrun topic delete orders --yes

It asks before it deletes. Without a terminal to ask on, it needs --yes.")]
pub struct Delete {
    /// The topic.
    name: String,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Only say what would be deleted.
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(delete: &Delete, session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot delete the topic");
    let topic = session.admin.describe_topic(&delete.name).await.map_err(failed)?;
    let name = &topic.name;
    let partitions = topic.partitions.len();
    if !delete.dry_run {
        let question =
            format!("Delete {name} ({partitions} partitions) and all its records at {}?", session.bootstrap);
        ask::confirm(&question, delete.yes)?;
        session.admin.delete_topic(name).await.map_err(failed)?;
    }
    if session.format == Format::Json {
        print::json::print(&json!({ "name": name, "dry_run": delete.dry_run }))?;
        return Ok(());
    }
    match delete.dry_run {
        true => print::line(&format!("{name} ({partitions} partitions) would be deleted"))?,
        false => print::line(&format!("deleted {name}"))?,
    }
    Ok(())
}
