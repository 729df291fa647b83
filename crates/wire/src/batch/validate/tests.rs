//! What a producer may send, what it may not, and what becomes of what it sent.

use super::*;
use crate::batch::{BatchBuilder, BatchHeader, RecordFault};
use kernel::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn rules() -> ProduceRules {
    ProduceRules::default()
}

fn three_records(builder: BatchBuilder) -> Bytes {
    let mut builder = builder;
    builder
        .append(Timestamp(NOW.0 - 20), Some(b"a"), Some(b"first"))
        .append(Timestamp(NOW.0 - 5), Some(b"b"), Some(b"second"))
        .append(Timestamp(NOW.0 - 10), Some(b"c"), None);
    builder.build().unwrap()
}

fn with_codec(codec: Codec) -> Bytes {
    three_records(BatchBuilder::new().compression(Compression::of(codec)))
}

/// The batch with its header changed and its checksum made right again.
fn altered(batch: &Bytes, change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let mut header = BatchHeader::read(batch).unwrap();
    change(&mut header);
    let payload = &batch[HEADER_LEN..];
    header.seal(payload).unwrap();
    [&header.encode()[..], payload].concat().into()
}

/// A batch of these bytes in place of records.
fn with_payload(count: i32, codec: Codec, payload: &[u8]) -> Bytes {
    let whole = [&with_codec(Codec::None)[..HEADER_LEN], payload].concat();
    altered(&whole.into(), |header| {
        header.record_count = count;
        header.last_offset_delta = count - 1;
        header.set_codec(codec);
    })
}

#[track_caller]
fn check_refused(records: &Bytes, rules: &ProduceRules, code: ErrorCode, words: &str) -> ProduceReject {
    let reject = validate_produce(records, rules, NOW).expect_err("it is to be refused");
    assert_eq!(reject.code, code, "{reject}");
    assert!(reject.message.contains(words), "{:?} says {words:?}", reject.message);
    reject
}

#[track_caller]
fn check_invalid(records: &Bytes, words: &str) {
    let reject = check_refused(records, &rules(), ErrorCode::InvalidRecord, words);
    assert_eq!(reject.record_errors, [], "the batch is at fault, not a record");
}

#[test]
fn a_good_batch_is_kept_as_the_very_bytes_that_came() {
    for codec in Codec::ALL {
        let batch = with_codec(codec);
        let valid = validate_produce(&batch, &rules(), NOW).unwrap();
        assert_eq!(valid.to_bytes(), batch);
        assert_eq!(valid.to_bytes().as_ptr(), batch.as_ptr(), "the request's bytes, not a copy");
        assert_eq!(valid.payload().as_ptr(), batch[HEADER_LEN..].as_ptr(), "a slice, not a copy");
        assert_eq!(valid.max_timestamp_entry(), (Timestamp(NOW.0 - 5), Offset(2)));
    }
}

#[test]
fn offset_and_epoch_are_assigned_without_touching_the_checksum() {
    let batch = with_codec(Codec::Lz4);
    let mut valid = validate_produce(&batch, &rules(), NOW).unwrap();
    valid.assign(Offset(1 << 40), LeaderEpoch(3));
    let bytes = valid.to_bytes();
    assert_eq!(bytes[16..], batch[16..]);
    let (assigned, _) = BatchView::parse(&bytes).unwrap();
    assert_eq!(assigned.verify_crc(), Ok(()));
    assert_eq!(
        (assigned.last_offset(), assigned.partition_leader_epoch()),
        (Offset((1 << 40) + 2), LeaderEpoch(3))
    );
}

#[test]
fn nothing_or_half_a_batch_is_an_invalid_record() {
    let batch = with_codec(Codec::None);
    for len in [0, 1, 11, 12, 16, 17, 60, batch.len() - 1] {
        check_refused(&batch.slice(..len), &rules(), ErrorCode::InvalidRecord, "no complete batch");
    }
}

