//! Where a reader stops that is to stop somewhere, and when it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::time::Duration;

use client::{Consumer, Error, Offset, TopicPartition};
use tokio::time::Instant;

use super::Consume;
use super::range::Begin;
use crate::command::failure::WHO_IS_THERE;
use crate::command::place::{Where, resolve_as};
use crate::command::{Failure, Session, units};
use crate::print::{self, Left};

pub type Ends = BTreeMap<TopicPartition, Offset>;

/// Where to stop in each partition, if anywhere.
pub(super) async fn ends(
    consume: &Consume,
    partitions: &[TopicPartition],
    session: &Session,
) -> Result<Option<Ends>, Error> {
    let find = async |place| resolve_as(consume.isolation(), partitions, place, session).await;
    if let Some(until) = consume.until {
        let moved = |places: Ends, by: i64| -> Ends {
            places.into_iter().map(|(name, at)| (name, Offset(at.0.saturating_add(by).max(0)))).collect()
        };
        let ends = match until {
            // One that is not there yet is waited for.
            Begin::At(Where::Offset(offset)) => {
                partitions.iter().map(|name| (name.clone(), Offset(offset))).collect()
            }
            Begin::At(place) => find(place).await?,
            Begin::AfterStart(count) => moved(find(Where::Start).await?, i64::from(count)),
            Begin::BeforeEnd(count) => moved(find(Where::End).await?, -i64::from(count)),
        };
        return Ok(Some(ends));
    }
    if consume.until_end { find(Where::End).await.map(Some) } else { Ok(None) }
}

/// Whether everything has been read that this consumer has to read now. Partitions that are done are not read on.
pub fn is_at_end(consumer: &mut Consumer, ends: &Ends) -> bool {
    let is_done = |name: &&TopicPartition| match (ends.get(*name), consumer.position(name)) {
        // A place that was committed may be one that the log never had, or has no more: its leader has to say.
        (Some(end), Some(position)) if position > *end => {
            consumer.high_watermark(name).is_some_and(|there| position <= there)
        }
        (Some(end), position) => position.is_some_and(|position| position == *end),
        // It had no leader who could have said where it ends, or was not there.
        (None, _) => true,
    };
    let done: Vec<TopicPartition> = consumer.assignment().filter(is_done).cloned().collect();
    consumer.pause(&done);
    consumer.has_assignment() && done.len() == consumer.assignment().count()
}

/// How many records are before the end in what is read; not known while a position is not.
pub fn left_until(consumer: &Consumer, ends: &Ends) -> Left {
    let left = |name: &TopicPartition| {
        let end = ends.get(name).copied().unwrap_or_default();
        Some(u64::try_from(end.0.saturating_sub(consumer.position(name)?.0)).unwrap_or(0))
    };
    consumer.assignment().map(left).sum::<Option<u64>>().map_or(Left::Unknown, Left::Records)
}

/// A member that waits for its first share. On a terminal it says so after a while, as nothing else is to be seen.
pub(super) struct Joining<'c> {
    group: &'c str,
    since: Instant,
    said: bool,
    /// Why the coordinator has refused it last.
    refused: Option<Error>,
    said_why: bool,
}

/// How long nobody wonders.
const UNNOTICED: Duration = Duration::from_secs(1);

/// How long a member may wait for its share until everybody is told, be it at a pipe. Other members may take as long as it, and a
/// coordinator that cannot write takes the member again and again, and never shares out.
const LONG: Duration = Duration::from_secs(10);

impl<'c> Joining<'c> {
    pub fn new(group: &'c str) -> Self {
        let said = !io::stderr().is_terminal();
        Self { group, since: Instant::now(), said, refused: None, said_why: false }
    }

    /// Whether the member has its share, be it nothing.
    pub fn is_over(&mut self, consumer: &Consumer) -> bool {
        let over = consumer.has_assignment();
        self.refused = consumer.hindrance().or(self.refused.take());
        if !over && !self.said_why && self.since.elapsed() > LONG {
            self.said_why = true;
            let why = self.refused.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
            let (group, waited) = (self.group, units::span(self.since.elapsed().as_secs_f64()));
            print::note(&format!(
                "{group} has given this member no partitions for {waited}{why}; trying again"
            ));
            print::note(&format!(
                "next: `riverrun group describe {group}` shows its members; {WHO_IS_THERE}"
            ));
        }
        if !over && !self.said && self.since.elapsed() > UNNOTICED && consumer.hindrance().is_none() {
            self.said = true;
            print::note(&format!("waiting until {} has shared out its partitions", self.group));
        }
        over
    }
}

