//! How commands fail: an exit code, the cause with the broker's code, and the next step.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

use client::{Error, ErrorCode, NodeId, Timestamp, TopicPartition};

use super::ask::listed;
use super::time::Zone;
use super::units;
use crate::print::text::visible;
use crate::print::{Unprinted, note};

/// Something went wrong.
pub const FAILED: u8 = 1;
/// The command cannot be meant like this.
const WRONG_USE: u8 = 2;
/// What was named is not there.
const NOT_THERE: u8 = 3;
/// Told to stop by Ctrl-C, where the process does not end by the signal itself.
const INTERRUPTED: u8 = 130;

/// Where a line is completed that names a file next: the scripts leave that to the shell.
pub const NAME_A_FILE: u8 = 10;

/// Why a command ended early.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    exit: u8,
    message: String,
    next: Option<String>,
    /// What went wrong after it, where several things were tried.
    later: Vec<Failure>,
    /// What the user can do about all of it.
    besides: Option<String>,
    /// No broker can be reached, so that whatever else is tried fails as well.
    is_of_all: bool,
}

impl Failure {
    fn new(exit: u8, message: impl Into<String>, next: Option<String>) -> Failure {
        Failure { exit, message: message.into(), next, later: Vec::new(), besides: None, is_of_all: false }
    }

    pub fn failed(message: impl Into<String>) -> Failure {
        Failure::new(FAILED, message, None)
    }

    /// Somebody has told the command to stop before it was done: it ends by the signal, once everything is said.
    pub fn interrupted(message: impl Into<String>) -> Failure {
        Failure::new(INTERRUPTED, message, None)
    }

    pub fn wrong_use(message: impl Into<String>) -> Failure {
        Failure::new(WRONG_USE, message, None)
    }

    pub fn not_there(message: impl Into<String>) -> Failure {
        Failure::new(NOT_THERE, message, None)
    }

    /// What the scripts of `completion` are told, and nobody else.
    pub fn name_a_file() -> Failure {
        Failure::new(NAME_A_FILE, "", None)
    }

    /// All of them, with the exit code of the first; nothing if there are none.
    pub fn all(failures: Vec<Failure>) -> Option<Failure> {
        let with_later = |mut failure: Failure| {
            let later = std::mem::take(&mut failure.later);
            std::iter::once(failure).chain(later)
        };
        let mut failures = failures.into_iter().flat_map(with_later);
        let first = failures.next()?;
        Some(Failure { later: failures.collect(), ..first })
    }

    /// The same, where the cause is that something which was named is not there.
    pub fn for_what_is_not_there(mut self) -> Failure {
        self.exit = NOT_THERE;
        self
    }

