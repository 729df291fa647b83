//! `riverrun group describe`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use client::admin::{GroupDescription, GroupMember};
use client::{Error, ErrorCode, Timestamp, TopicPartition};
use host::RealClock;
use kernel::port::Clock;
use serde_json::{Value, json};

use super::lag::{Standing, Trend, first_unread};
use super::share::ShareGroup;
use crate::command::several::{Groups, Outcomes, no_group_of};
use crate::command::waiting::waiting;
use crate::command::{Failure, Session, session, units};
use crate::print::{Output, table::Table};

/// Describe groups: their members, what they read, and how far they are behind, in records and in time.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun group describe kitchen
  riverrun group describe kitchen bar --trend 15s
  riverrun group describe kitchen --format json | jq .lag

How far behind in time it is says the age of the first record that the group has not read. Of a share group it says where
it goes on in each partition, how many records it has still to read there, and which of its members read of it.")]
pub struct Describe {
    #[command(flatten)]
    groups: Groups,
    /// Look twice, so long apart, and say how fast the group reads and when it will have caught up (s, m). What it has read is
    /// known by what it commits, so this has to be longer than its members take from one commit to the next (usually 5 s), and
    /// cannot be told of a group that is set back meanwhile.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = units::some_time)]
    trend: Option<Duration>,
}

const DOING: &str = "cannot describe the group";

pub async fn run(describe: &Describe, session: &Session) -> Result<(), Failure> {
    let (names, mut outcomes) = describe.groups.find(DOING, session).await?;
    let Some(time) = describe.trend else {
        for name in names {
            show(&mut outcomes, &name, look(&name, session).await, |seen| seen.output());
        }
        return outcomes.show(session);
    };
    let mut seen: Vec<(Result<Seen, Failure>, String)> = Vec::new();
    for name in names {
        seen.push((look(&name, session).await, name));
    }
    let left = |waited| {
        let left = time.saturating_sub(waited);
        format!("looking again in {}", units::span(left.as_secs_f64()))
    };
    // What was seen at first is shown even to who does not wait for more.
    let mut signals = session::signals()?;
    let nothing_seen = seen.iter().all(|(first, _)| first.is_err());
    let mut interrupted = tokio::select! {
        biased;
        () = async {}, if nothing_seen => false,
        () = waiting(left, tokio::time::sleep(time)) => false,
        _ = signals.next() => true,
    };
    for (first, name) in seen {
        let again = async {
            match (&first, interrupted) {
                (Ok(_), false) => Some(look(&name, session).await),
                _ => None,
            }
        };
        let later = tokio::select! {
            biased;
            later = again => later,
            _ = signals.next() => {
                interrupted = true;
                None
            }
        };
        match (first, later) {
            (Ok(first), Some(Ok(later))) => {
                show(&mut outcomes, &name, Ok(later), |later| first.followed_by(later, &name));
            }
            (Ok(first), Some(Err(failure))) => {
                outcomes.push_lacking(&name, first.output(), failure);
            }
            (first, _) => show(&mut outcomes, &name, first, |first| first.output()),
        }
    }
    let shown = outcomes.show(session);
    match interrupted {
        true => shown
            .and(Err(Failure::interrupted("interrupted before the second look, so that there is no trend"))),
        false => shown,
    }
}

/// Shows what was seen, and tells of what could not be seen of it.
fn show(
    outcomes: &mut Outcomes,
    name: &str,
    seen: Result<Seen, Failure>,
    output: impl FnOnce(Seen) -> Output,
) {
    match seen {
        Err(failure) => outcomes.push(name, Err(failure)),
        Ok(seen) => match seen.lacks(name) {
            Some(lacks) => outcomes.push_lacking(name, output(seen), lacks),
            None => outcomes.push(name, Ok(output(seen))),
        },
    }
}

/// What is there under a name.
enum Seen {
    Consumers(Box<Described>),
    Share(Box<ShareGroup>),
}

impl Seen {
    fn output(&self) -> Output {
        match self {
            Seen::Consumers(described) => described.output(),
            Seen::Share(share) => share.output(),
        }
    }