#[test]
fn a_second_batch_is_refused_and_the_beginning_of_one_dropped() {
    let batch = with_codec(Codec::Gzip);
    let two: Bytes = [&batch[..], &batch[..]].concat().into();
    check_invalid(&two, "more than one batch");
    for len in [1, 12, 16, 30] {
        let trailing = two.slice(..batch.len() + len);
        assert_eq!(validate_produce(&trailing, &rules(), NOW).unwrap().to_bytes(), batch);
    }
    let garbage: Bytes = [&batch[..], &[0; 12][..]].concat().into();
    check_refused(&garbage, &rules(), ErrorCode::CorruptMessage, "length of 0");
}

#[test]
fn older_formats_are_invalid_and_unknown_ones_corrupt() {
    for (magic, code) in [
        (0, ErrorCode::InvalidRecord),
        (1, ErrorCode::InvalidRecord),
        (3, ErrorCode::CorruptMessage),
        (0x7f, ErrorCode::CorruptMessage),
        (0x80, ErrorCode::CorruptMessage),
        (0xff, ErrorCode::CorruptMessage),
    ] {
        let mut batch = with_codec(Codec::None).to_vec();
        batch[MAGIC_AT] = magic;
        check_refused(&batch.into(), &rules(), code, "magic");
    }
    // A message set of magic 1 as an old client makes it is shorter than a header of ours.
    let mut old = vec![0; 12 + 22];
    old[11] = 22;
    old[MAGIC_AT] = 1;
    check_refused(&old.into(), &rules(), ErrorCode::InvalidRecord, "magic 1");
}

#[test]
fn a_length_that_no_batch_can_have_is_corrupt() {
    for length in [i32::MIN, -1, 0, 13, 14, 48] {
        let mut batch = with_codec(Codec::None).to_vec();
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        check_refused(&batch.into(), &rules(), ErrorCode::CorruptMessage, "length");
    }
}

#[test]
fn every_flipped_bit_is_found_except_in_the_leaders_fields() {
    let batch = with_codec(Codec::None);
    for bit in 0..batch.len() * 8 {
        let mut bytes = batch.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let result = validate_produce(&bytes.into(), &rules(), NOW);
        let in_leader_epoch = (12..16).contains(&(bit / 8));
        assert_eq!(result.is_ok(), in_leader_epoch, "bit {bit}");
        if bit / 8 >= 17 {
            assert_eq!(result.unwrap_err().code, ErrorCode::CorruptMessage, "bit {bit}");
        }
    }
}

#[test]
fn the_header_must_agree_with_itself_and_come_from_a_producer() {
    let batch = with_codec(Codec::None);
    let alter = |change: fn(&mut BatchHeader)| altered(&batch, change);
    check_invalid(&alter(|h| h.base_offset = 1), "base offset 1");
    check_invalid(&alter(|h| h.base_offset = -1), "base offset -1");
    check_invalid(&alter(|h| h.last_offset_delta = 0), "3 records and last offset delta 0");
    check_invalid(&alter(|h| h.last_offset_delta = 15), "last offset delta 15");
    check_invalid(&alter(|h| h.last_offset_delta = -3), "last offset delta -3");
    check_invalid(&alter(|h| h.record_count = 0), "0 records");
    check_invalid(&alter(|h| h.record_count = i32::MIN), "records");
    check_invalid(&alter(|h| h.attributes |= 0x20), "control");
    check_invalid(&alter(|h| h.producer_id = 5), "sequence number -1");
    check_invalid(&alter(|h| (h.producer_id, h.base_sequence) = (5, 0)), "no producer epoch");
    check_invalid(&alter(|h| h.attributes |= 0x10), "no producer id");
}

#[test]
fn the_count_must_be_that_of_the_records() {
    let batch = with_codec(Codec::None);
    let counted = |count: i32| {
        altered(&batch, |h| {
            h.record_count = count;
            h.last_offset_delta = count - 1;
        })
    };
    check_invalid(&counted(2), "bytes follow the 2 records");
    check_invalid(&counted(6), "ends too early");
    check_invalid(&counted(i32::MAX), "ends too early");
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let few = altered(&with_codec(codec), |h| (h.record_count, h.last_offset_delta) = (2, 1));
        check_invalid(&few, "bytes follow the 2 records");
        let many = altered(&with_codec(codec), |h| (h.record_count, h.last_offset_delta) = (4, 3));
        check_invalid(&many, "ends too early");
    }
}

