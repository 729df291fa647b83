//! One connection: versions agreed, requests pipelined, answers matched, their size and time bounded.
//!
//! *Invariant:* requests leave in the order in which [`Connection::start`] was called. A producer's order rests on it.

mod answer;
pub(crate) mod secure;
mod task;
mod versions;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use wire::api_table;
use wire::messages::api_versions_request::ApiVersionsRequest;
use wire::{EncodeError, EncodeErrorKind, Request, STRING_LEN_MAX, frame};

pub(crate) use answer::Answer;
use versions::Versions;

use crate::{ClientConfig, Error, World};

/// How many requests of one connection may wait for their answers. Far more than any caller here lets wait.
pub(crate) const WAITING_MAX: usize = 1024;

/// The largest answer that is read to anything but a fetch. Metadata of a hundred thousand partitions takes a tenth.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A connection to one broker. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    versions: Versions,
    client_id: String,
    request_timeout: Duration,
    fetch_bytes_max: usize,
}

/// What the connection's tasks and its callers have in common.
#[derive(Debug)]
struct Shared {
    address: String,
    queue: Mutex<Queue>,
    closed: OnceLock<Error>,
    tasks: OnceLock<[AbortHandle; 2]>,
}

#[derive(Debug, Default)]
struct Queue {
    next_correlation_id: i32,
    waiting: VecDeque<Waiting>,
}

/// A request on its way to the socket.
#[derive(Debug)]
struct Outgoing {
    pieces: Vec<Bytes>,
    /// Who wants to know when the socket has all of it.
    left: Option<oneshot::Sender<()>>,
}

/// A request whose answer is still to come.
#[derive(Debug)]
struct Waiting {
    correlation_id: i32,
    asked_at: Instant,
    answer_bytes_max: usize,
    reply: oneshot::Sender<Result<Bytes, Error>>,
}

impl Connection {
    /// Connects, learns what the server serves, and tells it who this client is if it has to.
    pub async fn open(
        world: &World,
        host: &str,
        port: u16,
        config: &ClientConfig,
    ) -> Result<Connection, Error> {
        let protocol = config.security_protocol;
        secure::check(protocol)?;
        let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let failed = |reason: String| Error::Connection { address: address.clone(), reason };
        let (read, write) =
            match timeout(config.connection_setup_timeout, world.net.connect(host, port)).await {
                Ok(connected) => connected.map_err(|error| failed(error.to_string()))?,
                Err(_) => return Err(failed("it could not be made in time".to_owned())),
            };
        let (read, write) = secure::stream(protocol, read, write)?;
        let shared = Arc::new(Shared::new(address));
        let (outgoing, frames) = mpsc::unbounded_channel();
        let reader = host::task::spawn(task::read(Arc::clone(&shared), read)).abort_handle();
        let writer = host::task::spawn(task::write(Arc::clone(&shared), write, frames)).abort_handle();
        // Nobody else sets it.
        let _ = shared.tasks.set([reader, writer]);
        let mut connection = Connection {
            shared,
            outgoing,
            versions: Versions::default(),
            client_id: config.client_id.clone(),
            request_timeout: config.request_timeout,
            fetch_bytes_max: config.receive_message_max_bytes,
        };
        connection.versions = connection.agree().await?;
        secure::authenticate(protocol, &connection)?;
        Ok(connection)
    }

    /// Asks for the versions; an older server says which version to ask in.
    async fn agree(&self) -> Result<Versions, Error> {
        let request = ApiVersionsRequest {
            client_software_name: "riverrun".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Default::default()
        };
        let mut version = api_table::ApiKey::ApiVersions.api().max;
        loop {
            let answer = self.start(&request, version)?.wait(self.request_timeout).await?;
            match Versions::read(&answer, version)? {
                Ok(versions) => return Ok(versions),
                Err(supported) => version = supported,
            }
        }
    }

    pub fn address(&self) -> &str {
        &self.shared.address
    }

    /// Whether requests can still be made.
    pub fn is_open(&self) -> bool {
        self.shared.closed.get().is_none()
    }

    /// Whether a request has waited for its answer for longer than `time`.
    pub fn is_silent(&self, time: Duration) -> bool {
        let queue = self.shared.queue.lock();
        queue.waiting.front().is_some_and(|waiting| waiting.asked_at.elapsed() > time)
    }

    /// The highest version of the API, up to `max`, that both sides know.
    pub fn version_up_to<R: Request>(&self, max: i16) -> Result<i16, Error> {
        let api = api_table::lookup(R::API_KEY);
        let stable = api.map_or(R::MAX_VERSION, |api| api.max).min(max);
        let unsupported = || Error::Unsupported {
            address: self.shared.address.clone(),
            api: api.map_or(R::NAME, |api| api.name),
        };
        self.versions.choose(R::API_KEY, R::MIN_VERSION, stable).ok_or_else(unsupported)
    }

    /// The highest version of the API that both sides know.
    pub fn version<R: Request>(&self) -> Result<i16, Error> {
        self.version_up_to::<R>(i16::MAX)
    }

    /// Sends a request in the highest version that both know, and waits for the answer.
    pub async fn ask<R: Request>(&self, request: &R) -> Result<R::Response, Error> {
        self.ask_in(request, self.version::<R>()?, self.request_timeout).await
    }

