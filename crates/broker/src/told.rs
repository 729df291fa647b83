//! How clients are told what the controller decided.

use std::time::Duration;

use kernel::ErrorCode;
use metadata::controller::Refusal;

/// The message for a partition that is not here, where an answer has room for one.
pub(crate) const NOT_HOSTED: &str = "This server does not host this topic-partition.";

/// The code and the message for a result. What was done needs no message.
pub(crate) fn told<T>(result: &Result<T, Refusal>) -> (i16, Option<String>) {
    match result {
        Ok(_) => (ErrorCode::None.code(), None),
        Err(refusal) => (refusal.code.code(), Some(refusal.message.clone())),
    }
}

/// A refusal for whatever could not even be decided.
pub(crate) fn undecided(code: ErrorCode) -> Refusal {
    let message = match code {
        ErrorCode::RequestTimedOut => {
            "The change was not made within the request's time; it may be made still."
        }
        ErrorCode::KafkaStorageError => "The metadata log cannot be written.",
        _ => code.name(),
    };
    Refusal::new(code, message)
}

/// Waits for a change as long as its client does. A change that has begun goes on after that.
pub(crate) async fn within<T>(
    timeout_ms: i32,
    change: impl Future<Output = Result<T, ErrorCode>>,
) -> Result<T, ErrorCode> {
    match u64::try_from(timeout_ms) {
        Ok(millis) if millis > 0 => {
            let waited = tokio::time::timeout(Duration::from_millis(millis), change).await;
            waited.unwrap_or(Err(ErrorCode::RequestTimedOut))
        }
        // Clients that send no time mean that they do not care.
        _ => change.await,
    }
}
