//! One client connection: frames in, replies out, in order.
//!
//! A connection is one task. It reads what has arrived, starts every whole request in it, sends what is answered in one
//! go, and waits for whatever comes first: more bytes, a request that finishes, the node's end, or idleness.

mod accept;
mod order;
mod read;
mod write;

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use host::net::Stream;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep_until, timeout};

use crate::dispatch;
use crate::memory::Share;
use crate::node::Node;
use crate::request::{Peer, Request};

pub(crate) use accept::accept_failed;
pub use accept::{Acceptor, ConnectionCounts, Connections};
pub use order::{Outcome, Pending};
pub use read::Frame;
pub use write::{FileSpan, Part};

use order::Pipeline;
use read::Inbox;
use write::Outbox;

/// How many requests of one connection may be under way. Clients send up to five at a time by default; a connection
/// with more waits for its replies before more of it is read.
const IN_FLIGHT_MAX: usize = 64;

/// How long a peer may take to accept replies or to deliver the rest of a request that holds memory.
const STALL_MAX: Duration = Duration::from_secs(30);

/// After this long without a byte a connection gives its buffer back.
const QUIET: Duration = Duration::from_secs(2);

/// The longest time between two looks at a quiet connection, also where it may be idle for ever.
const LOOK_MAX: Duration = Duration::from_secs(3600);

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The peer closed it.
    Peer,
    /// Nothing came for `connections.max.idle.ms`.
    Idle,
    /// The node stops.
    Stopping,
    /// The peer broke the protocol or stalled.
    Refused(String),
    /// The socket failed.
    Failed(io::Error),
}

struct Connection<S> {
    stream: S,
    node: Arc<Node>,
    peer: Arc<Peer>,
    /// The `client.id` of the last request.
    client: Option<Arc<str>>,
    inbox: Inbox,
    pipeline: Pipeline,
    outbox: Outbox,
    /// Requests under way that are charged nowhere else, and answers until they are sent.
    share: Share,
    /// Nothing more is read: a request under way ends the connection.
    closing: bool,
    /// When bytes came or went last.
    last_active: Instant,
    /// Given back what an active connection holds.
    resting: bool,
}

/// Serves one connection until it ends.
pub(crate) async fn serve<S: Stream>(stream: S, node: Arc<Node>, peer: Arc<Peer>) -> End {
    let inbox = Inbox::new(&node.memory.requests, node.limits().request_bytes_max);
    let share = Share::none(&node.memory.answers);
    let mut connection = Connection {
        stream,
        node,
        peer,
        client: None,
        inbox,
        pipeline: Pipeline::new(IN_FLIGHT_MAX),
        outbox: Outbox::default(),
        share,
        closing: false,
        last_active: Instant::now(),
        resting: false,
    };
    match connection.run().await {
        Ok(end) | Err(end) => end,
    }
}

impl<S: Stream> Connection<S> {
    async fn run(&mut self) -> Result<End, End> {
        let timer = sleep_until(Instant::now() + self.node.limits().idle_max.min(QUIET));
        tokio::pin!(timer);
        let mut stopping = self.node.stopping();
        let stopped = stopping.wait();
        tokio::pin!(stopped);
        loop {
            self.start_requests().await;
            let refused = self.collect_replies();
            self.share.set(self.pipeline.bytes() + self.outbox.bytes());
            if !self.outbox.is_empty() {
                self.send().await?;
            } else if refused.is_none() {
                let muted = self.share.is_used_up();
                let readable = !self.closing && self.pipeline.has_room() && !muted;
                let eased = self.share.eased();
                let Self { stream, pipeline, inbox, .. } = self;
                tokio::select! {
                    biased;
                    () = &mut stopped => return Ok(End::Stopping),
                    () = poll_fn(|context| pipeline.poll_progress(context)), if !pipeline.is_empty() => {}
                    read = receive(stream, inbox), if readable => {
                        let read = read?;
                        if read == 0 {
                            return Ok(End::Peer);
                        }
                        self.node.traffic.received(read);
                        self.last_active = Instant::now();
                        if std::mem::take(&mut self.resting) {
                            timer.as_mut().reset(self.last_active + QUIET);
                        }
                    }
                    () = eased, if muted => {}
                    () = &mut timer => {
                        let next = self.look()?;
                        timer.as_mut().reset(next);
                    }
                }
            }
            // More requests may have room now, unless one was the last.
            if let Some(reason) = refused {
                return Err(End::Refused(reason));
            }
        }
    }

