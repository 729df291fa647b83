//! What can go wrong, with whose fault it is and whether asking again may help.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use kernel::ErrorCode;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A broker answered with an error code.
    #[error(transparent)]
    Broker(BrokerError),
    /// None of the bootstrap servers, nor any broker known from before, could be reached.
    #[error("no broker can be reached at {servers}: {reason}")]
    Unreachable {
        /// As configured, separated by commas.
        servers: String,
        /// In words.
        reason: String,
    },
    /// A connection could not be made, or ended while an answer was awaited.
    #[error("the connection to {address} failed: {reason}")]
    Connection {
        /// Of the server.
        address: String,
        /// In words.
        reason: String,
    },
    /// No answer came, or nothing could be done, in the time that the configuration allows.
    #[error("{what} took longer than {} ms", after.as_millis())]
    Timeout {
        /// What was waited for.
        what: Cow<'static, str>,
        /// How long.
        after: Duration,
    },
    /// A record was not acknowledged within `delivery.timeout.ms`.
    #[error(
        "delivering a record to {topic}-{partition} took longer than {} ms{}{}",
        after.as_millis(),
        last.as_deref().map_or_else(String::new, |last| format!("; the last attempt failed: {last}")),
        if *uncertain { "; it may have been written all the same" } else { "" }
    )]
    DeliveryTimeout {
        /// Where it was to go.
        topic: String,
        /// Its number.
        partition: i32,
        /// How long it was tried.
        after: Duration,
        /// Whether it may have been written, or may still be.
        uncertain: bool,
        /// Why the last attempt failed; nothing if there was none, or it has not ended.
        last: Option<Box<Error>>,
    },
    /// A server sent bytes that are not what the protocol says. The connection was closed.
    #[error("{address} does not speak the protocol: {reason}")]
    Protocol {
        /// Of the server.
        address: String,
        /// In words.
        reason: String,
    },
    /// The server serves an API in no version that this client speaks.
    #[error("{address} does not serve {api} in a version that this client speaks")]
    Unsupported {
        /// Of the server.
        address: String,
        /// In Kafka's name.
        api: &'static str,
    },
    /// A configuration cannot work; found before anything is sent.
    #[error("{name}: {reason}")]
    Config {
        /// The setting, in Kafka's name.
        name: &'static str,
        /// In words.
        reason: String,
    },
    /// A setting has a value of Kafka's that this version does not serve yet; found before anything is sent.
    #[error("{name}={value} is not supported by this version")]
    NotSupported {
        /// The setting, in Kafka's name.
        name: &'static str,
        /// As it is written for Kafka.
        value: String,
    },
    /// A record takes more bytes than may be sent; nothing of it was.
    #[error("a record of {size} bytes is larger than {setting} allows ({limit})")]
    RecordTooLarge {
        /// Of the record, in bytes.
        size: usize,
        /// In Kafka's name.
        setting: &'static str,
        /// In bytes.
        limit: usize,
    },
    /// A name or a value takes more bytes than the protocol has for one; nothing was sent.
    #[error(
        "the text of {size} bytes that begins with {start:?} is longer than {limit} bytes, which is the most that can be sent"
    )]
    TextTooLong {
        /// Its first characters.
        start: String,
        /// Of the text, in bytes.
        size: usize,
        /// In bytes.
        limit: usize,
    },
    /// Records that were fetched cannot be read.
    #[error("the records of {topic}-{partition} at offset {offset} cannot be read: {reason}")]
    Records {
        /// Where.
        topic: String,
        /// Its number.
        partition: i32,
        /// Where the batch begins that cannot be read.
        offset: i64,
        /// In words.
        reason: String,
    },
    /// A record was refused, as another one of its batch was: nothing of the batch is written.
    #[error("a record of {topic}-{partition} was not written, as another one of its batch was refused")]
    RefusedWithAnother {
        /// Where it was to go.
        topic: String,
        /// Its number.
        partition: i32,
    },
    /// An earlier record of the partition was given up, and whether this one was written is not known.
    #[error("whether a record of {topic}-{partition} was written is not known: {reason}")]
    Uncertain {
        /// Where.
        topic: String,
        /// Its number.
        partition: i32,
        /// In words.
        reason: String,
    },
    /// Nobody says where to begin: nothing is committed, and `auto.offset.reset` is none.
    #[error("{topic}-{partition}: there is no offset to begin at, and auto.offset.reset is none")]
    NoOffset {
        /// Where.
        topic: String,
        /// Its number.
        partition: i32,
    },
    /// The log does not have the position: it begins after it, or ends before it. Comes only where `auto.offset.reset` is
    /// none; seek to go on.
    #[error("{topic}-{partition}: offset {offset} is not in its log, and auto.offset.reset is none")]
    OutOfRange {
        /// Where.
        topic: String,
        /// Its number.
        partition: i32,
        /// Of the record that was to be read next.
        offset: i64,
    },
    /// The log no longer has what was read last: it was truncated, and may have been written anew since. Comes only where
    /// `auto.offset.reset` is none; seek to go on.
    #[error(
        "{topic}-{partition} was truncated: what was read up to offset {offset} is not in its log{}, and \
         auto.offset.reset is none",
        divergent.map_or_else(String::new, |divergent| format!(" from offset {divergent} on"))
    )]
    Truncated {
        /// Where.
        topic: String,
        /// Its number.
        partition: i32,
        /// Of the record that was to be read next.
        offset: i64,
        /// The first offset at which the log is known to differ from what was read; nothing if the leader knows none of
        /// the epochs up to that of the last record.
        divergent: Option<i64>,
    },
    /// A call that does not go with those before it. Nothing was done.
    #[error("{0}")]
    Misuse(&'static str),
    /// The producer or consumer is closed.
    #[error("it is closed")]
    Closed,
}

