use kernel::{LeaderEpoch, Offset, Timestamp};
use wire::batch::BatchBuilder;
use wire::compress::{Codec, Compression};

use crate::testing::{Bench, EPOCH, judged, records, small_segments};
use crate::{FoundRecord, LogConfig, OffsetQuery, OpenParams, Origin};

fn at(bench: &mut Bench, timestamp: i64) -> Option<(i64, i64)> {
    let found = bench.log.list_offset(OffsetQuery::At(Timestamp(timestamp))).expect("searches");
    found.map(|record| (record.timestamp.0, record.offset.0))
}

fn query(bench: &mut Bench, number: i64) -> Option<FoundRecord> {
    let query = OffsetQuery::from_timestamp(number).expect("is a query");
    bench.log.list_offset(query).expect("answers")
}

#[test]
fn a_time_finds_the_first_record_that_is_not_older() {
    let mut bench = Bench::new(LogConfig { index_interval_bytes: 1, ..LogConfig::default() });
    bench.append(&records(&[(10, "a"), (30, "b"), (20, "c")]));
    bench.append(&records(&[(25, "d"), (40, "e")]));
    bench.append(&records(&[(35, "f"), (50, "g")]));
    for reopened in [false, true] {
        assert_eq!(at(&mut bench, 0), Some((10, 0)));
        assert_eq!(at(&mut bench, 15), Some((30, 1)), "records may be out of order within a batch");
        assert_eq!(at(&mut bench, 31), Some((40, 4)));
        assert_eq!(at(&mut bench, 40), Some((40, 4)));
        assert_eq!(at(&mut bench, 41), Some((50, 6)));
        assert_eq!(at(&mut bench, 51), None, "reopened: {reopened}");
        bench.restart();
    }
}

#[test]
fn a_log_that_has_rested_finds_by_its_time_what_came_after_the_last_index_entry() {
    let mut bench = Bench::new(LogConfig::default());
    bench.append(&records(&[(10, "a"), (20, "b")]));
    let rest = bench.log.rest().expect("works").expect("nothing is left to do");
    bench.reopen(OpenParams {
        clean: true,
        recovery_point: rest.recovery_point,
        log_start: rest.start,
        ..OpenParams::default()
    });
    assert_eq!(at(&mut bench, 15), Some((20, 1)));
    assert_eq!(query(&mut bench, -3).map(|newest| newest.offset), Some(Offset(1)));
    bench.append(&records(&[(30, "c")]));
    assert_eq!(at(&mut bench, 25), Some((30, 2)));
}

#[test]
fn a_time_is_found_in_every_segment_and_behind_every_index_entry() {
    let mut bench = Bench::new(small_segments(30));
    for i in 0..100 {
        bench.append(&records(&[(i * 10, "value 0")]));
    }
    for round in 0..2 {
        for i in 0..100 {
            assert_eq!(at(&mut bench, i * 10), Some((i * 10, i)), "round {round}");
            assert_eq!(at(&mut bench, i * 10 - 5), Some((i * 10, i)), "round {round}");
        }
        bench.restart();
    }
}

#[test]
fn a_record_that_claims_an_offset_outside_of_its_batch_is_damage_and_no_answer() {
    let mut bench = Bench::new(LogConfig::default());
    let mut batch = records(&[(10, "a"), (30, "b")]).to_vec();
    // The header now says that the batch ends with its first record.
    batch[23..27].copy_from_slice(&0_i32.to_be_bytes());
    bench.append(&batch);
    assert_eq!(bench.log.end_offset(), Offset(1));
    assert_eq!(at(&mut bench, 5), Some((10, 0)));
    let beyond =
        bench.log.list_offset(OffsetQuery::At(Timestamp(20))).expect_err("offset 1 is not in the log");
    assert!(beyond.to_string().contains("outside of its batch"), "{beyond}");
}

