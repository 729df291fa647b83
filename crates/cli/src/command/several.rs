//! Commands that take several names: all of them are tried, and what came of each is told.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use client::admin::{GroupFilter, GroupListing, GroupListings};
use client::metadata::Topic;
use client::{Error, ErrorCode};
use kernel::Uuid;
use kernel::option::nearest;
use regex_lite::Regex;
use serde_json::json;

use super::ask::{Destruction, listed};
use super::session::Instant;
use super::waiting::waiting;
use super::{Failure, Format, Session, session, units};
use crate::print::{Output, Several};

/// The topics that a command is about.
#[derive(Debug, Args)]
pub struct Topics {
    /// The topics; each is tried, whatever became of those before it.
    #[arg(value_name = "TOPIC", required = true, value_parser = NonEmptyStringValueParser::new())]
    topics: Vec<String>,
    /// Take each TOPIC as a regular expression, and mean all topics of which it matches a part, but for those that the
    /// cluster made for itself.
    #[arg(long, short = 'r')]
    regex: bool,
}

/// The groups that a command is about.
#[derive(Debug, Args)]
pub struct Groups {
    /// The groups; each is tried, whatever became of those before it.
    #[arg(value_name = "GROUP", required = true, value_parser = NonEmptyStringValueParser::new())]
    groups: Vec<String>,
    /// Take each GROUP as a regular expression, and mean all groups of which it matches a part.
    #[arg(long, short = 'r')]
    regex: bool,
}

impl Topics {
    /// Those that are there. What is not is a failure already.
    pub async fn find(&self, doing: &str, session: &Session) -> Result<(Vec<Topic>, Outcomes), Failure> {
        let failed = |error| Failure::of(error, doing);
        let mut outcomes = Outcomes::new("name", &self.topics, self.regex, session);
        let mut found = Vec::new();
        if self.regex {
            let patterns = Patterns::of(&self.topics)?;
            found = session.admin.list_topics().await.map_err(failed)?;
            found.retain(|topic| patterns.want(&topic.name));
            let (internal, found): (Vec<Topic>, Vec<Topic>) =
                found.into_iter().partition(|topic| topic.internal);
            return match (found.is_empty(), internal.first()) {
                (false, _) => {
                    let names = || found.iter().chain(&internal).map(|topic| topic.name.as_str());
                    outcomes.lack_of_all(patterns.unmatched("topic", names));
                    Ok((found, outcomes))
                }
                (true, Some(topic)) => Err(patterns
                    .nothing("topic but the cluster's own")
                    .next(format!("name those as they are, without --regex: {}", topic.name))),
                (true, None) => Err(patterns.nothing("topic")),
            };
        }
        for name in once(&self.topics) {
            match session.admin.describe_topic(name).await {
                Ok(topic) => found.push(topic),
                Err(error) => outcomes.push(name, Err(no_topic(name, error, doing, session).await)),
            }
        }
        Ok((found, outcomes))
    }
}

impl Groups {
    /// The names of those that are meant; whether they are there is looked at later, unless they are found by an expression.
    pub async fn find(&self, doing: &str, session: &Session) -> Result<(Vec<String>, Outcomes), Failure> {
        let mut outcomes = Outcomes::new("group", &self.groups, self.regex, session);
        if !self.regex {
            return Ok((once(&self.groups).cloned().collect(), outcomes));
        }
        let patterns = Patterns::of(&self.groups)?;
        let (groups, unlisted) = groups(session).await.map_err(|error| Failure::of(error, doing))?;
        let found: Vec<String> =
            groups.into_iter().map(|group| group.group).filter(|name| patterns.want(name)).collect();
        if found.is_empty() {
            return Err(unlisted.unwrap_or_else(|| patterns.nothing("group")));
        }
        let names = || found.iter().map(String::as_str);
        // What is not listed may match.
        outcomes.lack_of_all(unlisted.or_else(|| patterns.unmatched("group", names)));
        Ok((found, outcomes))
    }
}

/// Where groups are kept.
const GROUPS: &str = "__consumer_offsets";