    /// Says which of several things it is about, unless that is said already.
    pub fn about(self, name: &str) -> Failure {
        let name = visible(name);
        // A short name is a part of many words, and of a partition's name its number comes after it.
        let is_of_names = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        let is_name = |word: &str| {
            let rest = word.strip_prefix(&name);
            rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('-').is_some_and(is_number))
        };
        if self.message.split(|c| !is_of_names(c)).any(is_name) {
            return self;
        }
        Failure { message: format!("{name}: {}", self.message), ..self }
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the user can do, if anything is known.
    pub fn next_step(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// Says what the user can do.
    pub fn next(mut self, next: impl Into<String>) -> Failure {
        self.next = Some(next.into());
        self
    }

    /// The same, where nothing better is known.
    pub fn or_next(self, next: impl Into<String>) -> Failure {
        if self.next.is_some() { self } else { self.next(next) }
    }

    /// Says this besides.
    pub fn and_next(self, more: impl Into<String>) -> Failure {
        let more = more.into();
        let next = self.next.as_ref().map_or_else(|| more.clone(), |next| format!("{next}; {more}"));
        self.next(next)
    }

    /// Says of brokers that could not be reached why, and where they are looked for: somebody may wait for one in vain without
    /// a word of its address, as what a broker tells of itself need not be right for everybody.
    pub fn with_unreachable(mut self, brokers: &[(NodeId, Error)]) -> Failure {
        if self.exit == FAILED && !self.is_of_all && !brokers.is_empty() {
            let said = |cause: &str| {
                std::iter::once(&self).chain(&self.later).any(|failure| failure.message.contains(cause))
            };
            let causes = brokers.iter().map(|(id, error)| {
                let cause = visible(&error.to_string());
                if said(&cause) { of_broker(*id) } else { format!("{} ({cause})", of_broker(*id)) }
            });
            self.besides = Some(look_where_advertised(causes));
        }
        self
    }

    /// The same for who gave a setting by an option: options, with their settings.
    pub fn by_options(mut self, given: &[(&str, &str)]) -> Failure {
        for (option, setting) in given {
            let by_setting = format!("-X {setting}=VALUE");
            self.next = self.next.map(|next| next.replace(&by_setting, option));
        }
        self
    }

    /// What a client's error means for somebody who was `doing` something.
    pub fn of(error: Error, doing: &str) -> Failure {
        // A broker's words may hold anything, as the names that it repeats.
        let message = visible(&format!("{doing}: {error}"));
        let (exit, next) = match &error {
            Error::Unreachable { servers, reason } => (FAILED, Some(unreachable(servers, reason).to_owned())),
            Error::Config { name: "bootstrap.servers", .. } => {
                (WRONG_USE, Some("name a broker, for example --bootstrap localhost:9092".to_owned()))
            }
            // These are no settings: something has no form in which it could be sent.
            Error::Config { name: "request" | "record", .. } => (FAILED, None),
            Error::TextTooLong { .. } => (WRONG_USE, Some("give a shorter name or value there".to_owned())),
            Error::Config { name, .. } => {
                (WRONG_USE, Some(format!("-X {name}=VALUE sets it; leave it out for what is usual")))
            }
            Error::NotSupported { name: "security.protocol", .. } => (
                WRONG_USE,
                Some("reach a listener that speaks PLAINTEXT, on loopback or a trusted network".to_owned()),
            ),
            Error::NotSupported { .. } => (WRONG_USE, None),
            Error::NoOffset { .. } | Error::OutOfRange { .. } | Error::Truncated { .. } => (
                FAILED,
                Some(
                    "leave -X auto.offset.reset out to go on with what is there; `riverrun group reset` moves a group"
                        .to_owned(),
                ),
            ),
            Error::RecordTooLarge { .. } => (
                FAILED,
                Some("write smaller records, or allow larger ones: -X max.request.size=BYTES".to_owned()),
            ),
            Error::Unsupported { api: "Metadata", .. } => (FAILED, Some(NO_BROKERS_LISTENER.to_owned())),
            Error::Unsupported { .. } => {
                (FAILED, Some("the broker is older than this command, or a proxy is in between".to_owned()))
            }
            Error::Protocol { .. } => (FAILED, Some(SOMEBODY_ELSE.to_owned())),
            Error::DeliveryTimeout { last: Some(last), .. } => {
                let (exit, next) = last.code().map_or((FAILED, None), |code| advice(code, last));
                let alive =
                    "look whether the broker is alive and what its log says, and try again".to_owned();
                (exit, next.or(Some(alive)))
            }
            Error::Timeout { .. } => (FAILED, Some(format!("{WHO_IS_THERE}; then try again"))),
            Error::DeliveryTimeout { .. } | Error::Connection { .. } => {
                (FAILED, Some("look whether the broker is alive, and try again".to_owned()))
            }
            _ => error.code().map_or((FAILED, None), |code| advice(code, &error)),
        };
        let is_of_all = matches!(error, Error::Unreachable { .. });
        Failure { is_of_all, ..Failure::new(exit, message, next) }
    }

    /// What it means that nothing is known of some partitions of something, if there are any, and why.
    pub fn of_a_part(what: &str, silent: &BTreeMap<TopicPartition, Error>) -> Option<Failure> {
        let (name, error) = silent.first_key_value()?;
        let others = silent.len() - 1;
        let more = if others > 0 { format!(", and {others} more") } else { String::new() };
        let cause = if error.partition().is_some() { error.to_string() } else { format!("{name}: {error}") };
        let message = visible(&format!("not all of {what} is known: {cause}{more}"));
        Some(Failure::failed(message).next("`riverrun cluster health` shows which brokers are down"))
    }

    /// Whether it is of no use to try anything else.
    pub fn is_of_all(&self) -> bool {
        self.is_of_all
    }

    /// Records cannot be printed on, of which so many were.
    pub fn of_output(error: io::Error, records: u64) -> Failure {
        let mut failure = Failure::from(error);
        if !failure.message.is_empty() {
            let records = units::counted(usize::try_from(records).unwrap_or(usize::MAX), "record");
            failure.message.push_str(&format!("; {records} came out before"));
        }
        failure
    }

    /// Whether an error leaves open what became of a change: there was no answer, or that of a broker which has waited for
    /// others in vain.
    pub fn is_unknown(error: &Error) -> bool {
        matches!(error, Error::Timeout { .. } | Error::Connection { .. } | Error::Protocol { .. })
            || error.code() == Some(ErrorCode::RequestTimedOut)
    }

    /// The same, where something was to be changed: without an answer nobody knows whether it was, and `look` shows it.
    pub fn of_change(error: Error, doing: &str, look: &str) -> Failure {
        let is_unknown = Failure::is_unknown(&error);
        let failure = Failure::of(error, doing);
        match is_unknown {
            true => failure.maybe_done(format!("{WHO_IS_THERE}, and `{look}` whether it was done")),
            false => failure,
        }
    }

    /// Says that nobody knows whether what was begun was done, and how to look.
    pub fn maybe_done(mut self, next: impl Into<String>) -> Failure {
        self.message.push_str("; it may have been done all the same");
        self.next(next)
    }

    /// Tells the user, and gives the process its exit code.
    pub fn report(&self) -> ExitCode {
        let all = || std::iter::once(self).chain(&self.later).filter(|failure| !failure.message.is_empty());
        for (place, failure) in all().enumerate() {
            note(&format!("riverrun: {}", failure.message));
            // Advice for several that failed alike comes once, after the last of them.
            let same_follows = all().nth(place + 1).is_some_and(|later| later.next == failure.next);
            if let Some(next) = failure.next.as_ref().filter(|_| !same_follows) {
                note(&format!("next: {next}"));
            }
        }
        if let Some(next) = &self.besides {
            note(&format!("next: {next}"));
        }
        if self.exit == INTERRUPTED {
            // Nobody is left to be told that it cannot be written.
            let _ = io::stdout().flush();
            host::signal::end_as_told();
        }
        ExitCode::from(self.exit)
    }
}

/// A broker that is alive does not answer where it waits for controllers in vain.
pub const WHO_IS_THERE: &str =
    "`riverrun cluster health` shows whether the brokers and controllers are there";

/// What may help where brokers cannot be reached though another server can.
pub fn look_where_advertised(brokers: impl ExactSizeIterator<Item = String>) -> String {
    let whose = if brokers.len() == 1 { "it" } else { "each" };
    format!(
        "clients reach {} at what {whose} tells in advertised.listeners: look whether a broker is alive there, and whether \
         that leads to it from here",
        listed(brokers)
    )
}

pub fn of_broker(id: NodeId) -> String {
    format!("broker {}", id.0)
}

/// What may help where somebody answers otherwise than a broker does.
const SOMEBODY_ELSE: &str =
    "look whether a broker listens there, and without TLS; --bootstrap HOST:PORT names another one";

/// What may help where a server does not serve what every client begins with.
const NO_BROKERS_LISTENER: &str = "the port may be a listener for controllers (often 9093): name one for clients with --bootstrap \
                                   HOST:PORT; otherwise the broker is older than this command, or a proxy is in between";

/// What may help where no broker of these is there.
fn unreachable(servers: &str, reason: &str) -> &'static str {
    let here = |server: &str| ["127.", "localhost:", "[::1]:"].iter().any(|start| server.starts_with(start));
    let all = |so: &dyn Fn(&str) -> bool| servers.split(", ").all(so);
    // Whoever takes the connection and ends it has the port, so that no other broker can start at it.
    let is_free = reason.contains("refused");
    match all(&here) {
        true if !is_free => SOMEBODY_ELSE,
        // These are of a cluster, for which a new broker is none.
        true if servers.contains(", ") => {
            "start the brokers of the cluster, or look at their logs; --bootstrap HOST:PORT names another one"
        }
        true if all(&|server| server.ends_with(":9092")) => {
            "`riverrun start` starts a broker here; --bootstrap HOST:PORT names another one"
        }
        true => {
            "`riverrun start --set listeners=PLAINTEXT://HOST:PORT` starts a broker there; --bootstrap HOST:PORT names \
             another one"
        }
        false => {
            "look whether the address is right and the broker alive; --bootstrap HOST:PORT names another one"
        }
    }
}

