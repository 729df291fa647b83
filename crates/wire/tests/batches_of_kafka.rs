//! Batches that Kafka 4.4's own classes wrote, read and written by ours.
//!
//! The fixture holds a name and the bytes in hex on each line. `small/*` and `append-time/*` are the four records of
//! `small_records`, of an idempotent producer in a transaction; `large/*` are three of 100,000 bytes each. The part
//! after the slash is the codec, with the level where it is not the default.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use bytes::Bytes;
use kernel::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};
use wire::batch::validate::{ProduceRules, validate_produce};
use wire::batch::{
    BatchBuilder, BatchError, BatchHeader, BatchView, ControlRecordType, EndTxnMarker, RecordHeader,
    TimestampType,
};
use wire::compress::{Codec, Compression, Limits};

const LIMITS: Limits = Limits::for_batches_of(1024 * 1024);
const NOW: Timestamp = Timestamp(1_700_000_010_000);

fn fixtures() -> impl Iterator<Item = (&'static str, Bytes)> {
    include_str!("fixtures/batches.hex").lines().map(|line| {
        let (name, hex) = line.split_once(' ').unwrap();
        let bytes = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
        (name, bytes.collect())
    })
}

fn fixture(name: &str) -> Bytes {
    fixtures().find(|(other, _)| *other == name).expect("the fixture has it").1
}

/// The fixtures under a directory, with the codec that each names.
fn of(directory: &str) -> Vec<(Codec, Bytes)> {
    let of_codec = |(name, bytes): (&'static str, Bytes)| {
        let codec = name.strip_prefix(directory)?.strip_prefix('/')?;
        Some((codec.split('-').next().unwrap().parse().unwrap(), bytes))
    };
    fixtures().filter_map(of_codec).collect()
}

