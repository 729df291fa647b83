//! `riverrun group delete`.

use clap::Args;
use serde_json::json;

use crate::command::ask::Destruction;
use crate::command::{Failure, Session};
use crate::print::Output;

/// Delete a group with all offsets that it has committed. Its members have to be gone.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun group delete kitchen
  riverrun group delete kitchen --yes

It asks before it deletes. Without a terminal to ask on, it needs --yes.")]
pub struct Delete {
    /// The group.
    #[arg(value_name = "GROUP")]
    group: String,
    #[command(flatten)]
    destruction: Destruction,
}

pub async fn run(delete: &Delete, session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot delete the group");
    let name = &delete.group;
    let group = session.admin.describe_group(name).await.map_err(failed)?;
    let committed = session.admin.committed_offsets(name, None).await.map_err(failed)?;
    let (members, offsets) = (group.members.len(), committed.len());
    let dry_run = delete.destruction.dry_run;
    if members > 0 {
        return Err(Failure::failed(format!("{name} has {members} members")).next("stop them first"));
    }
    delete
        .destruction
        .confirm(&format!("Delete {name} and the {offsets} offsets that it committed"), session)?;
    let line = match dry_run {
        true => format!("{name} ({offsets} offsets) would be deleted"),
        false => {
            session.admin.delete_group(name).await.map_err(failed)?;
            format!("deleted {name}")
        }
    };
    let value = json!({ "group": name, "offsets": offsets, "dry_run": dry_run });
    session.show(&Output::new(value).line(line).names([name.as_str()]))
}