/// All groups that can be listed, and why that are not all: a broker that is down is asked by nobody, and the groups that it
/// coordinates are in no list until another one leads their partitions.
///
/// # Errors
/// That of a broker, where none answers.
pub async fn groups(session: &Session) -> Result<(Vec<GroupListing>, Option<Failure>), Error> {
    let begun = Instant::now();
    let listed = session.asking().list_groups_each(&GroupFilter::default()).await?;
    let GroupListings { groups, mut failed } = listed;
    let (asked, lacking) = (session.client.metadata().brokers.len(), failed.len());
    let unlisted = match failed.pop_first() {
        Some((_, error)) if lacking >= asked => return Err(error),
        Some((broker, error)) => {
            session.waited_in_vain(begun);
            let more = if lacking > 1 { format!(" and {} more", lacking - 1) } else { String::new() };
            let doing = format!("groups of broker {}{more} are not listed", broker.0);
            Some(Failure::of(error, &doing))
        }
        None => match session.admin.describe_topic(GROUPS).await {
            Ok(topic) => without_leader(&topic),
            // Before there is a group it is not there, and not everybody may describe it.
            Err(error) if error.code().is_some() => None,
            Err(error) => Some(Failure::of(error, "cannot tell whether all groups are listed")),
        },
    };
    Ok((groups, unlisted))
}

fn without_leader(topic: &Topic) -> Option<Failure> {
    let count = topic.partitions.values().filter(|partition| partition.leader.is_none()).count();
    let they_have = if count == 1 { "it has" } else { "they have" };
    let partitions = units::counted(count, "partition");
    let failure =
        Failure::failed(format!("groups of {partitions} of {GROUPS} are not listed: {they_have} no leader"));
    (count > 0).then(|| failure.next("`riverrun cluster health` shows which brokers are down"))
}

/// Whoever said yes to a question has meant the topic that there was then, and not one that took its name since.
pub async fn still_the_same(name: &str, id: Uuid, doing: &str, session: &Session) -> Result<(), Failure> {
    let topic = session.admin.describe_topic(name).await.map_err(|error| Failure::of(error, doing))?;
    // Old brokers tell no ids.
    if topic.id == id || [topic.id, id].contains(&Uuid::ZERO) {
        return Ok(());
    }
    let anew = format!("{name} was deleted and made anew meanwhile, and nothing was changed");
    Err(Failure::failed(anew).next("the same command again asks about the new one"))
}

/// What it means that a topic was not found, with the one that was probably meant.
pub async fn no_topic(name: &str, error: Error, doing: &str, session: &Session) -> Failure {
    let is_unknown = error.code() == Some(ErrorCode::UnknownTopicOrPartition);
    let failure = Failure::of(error, doing);
    let topics = if is_unknown { session.admin.list_topics().await.unwrap_or_default() } else { Vec::new() };
    match nearest(name, topics.iter().map(|topic| topic.name.as_str())) {
        Some(near) => failure.next(format!("did you mean {near}? `riverrun topic list` shows all")),
        None => failure,
    }
}

/// The same of a group. One that is listed all the same is of a kind of its own.
pub async fn no_group(name: &str, error: Error, doing: &str, session: &Session) -> Failure {
    no_group_of(&["classic", "consumer"], name, error, doing, session).await
}

/// The same, of a command that knows groups of these types.
pub async fn no_group_of(
    types: &[&str],
    name: &str,
    error: Error,
    doing: &str,
    session: &Session,
) -> Failure {
    if error.code() != Some(ErrorCode::GroupIdNotFound) {
        return Failure::of(error, doing);
    }
    match other_group(name, session).await {
        Some(OtherGroup::Kind(kind)) if types.contains(&kind.as_str()) => Failure::failed(format!(
            "{doing}: {name} is of type {kind}, and the broker describes no such groups"
        ))
        .next("`riverrun api` shows whether it answers ShareGroupDescribe, which a proxy may keep back"),
        Some(OtherGroup::Kind(kind)) => {
            let types = match types.split_last() {
                Some((last, [])) => (*last).to_owned(),
                Some((last, before)) => format!("{} and {last}", before.join(", ")),
                None => String::new(),
            };
            Failure::failed(format!("{doing}: {name} is of type {kind}")).next(format!(
                "this command knows groups of the types {types}; `riverrun group list` shows all"
            ))
        }
        Some(OtherGroup::Near(near)) => {
            Failure::of(error, doing).next(format!("did you mean {near}? `riverrun group list` shows all"))
        }
        None => Failure::of(error, doing),
    }
}

