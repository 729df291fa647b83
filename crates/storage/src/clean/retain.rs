//! What is kept of one batch. The rules are Kafka's, because every client relies on them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kernel::Timestamp;
use wire::batch::{BatchBuilder, BatchView, BuildError, RecordView};
use wire::compress::{Compression, Limits};

use super::map::OffsetMap;
use super::txns::Transactions;
use crate::index::txn::AbortedTxn;

/// What a batch may decompress to: more than any that was taken from a producer.
pub(super) const MAX_DECOMPRESSED: usize = 256 << 20;

/// The last that an active producer wrote, which must stay for the sake of its sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastWritten {
    /// The last offset of its last batch; nothing if only a marker is known of its epoch.
    pub offset: Option<i64>,
    pub epoch: i16,
}

/// What decides about records.
pub(crate) struct Rules {
    pub map: OffsetMap,
    /// The map knows all keys before this offset and since the first dirty one.
    pub mapped_to: i64,
    pub now_ms: i64,
    pub delete_retention_ms: i64,
    pub high_watermark: i64,
    pub last_written: BTreeMap<i64, LastWritten>,
}

/// What is left of a batch.
#[derive(Debug, Default)]
pub(crate) struct Left<'a> {
    /// The batch to write; nothing if it goes.
    pub batch: Option<Cow<'a, [u8]>>,
    /// To be noted in the index of aborted transactions.
    pub aborted: Option<AbortedTxn>,
    pub records_read: u64,
    pub records_kept: u64,
    /// Records without a key, which a compacted log cannot keep.
    pub keyless: u64,
}

impl Rules {
    /// Decides about a batch. Batches come in their order.
    pub fn apply<'a>(&self, batch: BatchView<'a>, txns: &mut Transactions) -> Result<Left<'a>, String> {
        let control = batch.is_control();
        let fate = if control { txns.marker(&batch) } else { Default::default() };
        let of_ended_txn = if control { fate.empty_txn } else { txns.is_aborted(&batch) };
        let goes = match control {
            // A reader that is in the middle of the transaction still has to come by.
            true => {
                of_ended_txn && batch.delete_horizon().is_some_and(|horizon| horizon.millis() <= self.now_ms)
            }
            false => of_ended_txn,
        };
        let stays_empty = self.must_stay(&batch);
        let mut left = Left { aborted: fate.aborted, ..Left::default() };
        if goes {
            left.records_read = u64::try_from(batch.record_count()).unwrap_or(0);
            left.batch = if stays_empty { Some(Cow::Owned(emptied(&batch)?)) } else { None };
            return Ok(left);
        }
        let records = batch.records(Limits::trusting(MAX_DECOMPRESSED)).map_err(|error| error.to_string())?;
        let mut kept = Vec::new();
        // A tombstone whose predecessors may still be there does not begin to age.
        let mut begins_to_age = control && of_ended_txn;
        for record in &records {
            let record = record.map_err(|error| error.to_string())?;
            let keep = control || self.keeps(&batch, &record, &mut left.keyless);
            begins_to_age |= keep && !control && record.value.is_none() && record.offset.0 < self.mapped_to;
            kept.push(keep);
        }
        left.records_read = kept.len() as u64;
        left.records_kept = kept.iter().filter(|keep| **keep).count() as u64;
        let sets_horizon = begins_to_age && batch.delete_horizon().is_none();
        left.batch = if left.records_kept == 0 {
            if stays_empty { Some(Cow::Owned(emptied(&batch)?)) } else { None }
        } else if left.records_kept == left.records_read && !sets_horizon {
            Some(Cow::Borrowed(batch.bytes()))
        } else {
            let horizon = sets_horizon.then(|| self.now_ms.saturating_add(self.delete_retention_ms.max(0)));
            let records = records.iter().filter_map(Result::ok).zip(kept);
            let records = records.filter(|(_, keep)| *keep).map(|(record, _)| record);
            Some(Cow::Owned(rebuilt(&batch, records, horizon)?))
        };
        Ok(left)
    }

    fn keeps(&self, batch: &BatchView<'_>, record: &RecordView<'_>, keyless: &mut u64) -> bool {
        if record.offset.0 >= self.mapped_to {
            return true;
        }
        let Some(key) = record.key else {
            *keyless += 1;
            return false;
        };
        if self.map.get(key).is_some_and(|last| record.offset.0 < last) {
            return false;
        }
        let ripe = batch.delete_horizon().is_some_and(|horizon| self.now_ms >= horizon.millis());
        record.value.is_some() || !ripe
    }

    /// Whether the batch stays even without records: for the sequence numbers and the epoch of its producer, or so that
    /// readers reach the end of the log.
    fn must_stay(&self, batch: &BatchView<'_>) -> bool {
        let last = self.last_written.get(&batch.producer_id().0).filter(|_| batch.has_producer_id());
        let last_of_producer = last.is_some_and(|last| match last.offset {
            Some(offset) => batch.last_offset().0 == offset,
            None => batch.is_control() && batch.producer_epoch().0 == last.epoch,
        });
        last_of_producer || batch.next_offset().0 == self.high_watermark
    }
}

/// A bare header, which says no more than which offsets and sequence numbers there were.
fn emptied(batch: &BatchView<'_>) -> Result<Vec<u8>, String> {
    rebuilt(batch, std::iter::empty(), None)
}

fn rebuilt<'r>(
    batch: &BatchView<'_>,
    records: impl Iterator<Item = RecordView<'r>>,
    horizon: Option<i64>,
) -> Result<Vec<u8>, String> {
    let codec = batch.codec().map_err(|error| error.to_string())?;
    let mut builder = BatchBuilder::like(batch.header(), Compression::of(codec));
    if let Some(horizon) = horizon {
        builder = builder.delete_horizon(Timestamp(horizon));
    }
    for record in records {
        builder.append_view(&record);
    }
    let built = builder.build().map_err(|error: BuildError| error.to_string())?;
    Ok(built.into())
}
