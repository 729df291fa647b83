//! A load of requests that were encoded beforehand, so that what is measured is the broker and not its client.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// A load: every connection keeps `in_flight` requests under way, going round its frames.
#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
    pub in_flight: usize,
    /// Whole frames, length prefix included; connection `n` begins at frame `n`.
    pub frames: Arc<Vec<Vec<u8>>>,
    pub warm_up: Duration,
    pub duration: Duration,
    /// Says whether a reply (without its length prefix) means success.
    pub accepted: fn(&[u8]) -> Result<(), String>,
}

/// What a load did while it was measured.
#[derive(Debug, Default, Clone)]
pub struct Measured {
    pub requests: u64,
    pub bytes: u64,
    pub elapsed: Duration,
    /// Sorted, in microseconds.
    pub latencies_us: Vec<u32>,
}

impl Measured {
    pub fn percentile_us(&self, percent: f64) -> u32 {
        let last = self.latencies_us.len().saturating_sub(1);
        let index = ((last as f64) * percent / 100.0).round() as usize;
        self.latencies_us.get(index).copied().unwrap_or_default()
    }
}

/// Latencies kept per connection: enough for percentiles, bounded in memory.
const LATENCIES_MAX: usize = 1 << 20;

/// How long a reply may take before the load is given up.
const REPLY_MAX: Duration = Duration::from_secs(30);

struct Phase {
    measuring: AtomicBool,
    stop: AtomicBool,
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// Runs a load. `measure` is called around the measured part: at its begin and at its end.
pub fn run(load: &Load, mut mark: impl FnMut()) -> Result<Measured, String> {
    let phase = Arc::new(Phase {
        measuring: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        requests: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
    });
    let threads: Vec<_> = (0..load.connections)
        .map(|number| {
            let (load, phase) = (load.clone(), Arc::clone(&phase));
            thread::spawn(move || {
                let result = connection(&load, number, &phase);
                if result.is_err() {
                    phase.stop.store(true, Ordering::Relaxed);
                }
                result
            })
        })
        .collect();
    wait(&phase, load.warm_up);
    mark();
    let begin = Instant::now();
    phase.measuring.store(true, Ordering::Relaxed);
    wait(&phase, load.duration);
    phase.measuring.store(false, Ordering::Relaxed);
    let elapsed = begin.elapsed();
    mark();
    phase.stop.store(true, Ordering::Relaxed);
    let mut latencies_us = Vec::new();
    for thread in threads {
        let latencies = thread.join().map_err(|_| "a load thread panicked".to_owned())??;
        latencies_us.extend(latencies);
    }
    latencies_us.sort_unstable();
    let (requests, bytes) = (phase.requests.load(Ordering::Relaxed), phase.bytes.load(Ordering::Relaxed));
    Ok(Measured { requests, bytes, elapsed, latencies_us })
}

fn wait(phase: &Phase, duration: Duration) {
    let end = Instant::now() + duration;
    while Instant::now() < end && !phase.stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(10).min(end.saturating_duration_since(Instant::now())));
    }
}

fn connection(load: &Load, number: usize, phase: &Phase) -> Result<Vec<u32>, String> {
    let failed = |error: io::Error| format!("connection {number} to {}: {error}", load.address);
    let mut stream = TcpStream::connect(load.address).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    stream.set_read_timeout(Some(REPLY_MAX)).map_err(failed)?;
    stream.set_write_timeout(Some(REPLY_MAX)).map_err(failed)?;
    let mut frames = load.frames.iter().cycle().skip(number % load.frames.len().max(1));
    let mut under_way = VecDeque::new();
    let mut latencies = Vec::new();
    let mut reply = Vec::new();
    loop {
        let stopping = phase.stop.load(Ordering::Relaxed);
        while !stopping && under_way.len() < load.in_flight {
            let frame = frames.next().ok_or("a load needs frames")?;
            under_way.push_back((Instant::now(), frame.len()));
            stream.write_all(frame).map_err(failed)?;
        }
        let Some((sent, len)) = under_way.pop_front() else { return Ok(latencies) };
        receive(&mut stream, &mut reply).map_err(failed)?;
        (load.accepted)(&reply)?;
        if phase.measuring.load(Ordering::Relaxed) {
            phase.requests.fetch_add(1, Ordering::Relaxed);
            phase.bytes.fetch_add(len as u64, Ordering::Relaxed);
            if latencies.len() < LATENCIES_MAX {
                latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
        }
    }
}

fn receive(stream: &mut TcpStream, reply: &mut Vec<u8>) -> io::Result<()> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix)?;
    let len = u32::from_be_bytes(prefix) as usize;
    if len > 64 << 20 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a reply announces more than 64 MiB"));
    }
    reply.resize(len, 0);
    stream.read_exact(reply)
}
