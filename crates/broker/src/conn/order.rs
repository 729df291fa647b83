//! Requests of one connection are started in the order they came in and answered in that order, whatever finishes
//! first. What waits (a long poll, a sync, a group's rebalance) keeps its slot; what came later may already be done.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::write::Part;

/// How a request ends.
pub enum Outcome {
    /// The reply's bytes.
    Reply(Vec<Part>),
    /// No reply belongs to this request (produce with acks=0).
    Silent,
    /// The peer broke the protocol: the connection is closed, after what was asked before is answered.
    Close(String),
}

impl Outcome {
    /// The bytes of memory that it holds, without what lies in files.
    fn len(&self) -> usize {
        let Self::Reply(parts) = self else { return 0 };
        parts.iter().map(|part| if let Part::Bytes(bytes) = part { bytes.len() } else { 0 }).sum()
    }
}

/// A request under way.
pub type Pending = Pin<Box<dyn Future<Output = Outcome> + Send>>;

enum Slot {
    Waiting {
        request: Pending,
        /// Nothing that came later may begin before this is done.
        holds: bool,
        /// Of the request, where they are charged nowhere else.
        bytes: usize,
    },
    Done(Outcome),
}

/// How many bytes of replies may wait to be sent before no further request begins: a client that asks and does not
/// read must not fill the memory.
const REPLIES_MAX: usize = 4 << 20;

/// The requests under way of one connection.
pub struct Pipeline {
    slots: VecDeque<Slot>,
    max: usize,
    /// Bytes of the replies that are done.
    replies: usize,
    /// Bytes of the requests that wait.
    requests: usize,
    /// The last request under way must be done before another begins.
    held: bool,
}

impl Pipeline {
    pub fn new(max: usize) -> Self {
        Self { slots: VecDeque::new(), max, replies: 0, requests: 0, held: false }
    }

    /// Whether another request may begin.
    pub fn has_room(&self) -> bool {
        !self.held && self.slots.len() < self.max && self.replies < REPLIES_MAX
    }

    /// The memory that requests under way and their replies hold.
    pub fn bytes(&self) -> usize {
        self.replies + self.requests
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Starts a request: runs it as far as it goes without waiting. If it has to wait and `holds`, nothing else begins
    /// until it is done. Returns whether it is known to be the last one.
    pub fn start(
        &mut self,
        mut request: Pending,
        (holds, bytes): (bool, usize),
        context: &mut Context<'_>,
    ) -> bool {
        let slot = match request.as_mut().poll(context) {
            Poll::Ready(outcome) => {
                self.replies += outcome.len();
                Slot::Done(outcome)
            }
            Poll::Pending => {
                self.held = holds;
                self.requests += bytes;
                Slot::Waiting { request, holds, bytes }
            }
        };
        let last = matches!(slot, Slot::Done(Outcome::Close(_)));
        self.slots.push_back(slot);
        last
    }

    /// The outcome that is due next, if it is known.
    pub fn next_done(&mut self) -> Option<Outcome> {
        if !matches!(self.slots.front(), Some(Slot::Done(_))) {
            return None;
        }
        match self.slots.pop_front() {
            Some(Slot::Done(outcome)) => {
                self.replies = self.replies.saturating_sub(outcome.len());
                Some(outcome)
            }
            _ => None,
        }
    }

    /// Lets everything that waits go on; resolves once the request that is due next is done, or others may begin.
    pub fn poll_progress(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut let_go = false;
        for slot in &mut self.slots {
            if let Slot::Waiting { request, holds, bytes } = slot
                && let Poll::Ready(outcome) = request.as_mut().poll(context)
            {
                let_go |= *holds;
                self.replies += outcome.len();
                self.requests = self.requests.saturating_sub(*bytes);
                *slot = Slot::Done(outcome);
            }
        }
        self.held &= !let_go;
        match self.slots.front() {
            Some(Slot::Done(_)) => Poll::Ready(()),
            _ if let_go => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::task::Waker;
    use tokio::sync::oneshot;

    fn reply(number: u8) -> Outcome {
        Outcome::Reply(vec![Part::Bytes(Bytes::from(vec![number]))])
    }

    fn number(outcome: Option<Outcome>) -> Option<u8> {
        match outcome {
            Some(Outcome::Reply(parts)) => match parts.first() {
                Some(Part::Bytes(bytes)) => bytes.first().copied(),
                _ => None,
            },
            _ => None,
        }
    }

    /// A request that waits for a signal, and its signal.
    fn waiting(answer: u8) -> (oneshot::Sender<()>, Pending) {
        let (done, wait) = oneshot::channel::<()>();
        let request = async move {
            let _ = wait.await;
            reply(answer)
        };
        (done, Box::pin(request))
    }

    #[test]
    fn a_later_request_that_is_done_first_is_answered_second() {
        let mut context = Context::from_waker(Waker::noop());
        let mut pipeline = Pipeline::new(2);
        let (done, request) = waiting(1);
        pipeline.start(request, (false, 0), &mut context);
        pipeline.start(Box::pin(async { reply(2) }), (true, 0), &mut context);
        assert!(!pipeline.has_room());
        assert!(pipeline.poll_progress(&mut context).is_pending());
        assert!(pipeline.next_done().is_none());
        done.send(()).expect("the request waits");
        assert!(pipeline.poll_progress(&mut context).is_ready());
        assert_eq!(number(pipeline.next_done()), Some(1));
        assert_eq!(number(pipeline.next_done()), Some(2));
        assert!(pipeline.is_empty());
    }

    #[test]
    fn nothing_begins_while_many_bytes_wait_to_be_sent() {
        let mut context = Context::from_waker(Waker::noop());
        let mut pipeline = Pipeline::new(10);
        let (_poll, request) = waiting(1);
        pipeline.start(request, (false, 0), &mut context);
        let large = Part::Bytes(Bytes::from(vec![0; REPLIES_MAX]));
        pipeline.start(Box::pin(async { Outcome::Reply(vec![large]) }), (false, 0), &mut context);
        assert!(!pipeline.has_room());
    }

    #[test]
    fn nothing_begins_before_a_request_that_holds_is_done() {
        let mut context = Context::from_waker(Waker::noop());
        let mut pipeline = Pipeline::new(10);
        let (_poll, request) = waiting(1);
        pipeline.start(request, (false, 0), &mut context);
        let (done, request) = waiting(2);
        pipeline.start(request, (true, 0), &mut context);
        assert!(!pipeline.has_room());
        assert!(pipeline.poll_progress(&mut context).is_pending());
        done.send(()).expect("the request waits");
        assert!(pipeline.poll_progress(&mut context).is_ready(), "another may begin");
        assert!(pipeline.has_room());
        assert!(pipeline.next_done().is_none(), "the first still waits");
    }
}