    /// Starts every whole request that has arrived.
    async fn start_requests(&mut self) {
        while !self.closing && self.pipeline.has_room() && !self.share.is_used_up() {
            let (pending, holds, bytes) = match self.inbox.next_frame() {
                Ok(Some(frame)) => {
                    // What is charged already is not counted twice.
                    let bytes = if frame.charge.is_some() { 0 } else { frame.bytes.len() };
                    match Request::parse(frame, &self.peer, &mut self.client) {
                        Ok(request) => {
                            let holds = !dispatch::may_be_overtaken(request.api_key);
                            (dispatch::dispatch(&self.node, request), holds, bytes)
                        }
                        Err(reason) => (self.last(reason), true, 0),
                    }
                }
                Ok(None) => break,
                Err(error) => (self.last(error.to_string()), true, 0),
            };
            let mut pending = Some(pending);
            let pipeline = &mut self.pipeline;
            let ends = poll_fn(|context| {
                Poll::Ready(
                    pending.take().is_some_and(|pending| pipeline.start(pending, (holds, bytes), context)),
                )
            })
            .await;
            self.closing |= ends;
            self.share.set(self.pipeline.bytes() + self.outbox.bytes());
        }
    }

    /// What cannot be a request is the last one: it ends the connection once those before it are answered.
    fn last(&self, reason: String) -> Pending {
        Box::pin(std::future::ready(Outcome::Close(reason)))
    }

    /// Moves the replies that are due into the outbox. Returns why the connection ends after them, if it does.
    fn collect_replies(&mut self) -> Option<String> {
        while let Some(outcome) = self.pipeline.next_done() {
            match outcome {
                Outcome::Reply(parts) => self.outbox.push(parts),
                Outcome::Silent => {}
                Outcome::Close(reason) => {
                    self.node.traffic.refused();
                    return Some(reason);
                }
            }
        }
        None
    }

    async fn send(&mut self) -> Result<(), End> {
        let flushed = self.outbox.flush(&mut self.stream, STALL_MAX).await;
        self.node.traffic.sent(self.outbox.take_sent());
        flushed.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => End::Refused("it does not accept its replies".into()),
            _ => End::Failed(error),
        })?;
        self.last_active = Instant::now();
        Ok(())
    }

    /// Called when the timer fires: ends a connection that is idle or stalls, or gives back what it does not need.
    /// Returns when to look again.
    fn look(&mut self) -> Result<Instant, End> {
        let now = Instant::now();
        let quiet = now.saturating_duration_since(self.last_active);
        let idle_max = self.node.limits().idle_max;
        if self.pipeline.is_empty() && quiet >= idle_max {
            return Err(End::Idle);
        }
        let stalled = quiet >= STALL_MAX;
        if stalled && self.closing {
            return Err(End::Refused("a request was not acceptable, and those before it take long".into()));
        }
        // While there is no room for another request it is not the peer who holds things up.
        if stalled && self.inbox.holds_charge() && self.pipeline.has_room() {
            return Err(End::Refused("it does not send the rest of a request".into()));
        }
        if quiet >= QUIET {
            self.inbox.release();
            self.client = None;
            self.resting = true;
        }
        let stall = (self.closing || self.inbox.holds_charge()).then_some(STALL_MAX);
        let marks = [Some(QUIET), stall, Some(idle_max.min(LOOK_MAX))];
        let coming = marks.into_iter().flatten().map(|after| self.last_active + after).filter(|at| *at > now);
        let waiting = self.closing || !self.pipeline.is_empty();
        Ok(coming.min().unwrap_or(now + if waiting { STALL_MAX } else { LOOK_MAX }))
    }
}

async fn receive<S: Stream>(stream: &mut S, inbox: &mut Inbox) -> Result<usize, End> {
    stream.readable().await.map_err(End::Failed)?;
    let Some(room) = within(STALL_MAX, inbox.prepare()).await else {
        return Err(End::Refused("memory for requests is used up (queued.max.request.bytes)".into()));
    };
    let read = stream.read_buf(room).await.map_err(End::Failed)?;
    let filled = room.len() == room.capacity();
    inbox.received(filled);
    Ok(read)
}

/// Bounds how long something may take. Only what is not done at once costs a timer.
async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    match poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
        Poll::Ready(done) => Some(done),
        Poll::Pending => timeout(limit, future).await.ok(),
    }
}