/// An error code of a broker, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerError {
    /// The code; a number that the protocol's table does not have is `UnknownServerError`.
    pub code: ErrorCode,
    /// The broker's own words, where the API carries any.
    pub message: Option<String>,
    /// The topic that it is about.
    pub topic: Option<String>,
    /// The partition of the topic.
    pub partition: Option<i32>,
    /// The group that it is about.
    pub group: Option<String>,
}

impl BrokerError {
    /// The error that `code` on the wire stands for; `Ok` for success.
    pub(crate) fn check(code: i16) -> Result<(), BrokerError> {
        if code == 0 { Ok(()) } else { Err(BrokerError::new(code)) }
    }

    pub(crate) fn new(code: i16) -> Self {
        let known = ErrorCode::from_code(code);
        let message = known.is_none().then(|| format!("error code {code}, which this client does not know"));
        let code = known.unwrap_or(ErrorCode::UnknownServerError);
        Self { code, message, topic: None, partition: None, group: None }
    }

    /// Adds the broker's own words, if it sent any.
    pub(crate) fn message(mut self, message: Option<impl Into<String>>) -> Self {
        let message = message.map(Into::into).filter(|message| !message.is_empty());
        self.message = message.or(self.message);
        self
    }

    pub(crate) fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    pub(crate) fn partition(mut self, topic: impl Into<String>, partition: i32) -> Self {
        self.topic = Some(topic.into());
        self.partition = Some(partition);
        self
    }

    pub(crate) fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.topic, self.partition, &self.group) {
            (Some(topic), Some(partition), _) => write!(f, "{topic}-{partition}: ")?,
            (Some(topic), None, _) => write!(f, "topic {topic:?}: ")?,
            (None, _, Some(group)) => write!(f, "group {group:?}: ")?,
            (None, _, None) => {}
        }
        write!(f, "{}", self.code)?;
        match &self.message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for BrokerError {}

impl From<BrokerError> for Error {
    fn from(error: BrokerError) -> Self {
        Error::Broker(error)
    }
}

impl Error {
    /// The broker's error code, if a broker answered.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Error::Broker(error) => Some(error.code),
            _ => None,
        }
    }

    /// The topic that the error is about, if it is about one.
    pub fn topic(&self) -> Option<&str> {
        match self {
            Error::Broker(error) => error.topic.as_deref(),
            Error::DeliveryTimeout { topic, .. }
            | Error::RefusedWithAnother { topic, .. }
            | Error::Records { topic, .. }
            | Error::Uncertain { topic, .. }
            | Error::NoOffset { topic, .. }
            | Error::OutOfRange { topic, .. }
            | Error::Truncated { topic, .. } => Some(topic),
            _ => None,
        }
    }

    /// The partition that the error is about, if it is about one.
    pub fn partition(&self) -> Option<i32> {
        match self {
            Error::Broker(error) => error.partition,
            Error::DeliveryTimeout { partition, .. }
            | Error::RefusedWithAnother { partition, .. }
            | Error::Records { partition, .. }
            | Error::Uncertain { partition, .. }
            | Error::NoOffset { partition, .. }
            | Error::OutOfRange { partition, .. }
            | Error::Truncated { partition, .. } => Some(*partition),
            _ => None,
        }
    }

    /// Whether the same call may succeed later, and can be made again without doing anything twice. The client itself has
    /// retried until its time was up.
    pub fn retriable(&self) -> bool {
        match self {
            Error::Broker(error) => error.code.retriable(),
            Error::Unreachable { .. } | Error::Connection { .. } | Error::Timeout { .. } => true,
            Error::DeliveryTimeout { uncertain, .. } => !uncertain,
            Error::RefusedWithAnother { .. } => true,
            _ => false,
        }
    }

    /// Whether the way to the broker failed, so that nothing is known about what became of the request.
    pub(crate) fn is_connection(&self) -> bool {
        matches!(self, Error::Connection { .. } | Error::Timeout { .. } | Error::Protocol { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_what_it_is_about_and_the_code() {
        let error: Error = BrokerError::new(6).partition("orders", 2).into();
        assert_eq!(error.to_string(), "orders-2: NOT_LEADER_OR_FOLLOWER (6)");
        assert_eq!((error.code(), error.retriable()), (Some(ErrorCode::NotLeaderOrFollower), true));
        assert_eq!((error.topic(), error.partition()), (Some("orders"), Some(2)));
    }

    #[test]
    fn a_code_from_the_future_keeps_its_number() {
        let error = BrokerError::new(4242);
        assert_eq!(error.code, ErrorCode::UnknownServerError);
        assert!(error.to_string().contains("4242"));
    }
}
