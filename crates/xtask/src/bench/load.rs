//! A load of requests that were encoded beforehand, so that what is measured is the broker and not its client.
//!
//! One thread serves all connections: it takes what has arrived on one, answers each reply with the next request, and
//! sends those in one go. It is the same for every broker.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

/// A load: every connection keeps `in_flight` requests under way, going round the frames.
#[derive(Debug, Clone)]
pub struct Load {
    pub connections: usize,
    pub in_flight: usize,
    /// Whole frames, length prefix included; connection `n` begins at frame `n`.
    pub frames: Vec<Bytes>,
    pub warm_up: Duration,
    /// The measured part ends with whichever comes first.
    pub seconds: Duration,
    pub bytes_max: u64,
    /// Says whether a reply, without its length prefix, means success.
    pub accepted: fn(&[u8]) -> Result<(), String>,
}

/// What a load did while it was measured.
#[derive(Debug, Default, Clone)]
pub struct Measured {
    pub requests: u64,
    pub bytes: u64,
    pub elapsed: Duration,
    /// Sorted, in microseconds.
    latencies_us: Vec<u32>,
}

impl Measured {
    pub fn percentile_us(&self, percent: f64) -> u32 {
        let last = self.latencies_us.len().saturating_sub(1);
        let index = ((last as f64) * percent / 100.0).round() as usize;
        self.latencies_us.get(index).copied().unwrap_or_default()
    }
}

/// How long nothing may happen before the load is given up.
const STALL_MAX: Duration = Duration::from_secs(30);

/// How often it is looked whether the measured part is over.
const GLANCE: Duration = Duration::from_millis(5);

/// Frames up to this size are sent together.
const COALESCE_MAX: usize = 4 << 10;

/// A reply may have so many bytes.
const REPLY_MAX: usize = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Measured,
    Over,
}

struct Shared {
    load: Load,
    address: SocketAddr,
    phase: Cell<Phase>,
    requests: Cell<u64>,
    bytes: Cell<u64>,
    /// Those before the measured part as well.
    bytes_in_all: Cell<u64>,
    latencies_us: RefCell<Vec<u32>>,
}

/// Runs a load. `mark` is called at the beginning and at the end of the measured part, `glance` every few milliseconds
/// with the bytes that were accepted so far.
pub fn run(
    load: &Load,
    address: SocketAddr,
    mark: impl FnMut(),
    glance: impl FnMut(u64),
) -> Result<Measured, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the load cannot begin: {error}"))?;
    let shared = Rc::new(Shared {
        load: load.clone(),
        address,
        phase: Cell::new(Phase::WarmUp),
        requests: Cell::new(0),
        bytes: Cell::new(0),
        bytes_in_all: Cell::new(0),
        latencies_us: RefCell::new(Vec::with_capacity(1 << 20)),
    });
    LocalSet::new().block_on(&runtime, drive(&shared, mark, glance))
}

async fn drive(
    shared: &Rc<Shared>,
    mut mark: impl FnMut(),
    mut glance: impl FnMut(u64),
) -> Result<Measured, String> {
    let mut over = || {
        glance(shared.bytes_in_all.get());
        shared.bytes.get() >= shared.load.bytes_max
    };
    let mut connections = JoinSet::new();
    for number in 0..shared.load.connections {
        connections.spawn_local(connection(Rc::clone(shared), number));
    }
    pass(&mut connections, shared.load.warm_up, &mut over).await?;
    mark();
    let begin = Instant::now();
    shared.phase.set(Phase::Measured);
    pass(&mut connections, shared.load.seconds, &mut over).await?;
    shared.phase.set(Phase::Over);
    let elapsed = begin.elapsed();
    mark();
    while let Some(ended) = connections.join_next().await {
        ended.map_err(|error| format!("a connection of the load: {error}"))??;
    }
    let mut latencies_us = shared.latencies_us.take();
    latencies_us.sort_unstable();
    Ok(Measured { requests: shared.requests.get(), bytes: shared.bytes.get(), elapsed, latencies_us })
}

/// Lets time go by. No connection may end meanwhile.
async fn pass(
    connections: &mut JoinSet<Result<(), String>>,
    duration: Duration,
    over: &mut impl FnMut() -> bool,
) -> Result<(), String> {
    let end = Instant::now() + duration;
    while Instant::now() < end && !over() {
        tokio::time::sleep(GLANCE).await;
        if let Some(ended) = connections.try_join_next() {
            ended.map_err(|error| format!("a connection of the load: {error}"))??;
            return Err("a connection of the load ended early".to_owned());
        }
    }
    Ok(())
}

async fn connection(shared: Rc<Shared>, number: usize) -> Result<(), String> {
    let failed = |error: io::Error| format!("connection {number} to {}: {error}", shared.address);
    let mut stream = TcpStream::connect(shared.address).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let frames_count = shared.load.frames.len().max(1);
    let mut frames = shared.load.frames.iter().cycle().skip(number % frames_count);
    let mut under_way = VecDeque::with_capacity(shared.load.in_flight);
    let mut small = BytesMut::new();
    let mut received = BytesMut::with_capacity(16 << 10);
    loop {
        while shared.phase.get() != Phase::Over && under_way.len() < shared.load.in_flight {
            let frame = frames.next().ok_or("a load needs frames")?;
            under_way.push_back((Instant::now(), frame.len()));
            if frame.len() <= COALESCE_MAX {
                small.extend_from_slice(frame);
            } else {
                stream.write_all(frame).await.map_err(failed)?;
            }
        }
        if !small.is_empty() {
            stream.write_all(&small).await.map_err(failed)?;
            small.clear();
        }
        if under_way.is_empty() {
            return Ok(());
        }
        received.reserve(4 << 10);
        let read = tokio::time::timeout(STALL_MAX, stream.read_buf(&mut received)).await;
        match read.map_err(|_| format!("connection {number}: no reply for {STALL_MAX:?}"))? {
            Ok(0) => return Err(format!("connection {number}: the broker closed it")),
            Ok(_) => {}
            Err(error) => return Err(failed(error)),
        }
        while let Some(reply) =
            wire::frame::split(&mut received, REPLY_MAX).map_err(|error| error.to_string())?
        {
            (shared.load.accepted)(&reply)?;
            let (sent, len): (Instant, usize) = under_way.pop_front().ok_or("a reply to no request")?;
            shared.note(sent, len);
        }
    }
}

impl Shared {
    fn note(&self, sent: Instant, len: usize) {
        self.bytes_in_all.set(self.bytes_in_all.get() + len as u64);
        if self.phase.get() != Phase::Measured {
            return;
        }
        self.requests.set(self.requests.get() + 1);
        self.bytes.set(self.bytes.get() + len as u64);
        let micros = u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX);
        self.latencies_us.borrow_mut().push(micros);
    }
}
