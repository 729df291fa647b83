//! A consumer at the tail of a topic, for the time from a record's intended start until somebody has it.

use std::collections::BTreeMap;

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
        let partition = |(partition, next): (&i32, &i64)| FetchPartition {
            partition: *partition,
            fetch_offset: *next,
            partition_max_bytes: BYTES_MAX,
            ..FetchPartition::default()
        };
        let request = FetchRequest {
            max_wait_ms: MAX_WAIT_MS,
            min_bytes: 1,
            max_bytes: BYTES_MAX,
            // No session: each fetch names all partitions.
            session_epoch: -1,
            topics: vec![FetchTopic {
                topic_id: self.topic,
                partitions: self.next.iter().map(partition).collect(),
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        };
        let frame = wire::frame::encode_request(&request, FETCH_VERSION, 1, super::admin::CLIENT)
            .map_err(|error| error.to_string())?;
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

fn take(reply: &[u8], next: &mut BTreeMap<i32, i64>, note: &mut impl FnMut(u64)) -> Result<(), String> {
    let bad = |error: &dyn std::fmt::Display| format!("a fetch is not understood: {error}");
    let (_, body) =
        ResponseHeader::decode(reply, FetchRequest::API_KEY, FETCH_VERSION).map_err(|error| bad(&error))?;
    let reply = FetchResponseView::decode(reply.get(body..).unwrap_or_default(), FETCH_VERSION)
        .map_err(|error| bad(&error))?;
    if reply.error_code != 0 {
        return Err(format!("a fetch was refused: {}", super::admin::name(reply.error_code)));
    }
    for partition in reply.responses.iter().flat_map(|topic| topic.partitions) {
        if partition.error_code != 0 {
            return Err(format!("a fetch was refused: {}", super::admin::name(partition.error_code)));
        }
        for batch in BatchView::iter(partition.records.unwrap_or_default()) {
            let batch = batch.map_err(|error| bad(&error))?;
            for record in batch.records(LIMITS).map_err(|error| bad(&error))?.iter() {
                let record = record.map_err(|error| bad(&error))?;
                if let Some(stamp) = record.value.and_then(<[u8]>::first_chunk) {
                    note(u64::from_be_bytes(*stamp));
                }
                next.insert(partition.partition_index, record.offset.0 + 1);
            }
        }
    }
    Ok(())
}
