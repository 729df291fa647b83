//! A request as its handler gets it, and the reply it gives.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use wire::api_table::ApiKey;
use wire::header::RequestHeaderView;
use wire::{DecodeError, EncodeError, Message, Segment};

use crate::conn::{FileSpan, Frame, Outcome, Part};
use crate::memory::Charge;

static NEXT_PEER: AtomicU64 = AtomicU64::new(1);

/// Whom a listener is for. Each kind answers APIs of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerType {
    /// Clients and brokers.
    Broker,
    /// Whoever talks to the controllers themselves (KIP-919).
    Controller,
}

/// Who is at the other end of a connection.
#[derive(Debug)]
pub struct Peer {
    /// Distinguishes connections of this process.
    pub id: u64,
    pub address: SocketAddr,
    /// The address of ours that it connected to.
    pub local: Option<SocketAddr>,
    /// The listener that accepted it.
    pub listener: Arc<str>,
    pub listener_type: ListenerType,
    /// What the client's library says it is (KIP-511).
    pub software: Mutex<Option<ClientSoftware>>,
}

/// The name and version that a client's library gives of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSoftware {
    pub name: String,
    pub version: String,
}

impl Peer {
    pub fn new(
        address: SocketAddr,
        local: Option<SocketAddr>,
        listener: Arc<str>,
        listener_type: ListenerType,
    ) -> Self {
        let id = NEXT_PEER.fetch_add(1, Ordering::Relaxed);
        Self { id, address, local, listener, listener_type, software: Mutex::new(None) }
    }

    /// The address as group descriptions print it.
    pub fn host(&self) -> String {
        format!("/{}", self.address.ip())
    }
}

/// One request: its header read, its body still bytes.
#[derive(Debug)]
pub struct Request {
    pub peer: Arc<Peer>,
    pub api_key: i16,
    pub version: i16,
    pub correlation_id: i32,
    /// The `client.id` that the client was configured with.
    pub client_id: Option<Arc<str>>,
    frame: Bytes,
    body_at: usize,
    /// Holds the request's memory until it is answered.
    _charge: Charge,
}

impl Request {
    /// Reads the header of a request. `client` is the `client.id` of the connection's last one, which hardly ever changes.
    pub(crate) fn parse(
        frame: Frame,
        peer: &Arc<Peer>,
        client: &mut Option<Arc<str>>,
    ) -> Result<Self, String> {
        let (header, body_at) = RequestHeaderView::decode(&frame.bytes)
            .map_err(|error| format!("a request's header cannot be read: {error}"))?;
        if client.as_deref() != header.client_id {
            *client = header.client_id.map(Arc::from);
        }
        Ok(Self {
            peer: Arc::clone(peer),
            api_key: header.request_api_key,
            version: header.request_api_version,
            correlation_id: header.correlation_id,
            client_id: client.clone(),
            body_at,
            frame: frame.bytes,
            _charge: frame.charge,
        })
    }

    /// The bytes after the header.
    pub fn body(&self) -> &[u8] {
        self.frame.get(self.body_at..).unwrap_or_default()
    }

    pub fn client_id(&self) -> &str {
        self.client_id.as_deref().unwrap_or_default()
    }

    /// Lets go of the bytes of a request that has been read, so that the connection can receive into their memory again.
    /// What was charged for them stays so until it is answered.
    pub fn forget_body(&mut self) {
        self.frame = Bytes::new();
    }

    /// Part of the body as bytes of their own, without copying them.
    pub fn bytes_of(&self, part: &[u8]) -> Bytes {
        if part.is_empty() { Bytes::new() } else { self.frame.slice_ref(part) }
    }

    /// A reply at the version of the request.
    pub fn reply<M: Message>(&self, message: &M) -> Handled {
        self.reply_with_spans(message, &[])
    }

    /// A reply whose records are spans of files, by their index.
    pub fn reply_with_spans<M: Message>(&self, message: &M, spans: &[FileSpan]) -> Handled {
        self.reply_at(self.version, message, spans)
    }

    /// A reply at another version: ApiVersions answers a version that it does not know with version 0.
    pub fn reply_at<M: Message>(&self, version: i16, message: &M, spans: &[FileSpan]) -> Handled {
        let segments = wire::frame::encode_response(self.api_key, version, self.correlation_id, |writer| {
            message.encode(writer, version)
        })
        .map_err(Refusal::Unencodable)?;
        Ok(Reply::Parts(resolve(segments, spans)))
    }
}

fn resolve(segments: Vec<Segment>, spans: &[FileSpan]) -> Vec<Part> {
    segments
        .into_iter()
        .filter_map(|segment| match segment {
            Segment::Bytes(bytes) => Some(Part::Bytes(bytes)),
            Segment::Span(span) => spans.get(span.index as usize).cloned().map(Part::File),
        })
        .collect()
}

/// What a handler gives back.
pub enum Reply {
    Parts(Vec<Part>),
    /// Produce with acks=0 is not answered.
    Silent,
}

/// Why a request is not answered: the connection is closed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Malformed(#[from] DecodeError),
    #[error("{0}")]
    Unacceptable(String),
    #[error("a reply cannot be encoded: {0}")]
    Unencodable(EncodeError),
}

pub type Handled = Result<Reply, Refusal>;

/// Turns what a handler gives back into what the connection does, and names the request in a complaint.
pub(crate) fn outcome(handled: Handled, api: ApiKey, version: i16) -> Outcome {
    match handled {
        Ok(Reply::Parts(parts)) => Outcome::Reply(parts),
        Ok(Reply::Silent) => Outcome::Silent,
        Err(refusal) => Outcome::Close(format!("{} v{version}: {refusal}", api.api().name)),
    }
}

/// An API's name, for a complaint.
pub(crate) fn name_of(api_key: i16) -> String {
    wire::api_table::lookup(api_key).map_or_else(|| format!("API key {api_key}"), |api| api.name.to_owned())
}
