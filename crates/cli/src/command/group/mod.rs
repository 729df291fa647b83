//! `riverrun group`: a file for each of its commands.

mod delete;
mod describe;
mod lag;
mod list;
mod reset;
mod share;
mod undo;

use clap::Subcommand;

use super::{Failure, Session, units};

#[derive(Debug, Subcommand)]
pub enum Group {
    List(list::List),
    Describe(describe::Describe),
    Reset(reset::Reset),
    Delete(delete::Delete),
}

pub async fn run(group: Group, session: &Session) -> Result<(), Failure> {
    match group {
        Group::List(list) => list::run(&list, session).await,
        Group::Describe(describe) => describe::run(&describe, session).await,
        Group::Reset(reset) => reset::run(&reset, session).await,
        Group::Delete(delete) => delete::run(&delete, session).await,
    }
}

/// Why a group cannot be changed: its members know where they are, and would not notice.
fn has_members(group: &str, members: usize) -> Failure {
    let them = if members == 1 { "it" } else { "them" };
    Failure::failed(format!("{group} has {}", units::counted(members, "member"))).next(format!(
        "stop {them} first; one that was killed is dropped after its session timeout (usually 45 s)"
    ))
}