/// What may help where no broker keeps what groups commit.
const NO_COORDINATOR: &str = "`riverrun cluster health` shows which brokers are down; where none is, there may be fewer than \
                              offsets.topic.replication.factor asks for, which `riverrun config get broker NUMBER --all` shows";

/// The exit code for a broker's code, and what may help.
fn advice(code: ErrorCode, error: &Error) -> (u8, Option<String>) {
    let topic = error.topic().unwrap_or("NAME");
    let (exit, next) = match code {
        ErrorCode::UnknownTopicOrPartition if error.partition().is_some() => {
            (NOT_THERE, format!("`riverrun topic describe {topic}` shows the partitions that it has"))
        }
        ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId => {
            (NOT_THERE, "`riverrun topic list` shows the topics that are there".to_owned())
        }
        ErrorCode::GroupIdNotFound => {
            (NOT_THERE, "`riverrun group list` shows the groups that are there".to_owned())
        }
        ErrorCode::TopicAlreadyExists => (FAILED, format!("`riverrun topic describe {topic}` shows it")),
        ErrorCode::InvalidTopicException => (
            WRONG_USE,
            "a name has letters, digits, dots, underscores and dashes, at most 249 of them, and is not another topic's \
             with dots for underscores"
                .to_owned(),
        ),
        ErrorCode::PolicyViolation => {
            (FAILED, "a policy of the cluster refuses it; of partitions at most 10000 are made for one request".to_owned())
        }
        ErrorCode::InvalidPartitions => {
            (FAILED, format!("`riverrun topic describe {topic}` shows how many it has; it can only get more"))
        }
        ErrorCode::ReassignmentInProgress => {
            (FAILED, "its partitions are on their way to other brokers: try again when they are there".to_owned())
        }
        ErrorCode::InvalidReplicationFactor => {
            (FAILED, "each replica needs a broker of its own: ask for fewer".to_owned())
        }
        ErrorCode::InvalidConfig => {
            (FAILED, "`riverrun config explain KEY` says what a setting may be".to_owned())
        }
        ErrorCode::LeaderNotAvailable if error.partition().is_some() => (
            FAILED,
            "`riverrun cluster health` shows which partitions have no leader and which brokers are down".to_owned(),
        ),
        ErrorCode::CoordinatorNotAvailable => {
            (FAILED, NO_COORDINATOR.to_owned())
        }
        ErrorCode::InvalidTimestamp => (FAILED, about_times(&error.to_string(), topic)),
        code => match about_records(code, topic).or_else(|| about_members(code)) {
            Some(next) => (FAILED, next),
            None if code.retriable() => (FAILED, "this may pass: try again".to_owned()),
            None => return (FAILED, None),
        },
    };
    (exit, Some(next))
}

