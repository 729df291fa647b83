//! What a cleaning knows of the transactions whose records it walks over.

use std::collections::{BTreeMap, BTreeSet};

use wire::batch::{BatchView, ControlRecordType};
use wire::compress::Limits;

use crate::index::txn::AbortedTxn;

/// A control batch has one small record.
const MAX_CONTROL: usize = 64 << 10;

/// The transactions around the batch that is looked at, when all batches are looked at in their order.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    /// Aborted transactions that begin later, by their first offset.
    upcoming: BTreeMap<i64, AbortedTxn>,
    /// Aborted ones that go on here, by producer.
    aborted: BTreeMap<i64, Aborted>,
    /// Producers of which records were seen that are committed, and the marker was not.
    committed: BTreeSet<i64>,
}

#[derive(Debug)]
struct Aborted {
    txn: AbortedTxn,
    /// Whether a batch of it is still in the log.
    seen: bool,
}

/// What may become of a control batch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MarkerFate {
    /// No batch of its transaction is left, so that the marker can go once readers have had time to see it.
    pub empty_txn: bool,
    /// The aborted transaction that the marker ends, of which batches were seen: readers must know of it.
    pub aborted: Option<AbortedTxn>,
}

impl Transactions {
    /// Learns of aborted transactions that overlap what is looked at next.
    pub fn learn(&mut self, aborted: impl IntoIterator<Item = AbortedTxn>) {
        self.upcoming.extend(aborted.into_iter().map(|txn| (txn.first_offset.0, txn)));
    }

    /// Looks at a batch of records. Returns whether they are of an aborted transaction.
    pub fn is_aborted(&mut self, batch: &BatchView<'_>) -> bool {
        self.begin_up_to(batch.last_offset().0);
        if !batch.is_transactional() {
            return false;
        }
        let producer = batch.producer_id().0;
        if let Some(aborted) = self.aborted.get_mut(&producer) {
            aborted.seen = true;
            return true;
        }
        self.committed.insert(producer);
        false
    }

    /// Looks at a control batch.
    pub fn marker(&mut self, batch: &BatchView<'_>) -> MarkerFate {
        self.begin_up_to(batch.last_offset().0);
        let producer = batch.producer_id().0;
        match control_type(batch) {
            // What an earlier cleaning left of a marker.
            None => MarkerFate { empty_txn: true, aborted: None },
            Some(ControlRecordType::Abort) => {
                let aborted = self.aborted.remove(&producer).filter(|aborted| aborted.seen);
                MarkerFate { empty_txn: aborted.is_none(), aborted: aborted.map(|aborted| aborted.txn) }
            }
            Some(ControlRecordType::Commit) => {
                MarkerFate { empty_txn: !self.committed.remove(&producer), aborted: None }
            }
            Some(_) => MarkerFate::default(),
        }
    }

    fn begin_up_to(&mut self, offset: i64) {
        while let Some(first) = self.upcoming.first_entry().filter(|first| *first.key() <= offset) {
            let txn = first.remove();
            self.aborted.entry(txn.producer_id.0).or_insert(Aborted { txn, seen: false });
        }
    }
}

/// What a control batch says; nothing if it has no record any more. One that cannot be read says something that is not
/// known here, and stays.
fn control_type(batch: &BatchView<'_>) -> Option<ControlRecordType> {
    const UNREADABLE: ControlRecordType = ControlRecordType::Unknown(-1);
    if batch.record_count() == 0 {
        return None;
    }
    let Ok(records) = batch.records(Limits::trusting(MAX_CONTROL)) else { return Some(UNREADABLE) };
    let key = records.iter().next().and_then(Result::ok).and_then(|record| record.key);
    Some(key.and_then(ControlRecordType::parse).unwrap_or(UNREADABLE))
}
