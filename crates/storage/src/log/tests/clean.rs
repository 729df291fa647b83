//! Compaction: what stays, and what goes when.

use kernel::{Offset, ProducerEpoch, ProducerId, Timestamp};
use wire::batch::{BatchBuilder, BatchHeader, BatchView, TimestampType};
use wire::compress::{Codec, Compression, Limits};

use crate::testing::{Bench, TOOLS, clean, committed, keyed, keyed_in, records, small_segments};
use crate::{CleanerTools, CleanupPolicy, LogConfig};

/// A compacted log with segments of about `batches` small batches.
pub(super) fn compacted(batches: u32) -> LogConfig {
    LogConfig {
        cleanup: CleanupPolicy { delete: false, compact: true },
        delete_retention_ms: 1000,
        ..small_segments(batches)
    }
}

/// Appends one batch for each key and value.
pub(super) fn put(bench: &mut Bench, records: &[(&str, Option<&str>)]) {
    for record in records {
        bench.append(&keyed(&[*record]));
    }
}

/// What is left, without offsets.
pub(super) fn left(bench: &mut Bench) -> Vec<(i64, String)> {
    let found = committed(&mut bench.log);
    found
        .into_iter()
        .map(|(at, key, value)| (at, format!("{key}={}", value.as_deref().unwrap_or("-"))))
        .collect()
}

pub(super) fn headers(bench: &mut Bench) -> Vec<BatchHeader> {
    let end = bench.log.end_offset();
    let (mut at, mut headers) = (bench.log.start_offset(), Vec::new());
    while let Some(span) = bench.log.read(at, 1 << 20, end, true).unwrap().span {
        headers.extend(BatchView::iter(&span.read().unwrap()).map(|batch| *batch.unwrap().header()));
        at = headers.last().map_or(end, BatchHeader::next_offset);
    }
    headers
}

#[test]
fn the_last_record_of_each_key_stays_where_it_was() {
    let mut bench = Bench::new(compacted(2));
    put(
        &mut bench,
        &[("a", Some("1")), ("b", Some("1")), ("a", Some("2")), ("c", Some("1")), ("b", Some("2"))],
    );
    bench.log.roll(Timestamp(0)).unwrap();
    put(&mut bench, &[("c", Some("2"))]);
    let stats = clean(&mut bench.log, 0, TOOLS).unwrap();
    let expected = [(2, "a=2"), (3, "c=1"), (4, "b=2"), (5, "c=2")];
    assert_eq!(
        left(&mut bench),
        expected.map(|(at, record)| (at, record.to_owned())),
        "c=2 is in the active segment"
    );
    assert_eq!((stats.records_read, stats.records_kept, stats.keys), (5, 3, 3));
    assert_eq!(bench.log.cleaned_to(), Offset(5));
    bench.restart();
    assert_eq!(left(&mut bench).len(), 4);
}

#[test]
fn a_batch_that_loses_records_keeps_the_rest_as_it_was() {
    for codec in Codec::ALL {
        let mut bench = Bench::new(compacted(20));
        let builder = BatchBuilder::new().compression(Compression::of(codec)).log_append_time(Timestamp(77));
        bench.append(&keyed_in(builder, &[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))]));
        bench.append(&keyed(&[("b", Some("2"))]));
        bench.log.roll(Timestamp(0)).unwrap();
        clean(&mut bench.log, 0, TOOLS).unwrap();
        let first = headers(&mut bench)[0];
        assert_eq!(first.codec(), Ok(codec));
        assert_eq!(
            (first.base_offset(), first.last_offset(), first.record_count()),
            (Offset(0), Offset(2), 2)
        );
        assert_eq!(
            (first.timestamp_type(), first.max_timestamp()),
            (TimestampType::LogAppendTime, Timestamp(77))
        );
        let expected = [(0, "a=1"), (2, "c=1"), (3, "b=2")];
        assert_eq!(left(&mut bench), expected.map(|(at, record)| (at, record.to_owned())));
    }
}

#[test]
fn a_batch_that_loses_nothing_is_not_touched() {
    let mut bench = Bench::new(compacted(20));
    let level = Compression::with_level(Codec::Gzip, 1);
    let batch = keyed_in(BatchBuilder::new().compression(level), &[("a", Some("1")), ("b", Some("1"))]);
    bench.append(&batch);
    bench.log.roll(Timestamp(0)).unwrap();
    let before = bench.content("00000000000000000000.log");
    clean(&mut bench.log, 0, TOOLS).unwrap();
    assert_eq!(bench.content("00000000000000000000.log"), before);
}

