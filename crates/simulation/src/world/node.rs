//! A host with a node on it: what runs there can crash, lose its power, stand still, stop as it should, and start again.

use std::sync::Arc;
use std::time::Duration;

use broker::Running;
use host::task::Scope;
use kernel::option::{NodeOptions, Sources, resolve};
use kernel::port::Entropy;
use parking_lot::Mutex;
use sim::{Chance, Completions, Operation, PowerCut, SimDisk, SimEntropy, Watch};
use tokio::sync::{Notify, oneshot};

use super::World;
use super::clock::HostClock;
use super::net::HostId;

/// Where every node listens.
pub const PORT: u16 = 9092;

/// How long submitted work takes on a healthy disk.
const DISK_TIME: std::ops::RangeInclusive<Duration> = Duration::from_micros(50)..=Duration::from_millis(2);

/// How long after its end a process is started again, at least: its sockets are closed by then.
const RESTART_MIN: Duration = Duration::from_millis(10);

/// How long after a failed start the next one is made.
const START_AGAIN: Duration = Duration::from_secs(1);

/// A host and its node. Clones are the same.
#[derive(Clone)]
pub struct SimNode(Arc<Shared>);

struct Shared {
    world: World,
    name: String,
    pub host: HostId,
    disk: SimDisk,
    clock: HostClock,
    entropy: Arc<SimEntropy>,
    settings: Vec<String>,
    state: Mutex<State>,
    chance: Mutex<Chance>,
    changed: Notify,
}

struct State {
    scope: Scope,
    standing: Standing,
    paused: bool,
    disk_time: std::ops::RangeInclusive<Duration>,
    /// Ends the node as an operator does.
    stop: Option<oneshot::Sender<()>>,
    /// Why the last start failed.
    failure: Option<String>,
    /// What happens once the disk has halted in the middle of a change: a power cut or only a crash, and a start after.
    halting: Option<(Option<PowerCut>, Duration)>,
    /// The disk was made to fail, in a way that its process need not survive, and may still.
    troubled: bool,
}

/// What the process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Starting,
    Serving,
    Down,
}

/// Puts what a disk does into the trace, and finishes what was submitted after a while.
struct Watcher(std::sync::Weak<Shared>);

impl Watch for Watcher {
    fn operation(&self, operation: &Operation) {
        let Some(node) = self.0.upgrade() else { return };
        let Operation { op, path, position, len, failed } = operation;
        let (name, path) = (&node.name, path.display());
        let failed = if *failed { " failed" } else { "" };
        node.world.trace.line(format_args!("disk {name} {op:?} {path} {position} {len}{failed}"));
        if operation.failed {
            SimNode(node).halted_later();
        }
    }

    fn submitted(&self) {
        if let Some(node) = self.0.upgrade() {
            SimNode(node).complete_later();
        }
    }
}

impl SimNode {
    /// A host with an empty disk.
    pub fn new(world: &World, name: &str, settings: &[String]) -> Self {
        let new = |seed, clock: HostClock| SimDisk::with_clock(seed, Arc::new(clock));
        Self::on(world, name, settings, new)
    }