/// A reader for whom nothing comes, though more may. On a terminal it says so once, as nothing else is to be seen.
pub(super) struct Idle {
    since: Instant,
    said: bool,
}

/// How long nothing has to come.
const NOTHING_COMES: Duration = Duration::from_secs(2);

impl Idle {
    /// Where it `stops` by itself nobody waits for what is written later; where it was `said` already, once is enough.
    pub fn new(consume: &Consume, stops: bool, said: bool) -> Self {
        let waits_for_offset =
            matches!(consume.until, Some(Begin::At(Where::Offset(_)) | Begin::AfterStart(_)));
        let silent = said || (stops && !waits_for_offset) || !io::stderr().is_terminal();
        Self { since: Instant::now(), said: silent }
    }

    /// Takes note of what a poll returned.
    pub fn look(&mut self, consumer: &Consumer, came: bool) {
        if came || !consumer.has_assignment() || consumer.hindrance().is_some() {
            self.since = Instant::now();
        } else if !self.said && self.since.elapsed() >= NOTHING_COMES {
            self.said = true;
            print::note("waiting for new records; Ctrl-C ends");
        }
    }
}

/// Tells of a coordinator that does not take this member: the client goes on trying without a word.
pub(super) struct Hindrance {
    since: Option<Instant>,
    said: bool,
}

/// How long a coordinator may take to begin. A group's first member may be there before the topic of offsets.
const BEGINNING: Duration = Duration::from_secs(5);

impl Hindrance {
    pub fn none() -> Self {
        Self { since: None, said: false }
    }

    /// Says it where that has lasted, and when it is over.
    pub fn look(&mut self, consumer: &Consumer) {
        let Some(error) = consumer.hindrance() else {
            if std::mem::replace(self, Self::none()).said {
                print::note("the coordinator of the group has taken this member");
            }
            return;
        };
        let since = *self.since.get_or_insert_with(Instant::now);
        // Of a cluster that cannot be reached somebody else tells.
        if self.said || error.code().is_none() || since.elapsed() < BEGINNING {
            return;
        }
        self.said = true;
        let failure = Failure::of(error, "cannot join the group yet");
        print::note(&format!("{}; trying again, Ctrl-C ends", failure.message()));
        if let Some(next) = failure.next_step() {
            print::note(&format!("next: {next}"));
        }
    }
}

/// How long a group may leave a partition without an owner. As long as a member may keep others waiting
/// (`max.poll.interval.ms`).
const SHARED_OUT_MAX: Duration = Duration::from_secs(300);

/// What a member of a group waits for besides the end of what it has: that the group has shared everything out. A member
/// that has come last has nothing at first, as others have to give it up before it can be given away.
pub(super) struct Share<'c> {
    group: &'c str,
    partitions: BTreeSet<TopicPartition>,
    waits_since: Option<(Option<i32>, Instant)>,
}

impl<'c> Share<'c> {
    pub fn new(group: &'c str, ends: &Ends) -> Self {
        Self { group, partitions: ends.keys().cloned().collect(), waits_since: None }
    }

    /// Whether every partition has an owner, so that nothing is on its way to this member.
    pub async fn is_settled(&mut self, consumer: &Consumer, session: &Session) -> Result<bool, Failure> {
        let failed = |error| Failure::of(error, "cannot see what the group has shared out");
        let described = session.admin.describe_group(self.group).await.map_err(failed)?;
        let given: BTreeSet<&TopicPartition> =
            described.members.iter().flat_map(|member| &member.assignment).collect();
        let nobody: Vec<&TopicPartition> =
            self.partitions.iter().filter(|name| !given.contains(name)).collect();
        if described.state == "Stable" && nobody.is_empty() {
            if consumer.assignment().next().is_none() {
                let others = described.members.len().saturating_sub(1);
                print::note(&format!(
                    "{} has given nothing to this member: its {others} others have all {} partitions",
                    self.group,
                    self.partitions.len()
                ));
            }
            return Ok(true);
        }
        let generation = consumer.generation();
        match self.waits_since {
            Some((since, at)) if since == generation && at.elapsed() > SHARED_OUT_MAX => {
                let names: Vec<String> = nobody.iter().map(ToString::to_string).collect();
                Err(Failure::failed(format!("{} gives nobody {}", self.group, names.join(" ")))
                    .next(format!("`riverrun group describe {}` shows its members", self.group)))
            }
            Some((since, _)) if since == generation => Ok(false),
            _ => {
                self.waits_since = Some((generation, Instant::now()));
                Ok(false)
            }
        }
    }
}