#[test]
fn a_batch_without_records_is_refused_with_every_codec() {
    for codec in Codec::ALL {
        let empty = altered(&BatchBuilder::new().build().unwrap(), |h| h.set_codec(codec));
        check_invalid(&empty, "0 records");
    }
}

#[test]
fn malformed_records_are_refused_with_every_codec() {
    use RecordFault::*;
    let good = [16, 0, 0, 0, 1, 4, b'h', b'i', 0];
    for (payload, fault) in [
        (&good[..5], Truncated),
        (&[18, 0, 0, 0, 1, 4, b'h', b'i', 0, 0], Size),
        (&[14, 0, 0, 0, 1, 4, b'h', b'i', 0], Size),
        (&[16, 0, 0, 0, 1, 6, b'h', b'i', 0], Size),
        (&[16, 0, 0, 0, 1, 20, b'h', b'i', 0], Truncated),
        (&[16, 0, 0, 0, 3, 4, b'h', b'i', 0], NegativeLength),
        (&[16, 0, 0, 0, 1, 4, b'h', b'i', 1], NegativeHeaderCount),
        (&[16, 0, 0, 0, 1, 4, b'h', b'i', 2], TooManyHeaders),
        (&[20, 0, 0, 0, 1, 4, b'h', b'i', 2, 1, 1], NullHeaderKey),
        (&[20, 0, 0, 0, 1, 4, b'h', b'i', 2, 0, 4], Truncated),
        (&[1, 0, 0, 0, 1, 4, b'h', b'i', 0], NegativeLength),
        (&[0x80, 0x80, 0x80, 0x80, 0x80, 0], LongVarint),
        (&[0xff, 0xff, 0xff, 0xff, 0x7f], LongVarint),
    ] {
        for codec in Codec::ALL {
            let mut stored = Vec::new();
            compress::compress(Compression::of(codec), payload, &mut stored).unwrap();
            let reject = validate_produce(&with_payload(1, codec, &stored), &rules(), NOW).unwrap_err();
            assert_eq!(reject.code, ErrorCode::InvalidRecord, "{codec} {payload:?}");
            let expected = BatchError::Record { index: 0, fault };
            // A record whose declared size is one too few or many can be caught by either of two checks.
            let sizes = fault == Size && reject.message.contains("ends too early");
            assert!(sizes || reject.message == expected.to_string(), "{codec} {payload:?}: {reject}");
        }
    }
    assert!(validate_produce(&with_payload(1, Codec::None, &good), &rules(), NOW).is_ok());
}

#[test]
fn records_must_be_numbered_from_zero_on() {
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new().compression(Compression::of(codec));
        builder.append_at(Offset(0), NOW, None, Some(b"x"), &[]).append_at(
            Offset(2),
            NOW,
            None,
            Some(b"y"),
            &[],
        );
        let gap = altered(&builder.build().unwrap(), |h| h.last_offset_delta = 1);
        check_invalid(&gap, "index 1 has offset delta 2");
    }
}

#[test]
fn what_does_not_decompress_is_an_invalid_record() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        check_invalid(&with_payload(1, codec, b"certainly not compressed"), codec.name());
    }
    for id in 5..8 {
        let unknown = altered(&with_codec(Codec::None), |h| h.attributes |= id);
        check_refused(&unknown, &rules(), ErrorCode::UnsupportedCompressionType, "codec");
    }
}

#[test]
fn zstd_is_refused_in_requests_that_do_not_know_it() {
    let old = ProduceRules { zstd_allowed: false, ..rules() };
    check_refused(&with_codec(Codec::Zstd), &old, ErrorCode::UnsupportedCompressionType, "zstd");
    assert!(validate_produce(&with_codec(Codec::Lz4), &old, NOW).is_ok());
}

