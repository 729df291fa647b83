//! The end of a node, seen by everything that waits.

use tokio::sync::watch;

/// Says once that the node stops.
#[derive(Debug)]
pub struct Stop {
    stopping: watch::Sender<bool>,
}

impl Stop {
    pub fn new() -> Self {
        Self { stopping: watch::Sender::new(false) }
    }

    /// Ends every wait of every [`StopSignal`].
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    pub fn signal(&self) -> StopSignal {
        StopSignal { stopping: self.stopping.subscribe() }
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

/// Waits for the node's end.
#[derive(Debug, Clone)]
pub struct StopSignal {
    stopping: watch::Receiver<bool>,
}

impl StopSignal {
    /// Resolves when the node stops, or has stopped already.
    pub async fn wait(&mut self) {
        // An error means that the node is gone, which is the same.
        let _ = self.stopping.wait_for(|stopping| *stopping).await;
    }
}
