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
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use host::net::Stream;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::dispatch;
use crate::node::Node;
use crate::request::{Peer, Request};

pub use accept::{Acceptor, Connections};
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
    inbox: Inbox,
    pipeline: Pipeline,
    outbox: Outbox,
    /// Set by a request that must be the last one.
    closing: Option<String>,
    last_active: Instant,
}

/// Serves one connection until it ends.
pub(crate) async fn serve<S: Stream>(stream: S, node: Arc<Node>, peer: Arc<Peer>) -> End {
    let inbox = Inbox::new(&node.memory, node.limits().request_bytes_max);
    let mut connection = Connection {
        stream,
        node,
        peer,
        inbox,
        pipeline: Pipeline::new(IN_FLIGHT_MAX),
        outbox: Outbox::default(),
        closing: None,
        last_active: Instant::now(),
    };
    match connection.run().await {
        Ok(end) | Err(end) => end,
    }
}

impl<S: Stream> Connection<S> {
    async fn run(&mut self) -> Result<End, End> {
        let timer = sleep_until(Instant::now() + QUIET);
        tokio::pin!(timer);
        let mut stopping = self.node.stopping();
        loop {
            self.start_requests().await?;
            self.collect_replies();
            if !self.outbox.is_empty() {
                match timeout(STALL_MAX, self.outbox.flush(&mut self.stream)).await {
                    Ok(sent) => sent.map_err(End::Failed)?,
                    Err(_) => return Err(End::Refused("it does not accept its replies".into())),
                }
                // More requests may have room now.
                continue;
            }
            if let Some(reason) = self.closing.take()
                && self.pipeline.is_empty()
            {
                return Err(End::Refused(reason));
            }
            let readable = self.closing.is_none() && self.pipeline.has_room();
            let Self { stream, pipeline, inbox, .. } = self;
            tokio::select! {
                biased;
                () = stopping.wait() => return Ok(End::Stopping),
                () = poll_fn(|context| pipeline.poll_progress(context)), if !pipeline.is_empty() => {}
                read = receive(stream, inbox), if readable => {
                    if read? == 0 {
                        return Ok(End::Peer);
                    }
                    self.last_active = Instant::now();
                }
                () = &mut timer => self.check_idle(timer.as_mut())?,
            }
        }
    }

    /// Starts every whole request that has arrived.
    async fn start_requests(&mut self) -> Result<(), End> {
        while self.closing.is_none() && self.pipeline.has_room() {
            let frame = match self.inbox.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    self.closing = Some(error.to_string());
                    break;
                }
            };
            match Request::parse(frame, &self.peer) {
                Ok(request) => {
                    let pending = dispatch::dispatch(&self.node, request);
                    let mut pending = Some(pending);
                    let pipeline = &mut self.pipeline;
                    poll_fn(|context| {
                        if let Some(pending) = pending.take() {
                            pipeline.start(pending, context);
                        }
                        Poll::Ready(())
                    })
                    .await;
                }
                Err(reason) => self.closing = Some(reason),
            }
        }
        Ok(())
    }

    /// Moves the replies that are due into the outbox.
    fn collect_replies(&mut self) {
        while let Some(outcome) = self.pipeline.next_done() {
            match outcome {
                Outcome::Reply(parts) => self.outbox.push(parts),
                Outcome::Silent => {}
                Outcome::Close(reason) => {
                    self.closing = Some(reason);
                }
            }
        }
    }

    /// Called when the timer fires: closes an idle connection, or gives back what it does not need.
    fn check_idle(&mut self, mut timer: std::pin::Pin<&mut Sleep>) -> Result<(), End> {
        let now = Instant::now();
        let quiet = now.saturating_duration_since(self.last_active);
        let idle_max = self.node.limits().idle_max;
        if self.pipeline.is_empty() && quiet >= idle_max {
            return Err(End::Idle);
        }
        if self.inbox.holds_charge() && quiet >= STALL_MAX {
            return Err(End::Refused("it does not send the rest of a request".into()));
        }
        let next = if quiet >= QUIET {
            self.inbox.release();
            self.last_active + idle_max.min(STALL_MAX)
        } else {
            self.last_active + QUIET
        };
        timer.as_mut().reset(next.max(now + QUIET));
        Ok(())
    }
}

async fn receive<S: Stream>(stream: &mut S, inbox: &mut Inbox) -> Result<usize, End> {
    stream.readable().await.map_err(End::Failed)?;
    let Ok(room) = timeout(STALL_MAX, inbox.prepare()).await else {
        return Err(End::Refused("memory for requests is used up (queued.max.request.bytes)".into()));
    };
    stream.read_buf(room).await.map_err(End::Failed)
}
