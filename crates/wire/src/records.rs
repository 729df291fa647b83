//! What logs and files hold, and the prefixes that say which record it is and in which version.

use bytes::Bytes;

use crate::primitive::{DecodeError, DecodeErrorKind, EncodeError, Message, Reader, Writer};

pub use crate::generated::records::*;

/// A value after its version, a 16-bit number: values of coordinator records, and what consumers tell their group.
pub fn encode_versioned<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    encode_after(version, message, version)
}

/// A key after its type, a 16-bit number, in the only version that keys have.
pub fn encode_key<M: Message>(record_type: i16, key: &M) -> Result<Bytes, EncodeError> {
    encode_after(record_type, key, M::MIN_VERSION)
}

fn encode_after<M: Message>(prefix: i16, message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut out = Writer::new();
    out.i16(prefix);
    message.encode(&mut out, version)?;
    out.into_bytes().map_err(|kind| EncodeError { message: M::NAME, version, kind })
}

/// The number that a key or value begins with (its type or its version), and what follows.
pub fn split_prefix(input: &[u8]) -> Result<(i16, &[u8]), DecodeError> {
    let (prefix, rest) = input.split_first_chunk().ok_or(DecodeError {
        message: "record",
        version: 0,
        offset: input.len(),
        kind: DecodeErrorKind::Truncated,
    })?;
    Ok((i16::from_be_bytes(*prefix), rest))
}

/// Decodes a value that begins with its version.
pub fn decode_versioned<M: Message>(input: &[u8]) -> Result<M, DecodeError> {
    let (version, rest) = split_prefix(input)?;
    M::decode(rest, version)
}

/// The frame that metadata records have in `__cluster_metadata`: a frame version, then type and version as
/// variable-length numbers.
pub fn encode_metadata<M: Message>(record_type: i16, record: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut out = Writer::new();
    out.varint(METADATA_FRAME_VERSION);
    out.varint(record_type as u32);
    out.varint(version as u32);
    record.encode(&mut out, version)?;
    out.into_bytes().map_err(|kind| EncodeError { message: M::NAME, version, kind })
}

/// Takes apart the frame of a metadata record: its type, its version, and the record.
pub fn split_metadata(input: &[u8]) -> Result<(i16, i16, &[u8]), DecodeError> {
    let mut reader = Reader::new(input, 0, true);
    if reader.varint() != METADATA_FRAME_VERSION {
        reader.fail(DecodeErrorKind::UnsupportedVersion);
    }
    let record_type = number(&mut reader, DecodeErrorKind::UnknownType);
    let version = number(&mut reader, DecodeErrorKind::UnsupportedVersion);
    let rest = input.get(reader.position()..).unwrap_or_default();
    reader.finish("metadata record", (record_type, version, rest))
}

fn number(reader: &mut Reader<'_>, wrong: DecodeErrorKind) -> i16 {
    i16::try_from(reader.varint()).unwrap_or_else(|_| {
        reader.fail(wrong);
        0
    })
}

const METADATA_FRAME_VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::offset_commit_key::OffsetCommitKey;
    use super::offset_commit_value::OffsetCommitValue;
    use super::topic_record::TopicRecord;
    use super::*;

    #[test]
    fn keys_begin_with_their_type_and_values_with_their_version() {
        let key = OffsetCommitKey { group: "g".to_owned(), topic: "t".to_owned(), partition: 2 };
        let bytes = encode_key(OffsetCommitKey::TYPE, &key).expect("it fits");
        assert_eq!(bytes, [0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 2][..]);
        let (record_type, rest) = split_prefix(&bytes).expect("it has a type");
        assert_eq!((record_type, OffsetCommitKey::decode(rest, 0)), (1, Ok(key)));
        let value = OffsetCommitValue { offset: 5, ..Default::default() };
        let bytes = encode_versioned(&value, 3).expect("it fits");
        assert_eq!(decode_versioned(&bytes), Ok(value));
        assert!(split_prefix(&[0]).is_err());
        assert!(decode_versioned::<OffsetCommitValue>(&[0, 9, 0]).is_err());
    }

    #[test]
    fn metadata_records_say_frame_type_and_version() {
        let record = TopicRecord { name: "t".to_owned(), topic_id: kernel::Uuid::METADATA_TOPIC };
        let bytes = encode_metadata(TopicRecord::TYPE, &record, 0).expect("it fits");
        let (record_type, version, rest) = split_metadata(&bytes).expect("it is framed");
        assert_eq!((record_type, version, TopicRecord::decode(rest, 0)), (2, 0, Ok(record)));
        for wrong in [&[][..], &[0, 2, 0], &[2, 2, 0], &[1, 0xff, 0xff, 0x7f, 0], &[1, 2]] {
            assert!(split_metadata(wrong).is_err(), "{wrong:02x?}");
        }
    }
}
