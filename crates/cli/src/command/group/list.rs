//! `riverrun group list`.

use clap::Args;
use client::admin::GroupListing;
use serde_json::{Value, json};

use crate::command::several::Patterns;
use crate::command::{Failure, Format, Session};
use crate::print::{Output, table::Table};

/// List groups.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun group list
  riverrun group list --state Empty --format name
  riverrun group list --format json | jq -r '.[].group'")]
pub struct List {
    /// Only those in this state.
    #[arg(long, value_name = "STATE", ignore_case = true, value_parser = STATES)]
    state: Option<String>,
    /// Only those of whose names this regular expression matches a part; may be given several times.
    #[arg(long, short = 'r', value_name = "REGEX")]
    regex: Vec<String>,
}

/// Those that groups of any type can be in, by Kafka's names.
const STATES: [&str; 8] = [
    "Stable",
    "Empty",
    "PreparingRebalance",
    "CompletingRebalance",
    "Assigning",
    "Reconciling",
    "NotReady",
    "Dead",
];

pub async fn run(list: &List, session: &Session) -> Result<(), Failure> {
    let patterns = Patterns::of(&list.regex)?;
    let groups = session.admin.list_groups().await;
    let mut groups = groups.map_err(|error| Failure::of(error, "cannot list groups"))?;
    let any = !groups.is_empty();
    groups.retain(|group| list.regex.is_empty() || patterns.want(&group.group));
    let matched = !groups.is_empty();
    groups.retain(|group| list.state.as_ref().is_none_or(|state| group.state.eq_ignore_ascii_case(state)));
    let entry = |group: &GroupListing| {
        json!({
            "group": group.group,
            "state": group.state,
            "type": group.group_type,
            "protocol": group.protocol_type,
        })
    };
    let value = Value::from(groups.iter().map(entry).collect::<Vec<_>>());
    let names: Vec<String> = groups.iter().map(|group| group.group.clone()).collect();
    let mut table =
        Table::new(&["GROUP", "STATE", "TYPE", "PROTOCOL", "+>MEMBERS", "+ASSIGNOR", "+COORDINATOR"]);
    for group in groups {
        // That takes a question for each group, which only who asks for more waits for.
        let more = match session.format {
            Format::Wide => more(&group, session).await,
            _ => None,
        };
        let [members, assignor, coordinator] = more.unwrap_or_default();
        let row = [group.group, group.state, group.group_type, group.protocol_type];
        table.row(row.into_iter().chain([members, assignor, coordinator]));
    }
    let none = table.is_empty();
    let output = Output::new(value).table(table).names(names);
    session.show(&match (none, &list.state) {
        (true, _) if any && !matched => output.hint(patterns.nothing("group").message()),
        (true, Some(state)) => output.hint(format!("no group is {state}")),
        (true, None) => output.hint("there are no groups; `riverrun consume TOPIC --group NAME` makes one"),
        (false, _) => output,
    })
}

/// How many members a group has, its assignor and its coordinator, where that is told.
async fn more(group: &GroupListing, session: &Session) -> Option<[String; 3]> {
    if group.group_type.eq_ignore_ascii_case("share") {
        let share = session.admin.describe_share_group(&group.group).await.ok()?;
        return Some([share.members.len().to_string(), share.assignor, share.coordinator]);
    }
    let described = session.admin.describe_group(&group.group).await.ok()?;
    Some([described.members.len().to_string(), described.assignor, described.coordinator])
}
