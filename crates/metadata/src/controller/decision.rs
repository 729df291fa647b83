//! What comes out of a decision.

use kernel::ErrorCode;

use crate::record::MetadataRecord;

/// Records to append, and the reply to give once they are committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision<R> {
    pub records: Vec<MetadataRecord>,
    pub reply: R,
    /// Whether the records count together or not at all, and so have to go into one batch.
    pub atomic: bool,
}

impl<R> Decision<R> {
    /// Records that count together or not at all.
    pub fn atomic(records: impl IntoIterator<Item = MetadataRecord>, reply: R) -> Self {
        Self { records: records.into_iter().collect(), reply, atomic: true }
    }

    /// Records of which any number from the front may count.
    pub fn in_steps(records: impl IntoIterator<Item = MetadataRecord>, reply: R) -> Self {
        Self { records: records.into_iter().collect(), reply, atomic: false }
    }

    /// The same records with another reply.
    pub fn map<T>(self, map: impl FnOnce(R) -> T) -> Decision<T> {
        Decision { records: self.records, reply: map(self.reply), atomic: self.atomic }
    }

    /// A reply that changes nothing.
    pub fn reply(reply: R) -> Self {
        Self { records: Vec::new(), reply, atomic: true }
    }
}

/// Why something was not done: what the client is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    pub code: ErrorCode,
    pub message: String,
}

impl Refusal {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A value or name that the configuration does not allow.
    pub fn invalid_config(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidConfig, message)
    }

    /// A request that contradicts itself.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            ErrorCode::PolicyViolation,
            format!(
                "The operation needs more than {RECORDS_PER_DECISION_MAX} records; split it into several."
            ),
        )
    }
}

/// How many records one user's request may cause, so that they fit into one batch of the metadata log.
pub const RECORDS_PER_DECISION_MAX: usize = 10_000;
