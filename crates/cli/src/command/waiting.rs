//! Says on a terminal that something is waited for, so that nobody takes it for stuck.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;

use crate::print::Notice;

/// How often it is said anew, and after how long for the first time.
const INTERVAL: Duration = Duration::from_secs(1);

/// Waits, and says on one line what for while it takes, which may depend on how long it has taken.
pub async fn waiting<F: Future>(what: impl Fn(Duration) -> String, awaited: F) -> F::Output {
    let mut awaited = pin!(awaited);
    let mut notice = Notice::new();
    let begun = Instant::now();
    loop {
        tokio::select! {
            biased;
            output = &mut awaited => return output,
            () = tokio::time::sleep(INTERVAL) => notice.show(&what(begun.elapsed())),
        }
    }
}
