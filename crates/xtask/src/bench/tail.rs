//! A consumer at the tail of a topic, for the time from a record's intended start until somebody has it.

use std::collections::BTreeMap;

use bytes::Bytes;
use kernel::Uuid;
use wire::batch::BatchView;
use wire::compress::Limits;
use wire::header::ResponseHeader;
use wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::fetch_response::FetchResponseView;

use super::poll::{Peer, Poll};

const FETCH_VERSION: i16 = 13;
const MAX_WAIT_MS: i32 = 500;
const BYTES_MAX: i32 = 8 << 20;
const LIMITS: Limits = Limits::for_batches_of(BYTES_MAX as usize);

/// Follows all partitions of one topic with one fetch under way, as clients do.
#[derive(Debug)]
pub struct Tail {
    topic: Uuid,
    /// The next offset of each partition.
    next: BTreeMap<i32, i64>,
    peer: Option<Peer>,
}

impl Tail {
    pub fn new(topic: Uuid, partitions: i32) -> Self {
        Self { topic, next: (0..partitions).map(|partition| (partition, 0)).collect(), peer: None }
    }

    pub fn begin(&mut self, peer: Peer, poll: &Poll) -> Result<(), String> {
        self.peer = Some(peer);
        self.fetch(poll)
    }

    fn fetch(&mut self, poll: &Poll) -> Result<(), String> {
        let places = self.next.iter().map(|(partition, next)| (*partition, *next));
        let frame = request(self.topic, places, BYTES_MAX)?;
        let peer = self.peer.as_mut().ok_or("a consumer needs a connection")?;
        peer.queue(&frame);
        peer.flush(poll).map_err(|error| format!("the consumer: {error}"))
    }

    /// Reads what has arrived, and asks for more. `note` gets the stamp of each record.
    pub fn serve(&mut self, poll: &Poll, mut note: impl FnMut(u64)) -> Result<(), String> {
        let peer = self.peer.as_mut().ok_or("a consumer needs a connection")?;
        let failed = |error| format!("the consumer: {error}");
        peer.flush(poll).map_err(failed)?;
        if !peer.receive().map_err(failed)? {
            return Err("the broker closed the connection of the consumer".to_owned());
        }
        let mut answered = false;
        while let Some(reply) = peer.frame()? {
            answered = true;
            take(reply, &mut self.next, &mut note)?;
        }
        if answered { self.fetch(poll) } else { Ok(()) }
    }
}

/// A fetch from some places in a topic: partitions, and the next offset of each.
pub fn request(
    topic: Uuid,
    places: impl Iterator<Item = (i32, i64)>,
    bytes_max: i32,
) -> Result<Bytes, String> {
    let partition = |(partition, fetch_offset)| FetchPartition {
        partition,
        fetch_offset,
        partition_max_bytes: bytes_max,
        ..FetchPartition::default()
    };
    let partitions = places.map(partition).collect();
    let request = FetchRequest {
        max_wait_ms: MAX_WAIT_MS,
        min_bytes: 1,
        max_bytes: bytes_max,
        // No session: each fetch names all partitions.
        session_epoch: -1,
        topics: vec![FetchTopic { topic_id: topic, partitions, ..FetchTopic::default() }],
        ..FetchRequest::default()
    };
    wire::frame::encode_request(&request, FETCH_VERSION, 1, super::admin::CLIENT)
        .map_err(|error| error.to_string())
}

/// Hands out what an answer has of each partition; fails where something was refused.
pub fn answered(reply: &[u8], mut take: impl FnMut(i32, &[u8]) -> Result<(), String>) -> Result<(), String> {
    let bad = |error: &dyn std::fmt::Display| format!("a fetch is not understood: {error}");
    let (_, body) =
        ResponseHeader::decode(reply, FetchRequest::API_KEY, FETCH_VERSION).map_err(|error| bad(&error))?;
    let reply = FetchResponseView::decode(reply.get(body..).unwrap_or_default(), FETCH_VERSION)
        .map_err(|error| bad(&error))?;
    let refused = |code: i16| Err(format!("a fetch was refused: {}", super::admin::name(code)));
    if reply.error_code != 0 {
        return refused(reply.error_code);
    }
    for partition in reply.responses.iter().flat_map(|topic| topic.partitions) {
        if partition.error_code != 0 {
            return refused(partition.error_code);
        }
        take(partition.partition_index, partition.records.unwrap_or_default())?;
    }
    Ok(())
}

fn take(reply: &[u8], next: &mut BTreeMap<i32, i64>, note: &mut impl FnMut(u64)) -> Result<(), String> {
    let bad = |error: &dyn std::fmt::Display| format!("a fetch is not understood: {error}");
    answered(reply, |partition, records| {
        for batch in BatchView::iter(records) {
            let batch = batch.map_err(|error| bad(&error))?;
            for record in batch.records(LIMITS).map_err(|error| bad(&error))?.iter() {
                let record = record.map_err(|error| bad(&error))?;
                if let Some(stamp) = record.value.and_then(<[u8]>::first_chunk) {
                    note(u64::from_be_bytes(*stamp));
                }
                next.insert(partition, record.offset.0 + 1);
            }
        }
        Ok(())
    })
}