#[test]
fn a_size_above_the_topics_is_refused_before_and_after_recompression() {
    let batch = with_codec(Codec::None);
    let exact = ProduceRules { max_message_bytes: batch.len(), ..rules() };
    assert!(validate_produce(&batch, &exact, NOW).is_ok());
    let tight = ProduceRules { max_message_bytes: batch.len() - 1, ..rules() };
    check_refused(&batch, &tight, ErrorCode::MessageTooLarge, "the topic allows");

    let mut builder = BatchBuilder::new().compression(Compression::of(Codec::Zstd));
    builder.append(NOW, None, Some(&[0; 10_000]));
    let small = builder.build().unwrap();
    let plain = ProduceRules { max_message_bytes: 5_000, compression: Some(Compression::NONE), ..rules() };
    assert!(small.len() < 200);
    check_refused(&small, &plain, ErrorCode::MessageTooLarge, "the topic allows 5000");
}

#[test]
fn what_decompresses_to_too_much_is_too_large() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut builder = BatchBuilder::new().compression(Compression::of(codec));
        builder.append(NOW, None, Some(&[0; 200_000]));
        let batch = builder.build().unwrap();
        let limits = Limits { bytes_max: 100_000 };
        let kept = ProduceRules { limits, ..rules() };
        check_refused(&batch, &kept, ErrorCode::MessageTooLarge, "100000 bytes");
        let changed = ProduceRules { compression: Some(Compression::NONE), ..kept };
        check_refused(&batch, &changed, ErrorCode::MessageTooLarge, "100000 bytes");
    }
}

#[test]
fn another_codec_makes_another_batch_of_the_same_records() {
    for source in Codec::ALL {
        for target in Codec::ALL {
            let batch = altered(&with_codec(source), |h| {
                (h.producer_id, h.producer_epoch, h.base_sequence) = (77, 3, 12);
                h.attributes |= 0x10;
            });
            let topic = ProduceRules { compression: Some(Compression::of(target)), ..rules() };
            let bytes = validate_produce(&batch, &topic, NOW).unwrap().to_bytes();
            assert_eq!(bytes == batch, source == target, "{source} to {target}");
            let (stored, _) = BatchView::parse(&bytes).unwrap();
            assert_eq!((stored.verify_crc(), stored.codec()), (Ok(()), Ok(target)));
            assert_eq!((stored.producer_id(), stored.producer_epoch()), (ProducerId(77), ProducerEpoch(3)));
            assert_eq!((stored.base_sequence(), stored.is_transactional()), (12, true));
            let (sent, _) = BatchView::parse(&batch).unwrap();
            let (sent, stored) =
                (sent.records(rules().limits).unwrap(), stored.records(rules().limits).unwrap());
            let (sent, stored): (Vec<_>, Vec<_>) = (sent.iter().collect(), stored.iter().collect());
            assert_eq!(sent, stored);
        }
    }
}

#[test]
fn another_level_of_the_same_codec_changes_nothing() {
    let batch = with_codec(Codec::Gzip);
    let topic = ProduceRules { compression: Some(Compression::with_level(Codec::Gzip, 9)), ..rules() };
    assert_eq!(validate_produce(&batch, &topic, NOW).unwrap().to_bytes(), batch);
}

