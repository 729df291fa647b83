use kernel::{ErrorCode, Offset, Timestamp};

use crate::testing::{Bench, judged, records, small_segments};
use crate::{LogConfig, Origin, ReadError};

/// Five batches of two records each, in one segment; and the size of a batch.
fn five_batches() -> (Bench, u32) {
    let mut bench = Bench::new(LogConfig { index_interval_bytes: 150, ..LogConfig::default() });
    let batch = records(&[(1, "a"), (2, "b")]);
    for _ in 0..5 {
        bench.append(&batch);
    }
    (bench, batch.len() as u32)
}

fn span(bench: &mut Bench, from: i64, max: u32, upper: i64, min_one: bool) -> Option<(u64, u32, i64)> {
    let read = bench.log.read(Offset(from), max, Offset(upper), min_one).expect("reads");
    read.span.map(|span| (span.position, span.len, read.upper.0))
}

#[test]
fn a_read_begins_with_the_batch_that_has_the_offset() {
    let (mut bench, len) = five_batches();
    for from in 0..10 {
        let first = u64::from(len) * (from as u64 / 2);
        let all = len * 5 - first as u32;
        assert_eq!(span(&mut bench, from, 1 << 20, 10, true), Some((first, all, 10)), "from {from}");
    }
}

#[test]
fn a_read_gives_whole_batches_up_to_its_limit() {
    let (mut bench, len) = five_batches();
    assert_eq!(span(&mut bench, 2, 2 * len, 10, true), Some((u64::from(len), 2 * len, 6)));
    assert_eq!(span(&mut bench, 2, 3 * len - 1, 10, true), Some((u64::from(len), 2 * len, 6)));
    assert_eq!(span(&mut bench, 6, 2 * len - 1, 10, true), Some((3 * u64::from(len), len, 8)));
}

#[test]
fn the_first_batch_is_given_whole_only_if_one_must_be() {
    let (mut bench, len) = five_batches();
    assert_eq!(span(&mut bench, 3, 1, 10, true), Some((u64::from(len), len, 4)));
    assert_eq!(span(&mut bench, 3, 0, 10, true), Some((u64::from(len), len, 4)));
    assert_eq!(span(&mut bench, 3, len - 1, 10, false), None);
}

#[test]
fn a_read_stops_below_its_upper_bound() {
    let (mut bench, len) = five_batches();
    assert_eq!(span(&mut bench, 0, 1 << 20, 4, true), Some((0, 2 * len, 4)));
    assert_eq!(
        span(&mut bench, 0, 1 << 20, 5, true),
        Some((0, 2 * len, 5)),
        "a batch across the bound stays out"
    );
    assert_eq!(span(&mut bench, 4, 1 << 20, 4, true), None);
    assert_eq!(span(&mut bench, 6, 1 << 20, 4, true), None, "from beyond the bound, but within the log");
    assert_eq!(span(&mut bench, 4, 1 << 20, 5, true), None);
}

#[test]
fn a_read_outside_of_the_log_is_refused() {
    let (mut bench, _) = five_batches();
    assert_eq!(span(&mut bench, 10, 100, 10, true), None, "the end itself is waited for");
    bench.log.delete_records(Offset(4), Offset(10)).unwrap();
    for from in [-1, 3, 11] {
        let error = bench.log.read(Offset(from), 100, Offset(10), true).err().expect("is refused");
        assert_eq!(error.code(), ErrorCode::OffsetOutOfRange);
        let ReadError::OutOfRange { start, end, .. } = error else { panic!("{error}") };
        assert_eq!((start, end), (Offset(4), Offset(10)));
    }
}

#[test]
fn a_read_goes_on_in_the_next_segment() {
    let mut bench = Bench::new(small_segments(3));
    bench.fill(10);
    assert_eq!(bench.values(0).len(), 10);
    assert_eq!(bench.values(4).first(), Some(&(4, "value 4".to_owned())));
    let read = bench.log.read(Offset(1), 1 << 20, Offset(10), true).unwrap();
    assert_eq!(read.upper, Offset(3), "one segment at a time");
}

