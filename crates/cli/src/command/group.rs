//! `riverrun group`: list, describe.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};
use client::TopicPartition;
use client::admin::{CommittedOffset, GroupDescription, GroupMember, ListedOffset, OffsetSpec};
use client::config::IsolationLevel;
use serde_json::{Value, json};

use super::{Failure, Format, Session};
use crate::print::{self, table::Table};

#[derive(Debug, Subcommand)]
pub enum Group {
    List(List),
    Describe(Describe),
}

/// List groups.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun group list
  riverrun group list --format json | jq -r '.[].group'")]
pub struct List {}

/// Describe a group: its members, what they read, and how far they are behind.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun group describe kitchen
  riverrun group describe kitchen --format json | jq .lag")]
pub struct Describe {
    /// The group.
    group: String,
}

pub async fn run(group: Group, session: &Session) -> Result<(), Failure> {
    match group {
        Group::List(_) => list(session).await,
        Group::Describe(describe) => self::describe(&describe, session).await,
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let groups = session.admin.list_groups().await;
    let groups = groups.map_err(|error| Failure::of(error, "cannot list groups"))?;
    if session.format == Format::Json {
        let entry = |group: &client::admin::GroupListing| {
            json!({
                "group": group.group,
                "state": group.state,
                "type": group.group_type,
                "protocol": group.protocol_type,
            })
        };
        print::json::print(&Value::from(groups.iter().map(entry).collect::<Vec<_>>()))?;
        return Ok(());
    }
    if groups.is_empty() {
        print::note("there are no groups; `riverrun consume TOPIC --group NAME` makes one");
        return Ok(());
    }
    let mut table = Table::new(&["GROUP", "STATE", "TYPE", "PROTOCOL"]);
    for group in groups {
        table.row([group.group, group.state, group.group_type, group.protocol_type]);
    }
    table.print()?;
    Ok(())
}

async fn describe(describe: &Describe, session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot describe the group");
    let group = session.admin.describe_group(&describe.group).await.map_err(failed)?;
    let committed = session.admin.committed_offsets(&describe.group, None).await.map_err(failed)?;
    let assigned = group.members.iter().flat_map(|member| member.assignment.iter().cloned());
    let partitions: BTreeSet<TopicPartition> = committed.keys().cloned().chain(assigned).collect();
    let ends = ends(&partitions, session).await.map_err(failed)?;
    let described = Described { group, committed, partitions, ends };
    match session.format {
        Format::Json => print::json::print(&described.json())?,
        Format::Table => described.print()?,
    }
    Ok(())
}

/// Where partitions end now. What is gone, or has no leader, has no end; the rest is shown all the same.
async fn ends(
    partitions: &BTreeSet<TopicPartition>,
    session: &Session,
) -> Result<BTreeMap<TopicPartition, ListedOffset>, client::Error> {
    let topics: BTreeSet<String> = partitions.iter().map(|name| name.topic.to_string()).collect();
    let topics: Vec<String> = topics.into_iter().collect();
    let metadata = session.client.fetch_metadata(Some(&topics)).await?;
    let has_leader = |name: &&TopicPartition| {
        metadata.partition(&name.topic, name.partition).is_some_and(|partition| partition.leader.is_some())
    };
    let wanted: Vec<_> =
        partitions.iter().filter(has_leader).map(|name| (name.clone(), OffsetSpec::Latest)).collect();
    session.admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await
}

struct Described {
    group: GroupDescription,
    committed: BTreeMap<TopicPartition, CommittedOffset>,
    partitions: BTreeSet<TopicPartition>,
    ends: BTreeMap<TopicPartition, ListedOffset>,
}

impl Described {
    fn committed(&self, partition: &TopicPartition) -> Option<i64> {
        self.committed.get(partition).map(|committed| committed.offset.0)
    }

    fn end(&self, partition: &TopicPartition) -> Option<i64> {
        self.ends.get(partition)?.offset.map(|offset| offset.0)
    }

    /// How many records the group has still to read.
    fn lag(&self, partition: &TopicPartition) -> Option<i64> {
        Some(self.end(partition)?.saturating_sub(self.committed(partition)?).max(0))
    }

    fn total_lag(&self) -> i64 {
        self.partitions.iter().filter_map(|partition| self.lag(partition)).sum()
    }

    fn owner(&self, partition: &TopicPartition) -> Option<&GroupMember> {
        self.group.members.iter().find(|member| member.assignment.contains(partition))
    }

    fn json(&self) -> Value {
        let partition = |partition: &TopicPartition| {
            json!({
                "topic": partition.topic.as_ref(),
                "partition": partition.partition,
                "committed": self.committed(partition),
                "end_offset": self.end(partition),
                "lag": self.lag(partition),
                "member": self.owner(partition).map(|member| member.id.as_str()),
            })
        };
        let member = |member: &GroupMember| {
            json!({
                "id": member.id,
                "instance_id": member.instance_id,
                "client_id": member.client_id,
                "host": member.host,
                "partitions": member.assignment.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        };
        json!({
            "group": self.group.group,
            "state": self.group.state,
            "protocol": self.group.protocol_type,
            "assignor": self.group.assignor,
            "coordinator": self.group.coordinator,
            "lag": self.total_lag(),
            "members": self.group.members.iter().map(member).collect::<Vec<_>>(),
            "partitions": self.partitions.iter().map(partition).collect::<Vec<_>>(),
        })
    }

    fn print(&self) -> std::io::Result<()> {
        let group = &self.group;
        let assignor = if group.assignor.is_empty() { "-" } else { &group.assignor };
        print::line(&format!("group        {}", group.group))?;
        print::line(&format!("state        {}", group.state))?;
        print::line(&format!("members      {}", group.members.len()))?;
        print::line(&format!("assignor     {assignor}"))?;
        print::line(&format!("coordinator  {}", group.coordinator))?;
        print::line(&format!("lag          {}", self.total_lag()))?;
        if self.partitions.is_empty() {
            return Ok(());
        }
        print::line("")?;
        let mut table = Table::new(&["TOPIC", ">PARTITION", ">COMMITTED", ">END", ">LAG", "MEMBER", "HOST"]);
        for partition in &self.partitions {
            let number = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
            let owner = self.owner(partition);
            table.row([
                partition.topic.to_string(),
                partition.partition.to_string(),
                number(self.committed(partition)),
                number(self.end(partition)),
                number(self.lag(partition)),
                owner.map(|member| member.id.clone()).unwrap_or_default(),
                owner.map(|member| member.host.clone()).unwrap_or_default(),
            ]);
        }
        table.print()
    }
}