    /// What it means that not all leaders have answered.
    fn lacks(&self, name: &str) -> Option<Failure> {
        match self {
            Seen::Consumers(described) => Failure::of_a_part(name, &described.standing.silent),
            Seen::Share(_) => None,
        }
    }

    /// What there is to say after a second look.
    fn followed_by(self, later: Seen, name: &str) -> Output {
        match (self, later) {
            (Seen::Consumers(first), Seen::Consumers(later)) => {
                let trend = Trend::between(&first.standing, &later.standing);
                Described { trend: Some(trend), ..*later }.output()
            }
            (_, Seen::Share(share)) => {
                share.output().hint(format!("of {name}, a share group, no --trend can be told"))
            }
            (Seen::Share(_), later) => later.output(),
        }
    }
}

/// A group, and where it stands. All that is to be said is asked for, as nobody may answer later.
async fn look(name: &str, session: &Session) -> Result<Seen, Failure> {
    let failed = |error| Failure::of(error, DOING);
    let group = match session.ask(async |admin| admin.describe_group(name).await).await {
        Ok(group) => group,
        Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => {
            // That is what brokers say of a share group as well, where there are any.
            return match ShareGroup::look(name, session).await {
                Ok(share) => Ok(Seen::Share(Box::new(share))),
                Err(other) if is_no_share_group(&other) => Err(no_such(name, error, session).await),
                Err(other) => Err(failed(other)),
            };
        }
        Err(error) => return Err(failed(error)),
    };
    let standing = Standing::now(name, &assigned(&group), session).await.map_err(failed)?;
    let unread = first_unread(&standing, session).await.map_err(failed)?;
    let now = RealClock::new().now().wall;
    Ok(Seen::Consumers(Box::new(Described { group, standing, unread, trend: None, now })))
}

fn is_no_share_group(error: &Error) -> bool {
    let unsupported = matches!(error, Error::Unsupported { .. });
    let codes = [ErrorCode::GroupIdNotFound, ErrorCode::UnsupportedVersion];
    unsupported || error.code().is_some_and(|code| codes.contains(&code))
}

async fn no_such(name: &str, error: Error, session: &Session) -> Failure {
    no_group_of(&["classic", "consumer", "share"], name, error, DOING, session).await
}

fn assigned(group: &GroupDescription) -> BTreeSet<TopicPartition> {
    group.members.iter().flat_map(|member| member.assignment.iter().cloned()).collect()
}

struct Described {
    group: GroupDescription,
    standing: Standing,
    unread: BTreeMap<TopicPartition, Timestamp>,
    trend: Option<Trend>,
    now: Timestamp,
}

impl Described {
    /// How many seconds the group is behind: none if it has read everything, nothing if that cannot be told.
    fn seconds(&self, partition: &TopicPartition) -> Option<f64> {
        match self.standing.lag(partition)? {
            0 => Some(0.0),
            _ => Some((self.now.0 - self.unread.get(partition)?.0).max(0) as f64 / 1000.0),
        }
    }

    /// As the partition that is the furthest behind; nothing where that cannot be told of one that is there.
    fn total_seconds(&self) -> Option<f64> {
        self.standing.total_lag().total()?;
        let there = self.standing.partitions.difference(&self.standing.gone);
        there
            .map(|partition| self.seconds(partition))
            .try_fold(0.0, |most: f64, seconds| Some(most.max(seconds?)))
    }

    /// How far behind the group is, in words.
    fn lag(&self) -> String {
        let lag = self.standing.total_lag();
        match (lag.total(), self.total_seconds()) {
            (Some(records), Some(seconds)) if records > 0 => {
                let records = usize::try_from(records).unwrap_or(usize::MAX);
                format!("{}, {}", units::counted(records, "record"), units::span(seconds))
            }
            (Some(records), _) => records.to_string(),
            (None, _) if lag.known > 0 => format!(
                "at least {}, and not known in {}",
                units::counted(usize::try_from(lag.known).unwrap_or(usize::MAX), "record"),
                units::counted(lag.unknown, "partition")
            ),
            (None, _) => "-".to_owned(),
        }
    }

