//! Consumers that only take what they are given: as many as are wanted, on a thread of their own beside a load.

use std::iter::once;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kernel::Uuid;
use wire::batch::BatchView;

use super::poll::{Peer, Poll};
use super::tail;

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
            Some(topic) => tail::request(topic, once((0, self.next)), plan.bytes_max)?,
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
            let (len, next) = if plan.topic.is_some() { take(reply)? } else { (reply.len() as u64, None) };
            bytes += len;
            self.next = next.unwrap_or(self.next);
        }
        if answered {
            self.ask(plan, poll)?;
        }
        Ok(bytes)
    }
}

/// How many bytes of records an answer has, and the offset after them.
fn take(reply: &[u8]) -> Result<(u64, Option<i64>), String> {
    let (mut bytes, mut next) = (0, None);
    tail::answered(reply, |_, records| {
        // The last batch of an answer of Kafka's may be cut off.
        for batch in BatchView::iter(records).map_while(Result::ok) {
            bytes += batch.bytes().len() as u64;
            next = Some(batch.next_offset().0);
        }
        Ok(())
    })?;
    Ok((bytes, next))
}