type SmallRecord = (i64, Option<&'static [u8]>, Option<&'static [u8]>, Vec<RecordHeader<'static>>);

fn small_records() -> Vec<SmallRecord> {
    let header = |key: &'static str, value| RecordHeader { key: key.as_bytes(), value };
    let headers = vec![
        header("trace", Some(b"abc")),
        header("empty", Some(b"")),
        header("none", None),
        header("", Some(b"x")),
    ];
    vec![
        (1_700_000_000_123, Some(b"key-1"), Some(b"value-1"), headers),
        (1_700_000_000_100, None, Some(b"no key"), Vec::new()),
        (1_700_000_000_200, Some(b"tombstone"), None, Vec::new()),
        (-1, Some(b""), Some(b""), Vec::new()),
    ]
}

fn small_builder() -> BatchBuilder {
    let mut builder = BatchBuilder::new().producer(ProducerId(4242), ProducerEpoch(3), 17).transactional();
    for (timestamp, key, value, headers) in small_records() {
        builder.append_with_headers(Timestamp(timestamp), key, value, &headers);
    }
    builder
}

#[test]
fn small_batches_read_as_kafka_wrote_them() {
    for directory in ["small", "append-time"] {
        for (codec, bytes) in of(directory) {
            let (batch, rest) = BatchView::parse(&bytes).unwrap();
            assert!(rest.is_empty());
            assert_eq!((batch.verify_crc(), batch.codec()), (Ok(()), Ok(codec)));
            assert_eq!((batch.producer_id(), batch.producer_epoch()), (ProducerId(4242), ProducerEpoch(3)));
            assert_eq!((batch.base_sequence(), batch.last_sequence()), (17, 20));
            assert_eq!((batch.is_transactional(), batch.is_control()), (true, false));
            assert_eq!((batch.record_count(), batch.last_offset_delta()), (4, 3));
            let leaders = batch.timestamp_type() == TimestampType::LogAppendTime;
            assert_eq!(leaders, directory == "append-time");
            let records = batch.records(LIMITS).unwrap();
            let mut count = 0;
            for (index, (record, expected)) in records.iter().zip(small_records()).enumerate() {
                let (record, (timestamp, key, value, headers)) = (record.unwrap(), expected);
                assert_eq!(record.offset, Offset(index as i64));
                assert_eq!(record.timestamp, Timestamp(if leaders { 1_700_000_009_999 } else { timestamp }));
                assert_eq!((record.key, record.value), (key, value));
                assert_eq!(record.headers.iter().collect::<Vec<_>>(), headers);
                count += 1;
            }
            assert_eq!((count, records.iter().count()), (4, 4));
        }
    }
}

#[test]
fn large_batches_read_as_kafka_wrote_them() {
    let read = of("large");
    assert_eq!(read.len(), 6);
    for (codec, bytes) in read {
        let (batch, _) = BatchView::parse(&bytes).unwrap();
        assert_eq!((batch.verify_crc(), batch.codec()), (Ok(()), Ok(codec)));
        for (index, record) in batch.records(LIMITS).unwrap().iter().enumerate() {
            let record = record.unwrap();
            let expected: Vec<u8> = (0..100_000).map(|at| ((at % 251) as u8) ^ index as u8).collect();
            assert_eq!(record.key, Some(format!("k{index}").as_bytes()));
            assert!(record.value == Some(&expected), "{codec} record {index}");
        }
    }
}

#[test]
fn what_kafkas_producer_makes_is_accepted_as_it_is() {
    for (_, bytes) in of("small").into_iter().chain(of("large")) {
        let valid = validate_produce(&bytes, &ProduceRules::default(), NOW).unwrap();
        assert_eq!(valid.to_bytes(), bytes);
    }
}

#[test]
fn an_uncompressed_batch_has_the_bytes_that_kafka_gives_it() {
    assert_eq!(small_builder().build().unwrap(), fixture("small/none"));
    let appended = small_builder().log_append_time(Timestamp(1_700_000_009_999));
    assert_eq!(appended.build().unwrap(), fixture("append-time/none"));
    // Kafka's snappy and lz4 frame alike and our blocks need not, but reading makes them equal.
    for (codec, bytes) in of("small") {
        let ours = small_builder().compression(Compression::of(codec)).build().unwrap();
        let (ours, _) = BatchView::parse(&ours).unwrap();
        let (theirs, _) = BatchView::parse(&bytes).unwrap();
        let (our_records, their_records) = (ours.records(LIMITS).unwrap(), theirs.records(LIMITS).unwrap());
        assert_eq!(our_records.bytes(), their_records.bytes());
    }
}

#[test]
fn transaction_markers_have_the_bytes_that_kafka_gives_them() {
    for (name, committed, offset) in [("commit", true, 900), ("abort", false, 901)] {
        let bytes = fixture(name);
        let marker = EndTxnMarker { committed, coordinator_epoch: 11 };
        let producer = (ProducerId(4242), ProducerEpoch(3));
        let ours =
            marker.batch(producer, Offset(offset), LeaderEpoch(5), Timestamp(1_700_000_000_000)).unwrap();
        assert_eq!(ours, bytes);
        let (batch, _) = BatchView::parse(&bytes).unwrap();
        assert!(batch.is_control() && batch.is_transactional());
        let records = batch.records(LIMITS).unwrap();
        let record = records.iter().next().unwrap().unwrap();
        assert_eq!(EndTxnMarker::parse(record.key.unwrap(), record.value.unwrap()), Some(marker));
    }
}

#[test]
fn other_control_records_are_known_by_their_key() {
    let bytes = fixture("leader-change");
    let (batch, _) = BatchView::parse(&bytes).unwrap();
    assert!(batch.is_control());
    let records = batch.records(LIMITS).unwrap();
    let record = records.iter().next().unwrap().unwrap();
    assert_eq!(ControlRecordType::parse(record.key.unwrap()), Some(ControlRecordType::LeaderChange));
    assert_eq!(EndTxnMarker::parse(record.key.unwrap(), record.value.unwrap()), None);
}

#[test]
fn what_cleaning_leaves_has_the_bytes_that_kafka_gives_it() {
    let mut cleaned = BatchBuilder::new()
        .base_offset(Offset(50))
        .leader_epoch(LeaderEpoch(4))
        .delete_horizon(Timestamp(1_700_000_500_000))
        .last_offset(Offset(75));
    cleaned.append_at(Offset(53), Timestamp(1_700_000_000_000), Some(b"k"), None, &[]);
    cleaned.append_at(Offset(60), Timestamp(1_700_000_000_001), Some(b"l"), Some(b"v"), &[]);
    assert_eq!(cleaned.build().unwrap(), fixture("cleaned"));

    let bytes = fixture("cleaned");
    let (batch, _) = BatchView::parse(&bytes).unwrap();
    assert_eq!(batch.delete_horizon(), Some(Timestamp(1_700_000_500_000)));
    assert_eq!((batch.base_offset(), batch.last_offset()), (Offset(50), Offset(75)));
    let records = batch.records(LIMITS).unwrap();
    let read: Vec<_> =
        records.iter().map(|record| record.unwrap()).map(|r| (r.offset, r.timestamp)).collect();
    let expected = [(Offset(53), Timestamp(1_700_000_000_000)), (Offset(60), Timestamp(1_700_000_000_001))];
    assert_eq!(read, expected);

    // A builder like the batch, given its records, makes the batch again; given none, the header that covers its offsets.
    let mut again = BatchBuilder::like(batch.header(), Compression::NONE);
    for record in &records {
        again.append_view(&record.unwrap());
    }
    assert_eq!(again.build().unwrap(), bytes);
    let empty = fixture("empty");
    let header = BatchHeader::read(&empty).unwrap();
    assert_eq!(BatchBuilder::like(&header, Compression::of(Codec::Zstd)).build().unwrap(), empty);
}

#[test]
fn a_batch_cut_short_anywhere_is_incomplete() {
    for (name, bytes) in fixtures().filter(|(_, bytes)| bytes.len() < 1_000) {
        for len in 0..bytes.len() {
            let result = BatchView::parse(&bytes[..len]);
            assert!(matches!(result, Err(BatchError::Incomplete { .. })), "{name} cut to {len}");
        }
    }
}

#[test]
fn compressed_records_cut_short_anywhere_are_refused() {
    for (codec, bytes) in of("small") {
        for len in 61..bytes.len() {
            let (whole, _) = BatchView::parse(&bytes).unwrap();
            let mut cut = bytes[..len].to_vec();
            cut[8..12].copy_from_slice(&((len - 12) as i32).to_be_bytes());
            let (batch, _) = BatchView::parse(&cut).unwrap();
            assert!(batch.verify_crc().is_err());
            let read =
                batch.records(LIMITS).and_then(|records| records.iter().try_for_each(|r| r.map(|_| ())));
            assert!(read.is_err(), "{codec} cut to {len} of {}", whole.batch_len());
        }
    }
}

#[test]
fn batches_in_a_row_are_read_one_by_one() {
    let all: Vec<u8> = fixtures().flat_map(|(_, bytes)| bytes).collect();
    let lengths: Vec<usize> = BatchView::iter(&all).map(|batch| batch.unwrap().batch_len()).collect();
    assert_eq!(lengths, fixtures().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>());
    let mut cut = BatchView::iter(&all[..all.len() - 1]);
    assert_eq!(cut.by_ref().filter(Result::is_ok).count(), lengths.len() - 1);
    assert_eq!(cut.rest().len(), lengths.last().unwrap() - 1);
}
