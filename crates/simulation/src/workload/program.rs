//! A program with clients in it, on a host of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use client::Client;
use host::task::Scope;
use kernel::port::Entropy;
use parking_lot::Mutex;
use sim::{Chance, SimEntropy};
use tokio::sync::Notify;

use super::{PAUSE, config};
use crate::history::ClientId;
use crate::world::World;
use crate::world::clock::HostClock;
use crate::world::net::HostId;

/// What a program has while it runs. Each life of it is another client to the history.
#[derive(Clone)]
pub struct Life {
    pub world: World,
    pub id: ClientId,
    pub chance: Arc<Mutex<Chance>>,
    /// Becomes true when the program should come to an end.
    pub ending: Arc<AtomicBool>,
    name: String,
    servers: String,
    host: HostId,
    clock: HostClock,
    entropy: Arc<SimEntropy>,
}

impl Life {
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// A client on the program's cluster; tries until it can be had.
    pub async fn connect(&self) -> Client {
        loop {
            let world = client::World {
                net: Arc::new(self.world.network.of(self.host)),
                clock: Arc::new(self.clock.clone()),
                entropy: Arc::clone(&self.entropy) as Arc<dyn Entropy>,
            };
            match Client::connect_in(world, config(&self.name, &self.servers)).await {
                Ok(client) => return client,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Sleeps for a time from the range.
    pub async fn sleep(&self, range: std::ops::RangeInclusive<Duration>) {
        let time = self.chance.lock().time(range);
        tokio::time::sleep(time).await;
    }
}

type Work = Arc<dyn Fn(Life) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A program: it runs until it is told to end, and can crash and run again before.
#[derive(Clone)]
pub struct Program(Arc<Shared>);

struct Shared {
    name: String,
    servers: String,
    world: World,
    host: HostId,
    clock: HostClock,
    entropy: Arc<SimEntropy>,
    chance: Mutex<Chance>,
    ending: Arc<AtomicBool>,
    work: Work,
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Default)]
struct State {
    scope: Scope,
    running: bool,
    /// A life that has ended; a crash makes the number another one.
    life: u64,
}

impl Program {
    /// A program on a new host that does `work`.
    pub fn new<F>(
        world: &World,
        name: &str,
        servers: &str,
        work: impl Fn(Life) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut chance = world.chance();
        Self(Arc::new(Shared {
            name: name.to_owned(),
            servers: servers.to_owned(),
            world: world.clone(),
            host: world.network.add_host(name),
            clock: HostClock::new(),
            entropy: Arc::new(SimEntropy::new(chance.number())),
            chance: Mutex::new(chance),
            ending: Arc::default(),
            work: Arc::new(move |life| Box::pin(work(life))),
            state: Mutex::default(),
            ended: Notify::new(),
        }))
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub fn host(&self) -> HostId {
        self.0.host
    }

    pub fn start(&self) {
        let (scope, number) = {
            let mut state = self.0.state.lock();
            if state.running {
                return;
            }
            state.running = true;
            state.life += 1;
            state.scope = Scope::default();
            (state.scope.clone(), state.life)
        };
        let life = Life {
            world: self.0.world.clone(),
            id: self.0.world.history.new_client(),
            chance: Arc::new(Mutex::new(self.0.chance.lock().split())),
            ending: Arc::clone(&self.0.ending),
            name: self.0.name.clone(),
            servers: self.0.servers.clone(),
            host: self.0.host,
            clock: self.0.clock.clone(),
            entropy: Arc::clone(&self.0.entropy),
        };
        self.0.world.history.note(format_args!("{} starts as client {}", self.0.name, life.id.0));
        let work = (self.0.work)(life);
        let program = self.clone();
        scope.spawn(async move {
            work.await;
            let mut state = program.0.state.lock();
            if state.life == number {
                state.running = false;
            }
            drop(state);
            program.0.ended.notify_waiters();
        });
    }

    /// Ends the program as `kill -9` does.
    pub fn crash(&self) {
        let mut state = self.0.state.lock();
        if state.running {
            self.0.world.history.note(format_args!("{} crashes", self.0.name));
            state.running = false;
            state.scope.abort();
            drop(state);
            self.0.ended.notify_waiters();
        }
    }

    /// Lets the program stand still for a while, as `SIGSTOP` does: it does not know, and goes on as if nothing were.
    pub fn pause(&self, time: Duration) {
        let state = self.0.state.lock();
        if !state.running {
            return;
        }
        self.0.world.history.note(format_args!("{} stands still", self.0.name));
        state.scope.pause();
        let (program, scope) = (self.clone(), state.scope.clone());
        self.0.world.timeline.after(time, move || {
            program.0.world.history.note(format_args!("{} goes on", program.0.name));
            scope.resume();
        });
    }

    /// Starts it again after a while, unless it has started meanwhile.
    pub fn start_after(&self, time: Duration) {
        let program = self.clone();
        self.0.world.timeline.after(time, move || program.start());
    }

    /// Asks the program to come to an end.
    pub fn end(&self) {
        self.0.ending.store(true, Ordering::Relaxed);
    }

    /// Waits until it does not run.
    pub async fn wait_end(&self) {
        loop {
            let ended = self.0.ended.notified();
            if !self.is_running() {
                return;
            }
            ended.await;
        }
    }

    pub fn is_running(&self) -> bool {
        self.0.state.lock().running
    }
}