#[test]
fn a_tombstone_stays_for_as_long_as_it_is_asked_for_and_then_goes() {
    let mut bench = Bench::new(compacted(20));
    put(&mut bench, &[("a", Some("1")), ("b", Some("1"))]);
    bench.append(&keyed_in(BatchBuilder::new(), &[("b", Some("2")), ("a", None)]));
    put(&mut bench, &[("z", Some("1"))]);
    bench.log.roll(Timestamp(0)).unwrap();
    clean(&mut bench.log, 5000, TOOLS).unwrap();
    let tombstone = headers(&mut bench)[0];
    assert_eq!(
        tombstone.delete_horizon(),
        Some(Timestamp(6000)),
        "delete.retention.ms from this cleaning on"
    );
    assert_eq!(tombstone.max_timestamp(), Timestamp(1), "the records keep their own times");
    let all = [(2, "b=2"), (3, "a=-"), (4, "z=1")].map(|(at, record)| (at, record.to_owned()));
    assert_eq!(left(&mut bench), all);
    for (now, kept) in [(5500, 3), (5999, 3), (6000, 2)] {
        put(&mut bench, &[("z", Some("2"))]);
        bench.log.roll(Timestamp(0)).unwrap();
        clean(&mut bench.log, now, TOOLS).unwrap();
        assert_eq!(left(&mut bench).len(), kept, "at {now}");
        assert_eq!(headers(&mut bench)[0].delete_horizon(), Some(Timestamp(6000)), "it is set once");
    }
    assert_eq!(left(&mut bench)[0], (2, "b=2".to_owned()));
}

#[test]
fn a_tombstone_that_was_not_compared_yet_does_not_age() {
    let mut bench = Bench::new(compacted(100));
    for number in 0..20 {
        put(&mut bench, &[(&format!("key {number}"), Some("1"))]);
    }
    put(&mut bench, &[("key 3", None)]);
    bench.log.roll(Timestamp(0)).unwrap();
    // No room for 20 keys: the tombstone is beyond what the first pass compares.
    let tools = CleanerTools { map_bytes: 0, ..TOOLS };
    clean(&mut bench.log, 0, tools).unwrap();
    assert!((16..20).contains(&bench.log.cleaned_to().0));
    assert_eq!(headers(&mut bench).last().unwrap().delete_horizon(), None);
    assert_eq!(left(&mut bench).len(), 21);
    clean(&mut bench.log, 10, tools).unwrap();
    assert_eq!(bench.log.cleaned_to(), Offset(21));
    assert_eq!(headers(&mut bench).last().unwrap().delete_horizon(), Some(Timestamp(1010)));
    assert_eq!(left(&mut bench).len(), 20);
}

#[test]
fn more_keys_than_fit_take_several_passes() {
    let mut bench = Bench::new(compacted(10));
    for round in 0..3 {
        for number in 0..50 {
            put(&mut bench, &[(&format!("key {number}"), Some(&round.to_string()))]);
        }
    }
    bench.log.roll(Timestamp(0)).unwrap();
    let tools = CleanerTools { map_bytes: 24 * 40, ..TOOLS };
    let mut passes = 0;
    while bench.log.cleaned_to() < Offset(150) {
        let before = bench.log.cleaned_to();
        clean(&mut bench.log, 0, tools).unwrap();
        assert!(bench.log.cleaned_to() > before, "each pass gets on");
        passes += 1;
    }
    assert_eq!(passes, 5);
    let found = left(&mut bench);
    assert_eq!(found.len(), 50);
    assert!(found.iter().all(|(at, record)| *at >= 100 && record.ends_with("=2")));
}

#[test]
fn records_without_a_key_go() {
    let mut bench = Bench::new(compacted(20));
    bench.append(&records(&[(0, "nobody's")]));
    put(&mut bench, &[("a", Some("1"))]);
    bench.log.roll(Timestamp(0)).unwrap();
    assert_eq!(clean(&mut bench.log, 0, TOOLS).unwrap().keyless, 1);
    assert_eq!(left(&mut bench), [(1, "a=1".to_owned())]);
}

