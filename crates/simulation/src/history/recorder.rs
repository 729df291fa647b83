//! Where clients note what they do.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{CallId, ClientId, Entry, Event, History, Op, Phase};
use crate::world::trace::Trace;

/// The history of a run that goes on. What is noted is in the trace as well.
pub struct Recorder {
    state: Mutex<State>,
    start: Instant,
    trace: Arc<Trace>,
}

#[derive(Default)]
struct State {
    history: History,
    next_client: u32,
    next_call: u64,
    next_value: u64,
}

impl Recorder {
    pub fn new(start: Instant, trace: Arc<Trace>) -> Self {
        Self { state: Mutex::default(), start, trace }
    }

    /// A client that nobody has heard of before.
    pub fn new_client(&self) -> ClientId {
        let mut state = self.state.lock();
        state.next_client += 1;
        ClientId(state.next_client)
    }

    /// A number for a value that no other record of the run has.
    pub fn new_value(&self) -> u64 {
        let mut state = self.state.lock();
        state.next_value += 1;
        state.next_value
    }

    /// A call begins.
    pub fn invoke(&self, client: ClientId, op: Op) -> CallId {
        let call = {
            let mut state = self.state.lock();
            state.next_call += 1;
            CallId(state.next_call)
        };
        self.event(client, call, Phase::Invoke, op, None);
        call
    }

    pub fn ok(&self, client: ClientId, call: CallId, op: Op) {
        self.event(client, call, Phase::Ok, op, None);
    }

    pub fn fail(&self, client: ClientId, call: CallId, op: Op, reason: impl fmt::Display) {
        self.event(client, call, Phase::Fail, op, Some(reason.to_string()));
    }

    pub fn info(&self, client: ClientId, call: CallId, op: Op, reason: impl fmt::Display) {
        self.event(client, call, Phase::Info, op, Some(reason.to_string()));
    }

    /// Something happens to the world.
    pub fn note(&self, what: fmt::Arguments<'_>) {
        self.add(Entry::World { at: self.start.elapsed(), what: what.to_string() });
    }

    /// Something that had to come after everything was healed did not come in time.
    pub fn stuck(&self, what: fmt::Arguments<'_>) {
        self.add(Entry::Stuck { at: self.start.elapsed(), what: what.to_string() });
    }

    /// All that was noted so far; from here on it begins anew.
    pub fn take(&self) -> History {
        std::mem::take(&mut self.state.lock().history)
    }

    fn event(&self, client: ClientId, call: CallId, phase: Phase, op: Op, reason: Option<String>) {
        let at = self.start.elapsed();
        self.add(Entry::Client(Event { at, client, call, phase, op, reason }));
    }

    fn add(&self, entry: Entry) {
        self.trace.line(format_args!("history {entry}"));
        self.state.lock().history.entries.push(entry);
    }
}
