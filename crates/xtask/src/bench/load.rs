//! A load of requests that were encoded beforehand, so that what is measured is the broker and not its client.
//!
//! One thread serves all connections, and does the same for every broker. Under a closed load each reply is answered
//! with the next request. Under an open one requests have an intended start at a fixed rate, whatever became of those
//! before, and latency counts from there: a stall of the broker delays all that would have been sent meanwhile.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::frames::Template;
use super::poll::{Peer, Poll};
use super::tail::Tail;

/// When the next request is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Each connection has so many under way.
    InFlight(usize),
    /// So many a second over all connections, evenly spaced.
    PerSecond(u32),
}

#[derive(Debug)]
pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
    pub pace: Pace,
    /// Connection `n` begins at template `n`, and goes round.
    pub templates: Vec<Template>,
    /// The identity of each connection's producer, where they are idempotent.
    pub producers: Vec<(i64, i16)>,
    /// Whether the records carry their intended start, for a consumer to compare.
    pub stamped: bool,
    pub warm_up: Duration,
    /// The measured part ends with whichever comes first.
    pub seconds: Duration,
    pub bytes_max: u64,
    /// Says whether a reply, without its length prefix, means success.
    pub accepted: fn(&[u8]) -> Result<(), String>,
}

/// What a load did while it was measured.
#[derive(Debug)]
pub struct Measured {
    pub requests: u64,
    pub bytes: u64,
    pub elapsed: Duration,
    /// From the intended start to the reply.
    pub acked: Histogram<u64>,
    /// From the intended start to the consumer.
    pub consumed: Histogram<u64>,
}

/// How long nothing may happen before the load is given up, or its rest no longer waited for.
const STALL_MAX: Duration = Duration::from_secs(30);
const REST_MAX: Duration = Duration::from_secs(5);

/// How often it is looked whether the measured part is over.
const GLANCE: Duration = Duration::from_millis(5);

/// Timers are late by some tens of microseconds; so near to an intended start the thread no longer sleeps.
const SPIN: Duration = Duration::from_micros(60);

const LATENCY_MAX_NS: u64 = 60_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Measured,
    Over,
}

struct Engine<'a> {
    load: &'a Load,
    poll: Poll,
    lanes: Vec<Lane>,
    tail: Option<Tail>,
    begin: Instant,
    phase: Phase,
    /// Nanoseconds since `begin`, as are all times here.
    phase_since: u64,
    due: u64,
    turn: usize,
    answered_at: u64,
    bytes_in_all: u64,
    measured: Measured,
}

/// A connection with what it has under way: the intended start and the size of each request.
struct Lane {
    peer: Peer,
    under_way: VecDeque<(u64, usize)>,
    next: usize,
    sequences: Vec<i32>,
}

/// Runs a load. `mark` is called at the beginning and at the end of the measured part, `glance` every few milliseconds
/// with the bytes that were accepted so far.
pub fn run(
    load: &Load,
    tail: Option<Tail>,
    mut mark: impl FnMut(),
    mut glance: impl FnMut(u64),
) -> Result<Measured, String> {
    // The kernel may delay a thread's timers by 50 us to save wake-ups, unless it asks for less.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let mut engine = Engine::new(load, tail)?;
    let mut ready = Vec::new();
    let mut glanced = Instant::now();
    while !engine.finished() {
        engine.change_phase(&mut mark);
        engine.send_what_is_due()?;
        let timeout = engine.timeout();
        engine.poll.wait(timeout, &mut ready).map_err(|error| format!("the load cannot wait: {error}"))?;
        for number in &ready {
            engine.serve(*number)?;
        }
        if glanced.elapsed() >= GLANCE {
            glanced = Instant::now();
            glance(engine.bytes_in_all);
        }
    }
    Ok(engine.into_measured())
}

