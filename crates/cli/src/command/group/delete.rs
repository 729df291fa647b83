//! `riverrun group delete`.

use clap::Args;
use serde_json::json;

use super::has_members;
use crate::command::ask::{Destruction, listed};
use crate::command::several::{Groups, no_group};
use crate::command::{Failure, Session, units};
use crate::print::Output;

/// Delete groups with all offsets that they have committed. Their members have to be gone.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun group delete kitchen
  riverrun group delete kitchen bar --yes
  riverrun group delete --regex '^test-' --dry-run

It asks before it deletes. Without a terminal to ask on, it needs --yes.")]
pub struct Delete {
    #[command(flatten)]
    groups: Groups,
    #[command(flatten)]
    destruction: Destruction,
}

const DOING: &str = "cannot delete the group";

pub async fn run(delete: &Delete, session: &Session) -> Result<(), Failure> {
    let (names, mut outcomes) = delete.groups.find(DOING, session).await?;
    let mut found = Vec::new();
    for name in names {
        match offsets_of(&name, session).await {
            Ok(offsets) => found.push((name, offsets)),
            Err(failure) => outcomes.push(&name, Err(failure)),
        }
    }
    if !found.is_empty() {
        let all = listed(found.iter().map(|(name, _)| name.clone()));
        let offsets = units::counted(found.iter().map(|(_, offsets)| offsets).sum(), "offset");
        let who = if found.len() == 1 { "it" } else { "they" };
        let question = format!("Delete {all} and the {offsets} that {who} committed");
        outcomes.confirm(&delete.destruction, &question, session).await?;
    }
    let act = async |found: &(String, usize)| {
        let (name, offsets) = found;
        one(name, *offsets, delete.destruction.dry_run, session).await
    };
    outcomes.change(&found, |(name, _)| name, act, session).await
}

/// How many offsets a group has committed that could be deleted.
async fn offsets_of(name: &str, session: &Session) -> Result<usize, Failure> {
    let failed = |error| Failure::of(error, DOING);
    let group = match session.ask(async |admin| admin.describe_group(name).await).await {
        Ok(group) => group,
        Err(error) => return Err(no_group(name, error, DOING, session).await),
    };
    let committed = session.ask(async |admin| admin.committed_offsets(name, None).await).await;
    let committed = committed.map_err(failed)?;
    match group.members.len() {
        0 => Ok(committed.len()),
        members => Err(has_members(name, members)),
    }
}

async fn one(name: &str, offsets: usize, dry_run: bool, session: &Session) -> Result<Output, Failure> {
    let line = match dry_run {
        true => format!("{name} ({}) would be deleted", units::counted(offsets, "offset")),
        false => {
            let deleted = session.admin.delete_group(name).await;
            deleted.map_err(|error| Failure::of_change(error, DOING, "riverrun group list"))?;
            format!("deleted {name}")
        }
    };
    let value = json!({ "group": name, "offsets": offsets, "dry_run": dry_run });
    Ok(Output::new(value).line(line).names([name]))
}
