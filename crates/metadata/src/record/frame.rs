//! Records as bytes.

use bytes::Bytes;
use wire::records::split_metadata;
use wire::{DecodeError, EncodeError};

use super::MetadataRecord;
use crate::version::MetadataVersion;

/// Why the value of a record is not one that this release understands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("the frame of a metadata record is malformed: {0}")]
    Frame(DecodeError),
    /// A newer release has written it.
    #[error("metadata records of type {key} (version {version}) are not known to this release")]
    UnknownType { key: i16, version: i16 },
    #[error("a {name} (type {key}, version {version}) cannot be read: {source}")]
    Body { name: &'static str, key: i16, version: i16, source: DecodeError },
}

impl MetadataRecord {
    /// Reads a record's value.
    pub fn decode(value: &[u8]) -> Result<Self, RecordError> {
        let (key, version, body) = split_metadata(value).map_err(RecordError::Frame)?;
        let name = Self::name_of(key).ok_or(RecordError::UnknownType { key, version })?;
        let record =
            Self::decode_body(key, body, version).ok_or(RecordError::UnknownType { key, version })?;
        record.map_err(|source| RecordError::Body { name, key, version, source })
    }

    /// The record's value, in the version that a cluster at `level` writes.
    ///
    /// It fails only for a record that says what the level cannot; decisions make none.
    pub fn encode(&self, level: MetadataVersion) -> Result<Bytes, EncodeError> {
        self.encode_framed(self.version(level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{NoOpRecord, TopicRecord};
    use kernel::Uuid;

    #[test]
    fn a_record_is_framed_as_kafka_frames_it() {
        let record: MetadataRecord =
            TopicRecord { name: "ab".to_owned(), topic_id: Uuid::from_bytes([7; 16]) }.into();
        let value = record.encode(MetadataVersion::LATEST).expect("it can be written");
        let mut expected = vec![1, 2, 0, 3, b'a', b'b'];
        expected.extend([7; 16]);
        expected.push(0);
        assert_eq!(value, expected);
        assert_eq!(MetadataRecord::decode(&value), Ok(record));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(
            MetadataRecord::decode(&[1, 30, 4, 0]),
            Err(RecordError::UnknownType { key: 30, version: 4 })
        );
        let newer = MetadataRecord::decode(&[1, 2, 9, 0]).unwrap_err();
        assert!(
            newer.to_string().starts_with("a TopicRecord (type 2, version 9) cannot be read: "),
            "{newer}"
        );
        assert!(matches!(MetadataRecord::decode(&[0, 2, 0]), Err(RecordError::Frame(_))));
        assert!(matches!(MetadataRecord::decode(&[1]), Err(RecordError::Frame(_))));
        assert!(matches!(MetadataRecord::decode(&[]), Err(RecordError::Frame(_))));
    }

    #[test]
    fn a_type_has_the_number_that_its_definition_has() {
        let record = MetadataRecord::from(NoOpRecord::default());
        assert_eq!((record.key(), record.name()), (NoOpRecord::TYPE, "NoOpRecord"));
        let known = (0..64).filter(|key| MetadataRecord::name_of(*key).is_some()).count();
        assert_eq!(known, 27);
    }
}