impl<'a> Engine<'a> {
    fn new(load: &'a Load, tail: Option<Tail>) -> Result<Self, String> {
        let poll = Poll::new().map_err(|error| format!("the load cannot begin: {error}"))?;
        let histogram =
            || Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3).map_err(|error| error.to_string());
        let mut engine = Self {
            load,
            poll,
            lanes: Vec::new(),
            tail: None,
            begin: Instant::now(),
            phase: Phase::WarmUp,
            phase_since: 0,
            due: 0,
            turn: 0,
            answered_at: 0,
            bytes_in_all: 0,
            measured: Measured {
                requests: 0,
                bytes: 0,
                elapsed: Duration::ZERO,
                acked: histogram()?,
                consumed: histogram()?,
            },
        };
        for number in 0..load.connections {
            let lane = Lane {
                peer: engine.connect(number)?,
                under_way: VecDeque::new(),
                next: number,
                sequences: vec![0; load.templates.len()],
            };
            engine.lanes.push(lane);
        }
        if let Some(mut tail) = tail {
            let peer = engine.connect(load.connections)?;
            tail.begin(peer, &engine.poll)?;
            engine.tail = Some(tail);
        }
        // What it took to connect is no delay of the first request.
        engine.begin = Instant::now();
        Ok(engine)
    }

    fn connect(&self, number: usize) -> Result<Peer, String> {
        let connect = || Peer::new(TcpStream::connect(self.load.address)?, number, &self.poll);
        connect().map_err(|error| self.failed(number, &error))
    }

    fn failed(&self, number: usize, error: &io::Error) -> String {
        format!("connection {number} to {}: {error}", self.load.address)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn change_phase(&mut self, mark: &mut impl FnMut()) {
        let now = self.now();
        let since = Duration::from_nanos(now - self.phase_since);
        let next = match self.phase {
            Phase::WarmUp if since >= self.load.warm_up => Phase::Measured,
            Phase::Measured if since >= self.load.seconds || self.measured.bytes >= self.load.bytes_max => {
                self.measured.elapsed = since;
                Phase::Over
            }
            _ => return,
        };
        mark();
        self.phase = next;
        self.phase_since = self.now();
    }

    /// Over, and everything answered or no longer waited for.
    fn finished(&self) -> bool {
        self.phase == Phase::Over
            && (self.lanes.iter().all(|lane| lane.under_way.is_empty())
                || self.now() - self.phase_since > REST_MAX.as_nanos() as u64)
    }

    fn send_what_is_due(&mut self) -> Result<(), String> {
        if self.phase == Phase::Over {
            return Ok(());
        }
        let now = self.now();
        match self.load.pace {
            Pace::InFlight(count) => {
                // Only at first: from then on each reply is answered by the connection itself.
                if self.turn == 0 {
                    self.turn = 1;
                    for number in 0..self.lanes.len() {
                        self.send(number, count, now)?;
                    }
                }
            }
            Pace::PerSecond(rate) => {
                while self.due <= now {
                    self.send(self.turn % self.lanes.len().max(1), 1, self.due)?;
                    self.turn += 1;
                    self.due += 1_000_000_000 / u64::from(rate.max(1));
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, number: usize, count: usize, intended: u64) -> Result<(), String> {
        let Some(lane) = self.lanes.get_mut(number) else { return Ok(()) };
        for _ in 0..count {
            lane.queue(self.load, number, intended);
        }
        let flushed = lane.peer.flush(&self.poll);
        flushed.map_err(|error| self.failed(number, &error))
    }

    fn timeout(&self) -> Duration {
        match self.load.pace {
            Pace::PerSecond(_) if self.phase != Phase::Over => {
                let left = Duration::from_nanos(self.due.saturating_sub(self.now()));
                left.saturating_sub(SPIN).min(GLANCE)
            }
            _ => GLANCE,
        }
    }

    /// A connection has something for us, or room for more.
    fn serve(&mut self, number: usize) -> Result<(), String> {
        if number == self.lanes.len() {
            return self.consume();
        }
        let Some(lane) = self.lanes.get_mut(number) else { return Ok(()) };
        let open = match lane.peer.receive() {
            Ok(open) => open,
            Err(error) => return Err(self.failed(number, &error)),
        };
        if !open {
            return Err(format!("connection {number}: the broker closed it"));
        }
        let now = u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut answered = 0;
        while let Some(reply) = lane.peer.frame()? {
            (self.load.accepted)(reply)?;
            let (intended, len) = lane.under_way.pop_front().ok_or("a reply to no request")?;
            answered += 1;
            self.answered_at = now;
            self.bytes_in_all += len as u64;
            let counts = match self.load.pace {
                Pace::InFlight(_) => self.phase == Phase::Measured,
                Pace::PerSecond(_) => {
                    is_measured(self.phase, self.phase_since, self.measured.elapsed, intended)
                }
            };
            if counts {
                self.measured.requests += 1;
                self.measured.bytes += len as u64;
                self.measured.acked.saturating_record(now.saturating_sub(intended));
            }
        }
        let more = if self.phase == Phase::Over || !matches!(self.load.pace, Pace::InFlight(_)) {
            0
        } else {
            answered
        };
        self.send(number, more, now)?;
        if self.now() - self.answered_at > STALL_MAX.as_nanos() as u64 {
            return Err(format!("no reply for {STALL_MAX:?}"));
        }
        Ok(())
    }

    fn consume(&mut self) -> Result<(), String> {
        let Some(tail) = self.tail.as_mut() else { return Ok(()) };
        let (phase, since, elapsed) = (self.phase, self.phase_since, self.measured.elapsed);
        let begin = self.begin;
        let consumed = &mut self.measured.consumed;
        tail.serve(&self.poll, |intended| {
            let now = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
            if is_measured(phase, since, elapsed, intended) {
                consumed.saturating_record(now.saturating_sub(intended));
            }
        })
    }

    /// What an open load was not answered in the end took at least until now.
    fn into_measured(mut self) -> Measured {
        let now = self.now();
        if matches!(self.load.pace, Pace::PerSecond(_)) {
            let (since, elapsed) = (self.phase_since, self.measured.elapsed);
            for (intended, _) in self.lanes.iter().flat_map(|lane| &lane.under_way) {
                if is_measured(Phase::Over, since, elapsed, *intended) {
                    self.measured.acked.saturating_record(now.saturating_sub(*intended));
                }
            }
        }
        self.measured
    }
}

/// Whether a request was meant to start in the measured part.
fn is_measured(phase: Phase, phase_since: u64, elapsed: Duration, intended: u64) -> bool {
    match phase {
        Phase::WarmUp => false,
        Phase::Measured => intended >= phase_since,
        Phase::Over => {
            let begun = phase_since.saturating_sub(elapsed.as_nanos() as u64);
            (begun..phase_since).contains(&intended)
        }
    }
}

impl Lane {
    fn queue(&mut self, load: &Load, number: usize, intended: u64) {
        let index = self.next % load.templates.len().max(1);
        self.next += 1;
        let Some(template) = load.templates.get(index) else { return };
        self.under_way.push_back((intended, template.frame.len()));
        let producer = load.producers.get(number);
        if producer.is_none() && !load.stamped {
            self.peer.queue(&template.frame);
            return;
        }
        let copy = self.peer.queue_copy(&template.frame);
        let stamp = load.stamped.then_some(intended);
        let producer = producer.zip(self.sequences.get_mut(index)).map(|(&(id, epoch), sequence)| {
            let this = *sequence;
            *sequence = sequence.wrapping_add(1);
            (id, epoch, this)
        });
        template.fill_in(copy, producer, stamp);
    }
}
