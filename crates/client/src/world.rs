//! What a client needs of the world outside it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use host::net::Connect;
use host::{RealClock, RealEntropy, RealNet};
use kernel::Timestamp;
use kernel::port::{Clock, Entropy};

/// The network, the clock and the randomness of a client.
#[derive(Clone)]
pub struct World {
    /// Makes connections.
    pub net: Arc<dyn Connect>,
    /// Says when records happen.
    pub clock: Arc<dyn Clock>,
    /// Draws what must not be guessed or come in step.
    pub entropy: Arc<dyn Entropy>,
}

impl World {
    /// The machine's own.
    pub fn real() -> Self {
        Self { net: Arc::new(RealNet), clock: Arc::new(RealClock::new()), entropy: Arc::new(RealEntropy) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    pub(crate) fn random(&self) -> u32 {
        let mut bytes = [0; 4];
        self.entropy.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// The wait, up to a fifth shorter or longer, so that clients do not come in step.
    pub(crate) fn jittered(&self, wait: Duration) -> Duration {
        let fifth = f64::from(self.random()) / f64::from(u32::MAX) * 0.4 - 0.2;
        wait.mul_f64(1.0 + fifth)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("net", &self.net).finish_non_exhaustive()
    }
}
