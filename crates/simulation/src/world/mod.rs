//! The world: time, network, disks and entropy, all from one seed, and the nodes that live in it.
//!
//! Time stands still while anything has something to do, and then moves on to the next thing that is due.

pub mod clock;
pub mod net;
pub mod node;
pub mod timeline;
pub mod trace;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sim::Chance;
use tokio::time::Instant;

use crate::history::Recorder;
use net::Network;
use timeline::Timeline;
use trace::Trace;

/// Everything that a run shares. Clones are the same world.
#[derive(Clone)]
pub struct World {
    pub trace: Arc<Trace>,
    pub timeline: Timeline,
    pub network: Network,
    pub history: Arc<Recorder>,
    start: Instant,
    chance: Arc<Mutex<Chance>>,
}

impl World {
    /// A world that begins now, in the tokio runtime with a paused clock that this is called in.
    pub fn new(seed: u64, trace: Trace) -> Self {
        let start = Instant::now();
        let mut chance = Chance::new(seed);
        let trace = Arc::new(trace);
        let timeline = Timeline::begin();
        let network = Network::new(chance.split(), timeline.clone(), Arc::clone(&trace));
        let history = Arc::new(Recorder::new(start, Arc::clone(&trace)));
        Self { trace, timeline, network, history, start, chance: Arc::new(Mutex::new(chance)) }
    }

    /// Simulated time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Choices for a new part of the world.
    pub fn chance(&self) -> Chance {
        self.chance.lock().split()
    }
}
