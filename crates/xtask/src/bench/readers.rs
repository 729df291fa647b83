//! Consumers that only take what they are given: as many as are wanted, on a thread of their own beside a load.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kernel::Uuid;
use wire::batch::BatchView;
use wire::header::ResponseHeader;
use wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::fetch_response::FetchResponseView;

use super::admin;
use super::poll::{Peer, Poll};

const FETCH_VERSION: i16 = 13;
const MAX_WAIT_MS: i32 = 500;

/// How often it is looked whether the readers are to end.
const GLANCE: Duration = Duration::from_millis(5);

/// What each reader does.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub address: SocketAddr,
    /// The topic whose first partition is read; nothing for the limit program, which answers anything.
    pub topic: Option<Uuid>,
    pub readers: usize,
    /// The most that one answer may have.
    pub bytes_max: i32,
}

/// Readers at work.
#[derive(Debug)]
pub struct Readers {
    shared: Arc<Shared>,
    thread: JoinHandle<Result<(), String>>,
}

#[derive(Debug, Default)]
struct Shared {
    ended: AtomicBool,
    bytes: AtomicU64,
    /// Microseconds from the start until the last of them came.
    took_us: AtomicU64,
}

impl Readers {
    pub fn start(plan: Plan) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::spawn(move || read(&plan, &theirs));
        Self { shared, thread }
    }

    /// How many bytes of records they have together.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Ends them. Returns how many bytes of records a second they got, from the start until the last came.
    pub fn end(self) -> Result<f64, String> {
        self.shared.ended.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the readers broke down".to_owned())??;
        let took_us = self.shared.took_us.load(Ordering::Relaxed).max(1);
        Ok(self.shared.bytes.load(Ordering::Relaxed) as f64 * 1e6 / took_us as f64)
    }
}

struct Reader {
    peer: Peer,
    next: i64,
}

fn read(plan: &Plan, shared: &Shared) -> Result<(), String> {
    let failed = |error| format!("a reader of {}: {error}", plan.address);
    let mut poll = Poll::new().map_err(failed)?;
    let begun = Instant::now();
    let mut readers = Vec::new();
    for number in 0..plan.readers {
        let stream = TcpStream::connect(plan.address).map_err(failed)?;
        let mut reader = Reader { peer: Peer::new(stream, number, &poll).map_err(failed)?, next: 0 };
        reader.ask(plan, &poll)?;
        readers.push(reader);
    }
    let mut ready = Vec::new();
    while !shared.ended.load(Ordering::Relaxed) {
        poll.wait(GLANCE, &mut ready).map_err(failed)?;
        for number in &ready {
            let Some(reader) = readers.get_mut(*number) else { continue };
            let bytes = reader.serve(plan, &poll)?;
            if bytes > 0 {
                shared.bytes.fetch_add(bytes, Ordering::Relaxed);
                let took_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                shared.took_us.store(took_us, Ordering::Relaxed);
            }
        }
    }
    Ok(())
}

impl Reader {
    fn ask(&mut self, plan: &Plan, poll: &Poll) -> Result<(), String> {
        let frame = match plan.topic {
            Some(topic) => fetch(topic, self.next, plan.bytes_max)?,
            // A frame without content.
            None => Bytes::from_static(&[0; 4]),
        };
        self.peer.queue(&frame);
        self.peer.flush(poll).map_err(|error| format!("a reader: {error}"))
    }

    /// Takes what has arrived, and asks for more. Returns how many bytes of records it was.
    fn serve(&mut self, plan: &Plan, poll: &Poll) -> Result<u64, String> {
        let failed = |error| format!("a reader: {error}");
        self.peer.flush(poll).map_err(failed)?;
        if !self.peer.receive().map_err(failed)? {
            return Err("the broker closed the connection of a reader".to_owned());
        }
        let (mut bytes, mut answered) = (0, false);
        while let Some(reply) = self.peer.frame()? {
            answered = true;
            let Some(_) = plan.topic else {
                bytes += reply.len() as u64;
                continue;
            };
            let (len, next) = take(reply)?;
            bytes += len;
            self.next = next.unwrap_or(self.next);
        }
        if answered {
            self.ask(plan, poll)?;
        }
        Ok(bytes)
    }
}

fn fetch(topic: Uuid, offset: i64, bytes_max: i32) -> Result<Bytes, String> {
    let partition =
        FetchPartition { fetch_offset: offset, partition_max_bytes: bytes_max, ..FetchPartition::default() };
    let request = FetchRequest {
        max_wait_ms: MAX_WAIT_MS,
        min_bytes: 1,
        max_bytes: bytes_max,
        // No session: each fetch names its partition.
        session_epoch: -1,
        topics: vec![FetchTopic { topic_id: topic, partitions: vec![partition], ..FetchTopic::default() }],
        ..FetchRequest::default()
    };
    wire::frame::encode_request(&request, FETCH_VERSION, 1, admin::CLIENT).map_err(|error| error.to_string())
}

/// How many bytes of records an answer has, and the offset after them.
fn take(reply: &[u8]) -> Result<(u64, Option<i64>), String> {
    let bad = |error: &dyn std::fmt::Display| format!("a fetch is not understood: {error}");
    let (_, body) =
        ResponseHeader::decode(reply, FetchRequest::API_KEY, FETCH_VERSION).map_err(|error| bad(&error))?;
    let reply = FetchResponseView::decode(reply.get(body..).unwrap_or_default(), FETCH_VERSION)
        .map_err(|error| bad(&error))?;
    let (mut bytes, mut next) = (0, None);
    let partitions = reply.responses.iter().flat_map(|topic| topic.partitions);
    for (code, records) in partitions.map(|one| (one.error_code, one.records.unwrap_or_default())) {
        if code != 0 || reply.error_code != 0 {
            return Err(format!("a fetch was refused: {}", admin::name(code.max(reply.error_code))));
        }
        // The last batch of an answer of Kafka's may be cut off.
        for batch in BatchView::iter(records).map_while(Result::ok) {
            bytes += batch.bytes().len() as u64;
            next = Some(batch.next_offset().0);
        }
    }
    Ok((bytes, next))
}