/// What there is where no group of a name can be described.
pub enum OtherGroup {
    /// A group of this name that is of a type which is not described here.
    Kind(String),
    /// A group that was probably meant.
    Near(String),
}

pub async fn other_group(name: &str, session: &Session) -> Option<OtherGroup> {
    let (groups, _) = groups(session).await.unwrap_or_default();
    match groups.iter().find(|group| group.group == name) {
        Some(group) => {
            let kind = group.group_type.to_lowercase();
            (!matches!(kind.as_str(), "" | "classic" | "consumer")).then_some(OtherGroup::Kind(kind))
        }
        None => nearest(name, groups.iter().map(|group| group.group.as_str()))
            .map(|near| OtherGroup::Near(near.to_owned())),
    }
}

/// Each name once, in the order in which they were given.
pub fn once(names: &[String]) -> impl Iterator<Item = &String> {
    names
        .iter()
        .enumerate()
        .filter(|(place, name)| !names.iter().take(*place).any(|before| before == *name))
        .map(|(_, name)| name)
}

/// Regular expressions of which one has to match a name.
#[derive(Debug)]
pub struct Patterns {
    patterns: Vec<Regex>,
}

impl Patterns {
    pub fn of(texts: &[String]) -> Result<Patterns, Failure> {
        let pattern = |text: &String| {
            Regex::new(text).map_err(|error| {
                Failure::wrong_use(format!("{text:?} is no regular expression: {error}"))
                    .next("a character that is meant as it is has a backslash before it, as in \\(")
            })
        };
        Ok(Patterns { patterns: texts.iter().map(pattern).collect::<Result<_, _>>()? })
    }

    pub fn want(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_match(name))
    }

    /// What it means that there is nothing that they match.
    pub fn nothing(&self, what: &str) -> Failure {
        nothing_matches(what, &self.patterns.iter().collect::<Vec<_>>())
    }

    /// The same of those that match none of the names.
    fn unmatched<'n, N: Iterator<Item = &'n str>>(
        &self,
        what: &str,
        names: impl Fn() -> N,
    ) -> Option<Failure> {
        let unmatched: Vec<&Regex> =
            self.patterns.iter().filter(|pattern| !names().any(|name| pattern.is_match(name))).collect();
        (!unmatched.is_empty()).then(|| nothing_matches(what, &unmatched))
    }
}

fn nothing_matches(what: &str, patterns: &[&Regex]) -> Failure {
    let texts: Vec<&str> = patterns.iter().map(|pattern| pattern.as_str()).collect();
    Failure::not_there(format!("no {what} matches {}", texts.join(" or ")))
        .next(format!("`riverrun {what} list` shows which there are"))
}

/// What came of a change: what there is to print, and what went wrong with a part of it.
#[derive(Debug)]
pub struct Done {
    pub output: Output,
    pub lack: Option<Failure>,
}

impl From<Output> for Done {
    fn from(output: Output) -> Done {
        Done { output, lack: None }
    }
}

/// What came of each name.
#[derive(Debug)]
pub struct Outcomes {
    /// Under which word a name stands.
    word: &'static str,
    /// Whether programs get a list, even of one: whoever gave one name gets what came of it.
    is_list: bool,
    /// The names in the order in which they are told of.
    order: BTreeMap<String, usize>,
    format: Format,
    /// What helps after an interruption.
    again: &'static str,
    /// What is still to be printed: for programs, all that there is.
    outputs: Vec<(String, Output)>,
    /// What people read is printed as it comes.
    printed: Several,
    failures: Vec<(String, Failure)>,
}

impl Outcomes {
    fn new(word: &'static str, given: &[String], regex: bool, session: &Session) -> Outcomes {
        let order: BTreeMap<String, usize> =
            once(given).enumerate().map(|(place, name)| (name.clone(), place)).collect();
        Outcomes {
            word,
            is_list: regex || order.len() > 1,
            order,
            format: session.format,
            again: "the same command again does what is left",
            outputs: Vec::new(),
            printed: Several::new(session.format),
            failures: Vec::new(),
        }
    }