    /// A host with the disk that is made for its seed and clock.
    pub fn on(
        world: &World,
        name: &str,
        settings: &[String],
        disk: impl FnOnce(u64, HostClock) -> SimDisk,
    ) -> Self {
        let host = world.network.add_host(name);
        let mut chance = world.chance();
        let clock = HostClock::new();
        let disk = disk(chance.number(), clock.clone());
        disk.set_completions(Completions::Queued);
        let state = State {
            scope: Scope::default(),
            standing: Standing::Down,
            paused: false,
            disk_time: DISK_TIME,
            stop: None,
            failure: None,
            halting: None,
            troubled: false,
        };
        let shared = Arc::new(Shared {
            world: world.clone(),
            name: name.to_owned(),
            host,
            disk,
            clock,
            entropy: Arc::new(SimEntropy::new(chance.number())),
            settings: settings.to_vec(),
            state: Mutex::new(state),
            chance: Mutex::new(chance),
            changed: Notify::new(),
        });
        shared.disk.watch(Arc::new(Watcher(Arc::downgrade(&shared))));
        Self(shared)
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub fn host(&self) -> HostId {
        self.0.host
    }

    pub fn disk(&self) -> &SimDisk {
        &self.0.disk
    }

    pub fn clock(&self) -> &HostClock {
        &self.0.clock
    }

    pub fn standing(&self) -> Standing {
        self.0.state.lock().standing
    }

    /// Why the last start failed, if it did.
    pub fn failure(&self) -> Option<String> {
        self.0.state.lock().failure.clone()
    }

    /// Starts the process on what its disk holds.
    pub fn start(&self) {
        let scope = Scope::default();
        let (stop, stopped) = oneshot::channel();
        {
            let mut state = self.0.state.lock();
            if state.standing != Standing::Down {
                return;
            }
            state.scope = scope.clone();
            state.standing = Standing::Starting;
            state.stop = Some(stop);
        }
        self.0.world.network.power_up(self.0.host);
        self.0.world.history.note(format_args!("{} starts", self.0.name));
        let node = self.clone();
        scope.spawn(async move {
            let outcome = node.clone().live(stopped).await;
            node.ended(outcome.err());
        });
    }

    /// The life of a process, from its start to its orderly end.
    async fn live(self, stopped: oneshot::Receiver<()>) -> Result<(), String> {
        let sources = Sources { file: None, environment: &[], command_line: &self.0.settings };
        let options = NodeOptions::new(resolve(&sources).map_err(|error| error.to_string())?);
        let world = broker::World {
            disk: self.0.disk.port(),
            clock: Arc::new(self.0.clock.clone()),
            entropy: Arc::clone(&self.0.entropy) as Arc<dyn Entropy>,
            net: self.0.world.network.of(self.0.host),
        };
        let running: Running = broker::start(options, world).await.map_err(|error| error.to_string())?;
        {
            let mut state = self.0.state.lock();
            state.standing = Standing::Serving;
            state.failure = None;
        }
        self.0.changed.notify_waiters();
        self.0.world.history.note(format_args!("{} serves", self.0.name));
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
        running.stop().await.map_err(|error| error.to_string())
    }

    /// The process has ended by itself.
    fn ended(&self, failure: Option<String>) {
        match &failure {
            Some(why) => self.0.world.history.note(format_args!("{} ends: {why}", self.0.name)),
            None => self.0.world.history.note(format_args!("{} has stopped", self.0.name)),
        }
        self.leave_disk();
        let mut state = self.0.state.lock();
        state.standing = Standing::Down;
        let failed = failure.is_some();
        state.failure = failure;
        state.scope.abort();
        drop(state);
        self.0.changed.notify_waiters();
        if failed {
            // Whoever watches over processes starts it again.
            self.start_after(START_AGAIN);
        }
    }

    /// Asks the process to end in order.
    pub fn stop(&self) {
        let stop = self.0.state.lock().stop.take();
        if let Some(stop) = stop {
            self.0.world.history.note(format_args!("{} is asked to stop", self.0.name));
            // If it has ended meanwhile, that is as good.
            let _ = stop.send(());
        }
    }

    /// Ends the process as `kill -9` does.
    pub fn crash(&self) {
        if self.kill("crashes") {
            self.leave_disk();
        }
    }

    /// What a process that ends leaves on its disk. After a sync that failed, the kernel shows what the disk does not have,
    /// and what starts next would take it for whole: as in life, the host has to go down with its process.
    fn leave_disk(&self) {
        // The trouble lasts: what starts on a disk that is still full will not write to it again once there is room.
        if self.0.state.lock().troubled {
            self.0
                .world
                .history
                .note(format_args!("{} goes down with its host, whose disk had failed", self.0.name));
            let seed = self.0.chance.lock().number();
            self.0.disk.power_cut(PowerCut::Chance(seed));
        } else {
            self.0.disk.crash_process();
        }
    }

    /// Takes the power from the host.
    pub fn power_cut(&self, how: PowerCut) {
        // The order matters: once the tasks are dropped their sockets say goodbye, which nobody may hear.
        self.0.world.network.power_down(self.0.host);
        self.kill(&format!("loses its power ({how:?})"));
        self.0.disk.power_cut(how);
    }

    fn kill(&self, how: &str) -> bool {
        let mut state = self.0.state.lock();
        if state.standing == Standing::Down {
            return false;
        }
        self.0.world.history.note(format_args!("{} {how}", self.0.name));
        state.standing = Standing::Down;
        state.paused = false;
        state.stop = None;
        state.scope.abort();
        state.scope.resume();
        true
    }

    /// Lets the process end in the middle of a change of its disk, so many changes from now, and start again.
    pub fn halt_after(&self, changes: u64, how: Option<PowerCut>, down: Duration) {
        self.0.state.lock().halting = Some((how, down));
        self.0.disk.halt_after(changes);
    }

    fn halted_later(&self) {
        if self.0.state.lock().halting.is_none() {
            return;
        }
        let node = self.clone();
        self.0.world.timeline.after(Duration::ZERO, move || {
            if !node.0.disk.is_halted() {
                return;
            }
            let halting = node.0.state.lock().halting.take();
            if let Some((how, down)) = halting {
                how.map_or_else(|| node.crash(), |how| node.power_cut(how));
                node.start_after(down);
            }
        });
    }

    /// Notes that the disk was made to fail, until [`SimNode::take_troubled`].
    pub fn mark_troubled(&self) {
        self.0.state.lock().troubled = true;
    }

    /// Whether the disk was made to fail since the last question.
    pub fn take_troubled(&self) -> bool {
        std::mem::take(&mut self.0.state.lock().troubled)
    }

    /// Lets the process stand still, as `SIGSTOP` does.
    pub fn pause(&self) {
        let mut state = self.0.state.lock();
        if state.standing != Standing::Down {
            self.0.world.history.note(format_args!("{} stands still", self.0.name));
            state.paused = true;
            state.scope.pause();
        }
    }

    pub fn resume(&self) {
        let mut state = self.0.state.lock();
        if std::mem::take(&mut state.paused) {
            self.0.world.history.note(format_args!("{} goes on", self.0.name));
            state.scope.resume();
        }
    }

    /// How long submitted work takes from now on; nothing for as long as it should.
    pub fn set_disk_time(&self, time: Option<std::ops::RangeInclusive<Duration>>) {
        self.0.state.lock().disk_time = time.unwrap_or(DISK_TIME);
    }

    /// Starts the process after a while, and again if it does not come up.
    pub fn start_after(&self, time: Duration) {
        let node = self.clone();
        self.0.world.timeline.after(time.max(RESTART_MIN), move || node.start());
    }

    /// Waits until the process serves; false if it does not within `time`.
    pub async fn wait_serving(&self, time: Duration) -> bool {
        let serving = async {
            loop {
                let changed = self.0.changed.notified();
                if self.standing() == Standing::Serving {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(time, serving).await.is_ok()
    }

    fn complete_later(&self) {
        let time = {
            let state = self.0.state.lock();
            self.0.chance.lock().time(state.disk_time.clone())
        };
        let node = self.clone();
        self.0.world.timeline.after(time, move || {
            if node.0.state.lock().paused {
                // Its threads stand still, too.
                node.complete_later();
            } else {
                node.0.disk.complete_any();
            }
        });
    }
}
