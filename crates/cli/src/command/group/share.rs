//! What `group describe` says of a share group: its members, and what it has still to read.

use std::collections::BTreeMap;

use client::admin::{ShareGroupDescription, ShareGroupMember, ShareGroupOffset};
use client::{Error, TopicPartition};
use serde_json::{Value, json};

use crate::command::{Session, units};
use crate::print::{Output, table::Table};

/// A share group, and where it goes on.
#[derive(Debug)]
pub struct ShareGroup {
    group: ShareGroupDescription,
    offsets: BTreeMap<TopicPartition, ShareGroupOffset>,
}

impl ShareGroup {
    pub async fn look(name: &str, session: &Session) -> Result<ShareGroup, Error> {
        let group = session.ask(async |admin| admin.describe_share_group(name).await).await?;
        let mut offsets = session.ask(async |admin| admin.share_group_offsets(name).await).await?;
        // The cluster tells of those that it has read of; of the others of its members there is nothing to tell yet.
        for partition in group.members.iter().flat_map(|member| &member.assignment) {
            offsets.entry(partition.clone()).or_insert(ShareGroupOffset {
                start: None,
                lag: None,
                error: None,
            });
        }
        Ok(ShareGroup { group, offsets })
    }

    /// How many records it has still to read; nothing where that is not known of each partition.
    fn lag(&self) -> Option<i64> {
        if self.offsets.is_empty() {
            return None;
        }
        self.offsets.values().try_fold(0_i64, |sum, offset| Some(sum.saturating_add(offset.lag?)))
    }

    fn lag_in_words(&self) -> String {
        let known: i64 = self.offsets.values().filter_map(|offset| offset.lag).sum();
        let unknown = self.offsets.values().filter(|offset| offset.lag.is_none()).count();
        match self.lag() {
            Some(lag) => lag.to_string(),
            None if known > 0 => {
                format!("at least {known}, and not known in {}", units::counted(unknown, "partition"))
            }
            None => "-".to_owned(),
        }
    }

    fn readers(&self, partition: &TopicPartition) -> Vec<&str> {
        let reading = |member: &&ShareGroupMember| member.assignment.contains(partition);
        self.group.members.iter().filter(reading).map(|member| member.id.as_str()).collect()
    }

    fn json(&self) -> Value {
        let member = |member: &ShareGroupMember| {
            json!({
                "id": member.id,
                "client_id": member.client_id,
                "host": member.host,
                "rack": member.rack,
                "subscribed": member.subscribed,
                "partitions": member.assignment.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        };
        let partition = |(name, offset): (&TopicPartition, &ShareGroupOffset)| {
            json!({
                "topic": name.topic.as_ref(),
                "partition": name.partition,
                "start_offset": offset.start.map(|start| start.0),
                "lag": offset.lag,
                "error": offset.error.as_ref().map(ToString::to_string),
                "members": self.readers(name),
            })
        };
        json!({
            "group": self.group.group,
            "type": "share",
            "state": self.group.state,
            "epoch": self.group.epoch,
            "assignor": self.group.assignor,
            "coordinator": self.group.coordinator,
            "lag": self.lag(),
            "members": self.group.members.iter().map(member).collect::<Vec<_>>(),
            "partitions": self.offsets.iter().map(partition).collect::<Vec<_>>(),
        })
    }

    pub fn output(&self) -> Output {
        let group = &self.group;
        let assignor = if group.assignor.is_empty() { "-" } else { &group.assignor };
        let mut output = Output::new(self.json())
            .fact("group", &group.group)
            .fact("state", &group.state)
            .fact("type", "share")
            .fact("members", group.members.len().to_string())
            .fact("assignor", assignor)
            .fact("coordinator", &group.coordinator)
            .fact("lag", self.lag_in_words())
            .table(self.partitions())
            .table(self.members())
            .names([&group.group]);
        for (name, error) in self.offsets.iter().filter_map(|(name, one)| Some((name, one.error.as_ref()?))) {
            output = output.hint(format!("{name}: {error}"));
        }
        output
    }

    fn partitions(&self) -> Table {
        // Several members may read of one partition.
        let mut table = Table::new(&["TOPIC", ">PARTITION", ">START", ">LAG", ">READERS"]);
        for (name, offset) in &self.offsets {
            table.row([
                name.topic.to_string(),
                name.partition.to_string(),
                offset.start.map(|start| start.0.to_string()).unwrap_or_default(),
                offset.lag.map(|lag| lag.to_string()).unwrap_or_default(),
                self.readers(name).len().to_string(),
            ]);
        }
        table
    }

    fn members(&self) -> Table {
        let mut table = Table::new(&["MEMBER", "READS", "+RACK", "+CLIENT", "HOST"]);
        for member in &self.group.members {
            let reads: Vec<String> = member.assignment.iter().map(ToString::to_string).collect();
            table.row([
                member.id.clone(),
                reads.join(" "),
                member.rack.clone().unwrap_or_default(),
                member.client_id.clone(),
                member.host.clone(),
            ]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Offset;

    fn group(lags: &[Option<i64>]) -> ShareGroup {
        let names = || (0..).map(|partition| TopicPartition::new("t", partition));
        let offset = |lag: &Option<i64>| ShareGroupOffset { start: lag.map(Offset), lag: *lag, error: None };
        let member = ShareGroupMember {
            id: "m".to_owned(),
            rack: None,
            client_id: "c".to_owned(),
            host: "/127.0.0.1".to_owned(),
            subscribed: vec!["t".to_owned()],
            assignment: names().take(1).collect(),
        };
        let group = ShareGroupDescription {
            group: "g".to_owned(),
            state: "Stable".to_owned(),
            epoch: 1,
            assignor: "simple".to_owned(),
            coordinator: "h:1".to_owned(),
            members: vec![member],
        };
        ShareGroup { group, offsets: names().zip(lags.iter().map(offset)).collect() }
    }

    #[test]
    fn a_lag_that_is_not_known_is_not_nothing() {
        for (lags, total, words) in [
            (&[Some(2), Some(3)][..], Some(5), "5"),
            (&[Some(2), None], None, "at least 2, and not known in 1 partition"),
            (&[None], None, "-"),
            (&[], None, "-"),
        ] {
            let group = group(lags);
            assert_eq!((group.lag(), group.lag_in_words().as_str()), (total, words), "{lags:?}");
        }
    }

    #[test]
    fn partitions_say_who_reads_of_them() {
        let told = group(&[Some(2), None]).json();
        assert_eq!((&told["type"], &told["partitions"][0]["members"]), (&"share".into(), &json!(["m"])));
        assert_eq!(
            (&told["partitions"][1]["lag"], &told["partitions"][1]["members"]),
            (&Value::Null, &json!([]))
        );
    }
}
