//! `riverrun topic delete`.

use clap::Args;
use serde_json::json;

use super::partitions;
use crate::command::ask::Destruction;
use crate::command::{Failure, Session};
use crate::print::Output;

/// Delete a topic with all its records.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun topic delete orders
  riverrun topic delete orders --yes

It asks before it deletes. Without a terminal to ask on, it needs --yes.")]
pub struct Delete {
    /// The topic.
    #[arg(value_name = "TOPIC")]
    name: String,
    #[command(flatten)]
    destruction: Destruction,
}

pub async fn run(delete: &Delete, session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot delete the topic");
    let topic = session.admin.describe_topic(&delete.name).await.map_err(failed)?;
    let name = &topic.name;
    let size = partitions(topic.partitions.len());
    delete.destruction.confirm(&format!("Delete {name} ({size}) and all its records"), session)?;
    let dry_run = delete.destruction.dry_run;
    let line = match dry_run {
        true => format!("{name} ({size}) would be deleted"),
        false => {
            session.admin.delete_topic(name).await.map_err(failed)?;
            format!("deleted {name}")
        }
    };
    let value = json!({ "name": name, "dry_run": dry_run });
    session.show(&Output::new(value).line(line).names([name.as_str()]))
}