#[test]
fn a_record_before_the_log_start_is_not_found() {
    let mut bench = Bench::new(LogConfig::default());
    bench.append(&records(&[(10, "a"), (20, "b"), (5, "c")]));
    bench.append(&records(&[(12, "d")]));
    bench.log.delete_records(Offset(2), Offset(4)).unwrap();
    assert_eq!(at(&mut bench, 10), Some((12, 3)), "the first batch has an older match, which is deleted");
    assert_eq!(at(&mut bench, 1), Some((5, 2)));
}

#[test]
fn times_are_found_in_compressed_batches() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut bench = Bench::new(LogConfig::default());
        let mut builder = BatchBuilder::new().compression(Compression::of(codec));
        for i in 0..100 {
            builder.append(Timestamp(i), None, Some(b"the same again and again"));
        }
        bench.append(&builder.build().unwrap());
        assert_eq!(at(&mut bench, 57), Some((57, 57)));
        assert_eq!(query(&mut bench, -3).map(|found| found.offset), Some(Offset(99)));
    }
}

#[test]
fn the_ends_of_the_log_are_told_with_their_epochs() {
    let mut bench = Bench::new(LogConfig::default());
    let end_of = |found: Option<FoundRecord>| found.map(|found| (found.offset.0, found.leader_epoch));
    assert_eq!(end_of(query(&mut bench, -2)), Some((0, None)));
    assert_eq!(end_of(query(&mut bench, -1)), Some((0, None)));
    assert_eq!(query(&mut bench, -3), None);
    bench.fill(2);
    bench.log.append(Timestamp(0), &[judged(&records(&[(1, "b")]))], LeaderEpoch(4), Origin::Client).unwrap();
    bench.log.delete_records(Offset(1), Offset(3)).unwrap();
    assert_eq!(end_of(query(&mut bench, -2)), Some((1, Some(EPOCH))));
    assert_eq!(end_of(query(&mut bench, -4)), Some((1, Some(EPOCH))));
    assert_eq!(end_of(query(&mut bench, -1)), Some((3, Some(LeaderEpoch(4)))));
    assert_eq!(query(&mut bench, -5), None);
    assert_eq!(query(&mut bench, -6), None);
    assert_eq!(OffsetQuery::from_timestamp(-7), None);
}

#[test]
fn the_epoch_told_is_that_of_the_record_found() {
    let mut bench = Bench::new(LogConfig::default());
    bench.append(&records(&[(10, "a")]));
    bench
        .log
        .append(Timestamp(0), &[judged(&records(&[(20, "b")]))], LeaderEpoch(9), Origin::Client)
        .unwrap();
    let epoch = |bench: &mut Bench, time| {
        let found = bench.log.list_offset(OffsetQuery::At(Timestamp(time))).unwrap();
        found.and_then(|found| found.leader_epoch)
    };
    assert_eq!(epoch(&mut bench, 10), Some(EPOCH));
    assert_eq!(epoch(&mut bench, 11), Some(LeaderEpoch(9)));
}

#[test]
fn the_largest_timestamp_is_the_first_record_that_has_it() {
    let mut bench = Bench::new(LogConfig { segment_bytes: 200, ..LogConfig::default() });
    bench.append(&records(&[(10, "a"), (70, "b")]));
    bench.append(&records(&[(70, "c"), (20, "d")]));
    bench.append(&records(&[(60, "e"), (65, "f")]));
    for _ in 0..2 {
        let found = query(&mut bench, -3).expect("found");
        assert_eq!((found.timestamp.0, found.offset.0), (70, 1));
        bench.restart();
    }
    bench.log.truncate_to(Offset(0), Timestamp(0)).unwrap();
    assert_eq!(query(&mut bench, -3), None);
}

#[test]
fn records_without_timestamps_are_never_found_by_time() {
    let mut bench = Bench::new(LogConfig::default());
    bench.append(&records(&[(-1, "a")]));
    assert_eq!(at(&mut bench, 0), None);
    bench.append(&records(&[(3, "b")]));
    assert_eq!(at(&mut bench, 0), Some((3, 1)));
}
