//! Why a produced batch is refused, in the words of the protocol.

use crate::batch::BatchError;
use crate::compress::CompressError;
use kernel::ErrorCode;
use std::fmt;

/// How many faulty records are named; a batch can have a million, and each takes room in the response.
pub const RECORD_ERRORS_MAX: usize = 1_000;

/// A refusal of all that was sent for a partition.
///
/// Kafka gives `message` to the producer only where `record_errors` are given, too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ProduceReject {
    pub code: ErrorCode,
    /// The records at fault, where single ones are, by their place in the batch.
    pub record_errors: Vec<RecordError>,
    pub message: String,
    /// Whether it is refused for its form, before anybody looks at the log.
    pub of_form: bool,
}

impl ProduceReject {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, record_errors: Vec::new(), message: message.into(), of_form: false }
    }

    pub(super) fn of_form(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { of_form: true, ..Self::new(code, message) }
    }

    /// The refusal of a batch in which these records are at fault, and others if `count` is more.
    pub(super) fn of_records(record_errors: Vec<RecordError>, count: usize, any_timestamp: bool) -> Self {
        // A producer may give new timestamps and try again, so that is the code if any record is refused for its time.
        let code = if any_timestamp { ErrorCode::InvalidTimestamp } else { ErrorCode::InvalidRecord };
        let mut message = format!("{count} records of the batch are refused");
        for (place, error) in record_errors.iter().take(3).enumerate() {
            let separator = if place == 0 { ": " } else { "; " };
            message.push_str(&format!("{separator}record {}: {}", error.batch_index, error.problem));
        }
        Self { code, record_errors, message, of_form: false }
    }
}

/// A record at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordError {
    /// The record's place in the batch, from 0.
    pub batch_index: i32,
    pub problem: RecordProblem,
}

impl RecordError {
    /// What to tell the producer.
    pub fn message(&self) -> String {
        self.problem.to_string()
    }
}

/// What is wrong with a well-formed record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordProblem {
    /// The topic is compacted, and what has no key cannot be.
    NoKey,
    /// The record's time is too far from the leader's.
    TimestampOutOfRange { timestamp: i64, earliest: i64, latest: i64 },
    /// The batch says that the leader set its time, before any leader saw it.
    TimestampTypeSet,
}

impl RecordProblem {
    pub(super) fn is_about_time(self) -> bool {
        !matches!(self, RecordProblem::NoKey)
    }
}

impl fmt::Display for RecordProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordProblem::NoKey => f.write_str("a compacted topic takes no record without a key"),
            RecordProblem::TimestampOutOfRange { timestamp, earliest, latest } => {
                write!(f, "timestamp {timestamp} is not between {earliest} and {latest}")
            }
            RecordProblem::TimestampTypeSet => {
                f.write_str("a producer may not set the timestamp type to LogAppendTime")
            }
        }
    }
}

/// The refusal for bytes that are no batch, or none that can be read.
pub(super) fn from_batch(error: BatchError) -> ProduceReject {
    let code = match &error {
        BatchError::Length(_) | BatchError::Magic(_) | BatchError::Checksum { .. } => {
            ErrorCode::CorruptMessage
        }
        BatchError::Codec(_) => ErrorCode::UnsupportedCompressionType,
        // A producer that is told so splits the batch and sends its halves, which an honest one gains by.
        BatchError::Decompress(CompressError::TooLarge { .. }) => ErrorCode::MessageTooLarge,
        BatchError::Decompress(CompressError::Failed { .. }) => ErrorCode::UnknownServerError,
        BatchError::Incomplete { .. }
        | BatchError::RecordCount(_)
        | BatchError::Record { .. }
        | BatchError::TrailingBytes { .. }
        | BatchError::Decompress(CompressError::Corrupt { .. }) => ErrorCode::InvalidRecord,
    };
    ProduceReject::new(code, error.to_string())
}
