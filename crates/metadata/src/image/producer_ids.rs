//! Which producer ids are still to be given out.

use kernel::ProducerId;

use crate::record::{MetadataRecord, ProducerIdsRecord};

/// The next producer id that no block contains yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProducerIds {
    next: Option<i64>,
}

impl ProducerIds {
    /// The first id of the block that is allocated next.
    pub fn next(self) -> ProducerId {
        ProducerId(self.next.unwrap_or(0))
    }

    pub(crate) fn replay(&mut self, record: &ProducerIdsRecord) {
        // Ids never go back, whatever a log says: giving one out twice would mix up two producers.
        self.next = self.next.max(Some(record.next_producer_id.max(0)));
    }

    pub(crate) fn records(self) -> impl Iterator<Item = MetadataRecord> {
        self.next.into_iter().map(|next| {
            let nobody = -1;
            ProducerIdsRecord { broker_id: nobody, broker_epoch: i64::from(nobody), next_producer_id: next }
                .into()
        })
    }
}
