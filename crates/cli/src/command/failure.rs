//! How commands fail: an exit code, the cause with the broker's code, and the next step.

use std::io;
use std::process::ExitCode;

use client::{Error, ErrorCode};

/// Something went wrong.
pub const FAILED: u8 = 1;
/// The command cannot be meant like this.
pub const WRONG_USE: u8 = 2;
/// What was named is not there.
const NOT_THERE: u8 = 3;

/// Why a command ended early.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    exit: u8,
    message: String,
    next: Option<String>,
}

impl Failure {
    pub fn failed(message: impl Into<String>) -> Failure {
        Failure { exit: FAILED, message: message.into(), next: None }
    }

    pub fn wrong_use(message: impl Into<String>) -> Failure {
        Failure { exit: WRONG_USE, message: message.into(), next: None }
    }

    pub fn not_there(message: impl Into<String>) -> Failure {
        Failure { exit: NOT_THERE, message: message.into(), next: None }
    }

    /// Says what the user can do.
    pub fn next(mut self, next: impl Into<String>) -> Failure {
        self.next = Some(next.into());
        self
    }

    /// What a client's error means for somebody who was `doing` something.
    pub fn of(error: Error, doing: &str) -> Failure {
        let message = format!("{doing}: {error}");
        let (exit, next) = match &error {
            Error::Unreachable { servers, .. } => (FAILED, Some(unreachable(servers).to_owned())),
            Error::Config { name: "bootstrap.servers", .. } => {
                (WRONG_USE, Some("name a broker, for example --bootstrap localhost:9092".to_owned()))
            }
            Error::Config { .. } => (WRONG_USE, None),
            Error::NotSupported { name: "security.protocol", .. } => (
                WRONG_USE,
                Some("reach a listener that speaks PLAINTEXT, on loopback or a trusted network".to_owned()),
            ),
            Error::NotSupported { .. } => (WRONG_USE, None),
            Error::RecordTooLarge { .. } => (FAILED, Some("write smaller records".to_owned())),
            Error::Unsupported { .. } => {
                (FAILED, Some("the broker is older than this command, or a proxy is in between".to_owned()))
            }
            Error::Protocol { .. } => (
                FAILED,
                Some(
                    "look whether a broker listens there, and without TLS; --bootstrap names another one"
                        .to_owned(),
                ),
            ),
            Error::Timeout { .. } | Error::Connection { .. } => {
                (FAILED, Some("look whether the broker is alive, and try again".to_owned()))
            }
            _ => error.code().map_or((FAILED, None), |code| advice(code, &error)),
        };
        Failure { exit, message, next }
    }

    /// Tells the user, and gives the process its exit code.
    pub fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("riverrun: {}", self.message);
            if let Some(next) = &self.next {
                eprintln!("next: {next}");
            }
        }
        ExitCode::from(self.exit)
    }
}

/// What may help where no broker of these is there.
fn unreachable(servers: &str) -> &'static str {
    let here = |server: &str| ["127.", "localhost:", "[::1]:"].iter().any(|start| server.starts_with(start));
    match servers.split(", ").all(here) {
        true => "`riverrun start` starts a broker here; --bootstrap HOST:PORT names another one",
        false => {
            "look whether the address is right and the broker alive; --bootstrap HOST:PORT names another one"
        }
    }
}

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
            FAILED,
            "a name has letters, digits, dots, underscores and dashes, and at most 249 of them".to_owned(),
        ),
        ErrorCode::InvalidReplicationFactor => {
            (FAILED, "each replica needs a broker of its own: ask for fewer".to_owned())
        }
        ErrorCode::InvalidConfig => {
            (FAILED, "`riverrun config explain KEY` says what a setting may be".to_owned())
        }
        ErrorCode::NonEmptyGroup | ErrorCode::UnknownMemberId | ErrorCode::GroupSubscribedToTopic => {
            (FAILED, "the group has members: stop them first".to_owned())
        }
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => {
            (FAILED, format!("write smaller records, or raise max.message.bytes of {topic}"))
        }
        code if code.retriable() => (FAILED, "this may pass: try again".to_owned()),
        _ => return (FAILED, None),
    };
    (exit, Some(next))
}

impl From<io::Error> for Failure {
    /// Whoever reads our output may stop at any time (`| head`): that ends the command, quietly and well.
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure { exit: 0, message: String::new(), next: None },
            _ => Failure::failed(format!("the output cannot be written: {error}")),
        }
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
    fn what_is_not_supported_is_wrong_use_and_says_what_is() {
        let error = Error::NotSupported { name: "security.protocol", value: "SASL_SSL".to_owned() };
        let failure = Failure::of(error, "cannot connect");
        assert_eq!(failure.exit, WRONG_USE);
        assert!(failure.message.contains("security.protocol=SASL_SSL is not supported by this version"));
        assert!(failure.next.is_some_and(|next| next.contains("PLAINTEXT")));
    }

    #[test]
    fn a_broker_that_is_not_there_comes_with_the_next_step() {
        let failure = |servers: &str| {
            let error = Error::Unreachable { servers: servers.to_owned(), reason: "refused".to_owned() };
            Failure::of(error, "cannot connect")
        };
        let (here, elsewhere) = (failure("127.0.0.1:9092, localhost:1"), failure("localhost:1, h:1"));
        assert_eq!((here.exit, elsewhere.exit), (FAILED, FAILED));
        assert!(here.next.is_some_and(|next| next.contains("riverrun start")));
        assert!(
            elsewhere.next.is_some_and(|next| next.contains("address")),
            "nobody starts one there from here"
        );
    }
}
