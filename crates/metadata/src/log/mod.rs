//! How records lie in `__cluster_metadata-0` and in snapshots: batches of framed records, and control records that
//! the consensus protocol writes between them.

mod batch;
mod snapshot;

pub use batch::{
    EncodeBatchError, LogError, MetadataBatch, decode_batch, encode_batch, encode_batches, encode_quorum,
};
pub use snapshot::{SNAPSHOT_SUFFIX, SnapshotId, encode_snapshot};