    pub fn push(&mut self, name: &str, outcome: Result<Output, Failure>) {
        let output = match outcome {
            Ok(output) => output,
            Err(failure) => {
                // Of a connection that fails nobody else says what it was about.
                let failure = if self.is_list { failure.about(name) } else { failure };
                let output = Output::new(json!({ self.word: name, "error": failure.message() }));
                self.failures.push((name.to_owned(), failure));
                output
            }
        };
        match self.format {
            Format::Json | Format::Yaml => self.outputs.push((name.to_owned(), output)),
            Format::Name | Format::Table | Format::Wide => self.printed.add(&output),
        }
    }

    /// What went wrong with something of which there is all the same something to print.
    pub fn lack(&mut self, name: &str, failure: Failure) {
        self.failures.push((name.to_owned(), failure));
    }

    /// Asks before anything is changed. Who says no hears all the same what went wrong until then.
    pub async fn confirm(
        &mut self,
        destruction: &Destruction,
        what: &str,
        session: &Session,
    ) -> Result<(), Failure> {
        let Err(no) = destruction.confirm(what, session).await else { return Ok(()) };
        let until_then = std::mem::take(&mut self.failures).into_iter().map(|(_, failure)| failure);
        Failure::all(std::iter::once(no).chain(until_then).collect()).map_or(Ok(()), Err)
    }

    /// What went wrong with none of them in particular, if anything did.
    fn lack_of_all(&mut self, failure: Option<Failure>) {
        self.failures.extend(failure.map(|failure| (String::new(), failure)));
    }

    /// The same, where people read what went wrong afterwards, and programs in what is printed.
    pub fn push_lacking(&mut self, name: &str, output: Output, failure: Failure) {
        let failure = if self.is_list { failure.about(name) } else { failure };
        self.push(name, Ok(output.member("error", failure.message())));
        self.lack(name, failure);
    }

    /// Changes one thing after the other with `act`, and shows what came of each. Who interrupts it hears what was not done.
    pub async fn change<T, D: Into<Done>>(
        mut self,
        things: &[T],
        name: impl Fn(&T) -> &str,
        act: impl AsyncFn(&T) -> Result<D, Failure>,
        session: &Session,
    ) -> Result<(), Failure> {
        let mut signals = session::heard()?;
        let begun = Instant::now();
        let done = Cell::new(0);
        let said = |_| far(done.get(), things.len(), begun.elapsed());
        let all = async {
            for (place, thing) in things.iter().enumerate() {
                done.set(place);
                let later = || things.iter().skip(place + 1).map(|thing| name(thing).to_owned()).collect();
                let outcome = tokio::select! {
                    biased;
                    outcome = act(thing) => outcome,
                    _ = signals.next() => {
                        self.interrupted(name(thing), later());
                        break;
                    }
                };
                match outcome.map(D::into) {
                    Ok(Done { output, lack: Some(failure) }) => {
                        self.push_lacking(name(thing), output, failure);
                    }
                    Ok(Done { output, lack: None }) => self.push(name(thing), Ok(output)),
                    Err(failure) => {
                        let is_of_all = failure.is_of_all();
                        self.push(name(thing), Err(failure));
                        if is_of_all {
                            self.untried("no broker can be reached", later());
                            break;
                        }
                    }
                }
            }
        };
        waiting(said, all).await;
        self.show(session)
    }

    /// The change of a name did not come to its end, and those of others were not begun.
    fn interrupted(&mut self, name: &str, later: Vec<String>) {
        let why = format!("interrupted: what has become of {name} is not known");
        let failure = Failure::interrupted(with_untried(why, &later));
        self.push(name, Err(failure.next(self.again)));
        self.not_tried("interrupted", later);
    }

    /// The changes of the others would fail as well, each after a long wait.
    fn untried(&mut self, why: &str, later: Vec<String>) {
        let Some(first) = later.first() else { return };
        let failure = Failure::failed(with_untried(why.to_owned(), &later));
        self.failures.push((first.clone(), failure.next(self.again)));
        self.not_tried(why, later);
    }

    /// Programs read of each that it was not tried.
    fn not_tried(&mut self, why: &str, names: Vec<String>) {
        if matches!(self.format, Format::Json | Format::Yaml) {
            let word = self.word;
            let output =
                |name: &String| Output::new(json!({ word: name, "error": format!("{why}: not tried") }));
            self.outputs.extend(names.into_iter().map(|name| (name.clone(), output(&name))));
        }
    }