#[test]
fn small_segments_become_one_that_is_found_in_by_offset_and_time() {
    let mut bench = Bench::new(compacted(4));
    for number in 0..40 {
        let key = format!("k{}", if number % 4 == 0 { number } else { 999 });
        let mut builder = BatchBuilder::new();
        builder.append(Timestamp(number), Some(key.as_bytes()), Some(b"v"));
        bench.append(&builder.build().unwrap());
    }
    bench.log.roll(Timestamp(0)).unwrap();
    let before = bench.log.segment_count();
    let stats = clean(&mut bench.log, 0, TOOLS).unwrap();
    // A group is what fitted into one segment before: each segment stays alone at first.
    assert_eq!(stats.segments_read, stats.segments_written);
    put(&mut bench, &[("more", Some("v"))]);
    bench.log.roll(Timestamp(0)).unwrap();
    clean(&mut bench.log, 0, TOOLS).unwrap();
    assert!(bench.log.segment_count() <= before / 2, "{} of {before}", bench.log.segment_count());
    for restart in [false, true] {
        if restart {
            bench.restart();
        }
        for from in 0..40 {
            let next = bench.values(from).first().map(|(at, _)| *at);
            assert_eq!(next, Some(if from > 36 { 39 } else { (from + 3) / 4 * 4 }), "from {from}");
            let found = bench.log.list_offset(crate::OffsetQuery::At(Timestamp(from))).unwrap();
            assert_eq!(found.map(|found| found.offset.0), next, "at time {from}");
        }
    }
}

#[test]
fn a_producer_goes_on_after_its_records_are_superseded() {
    let mut bench = Bench::new(compacted(3));
    let from_producer = |sequence: i32, value: &str| {
        let builder = BatchBuilder::new().producer(ProducerId(7), ProducerEpoch(2), sequence);
        keyed_in(builder, &[("a", Some(value)), ("b", Some(value))])
    };
    for sequence in 0..6 {
        bench.append(&from_producer(sequence * 2, "p"));
    }
    put(&mut bench, &[("a", Some("last")), ("b", Some("last"))]);
    bench.log.roll(Timestamp(0)).unwrap();
    clean(&mut bench.log, 0, TOOLS).unwrap();
    let kept = headers(&mut bench);
    assert_eq!(kept.len(), 3, "the producer's last batch, without records, and two of nobody");
    assert_eq!((kept[0].record_count(), kept[0].base_sequence(), kept[0].last_sequence()), (0, 10, 11));
    assert_eq!((kept[0].base_offset(), kept[0].last_offset()), (Offset(10), Offset(11)));
    // Nothing but the batches is left to know it from.
    for name in bench.names().into_iter().filter(|name| name.ends_with(".snapshot")) {
        kernel::port::Disk::remove_file(&bench.disk, &bench.path(&name)).unwrap();
    }
    bench.crash();
    assert!(bench.append(&from_producer(10, "p")).duplicate);
    assert!(!bench.append(&from_producer(12, "p")).duplicate);
    bench.log.roll(Timestamp(0)).unwrap();
    clean(&mut bench.log, 0, TOOLS).unwrap();
    assert!(headers(&mut bench).iter().all(|header| header.record_count() > 0), "it has a newer last batch");
}

#[test]
fn readers_reach_the_end_though_the_last_record_goes() {
    let mut bench = Bench::new(compacted(3));
    put(&mut bench, &[("a", Some("1")), ("b", Some("1")), ("a", None)]);
    bench.log.roll(Timestamp(0)).unwrap();
    clean(&mut bench.log, 0, TOOLS).unwrap();
    bench.log.note_cleaned(Offset(0));
    clean(&mut bench.log, 2000, TOOLS).unwrap();
    assert_eq!(left(&mut bench), [(1, "b=1".to_owned())]);
    let last = headers(&mut bench).pop().unwrap();
    assert_eq!((last.record_count(), last.next_offset()), (0, bench.log.end_offset()));
    put(&mut bench, &[("c", Some("1"))]);
    bench.log.roll(Timestamp(0)).unwrap();
    clean(&mut bench.log, 2000, TOOLS).unwrap();
    assert!(headers(&mut bench).iter().all(|header| header.record_count() > 0), "others lead to the end now");
}

#[test]
fn a_log_of_which_nothing_is_left_goes_on() {
    let mut bench = Bench::new(compacted(2));
    bench.fill(9);
    bench.log.roll(Timestamp(0)).unwrap();
    put(&mut bench, &[("a", Some("1"))]);
    clean(&mut bench.log, 0, TOOLS).unwrap();
    assert_eq!(left(&mut bench), [(9, "a=1".to_owned())]);
    assert_eq!(bench.log.start_offset(), Offset(0));
    bench.crash();
    assert_eq!(left(&mut bench), [(9, "a=1".to_owned())]);
    bench.log.roll(Timestamp(0)).unwrap();
    clean(&mut bench.log, 0, TOOLS).unwrap();
    assert_eq!(bench.log.segment_count(), 2, "what is empty joins its neighbours");
    assert_eq!(left(&mut bench), [(9, "a=1".to_owned())]);
}

