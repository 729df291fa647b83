//! Says on a terminal that something is waited for, so that nobody takes it for stuck.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::print::Notice;

/// How often it is said anew, and after how long for the first time.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many waits there are, one within the other. The innermost knows best what is waited for, and is the one that says so.
static DEPTH: AtomicUsize = AtomicUsize::new(0);

struct Depth(usize);

impl Depth {
    fn enter() -> Depth {
        Depth(DEPTH.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn is_innermost(&self) -> bool {
        DEPTH.load(Ordering::Relaxed) == self.0
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        DEPTH.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits, and says on one line what for while it takes, which may depend on how long it has taken.
pub async fn waiting<F: Future>(what: impl Fn(Duration) -> String, awaited: F) -> F::Output {
    waiting_at(INTERVAL, what, awaited).await
}

async fn waiting_at<F: Future>(
    interval: Duration,
    what: impl Fn(Duration) -> String,
    awaited: F,
) -> F::Output {
    let mut awaited = pin!(awaited);
    let mut notice = Notice::new();
    let depth = Depth::enter();
    let begun = Instant::now();
    loop {
        tokio::select! {
            biased;
            output = &mut awaited => return output,
            () = tokio::time::sleep(interval) => {
                if depth.is_innermost() {
                    notice.show(&what(begun.elapsed()));
                }
            }
        }
    }
}

/// Waits for somebody who is asked, and lets nothing else be said meanwhile: it would stand in the place of the question.
pub async fn quietly<F: Future>(awaited: F) -> F::Output {
    let _depth = Depth::enter();
    awaited.await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn nothing_is_said_while_somebody_is_asked() {
        let said = Cell::new(0);
        let say = |_| {
            said.set(said.get() + 1);
            String::new()
        };
        let moment = Duration::from_millis(1);
        waiting_at(moment, say, quietly(tokio::time::sleep(moment * 20))).await;
        assert_eq!(said.get(), 0);
        let until_said = async {
            while said.get() == 0 {
                tokio::time::sleep(moment).await;
            }
        };
        waiting_at(moment, say, until_said).await;
    }
}
