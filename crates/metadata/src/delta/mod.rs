//! What changes from one image to the next.

mod changes;
mod notes;
mod replay;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kernel::{NodeId, Uuid};

pub use changes::{LocalChanges, LocalReplica, PartitionChange, TopicChange};
pub use notes::Notes;

use crate::image::{ConfigResource, Image, Provenance};
use crate::log::MetadataBatch;
use crate::record::MetadataRecord;

/// Records that are being replayed onto an image.
///
/// Each part of the image is copied when the first record of this delta changes it, and each topic likewise; so replay
/// many records with one delta rather than each with its own.
///
/// Records between `BeginTransactionRecord` and `EndTransactionRecord` (KIP-868) count only from the end on. While
/// [`Delta::in_transaction`] holds, go on with the same delta: what it shows and applies is the state before.
#[derive(Debug, Clone)]
pub struct Delta {
    base: Arc<Image>,
    next: Image,
    /// The state before the open transaction, to which an abort returns.
    before_transaction: Option<Box<Image>>,
    touched: Touched,
    notes: Notes,
}

/// What records spoke of. What became of it is seen by comparing the images.
#[derive(Debug, Clone, Default)]
struct Touched {
    topics: BTreeMap<Uuid, BTreeSet<i32>>,
    configs: BTreeSet<ConfigResource>,
    brokers: BTreeSet<NodeId>,
}

impl Delta {
    pub fn new(base: &Arc<Image>) -> Self {
        Self {
            base: base.clone(),
            next: Image::clone(base),
            before_transaction: None,
            touched: Touched::default(),
            notes: Notes::default(),
        }
    }

    /// A delta that replays a whole snapshot: what the snapshot does not say is gone.
    pub fn from_snapshot(base: &Arc<Image>) -> Self {
        let mut delta = Self::new(base);
        delta.next = Image::default();
        for topic in base.topics.iter() {
            delta.touched.topics.insert(topic.id, topic.partitions.keys().copied().collect());
        }
        delta.touched.configs.extend(base.configs.iter().map(|(resource, _)| resource.clone()));
        delta.touched.brokers.extend(base.brokers.iter().map(|broker| broker.id));
        delta
    }

    /// The image that this delta started from.
    pub fn base(&self) -> &Arc<Image> {
        &self.base
    }

    /// Replays one record. It cannot fail: a record that refers to something unknown changes nothing and is noted.
    pub fn replay(&mut self, record: &MetadataRecord) {
        if let Err(unknown) = self.try_replay(record) {
            self.notes.add(record.name(), unknown);
        }
    }

    /// Replays all that a batch of the log or of a snapshot says. Where the log stands then is for [`Delta::advance`].
    pub fn replay_batch(&mut self, batch: &MetadataBatch) {
        for record in &batch.quorum {
            self.next.quorum.replay(record);
            // It holds whatever becomes of an open transaction.
            if let Some(before) = &mut self.before_transaction {
                before.quorum.replay(record);
            }
        }
        batch.records.iter().for_each(|record| self.replay(record));
    }

    /// Tells up to where the log has been replayed.
    pub fn advance(&mut self, provenance: Provenance) {
        self.next.provenance = provenance;
    }

    /// The image after all that was replayed.
    pub fn apply(&self) -> Image {
        self.visible().clone()
    }

    /// Whether a transaction has begun and neither ended nor been aborted.
    pub fn in_transaction(&self) -> bool {
        self.before_transaction.is_some()
    }

    /// What was replayed without effect, and why.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    fn visible(&self) -> &Image {
        self.before_transaction.as_deref().unwrap_or(&self.next)
    }
}