/// What may help where a record is refused.
fn about_records(code: ErrorCode, topic: &str) -> Option<String> {
    Some(match code {
        ErrorCode::InvalidRecord => format!(
            "`riverrun config get topic {topic}` shows what it asks for; where it is compacted, each record needs a key \
             (--key, --key-separator)"
        ),
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => {
            format!("write smaller records, or raise max.message.bytes of {topic}")
        }
        ErrorCode::KafkaStorageError => {
            "the broker cannot write to its disk: its log says why, `riverrun cluster log-dirs` what is full"
                .to_owned()
        }
        _ => return None,
    })
}

/// What may help where a record claims a time that is too far off, with the times that the broker tells as people read them.
fn about_times(told: &str, topic: &str) -> String {
    // Names, which may have numbers as well, come before the code.
    let told = told.split_once("(32): ").map_or("", |(_, told)| told);
    let times =
        told.split(|c: char| !c.is_ascii_digit() && c != '-').filter_map(|number| number.parse().ok());
    // Smaller numbers are offsets, or times that nobody means.
    let shown: Vec<String> = times
        .map(Timestamp)
        .filter(|time| time.0.abs() >= 1000)
        .map(|time| (time.0.to_string(), Zone::UTC.format(time).to_string()))
        // Some are no date at all.
        .filter(|(number, date)| number != date)
        .map(|(number, date)| format!("{number} is {date}"))
        .collect();
    let shown = if shown.is_empty() { String::new() } else { format!("{}; ", shown.join(", ")) };
    format!(
        "{shown}message.timestamp.before.max.ms and message.timestamp.after.max.ms of {topic} say how far from the broker's \
         time a record may be"
    )
}