    fn owner(&self, partition: &TopicPartition) -> Option<&GroupMember> {
        self.group.members.iter().find(|member| member.assignment.contains(partition))
    }

    fn json(&self) -> Value {
        let partition = |partition: &TopicPartition| {
            json!({
                "topic": partition.topic.as_ref(),
                "partition": partition.partition,
                "committed": self.standing.committed(partition),
                "start_offset": self.standing.start(partition),
                "end_offset": self.standing.end(partition),
                "lag": self.standing.lag(partition),
                "lag_seconds": self.seconds(partition),
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
        let trend = |trend: &Trend| {
            json!({
                "written_per_second": trend.written,
                "read_per_second": trend.read,
                "set_back": trend.set_back,
                "caught_up_in_seconds": trend.caught_up_in.filter(|seconds| seconds.is_finite()),
            })
        };
        json!({
            "group": self.group.group,
            "type": self.group.group_type,
            "state": self.group.state,
            "protocol": self.group.protocol_type,
            "assignor": self.group.assignor,
            "coordinator": self.group.coordinator,
            "lag": self.standing.total_lag().total(),
            "lag_seconds": self.total_seconds(),
            "trend": self.trend.as_ref().map(trend),
            "members": self.group.members.iter().map(member).collect::<Vec<_>>(),
            "partitions": self.standing.partitions.iter().map(partition).collect::<Vec<_>>(),
        })
    }

    fn output(&self) -> Output {
        let group = &self.group;
        let assignor = if group.assignor.is_empty() { "-" } else { &group.assignor };
        let mut output = Output::new(self.json())
            .fact("group", &group.group)
            .fact("state", &group.state)
            .fact("type", &group.group_type)
            .fact("members", group.members.len().to_string())
            .fact("assignor", assignor)
            .fact("coordinator", &group.coordinator)
            .fact("lag", self.lag());
        if let Some(trend) = &self.trend {
            let read = match trend.read {
                Some(read) => format!("{read:.1} read"),
                None if trend.set_back => "set back meanwhile".to_owned(),
                None => "- read".to_owned(),
            };
            let rates = format!("{:.1} a second written, {read}", trend.written);
            let caught_up_in = match trend.caught_up_in {
                Some(seconds) => units::span(seconds),
                None if trend.set_back => "not known, as the group was set back meanwhile".to_owned(),
                None if trend.read.is_none() => "not known, as there was no commit before".to_owned(),
                None if self.standing.total_lag().total().is_some() => {
                    "not known, as nothing was committed meanwhile".to_owned()
                }
                None => "-".to_owned(),
            };
            output = output.fact("trend", rates).fact("caught up in", caught_up_in);
        }
        for out_of_range in self.standing.out_of_range() {
            output = output.hint(out_of_range);
        }
        output.table(self.table()).names([&self.group.group])
    }

    fn table(&self) -> Table {
        let titles = [
            "TOPIC",
            ">PARTITION",
            ">COMMITTED",
            ">END",
            ">LAG",
            ">BEHIND",
            "MEMBER",
            "+INSTANCE",
            "+CLIENT",
            "HOST",
        ];
        let mut table = Table::new(&titles);
        for partition in &self.standing.partitions {
            let number = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
            let owner = self.owner(partition);
            let of_owner = |what: fn(&GroupMember) -> String| owner.map(what).unwrap_or_default();
            table.row([
                partition.topic.to_string(),
                partition.partition.to_string(),
                number(self.standing.committed(partition)),
                number(self.standing.end(partition)),
                number(self.standing.lag(partition)),
                self.seconds(partition).map(units::span).unwrap_or_default(),
                of_owner(|member| member.id.clone()),
                of_owner(|member| member.instance_id.clone().unwrap_or_default()),
                of_owner(|member| member.client_id.clone()),
                of_owner(|member| member.host.clone()),
            ]);
        }
        table
    }
}
