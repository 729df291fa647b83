//! The exact outcome of each decision.
#![allow(clippy::type_complexity, reason = "tables of cases say what they hold themselves")]

mod brokers;
mod configs;
mod directories;
mod elect;
mod features;
mod partitions;
mod quotas;
mod topics;

use kernel::ErrorCode;

use super::Refusal;

/// The code of a refusal, or of success.
fn code<T>(result: &Result<T, Refusal>) -> ErrorCode {
    result.as_ref().err().map_or(ErrorCode::None, |refusal| refusal.code)
}