#[test]
fn nothing_young_is_touched_and_nothing_waits_too_long() {
    let config = LogConfig { min_compaction_lag_ms: 100, max_compaction_lag_ms: 500, ..compacted(2) };
    let mut bench = Bench::new(config);
    for timestamp in [10, 20, 30, 40, 50, 60] {
        let mut builder = BatchBuilder::new();
        builder.append(Timestamp(timestamp), Some(b"k"), Some(b"v"));
        bench.append(&builder.build().unwrap());
    }
    bench.log.roll(Timestamp(0)).unwrap();
    let mut range = |now: i64| {
        let end = bench.log.end_offset();
        let found = bench.log.cleanable(Timestamp(now), end).unwrap();
        (found.first_uncleanable.0, found.delay_ms, found.cleanable_bytes > 0)
    };
    assert_eq!(range(119), (0, 0, false));
    assert_eq!(range(120), (2, 0, true), "the youngest of the first segment is old enough");
    assert_eq!(range(160), (6, 0, true));
    assert_eq!(range(510), (6, 0, true));
    assert_eq!(range(511), (6, 1, true), "the oldest has waited long enough");
}

#[test]
fn what_is_dirty_begins_where_the_last_cleaning_ended() {
    let mut bench = Bench::new(compacted(2));
    put(&mut bench, &[("a", Some("1")); 6]);
    let range = |bench: &mut Bench, high_watermark: i64| {
        let found = bench.log.cleanable(Timestamp(0), Offset(high_watermark)).unwrap();
        let one = keyed(&[("a", Some("1"))]).len() as u64;
        (found.first_dirty.0, found.first_uncleanable.0, found.clean_bytes / one, found.cleanable_bytes / one)
    };
    assert_eq!(range(&mut bench, 6), (0, 4, 0, 4), "not the active segment");
    assert_eq!(range(&mut bench, 3), (0, 2, 0, 2), "nothing past the high watermark");
    assert_eq!(range(&mut bench, 2), (0, 2, 0, 2));
    bench.log.note_cleaned(Offset(2));
    assert_eq!(range(&mut bench, 6), (2, 4, 2, 2));
    bench.log.note_cleaned(Offset(4));
    assert_eq!(range(&mut bench, 6), (4, 4, 4, 0));
    bench.log.delete_records(Offset(5), Offset(6)).unwrap();
    assert_eq!(range(&mut bench, 6).0, 5, "what is before the start is nobody's");
    bench.log.note_cleaned(Offset(7));
    assert_eq!(bench.log.cleaned_to(), Offset(5), "an offset of another history does not count");
    bench.log.truncate_to(Offset(3), Timestamp(0)).unwrap();
    assert_eq!(bench.log.cleaned_to(), Offset(3));
}

#[test]
fn decompressed_records_are_read_by_others() {
    // The records of a batch that was written anew are those that were, byte for byte, but for their place in it.
    let mut bench = Bench::new(compacted(20));
    let header = [
        wire::batch::RecordHeader { key: b"h", value: None },
        wire::batch::RecordHeader { key: b"i", value: Some(b"1") },
    ];
    let mut builder = BatchBuilder::new().compression(Compression::of(Codec::Zstd));
    builder.append(Timestamp(5), Some(b"a"), Some(b"1"));
    builder.append_with_headers(Timestamp(9), Some(b"b"), Some(b"2"), &header);
    bench.append(&builder.build().unwrap());
    put(&mut bench, &[("a", Some("2"))]);
    bench.log.roll(Timestamp(0)).unwrap();
    clean(&mut bench.log, 0, TOOLS).unwrap();
    let end = bench.log.end_offset();
    let bytes = bench.log.read(Offset(0), 1 << 20, end, true).unwrap().span.unwrap().read().unwrap();
    let (batch, _) = BatchView::parse(&bytes).unwrap();
    let read = batch.records(Limits::trusting(1 << 20)).unwrap();
    let record = read.iter().next().unwrap().unwrap();
    assert_eq!((record.offset, record.timestamp), (Offset(1), Timestamp(9)));
    assert_eq!(record.headers.iter().collect::<Vec<_>>(), header);
}