#[test]
fn every_offset_is_found_with_few_or_many_index_entries() {
    for interval in [1, 100, 300, 1 << 20] {
        let config = LogConfig { index_interval_bytes: interval, ..small_segments(100) };
        let mut bench = Bench::new(config);
        bench.fill(350);
        for from in [0, 1, 2, 63, 64, 65, 99, 100, 101, 128, 129, 200, 299, 348, 349] {
            let read = bench.log.read(Offset(from), 1, Offset(350), true).unwrap();
            assert_eq!(read.upper, Offset(from + 1), "interval {interval}");
        }
        bench.restart();
        for from in (0..350).rev() {
            let read = bench.log.read(Offset(from), 1, Offset(350), true).unwrap();
            assert_eq!(read.upper, Offset(from + 1), "interval {interval}");
        }
    }
}

#[test]
fn a_reader_who_reads_on_finds_what_was_appended_meanwhile() {
    let mut bench = Bench::new(LogConfig::default());
    let mut next = 0;
    for round in 0..20 {
        assert!(bench.log.read(Offset(next), 1000, Offset(next), true).unwrap().is_empty());
        bench.fill(1 + round % 3);
        let end = bench.log.end_offset();
        let read = bench.log.read(Offset(next), 1 << 20, end, true).unwrap();
        assert_eq!(read.upper, end);
        next = end.0;
    }
    bench.log.truncate_to(Offset(5), Timestamp(0)).unwrap();
    bench.append(&records(&[(1, "longer than what was there before")]));
    assert_eq!(bench.values(5), [(5, "longer than what was there before".to_owned())]);
}

#[test]
fn a_span_stays_readable_after_its_segment_was_deleted() {
    let mut bench = Bench::new(LogConfig { retention_bytes: 0, ..small_segments(2) });
    bench.fill(5);
    let span = bench.log.read(Offset(0), 1 << 20, Offset(5), true).unwrap().span.unwrap();
    let before = span.read().unwrap();
    bench.log.apply_retention(Timestamp(0), Offset(5)).unwrap();
    for path in bench.log.background(Timestamp(i64::MAX)).remove {
        kernel::port::Disk::remove_file(&bench.disk, &path).unwrap();
    }
    assert_eq!(span.read().unwrap(), before);
}

#[test]
fn an_idle_log_gives_its_files_back_and_goes_on() {
    let mut bench = Bench::new(small_segments(4));
    bench.fill(6);
    bench.log.release().unwrap();
    assert_eq!(bench.values(0).len(), 6);
    bench.log.release().unwrap();
    bench.fill(4);
    assert_eq!(bench.values(0).len(), 10);
}

#[test]
fn batches_of_gaps_are_read_from_the_next_there_is() {
    let mut bench = Bench::new(LogConfig::default());
    // As after compaction: offsets 2 to 4 are gone.
    let one = records(&[(1, "a"), (1, "b")]);
    bench.log.append(Timestamp(0), &[judged(&one)], crate::testing::EPOCH, Origin::Replication).unwrap();
    let mut later = one.to_vec();
    later[..8].copy_from_slice(&5_i64.to_be_bytes());
    later[12..16].copy_from_slice(&3_i32.to_be_bytes());
    bench.log.append_replicated(Timestamp(0), &later).unwrap();
    for from in [2, 3, 4, 5] {
        assert_eq!(span(&mut bench, from, 1 << 20, 7, true).map(|found| found.0), Some(one.len() as u64));
    }
    assert_eq!(bench.log.end_offset(), Offset(7));
}

#[test]
fn a_log_that_nobody_uses_closes_its_files_after_a_minute() {
    let mut bench = Bench::new(LogConfig { index_interval_bytes: 1, ..LogConfig::default() });
    let index_len = |bench: &Bench| bench.content("00000000000000000000.index").len();
    bench.fill(4);
    bench.log.background(Timestamp(1000));
    bench.log.background(Timestamp(60_999));
    assert_eq!(index_len(&bench), 0, "entries wait in memory");
    bench.log.background(Timestamp(61_000));
    assert_eq!(index_len(&bench), 3 * 8);
    bench.fill(4);
    assert_eq!(bench.values(0).len(), 8);
}
