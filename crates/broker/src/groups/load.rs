//! Brings a shard to what its partition remembers.

use bytes::Bytes;
use coordinator::GroupShard;
use kernel::planted::{self, Bug};
use kernel::{Offset, ProducerId};
use tracing::warn;
use wire::batch::{BatchView, EndTxnMarker};
use wire::compress::Limits;

use crate::partition::Partition;

/// What is read of the log at a time.
const LOAD_BYTES: u32 = 5 << 20;

/// What one batch of group records may decompress to.
const DECOMPRESSED_MAX: usize = 64 << 20;

/// Replays what the log remembers.
pub(super) fn load(shard: &mut GroupShard, partition: &Partition) -> Result<(), String> {
    let log = partition.log();
    if let Some(why) = log.offline() {
        // It remembers more than can be seen.
        return Err(why.to_string());
    }
    let mut at = log.start_offset();
    drop(log);
    let end = partition.high_watermark();
    while at < end {
        let read = partition.log().read(at, LOAD_BYTES, end, true).map_err(|error| error.to_string())?;
        let Some(mut span) = read.span else { break };
        span.verify().map_err(|error| error.to_string())?;
        let bytes = Bytes::from(span.read().map_err(|error| error.to_string())?);
        let before = at;
        let mut rest: &[u8] = &bytes;
        while !rest.is_empty() {
            let (batch, after) = BatchView::parse(rest).map_err(|error| error.to_string())?;
            replay(shard, &batch, at)?;
            at = batch.header().next_offset();
            rest = after;
        }
        if at == before {
            return Err(format!("the log has no batch at offset {at}"));
        }
    }
    Ok(())
}

fn replay(shard: &mut GroupShard, batch: &BatchView<'_>, from: Offset) -> Result<(), String> {
    let header = batch.header();
    // What is written within a transaction counts only once its marker is read.
    let producer = if header.is_transactional() { header.producer_id() } else { ProducerId::NONE };
    let records = batch.records(Limits::trusting(DECOMPRESSED_MAX)).map_err(|error| error.to_string())?;
    for record in records.iter() {
        let record = record.map_err(|error| error.to_string())?;
        let Some(key) = record.key else { continue };
        if record.offset < from || (record.offset == from && planted::on(Bug::SkipFirstOnLoad)) {
            continue;
        }
        if header.is_control() {
            if let Some(marker) = record.value.and_then(|value| EndTxnMarker::parse(key, value)) {
                shard.transaction_ended(header.producer_id(), marker.committed);
            }
        } else if let Err(error) = shard.replay(record.offset, producer, key, record.value) {
            warn!(offset = %record.offset, %error, "a record of the offsets topic is not understood and skipped");
        }
    }
    Ok(())
}