/// What may help where a group stands in the way.
fn about_members(code: ErrorCode) -> Option<String> {
    let next = match code {
        ErrorCode::FencedInstanceId => {
            "another member with the same group.instance.id has taken its place: each needs one of its own"
        }
        ErrorCode::NonEmptyGroup | ErrorCode::UnknownMemberId | ErrorCode::GroupSubscribedToTopic => {
            "the group has members: stop them first"
        }
        ErrorCode::InconsistentGroupProtocol => {
            "its members are of another kind, or it is a share group: take another name for the group"
        }
        _ => return None,
    };
    Some(next.to_owned())
}

impl From<io::Error> for Failure {
    /// Whoever reads our output may stop at any time (`| head`): that ends the command, quietly and well.
    fn from(error: io::Error) -> Failure {
        let next = match error.kind() {
            io::ErrorKind::BrokenPipe => return Failure::new(0, "", None),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                "make room where the output goes to, or send it elsewhere"
            }
            // A record does not fit into what was asked for.
            io::ErrorKind::InvalidData => "take a larger form for the length in the template, as {big32}",
            _ => "send the output elsewhere: what it goes to takes none",
        };
        Failure::failed(format!("the output cannot be written: {error}")).next(next)
    }
}

impl From<Unprinted> for Failure {
    /// What was changed is told all the same, so that nobody takes it for undone.
    fn from(Unprinted { error, done }: Unprinted) -> Failure {
        let failure = Failure::from(error);
        if failure.message.is_empty() || done.is_empty() {
            return failure;
        }
        let message = format!("{}; it is done all the same: {}", failure.message, listed(done.into_iter()));
        let next = failure.next.unwrap_or_default();
        Failure::failed(message).next(format!("{next}; what is done need not be done again"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_pipe_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.exit, failure.message.as_str()), (0, ""));
    }

    #[test]
    fn of_several_failures_the_first_gives_the_exit_code() {
        let failures = vec![Failure::not_there("a"), Failure::failed("b")];
        let all = Failure::all(failures).expect("there are some");
        assert_eq!((all.exit, all.message(), all.later.len()), (NOT_THERE, "a", 1));
        let more = Failure::all(vec![all, Failure::failed("c")]).expect("there are some");
        let later: Vec<&str> = more.later.iter().map(Failure::message).collect();
        assert_eq!(later, ["b", "c"], "what came later of the first is told with the rest");
        assert_eq!(Failure::all(Vec::new()), None);
    }

