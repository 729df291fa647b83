//! What is built is what is read, and nothing else is.

use super::record::walk_record;
use super::source::SliceSource;
use super::*;
use crate::compress::{Codec, Compression, Limits};
use bytes::Bytes;
use kernel::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

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

fn limits() -> impl Strategy<Value = Limits> {
    (0..4_096usize).prop_map(Limits::trusting)
}

#[derive(Debug, Clone)]
struct AnyRecord {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn any_record() -> impl Strategy<Value = AnyRecord> {
    let bytes = || vec(any::<u8>(), 0..200);
    let headers = vec((vec(any::<u8>(), 0..20), option::of(bytes())), 0..4);
    (any::<i64>(), option::of(bytes()), option::of(bytes()), headers)
        .prop_map(|(timestamp, key, value, headers)| AnyRecord { timestamp, key, value, headers })
}

fn build(records: &[AnyRecord], codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new().compression(Compression::of(codec));
    for record in records {
        let headers: Vec<RecordHeader<'_>> =
            record.headers.iter().map(|(key, value)| RecordHeader { key, value: value.as_deref() }).collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        builder.append_with_headers(Timestamp(record.timestamp), key, value, &headers);
    }
    builder.build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_built_is_what_is_read(records in vec(any_record(), 1..20), id in 0..5u8) {
        let codec = Codec::from_id(id).unwrap();
        let bytes = build(&records, codec);
        let (batch, rest) = BatchView::parse(&bytes).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert_eq!(batch.verify_crc(), Ok(()));
        let read = batch.records(LIMITS).unwrap();
        let mut count = 0;
        for (index, (record, expected)) in read.iter().zip(&records).enumerate() {
            let record = record.unwrap();
            prop_assert_eq!(record.offset, Offset(index as i64));
            prop_assert_eq!(record.timestamp, Timestamp(expected.timestamp));
            prop_assert_eq!((record.key, record.value), (expected.key.as_deref(), expected.value.as_deref()));
            let headers: Vec<_> =
                record.headers.iter().map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec))).collect();
            prop_assert_eq!(&headers, &expected.headers);
            count += 1;
        }
        prop_assert_eq!((count, read.iter().count()), (records.len(), records.len()));
        prop_assert_eq!(read.iter().map(|record| record.unwrap().size_in_bytes).sum::<usize>(), read.bytes().len());
    }

    #[test]
    fn a_walk_and_a_reading_agree_on_damaged_records(
        records in vec(any_record(), 1..6),
        hits in vec((any::<Index>(), any::<u8>()), 0..4),
        cut in any::<Index>(),
    ) {
        let mut payload = build(&records, Codec::None)[HEADER_LEN..].to_vec();
        for (at, value) in hits {
            let at = at.index(payload.len());
            payload[at] = value;
        }
        payload.truncate(payload.len() - cut.index(payload.len() + 1) / 8);
        // Damage that yields a wrong number still yields the same one to both; the walk is what admits a batch, so
        // whatever it admits must be readable.
        let mut whole = build(&records, Codec::None).to_vec();
        whole.truncate(HEADER_LEN);
        whole[8..12].copy_from_slice(&((HEADER_LEN - PREFIX_LEN + payload.len()) as i32).to_be_bytes());
        whole.extend_from_slice(&payload);
        let (batch, _) = BatchView::parse(&whole).unwrap();
        let read = batch.records(LIMITS).unwrap().iter().try_for_each(|record| record.map(|_| ()));
        let mut source = SliceSource::new(&payload);
        let mut walked = (0..batch.record_count()).try_for_each(|_| walk_record(&mut source).map(|_| ())).is_ok();
        walked &= source.remaining() == 0;
        prop_assert_eq!(read.is_ok(), walked);
        let whole = Bytes::from(whole);
        let (batch, _) = BatchView::parse(&whole).unwrap();
        let records = batch.records(LIMITS).unwrap();
        let mut cursor = records.clone().into_cursor(&whole);
        for record in &records {
            let other = cursor.next_record();
            prop_assert_eq!(other, Some(record));
        }
        prop_assert_eq!(cursor.next_record(), None);
        prop_assert!(cursor.is_at_end());
    }

    #[test]
    fn any_bytes_are_refused_or_read_without_a_panic(mut bytes in vec(any::<u8>(), 0..300), limits in limits()) {
        if let Some(magic) = bytes.get_mut(16) {
            *magic = 2;
        }
        if let Some(length) = bytes.get_mut(8..11) {
            length.fill(0);
        }
        for batch in BatchView::iter(&bytes).filter_map(Result::ok) {
            if let Ok(records) = batch.records(limits) {
                records.iter().filter_map(Result::ok).for_each(|record| {
                    let _ = record.headers.iter().count();
                });
            }
            let _ = (batch.last_offset(), batch.last_sequence(), batch.next_offset(), batch.delete_horizon());
        }
    }
}

#[test]
fn a_batch_without_records_reads_as_such_whatever_its_codec_says() {
    let mut builder = BatchBuilder::new().base_offset(Offset(5)).last_offset(Offset(9));
    builder = builder.compression(Compression::of(Codec::Gzip));
    let bytes = builder.build().unwrap();
    let (batch, _) = BatchView::parse(&bytes).unwrap();
    assert_eq!((batch.record_count(), batch.batch_len(), batch.last_offset()), (0, HEADER_LEN, Offset(9)));
    assert_eq!(batch.records(LIMITS).unwrap().iter().count(), 0);
}

#[test]
fn offsets_must_rise() {
    let mut builder = BatchBuilder::new().base_offset(Offset(5));
    builder.append_at(Offset(5), Timestamp(0), None, None, &[]);
    builder.append_at(Offset(5), Timestamp(0), None, None, &[]);
    let order = BuildError::OffsetOrder { base: Offset(5), last: Offset(5), offset: Offset(5) };
    assert_eq!(builder.build(), Err(order));
    let mut below = BatchBuilder::new().base_offset(Offset(5));
    below.append_at(Offset(4), Timestamp(0), None, None, &[]);
    assert!(below.build().is_err());
    let mut far = BatchBuilder::new();
    far.append_at(Offset(1 << 31), Timestamp(0), None, None, &[]);
    assert!(far.build().is_err());
}

#[test]
fn sequence_numbers_wrap_to_zero() {
    assert_eq!(increment_sequence(0, 0), 0);
    assert_eq!(increment_sequence(i32::MAX - 1, 1), i32::MAX);
    assert_eq!(increment_sequence(i32::MAX, 1), 0);
    assert_eq!(increment_sequence(i32::MAX, i32::MAX), i32::MAX - 1);
}

#[test]
fn an_iterator_ends_after_its_first_error() {
    let mut builder = BatchBuilder::new();
    builder.append(Timestamp(0), None, Some(b"a")).append(Timestamp(0), None, Some(b"b"));
    let mut bytes = builder.build().unwrap().to_vec();
    bytes[HEADER_LEN] = 1; // A record of -1 bytes.
    let (batch, _) = BatchView::parse(&bytes).unwrap();
    let records = batch.records(LIMITS).unwrap();
    let read: Vec<_> = records.iter().collect();
    assert_eq!(read, [Err(BatchError::Record { index: 0, fault: RecordFault::NegativeLength })]);
}
