//! A record that refers to something the image does not have.

use std::fmt::Display;

/// What a record referred to that is not there.
///
/// A log that a controller of this crate wrote has no such record. Logs of others are read with tolerance: the
/// record changes nothing, and this note says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {kind} {which}")]
pub struct Unknown {
    kind: &'static str,
    which: String,
}

impl Unknown {
    pub(crate) fn new(kind: &'static str, which: impl Display) -> Self {
        Self { kind, which: which.to_string() }
    }
}