    /// Sends a request in `version`, and waits up to `time` for the answer.
    pub async fn ask_in<R: Request>(
        &self,
        request: &R,
        version: i16,
        time: Duration,
    ) -> Result<R::Response, Error> {
        self.start(request, version)?.wait(time).await?.decode()
    }

    pub fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// Puts a request on its way. It is sent even if the answer is never waited for.
    pub fn start<R: Request>(&self, request: &R, version: i16) -> Result<Pending, Error> {
        let is_fetch = R::API_KEY == api_table::ApiKey::Fetch.code();
        let answer_bytes_max = if is_fetch { self.fetch_bytes_max } else { ANSWER_BYTES_MAX };
        let (reply, answer) = oneshot::channel();
        self.enqueue(request, version, None, |queue, correlation_id| {
            let asked_at = Instant::now();
            queue.waiting.push_back(Waiting { correlation_id, asked_at, answer_bytes_max, reply });
        })?;
        Ok(Pending { shared: Arc::clone(&self.shared), api_key: R::API_KEY, version, answer })
    }

    /// Puts a request on its way that the server does not answer.
    pub fn send_unanswered<R: Request>(&self, request: &R, version: i16) -> Result<Leaving, Error> {
        let (left, leaves) = oneshot::channel();
        self.enqueue(request, version, Some(left), |_, _| {})?;
        Ok(Leaving { shared: Arc::clone(&self.shared), leaves })
    }

    fn enqueue<R: Request>(
        &self,
        request: &R,
        version: i16,
        left: Option<oneshot::Sender<()>>,
        expect: impl FnOnce(&mut Queue, i32),
    ) -> Result<(), Error> {
        let mut queue = self.shared.queue.lock();
        if let Some(error) = self.shared.closed.get() {
            return Err(error.clone());
        }
        if queue.waiting.len() >= WAITING_MAX {
            return Err(self.shared.failure("too many requests wait for their answers"));
        }
        let correlation_id = queue.next_correlation_id;
        let pieces = frame::encode_request_pieces(request, version, correlation_id, Some(&self.client_id))
            .map_err(unsendable)?;
        queue.next_correlation_id = correlation_id.wrapping_add(1) & i32::MAX;
        expect(&mut queue, correlation_id);
        self.outgoing.send(Outgoing { pieces, left }).map_err(|_| self.shared.failure("it is closed"))
    }
}

/// Why a request has no form.
fn unsendable(error: EncodeError) -> Error {
    match error.kind {
        EncodeErrorKind::StringTooLong(text) => {
            Error::TextTooLong { start: text.start().to_owned(), size: text.size, limit: STRING_LEN_MAX }
        }
        _ => Error::Config { name: "request", reason: error.to_string() },
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let error = self.shared.failure("it was closed by this side");
        self.shared.close(error);
    }
}

impl Shared {
    fn new(address: String) -> Self {
        Self { address, queue: Mutex::default(), closed: OnceLock::new(), tasks: OnceLock::new() }
    }

    fn failure(&self, reason: impl Into<String>) -> Error {
        Error::Connection { address: self.address.clone(), reason: reason.into() }
    }

    fn nonsense(&self, reason: impl Into<String>) -> Error {
        Error::Protocol { address: self.address.clone(), reason: reason.into() }
    }

    /// Ends the connection: whoever waits, or asks later, gets `error`.
    fn close(&self, error: Error) {
        let waiting = {
            let mut queue = self.queue.lock();
            // The first reason is the true one.
            let _ = self.closed.set(error);
            std::mem::take(&mut queue.waiting)
        };
        if let Some(error) = self.closed.get() {
            for waiting in waiting {
                let _ = waiting.reply.send(Err(error.clone()));
            }
        }
        for task in self.tasks.get().into_iter().flatten() {
            task.abort();
        }
    }
}

/// A request without an answer, until the socket has it. Dropping it changes nothing about the request.
#[derive(Debug)]
pub(crate) struct Leaving {
    shared: Arc<Shared>,
    leaves: oneshot::Receiver<()>,
}

impl Leaving {
    /// Waits until the socket has all of it. A server that takes nothing for longer than `time` loses the connection.
    pub async fn wait(self, time: Duration) -> Result<(), Error> {
        match timeout(time, self.leaves).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => {
                Err(self.shared.closed.get().cloned().unwrap_or_else(|| self.shared.failure("it is closed")))
            }
            Err(_) => {
                self.shared.close(self.shared.failure("a request could not be sent in time"));
                Err(Error::Timeout { what: "sending a request".into(), after: time })
            }
        }
    }
}

/// An answer that is still to come. Dropping it forgets the answer; the connection stays in order.
#[derive(Debug)]
pub(crate) struct Pending {
    shared: Arc<Shared>,
    api_key: i16,
    version: i16,
    answer: oneshot::Receiver<Result<Bytes, Error>>,
}

impl Pending {
    /// Waits for the answer. A server that is silent for longer than `time` loses the connection, as nobody can tell
    /// a slow one from a dead one.
    pub async fn wait(self, time: Duration) -> Result<Answer, Error> {
        let frame = match timeout(time, self.answer).await {
            Ok(Ok(answer)) => answer?,
            Ok(Err(_)) => return Err(self.shared.failure("it is closed")),
            Err(_) => {
                self.shared.close(self.shared.failure("an answer did not come in time"));
                return Err(Error::Timeout { what: "an answer".into(), after: time });
            }
        };
        Answer::new(frame, self.api_key, self.version, self.shared)
    }
}
