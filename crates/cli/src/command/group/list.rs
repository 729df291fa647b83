//! `riverrun group list`.

use clap::Args;
use client::admin::GroupListing;
use serde_json::{Value, json};

use crate::command::several::{Patterns, groups};
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
    let listed = groups(session).await;
    let (mut groups, unlisted) = listed.map_err(|error| Failure::of(error, "cannot list groups"))?;
    let any = !groups.is_empty();
    groups.retain(|group| list.regex.is_empty() || patterns.want(&group.group));
    let matched = !groups.is_empty();
    groups.retain(|group| list.state.as_ref().is_none_or(|state| group.state.eq_ignore_ascii_case(state)));
    let mut entries = Vec::new();
    let names: Vec<String> = groups.iter().map(|group| group.group.clone()).collect();
    let mut table =
        Table::new(&["GROUP", "STATE", "TYPE", "PROTOCOL", "+>MEMBERS", "+ASSIGNOR", "+COORDINATOR"]);
    for group in groups {
        // That takes a question for each group, which only who asks for more waits for.
        let more = match session.format {
            Format::Wide | Format::Json | Format::Yaml => more(&group, session).await,
            Format::Table | Format::Name => None,
        };
        entries.push(json!({
            "group": group.group,
            "state": group.state,
            "type": group.group_type,
            "protocol": group.protocol_type,
            "members": more.as_ref().map(|more| more.members),
            "assignor": more.as_ref().map(|more| more.assignor.as_str()),
            "coordinator": more.as_ref().map(|more| more.coordinator.as_str()),
        }));
        let [members, assignor, coordinator] = more.map_or_else(Default::default, |more| {
            [more.members.to_string(), more.assignor, more.coordinator]
        });
        let row = [group.group, group.state, group.group_type, group.protocol_type];
        table.row(row.into_iter().chain([members, assignor, coordinator]));
    }
    let none = table.is_empty();
    let output = Output::new(Value::from(entries)).table(table).names(names);
    let shown = session.show(&match (none, &list.state) {
        // Whether there is none cannot be said.
        (true, _) if unlisted.is_some() => output,
        (true, _) if any && !matched => output.hint(patterns.nothing("group").message()),
        (true, Some(state)) => output.hint(format!("no group is {state}")),
        (true, None) => output.hint("there are no groups; `riverrun consume TOPIC --group NAME` makes one"),
        (false, _) => output,
    });
    shown.and(unlisted.map_or(Ok(()), Err))
}

/// What a group's coordinator tells of it.
struct More {
    members: usize,
    assignor: String,
    coordinator: String,
}

/// Nothing where that is not told.
async fn more(group: &GroupListing, session: &Session) -> Option<More> {
    if group.group_type.eq_ignore_ascii_case("share") {
        let share = session.asking().describe_share_group(&group.group).await.ok()?;
        let (members, assignor, coordinator) = (share.members.len(), share.assignor, share.coordinator);
        return Some(More { members, assignor, coordinator });
    }
    let described = session.ask(async |admin| admin.describe_group(&group.group).await).await.ok()?;
    let (members, assignor, coordinator) =
        (described.members.len(), described.assignor, described.coordinator);
    Some(More { members, assignor, coordinator })
}
