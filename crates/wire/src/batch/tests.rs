//! What is built is what is read, and nothing else is.

use super::*;
use crate::compress::{Codec, Compression, Limits};
use kernel::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

const LIMITS: Limits = Limits::for_batches_of(1024 * 1024);

#[test]
fn a_built_batch_has_the_header_that_was_asked_for() {
    let mut builder = BatchBuilder::new()
        .base_offset(Offset(40))
        .leader_epoch(LeaderEpoch(7))
        .producer(ProducerId(9), ProducerEpoch(2), i32::MAX)
        .transactional();
    builder.append(Timestamp(1_000), Some(b"k"), Some(b"v")).append(Timestamp(900), None, None);
    let bytes = builder.build().unwrap();
    let (batch, rest) = BatchView::parse(&bytes).unwrap();
    assert!(rest.is_empty());
    assert_eq!(batch.verify_crc(), Ok(()));
    assert_eq!(
        (batch.base_offset(), batch.last_offset(), batch.next_offset()),
        (Offset(40), Offset(41), Offset(42))
    );
    assert_eq!(batch.partition_leader_epoch(), LeaderEpoch(7));
    assert_eq!((batch.base_timestamp(), batch.max_timestamp()), (Timestamp(1_000), Timestamp(1_000)));
    assert_eq!((batch.producer_id(), batch.producer_epoch()), (ProducerId(9), ProducerEpoch(2)));
    assert_eq!((batch.base_sequence(), batch.last_sequence()), (i32::MAX, 0), "sequence numbers wrap to 0");
    assert_eq!((batch.is_transactional(), batch.is_control(), batch.delete_horizon()), (true, false, None));
    assert_eq!((batch.record_count(), batch.batch_len()), (2, bytes.len()));
    assert_eq!(batch.header().encode(), bytes[..HEADER_LEN]);
}

#[test]
fn records_come_back_as_they_were_appended_with_every_codec() {
    let headers = [
        RecordHeader { key: b"trace", value: Some(b"1") },
        RecordHeader { key: b"", value: None },
        RecordHeader { key: b"trace", value: Some(b"") },
    ];
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new().base_offset(Offset(10)).compression(Compression::of(codec));
        builder
            .append_with_headers(Timestamp(5), Some(b"key"), Some(&[7; 70_000]), &headers)
            .append(Timestamp(-1), None, Some(b""))
            .append_at(Offset(20), Timestamp(i64::MAX), Some(b""), None, &[]);
        let bytes = builder.build().unwrap();
        let (batch, _) = BatchView::parse(&bytes).unwrap();
        assert_eq!(batch.codec(), Ok(codec));
        let records = batch.records(LIMITS).unwrap();
        let read: Vec<RecordView<'_>> = records.iter().collect::<Result<_, _>>().unwrap();
        let [first, second, third] = read.as_slice() else { panic!("three records") };
        assert_eq!((first.offset, first.timestamp), (Offset(10), Timestamp(5)));
        assert_eq!((first.key, first.value), (Some(&b"key"[..]), Some(&[7; 70_000][..])));
        assert_eq!(first.headers.iter().collect::<Vec<_>>(), headers);
        assert_eq!((second.offset, second.timestamp), (Offset(11), Timestamp(-1)));
        assert_eq!((second.key, second.value, second.headers.len()), (None, Some(&b""[..]), 0));
        assert_eq!((third.offset, third.timestamp), (Offset(20), Timestamp(i64::MAX)));
        assert_eq!((third.key, third.value), (Some(&b""[..]), None));
        assert_eq!(batch.last_offset_delta(), 10);
    }
}