    /// Says what is to be done after an interruption, where the same command would do more than what is left.
    pub fn again(self, again: &'static str) -> Outcomes {
        Outcomes { again, ..self }
    }

    /// Prints what succeeded, and fails as the first did that failed, with all that is to be said of the others.
    pub fn show(mut self, session: &Session) -> Result<(), Failure> {
        let order = &self.order;
        // What an expression found keeps its own order.
        self.outputs.sort_by_key(|(name, _)| order.get(name).copied());
        self.failures.sort_by_key(|(name, _)| order.get(name).copied());
        let is_for_programs = matches!(self.format, Format::Json | Format::Yaml);
        let printed = match self.outputs.first() {
            Some((_, output)) if !self.is_list => session.show(output),
            None if !self.is_list && is_for_programs => Ok(()),
            _ => {
                self.outputs.iter().for_each(|(_, output)| self.printed.add(output));
                self.printed.end().map_err(Failure::from)
            }
        };
        let failures = self.failures.into_iter().map(|(_, failure)| failure);
        Failure::all(failures.chain(printed.err()).collect()).map_or(Ok(()), Err)
    }
}

/// Why a command stopped, with what it did not begin.
fn with_untried(why: String, untried: &[String]) -> String {
    match untried {
        [] => why,
        _ => format!("{why}; not tried: {}", listed(untried.iter().cloned())),
    }
}

/// How far a command is, with the time that the rest will take if it goes on so.
fn far(done: usize, all: usize, within: Duration) -> String {
    let rate = done as f64 / within.as_secs_f64();
    match done {
        0 => format!("0 of {all} done, {}", units::span(within.as_secs_f64())),
        _ => {
            let left = units::span((all.saturating_sub(done)) as f64 / rate);
            format!("{done} of {all} done, {rate:.0} a second, {left} left")
        }
    }
}

#[cfg(test)]
mod tests {
    use client::metadata::Partition;
    use kernel::{LeaderEpoch, NodeId};

    use super::*;

    #[test]
    fn a_name_that_is_given_twice_is_meant_once() {
        let names = ["b", "a", "b", "c", "a"].map(str::to_owned);
        assert_eq!(once(&names).map(String::as_str).collect::<Vec<_>>(), ["b", "a", "c"]);
    }

    #[test]
    fn how_far_a_command_is_is_told_with_the_time_that_is_left() {
        assert_eq!(far(0, 60, Duration::from_secs(2)), "0 of 60 done, 2.0s");
        assert_eq!(far(20, 60, Duration::from_secs(2)), "20 of 60 done, 10 a second, 4.0s left");
    }

    #[test]
    fn groups_whose_partition_has_no_leader_are_missed() {
        let partition = |(partition, leader): (i32, i32)| Partition {
            partition,
            leader: (leader > 0).then_some(NodeId(leader)),
            leader_epoch: LeaderEpoch::NONE,
            replicas: vec![NodeId(1)],
            isr: Vec::new(),
            offline: Vec::new(),
        };
        let missed = |leaders: [i32; 3]| {
            let partitions = (0..).zip(leaders).map(partition).map(|one| (one.partition, one)).collect();
            let topic = Topic { name: GROUPS.to_owned(), id: Uuid::ZERO, internal: true, partitions };
            without_leader(&topic).map(|failure| failure.message().to_owned())
        };
        assert_eq!(missed([1, 2, 3]), None);
        let one = "groups of 1 partition of __consumer_offsets are not listed: it has no leader";
        assert_eq!(missed([1, 0, 3]).as_deref(), Some(one));
        let two = "groups of 2 partitions of __consumer_offsets are not listed: they have no leader";
        assert_eq!(missed([0, 1, 0]).as_deref(), Some(two));
    }

    #[test]
    fn what_is_no_expression_is_refused_and_one_has_to_match() {
        assert!(Patterns::of(&["(".to_owned()]).is_err());
        let patterns = Patterns::of(&["^a$".to_owned(), "b".to_owned()]).expect("they are right");
        assert_eq!(["a", "aa", "abc"].map(|name| patterns.want(name)), [true, false, true]);
    }
}
