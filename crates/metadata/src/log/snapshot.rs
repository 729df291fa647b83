//! Snapshot files: all records that make an image, between a header and a footer.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use kernel::{LeaderEpoch, Offset, Timestamp};
use wire::batch::ControlRecordType;
use wire::records::{
    snapshot_footer_record::SnapshotFooterRecord, snapshot_header_record::SnapshotHeaderRecord,
};

use super::batch::encode_control;
use super::{EncodeBatchError, encode_batches};
use crate::image::{Image, encode_control as encode_value};

/// How the name of a snapshot file ends.
pub const SNAPSHOT_SUFFIX: &str = ".checkpoint";

/// Which part of the log a snapshot stands for, and so the name of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// The offset after the last record that the snapshot contains: replay of the log goes on here.
    pub end_offset: Offset,
    /// The epoch of that record.
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    /// The id of a snapshot of this image.
    pub fn of(image: &Image) -> Self {
        let epoch = LeaderEpoch(image.provenance.epoch.0.max(0));
        Self { end_offset: image.provenance.offset + 1, epoch }
    }

    /// The name of the file, in the directory of the log.
    pub fn file_name(self) -> String {
        format!("{self}{SNAPSHOT_SUFFIX}")
    }

    /// The id in a file's name; nothing if it is not that of a finished snapshot.
    pub fn from_file_name(name: &str) -> Option<Self> {
        name.strip_suffix(SNAPSHOT_SUFFIX)?.parse().ok()
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}-{:010}", self.end_offset.0, self.epoch.0)
    }
}

/// A text that is not the id of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a snapshot's id is an offset of 20 digits, a dash and an epoch of 10 digits")]
pub struct ParseSnapshotIdError;

impl FromStr for SnapshotId {
    type Err = ParseSnapshotIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (offset, epoch) = text.split_once('-').ok_or(ParseSnapshotIdError)?;
        let digits = |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(offset, 20) || !digits(epoch, 10) {
            return Err(ParseSnapshotIdError);
        }
        let end_offset = offset.parse().map(Offset).map_err(|_| ParseSnapshotIdError)?;
        let epoch = epoch.parse().map(LeaderEpoch).map_err(|_| ParseSnapshotIdError)?;
        Ok(Self { end_offset, epoch })
    }
}

/// How large a batch of a snapshot gets, about.
const SNAPSHOT_BATCH_BYTES: usize = 1024 * 1024;

/// The content of an image's snapshot file, in pieces to be written one after the other.
///
/// Reading it is [`BatchView::iter`](wire::batch::BatchView::iter) with [`decode_batch`](super::decode_batch) into a
/// [`Delta::from_snapshot`](crate::Delta::from_snapshot); the position is that of the [`SnapshotId`], as a snapshot
/// counts its own records from 0.
pub fn encode_snapshot(image: &Image, now: Timestamp) -> Result<Vec<Bytes>, EncodeBatchError> {
    let epoch = SnapshotId::of(image).epoch;
    let header =
        SnapshotHeaderRecord { version: 0, last_contained_log_timestamp: image.provenance.timestamp.0 };
    let mut head = vec![(ControlRecordType::SnapshotHeader, encode_value(&header)?)];
    for record in image.quorum.records() {
        head.push(record.encode()?);
    }
    let first = Offset(head.len() as i64);
    let mut pieces = vec![encode_control(&head, Offset(0), epoch, now)?];
    let level = image.features.record_level();
    let mut count = 0;
    let counted = image.write_snapshot().inspect(|_| count += 1);
    pieces.extend(encode_batches(counted, level, first, epoch, now, SNAPSHOT_BATCH_BYTES)?);
    let footer = encode_value(&SnapshotFooterRecord { version: 0 })?;
    pieces.push(encode_control(&[(ControlRecordType::SnapshotFooter, footer)], first + count, epoch, now)?);
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Delta, controller::testing, log::decode_batch};
    use wire::batch::BatchView;

    #[test]
    fn a_snapshot_is_named_as_kafka_names_it() {
        let id = SnapshotId { end_offset: Offset(1234), epoch: LeaderEpoch(5) };
        assert_eq!(id.file_name(), "00000000000000001234-0000000005.checkpoint");
        assert_eq!(SnapshotId::from_file_name(&id.file_name()), Some(id));
        for other in ["00000000000000001234-0000000005.checkpoint.part", "1-2.checkpoint", "quorum-state"] {
            assert_eq!(SnapshotId::from_file_name(other), None, "{other}");
        }
    }

    #[test]
    fn the_image_comes_back_from_its_snapshot() {
        let image = testing::image_with_everything();
        let file = encode_snapshot(&image, Timestamp(77)).expect("it can be written").concat();
        let mut delta = Delta::from_snapshot(&Arc::default());
        let mut next = 0;
        for batch in BatchView::iter(&file) {
            let batch = batch.expect("whole");
            assert_eq!(batch.base_offset(), Offset(next), "batches follow each other");
            next = batch.next_offset().0;
            delta.replay_batch(&decode_batch(&batch).expect("readable"));
        }
        delta.advance(image.provenance);
        assert_eq!(delta.notes().count(), 0);
        assert_eq!(delta.apply(), image);
    }
}
