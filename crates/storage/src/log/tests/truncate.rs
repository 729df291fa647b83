use kernel::port::Disk;
use kernel::{LeaderEpoch, Offset, Timestamp};

use crate::testing::{Bench, from_producer, judged, records, small_segments};
use crate::{LogConfig, Origin, ReadError};

fn truncate(bench: &mut Bench, to: i64) -> i64 {
    bench.log.truncate_to(Offset(to), Timestamp(0)).expect("truncates");
    bench.log.end_offset().0
}

#[test]
fn records_from_an_offset_on_are_taken_back() {
    let mut bench = Bench::new(small_segments(3));
    bench.fill(8);
    assert!(!bench.log.truncate_to(Offset(8), Timestamp(0)).unwrap());
    assert_eq!(truncate(&mut bench, 7), 7);
    assert_eq!(truncate(&mut bench, 4), 4);
    assert_eq!(bench.values(0).len(), 4);
    bench.fill(5);
    assert_eq!(bench.values(0).len(), 9);
    bench.restart();
    assert_eq!(bench.values(0).len(), 9);
    bench.crash();
    assert_eq!(bench.values(0).len(), 9);
}

#[test]
fn a_batch_that_reaches_beyond_the_offset_goes_whole() {
    let mut bench = Bench::new(LogConfig::default());
    bench.append(&records(&[(1, "a"), (1, "b")]));
    bench.append(&records(&[(1, "c"), (1, "d")]));
    assert_eq!(truncate(&mut bench, 3), 2);
}

#[test]
fn truncation_takes_indexes_epochs_and_producers_back() {
    let mut bench = Bench::new(small_segments(50));
    bench.fill(10);
    bench.append(&from_producer(7, 0, 0, 1));
    bench
        .log
        .append(Timestamp(0), &[judged(&from_producer(7, 0, 1, 1))], LeaderEpoch(5), Origin::Client)
        .unwrap();
    bench
        .log
        .append(Timestamp(0), &[judged(&from_producer(8, 0, 0, 1))], LeaderEpoch(5), Origin::Client)
        .unwrap();
    assert_eq!(truncate(&mut bench, 11), 11);
    assert_eq!(bench.log.latest_epoch(), Some(crate::testing::EPOCH));
    let producers: Vec<_> =
        bench.log.producers().map(|producer| (producer.producer_id.0, producer.last_sequence)).collect();
    assert_eq!(producers, [(7, 0)]);
    assert_eq!(bench.append(&from_producer(7, 0, 1, 1)).base_offset, Offset(11));
    for from in 0..12 {
        let read = bench.log.read(Offset(from), 1, Offset(12), true).unwrap();
        assert_eq!(read.upper, Offset(from + 1));
    }
    let found = bench.log.list_offset(crate::OffsetQuery::MaxTimestamp).unwrap().unwrap();
    assert_eq!((found.timestamp.0, found.offset.0), (1000, 10));
}

#[test]
fn truncation_before_the_first_segment_begins_anew() {
    let mut bench = Bench::new(LogConfig { retention_bytes: 0, ..small_segments(2) });
    bench.fill(5);
    bench.log.apply_retention(Timestamp(0), Offset(5)).unwrap();
    bench.fill(1);
    assert_eq!(truncate(&mut bench, 3), 3);
    assert_eq!((bench.log.start_offset(), bench.log.size()), (Offset(3), 0));
    bench.log.truncate_all(Offset(100), Timestamp(0)).unwrap();
    bench.fill(1);
    assert_eq!(bench.values(100), [(100, "value 100".to_owned())]);
    bench.restart();
    assert_eq!((bench.log.start_offset(), bench.log.end_offset()), (Offset(100), Offset(101)));
}

#[test]
fn a_negative_offset_is_refused() {
    let mut bench = Bench::new(LogConfig::default());
    assert!(bench.log.truncate_to(Offset(-1), Timestamp(0)).is_err());
    assert!(bench.log.offline().is_none());
}

#[test]
fn a_deleted_log_leaves_its_name_and_takes_no_more_calls() {
    let mut bench = Bench::new(LogConfig::default());
    bench.fill(1);
    let path = bench.log.delete([1; 16]).unwrap();
    assert_eq!(path.to_string_lossy(), "/data/t-0.01010101010101010101010101010101-delete");
    assert!(bench.disk.exists(&path) && !bench.disk.exists(std::path::Path::new("/data/t-0")));
    assert!(matches!(bench.log.read(Offset(0), 1, Offset(1), true), Err(ReadError::Storage(_))));
    assert!(bench.try_append(&records(&[(1, "a")])).is_err());
    bench.reopen(crate::OpenParams::default());
    assert_eq!(bench.log.end_offset(), Offset(0), "a topic of the same name begins anew");
}

#[test]
fn a_sync_that_was_under_way_does_not_cover_what_was_written_after_the_cut() {
    let mut bench = Bench::new(LogConfig::default());
    bench.fill(5);
    let work = bench.log.begin_flush().unwrap().unwrap();
    truncate(&mut bench, 2);
    bench.fill(8);
    bench.log.flushed_to(work.upto, Timestamp(0));
    assert_eq!(bench.log.recovery_point(), Offset(2));
    bench.log.flush(Timestamp(0)).unwrap();
    assert_eq!(bench.log.recovery_point(), Offset(10));
}