    #[test]
    fn where_no_answer_says_whether_it_was_done_nobody_is_told_that_it_was_not() {
        let lost = |error| Failure::of_change(error, "cannot create the topic", "riverrun topic describe a");
        let garbled = Error::Protocol { address: "h:1".to_owned(), reason: "it is cut".to_owned() };
        let late = Error::Timeout { what: "an answer".into(), after: std::time::Duration::from_secs(1) };
        for failure in [lost(garbled), lost(late)] {
            assert!(failure.message.ends_with("; it may have been done all the same"), "{failure:?}");
            assert!(failure.next.is_some_and(|next| next.contains("`riverrun topic describe a`")));
        }
    }

    #[test]
    fn a_failure_of_one_of_several_says_of_which() {
        let failed = || Failure::failed("cannot delete the topic: the connection failed");
        assert_eq!(failed().about("a b").message(), "a b: cannot delete the topic: the connection failed");
        assert_eq!(failed().about("t").message(), "t: cannot delete the topic: the connection failed");
        assert_eq!(Failure::failed("topic \"s3\": X").about("s").message(), "s: topic \"s3\": X");
        assert_eq!(Failure::failed("t-0: X").about("t").message(), "t-0: X");
        assert_eq!(Failure::failed("topic \"s3\": X").about("s3").message(), "topic \"s3\": X");
    }

    #[test]
    fn times_that_a_broker_refuses_are_said_as_people_read_them() {
        let told =
            "y2026-0: INVALID_TIMESTAMP (32): timestamp 1000 is not between 1795918860663 and 1795922461663";
        let next = about_times(told, "old");
        assert!(next.starts_with("1000 is 1970-01-01T00:00:01.000Z, 1795918860663 is 2026-11-29T"), "{next}");
        assert!(next.contains("; message.timestamp.before.max.ms and message.timestamp.after.max.ms of old"));
        let kafka = "old-0: INVALID_TIMESTAMP (32): Timestamp -5 of message with offset 0 is out of range. The timestamp should be within [5, 6]";
        assert!(about_times(kafka, "old").starts_with("message.timestamp.before"), "no times there");
        assert!(about_times("", "old").starts_with("message.timestamp.before"));
    }

    #[test]
    fn what_is_not_supported_is_wrong_use_and_says_what_is() {
        let error = Error::NotSupported { name: "security.protocol", value: "SASL_SSL".to_owned() };
        let failure = Failure::of(error, "cannot connect");
        assert_eq!(failure.exit, WRONG_USE);
        assert!(failure.message.contains("security.protocol=SASL_SSL is not supported by this version"));
        assert!(failure.next.is_some_and(|next| next.contains("PLAINTEXT")));
    }

    #[test]
    fn a_listener_that_is_for_controllers_is_named_as_one() {
        let next = |api| {
            let error = Error::Unsupported { address: "h:9093".to_owned(), api };
            Failure::of(error, "cannot connect").next.unwrap_or_default()
        };
        assert!(next("Metadata").contains("a listener for controllers (often 9093)"), "{}", next("Metadata"));
        assert!(next("Fetch").starts_with("the broker is older"), "{}", next("Fetch"));
    }

    #[test]
    fn a_broker_that_is_not_there_comes_with_the_next_step() {
        let failure = |servers: &str| {
            let error = Error::Unreachable { servers: servers.to_owned(), reason: "refused".to_owned() };
            Failure::of(error, "cannot connect")
        };
        let closed =
            Error::Unreachable { servers: "127.0.0.1:9092".to_owned(), reason: "it was closed".to_owned() };
        let closed = Failure::of(closed, "cannot connect").next;
        assert!(closed.is_some_and(|next| next.contains("without TLS")), "the port is taken");
        let (here, elsewhere) = (failure("127.0.0.1:9092"), failure("localhost:1, h:1"));
        let several = failure("127.0.0.1:9092, localhost:1").next;
        assert!(
            several.is_some_and(|next| next.contains("brokers of the cluster")),
            "a new one is none of them"
        );
        assert_eq!((here.exit, elsewhere.exit), (FAILED, FAILED));
        assert!(here.next.is_some_and(|next| next.contains("riverrun start")));
        assert!(
            elsewhere.next.is_some_and(|next| next.contains("address")),
            "nobody starts one there from here"
        );
    }
}