#[test]
fn log_append_time_is_set_in_the_header_only() {
    for codec in Codec::ALL {
        let batch = with_codec(codec);
        let topic = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
        let valid = validate_produce(&batch, &topic, NOW).unwrap();
        assert_eq!(valid.payload().as_ptr(), batch[HEADER_LEN..].as_ptr(), "a slice, not a copy");
        assert_eq!(valid.max_timestamp_entry().0, NOW);
        let bytes = valid.to_bytes();
        let (stored, _) = BatchView::parse(&bytes).unwrap();
        assert_eq!((stored.verify_crc(), stored.codec()), (Ok(()), Ok(codec)));
        assert_eq!(stored.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(stored.base_timestamp(), Timestamp(NOW.0 - 20));
        let records = stored.records(rules().limits).unwrap();
        assert!(records.iter().all(|record| record.unwrap().timestamp == NOW));
    }
}

#[test]
fn a_maximum_timestamp_that_is_not_the_records_is_put_right() {
    let batch = altered(&with_codec(Codec::Snappy), |h| h.max_timestamp = i64::MAX);
    let bytes = validate_produce(&batch, &rules(), NOW).unwrap().to_bytes();
    assert_eq!(bytes, with_codec(Codec::Snappy));
}

#[test]
fn the_producer_may_not_say_that_the_leader_set_the_time() {
    let batch = altered(&with_codec(Codec::None), |h| h.attributes |= 0x08);
    let topic = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    let reject = check_refused(&batch, &topic, ErrorCode::InvalidTimestamp, "LogAppendTime");
    assert_eq!(reject.record_errors.len(), 3);
    // Where the topic goes by the producer's time, the word is taken back and the records' own times count.
    let bytes = validate_produce(&batch, &rules(), NOW).unwrap().to_bytes();
    assert_eq!(bytes, with_codec(Codec::None));
}

#[test]
fn times_out_of_range_are_named_record_by_record() {
    let topic = ProduceRules { timestamp_before_max_ms: 1_000, timestamp_after_max_ms: 2_000, ..rules() };
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new().compression(Compression::of(codec));
        for delta in [-1_000, -1_001, 0, 2_000, 2_001] {
            builder.append(Timestamp(NOW.0 + delta), None, Some(b"x"));
        }
        builder.append(Timestamp::NONE, None, None);
        builder.append(Timestamp(i64::MIN), None, None).append(Timestamp(i64::MAX), None, None);
        let reject = check_refused(
            &builder.build().unwrap(),
            &topic,
            ErrorCode::InvalidTimestamp,
            "4 records of the batch",
        );
        let places: Vec<i32> = reject.record_errors.iter().map(|error| error.batch_index).collect();
        assert_eq!(places, [1, 4, 6, 7]);
        let (earliest, latest) = (NOW.0 - 1_000, NOW.0 + 2_000);
        let problem = RecordProblem::TimestampOutOfRange { timestamp: NOW.0 - 1_001, earliest, latest };
        assert_eq!(reject.record_errors[0], RecordError { batch_index: 1, problem });
    }
}

#[test]
fn by_default_an_hour_ahead_is_the_most_and_the_past_is_free() {
    let at = |timestamp: i64| {
        let mut builder = BatchBuilder::new();
        builder.append(Timestamp(timestamp), None, None);
        validate_produce(&builder.build().unwrap(), &rules(), NOW).is_ok()
    };
    assert!(at(0) && at(-1) && at(NOW.0 + 3_600_000));
    assert!(!at(NOW.0 + 3_600_001) && !at(i64::MIN));
}

#[test]
fn a_compacted_topic_names_each_record_without_a_key() {
    let topic = ProduceRules { compacted: true, ..rules() };
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new().compression(Compression::of(codec));
        builder.append(NOW, Some(b""), None).append(NOW, None, Some(b"v")).append(NOW, Some(b"k"), None);
        let batch = builder.build().unwrap();
        let reject = check_refused(&batch, &topic, ErrorCode::InvalidRecord, "record 1");
        assert_eq!(reject.record_errors, [RecordError { batch_index: 1, problem: RecordProblem::NoKey }]);
        assert!(validate_produce(&batch, &rules(), NOW).is_ok());
    }
}

#[test]
fn one_time_out_of_range_makes_the_refusal_about_time() {
    let topic = ProduceRules { compacted: true, ..rules() };
    let mut builder = BatchBuilder::new();
    builder.append(NOW, None, None).append(Timestamp(i64::MAX), Some(b"k"), None);
    let reject = check_refused(&builder.build().unwrap(), &topic, ErrorCode::InvalidTimestamp, "2 records");
    assert_eq!(reject.record_errors.len(), 2);
}

#[test]
fn only_so_many_faulty_records_are_named() {
    let mut builder = BatchBuilder::new();
    for _ in 0..3_000 {
        builder.append(NOW, None, None);
    }
    let topic = ProduceRules { compacted: true, ..rules() };
    let reject = check_refused(&builder.build().unwrap(), &topic, ErrorCode::InvalidRecord, "3000 records");
    assert_eq!(reject.record_errors.len(), RECORD_ERRORS_MAX);
}
