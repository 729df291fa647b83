use kernel::{ErrorCode, LeaderEpoch, Offset, Timestamp};

use crate::testing::{Bench, judged, records, small_segments};
use crate::{CleanupPolicy, LogConfig, Origin, Retained};

fn retain(bench: &mut Bench, now: i64) -> (usize, i64) {
    let end = bench.log.end_offset();
    let retained = bench.log.apply_retention(Timestamp(now), end).expect("retains");
    (retained.segments, bench.log.start_offset().0)
}

#[test]
fn old_segments_are_deleted_by_the_largest_timestamp_they_have() {
    let mut bench = Bench::new(LogConfig { retention_ms: 100, ..small_segments(2) });
    bench.fill(6);
    assert_eq!(retain(&mut bench, 101), (0, 0), "the first segment has timestamps 0 and 1");
    assert_eq!(retain(&mut bench, 102), (1, 2));
    assert_eq!(retain(&mut bench, 104), (1, 4));
    assert_eq!(bench.values(4).len(), 2);
    assert_eq!(
        bench.log.read(Offset(3), 1, Offset(6), true).err().unwrap().code(),
        ErrorCode::OffsetOutOfRange
    );
}

#[test]
fn when_all_records_are_old_a_new_segment_is_begun_and_offsets_go_on() {
    let mut bench = Bench::new(LogConfig { retention_ms: 100, ..small_segments(2) });
    bench.fill(3);
    assert_eq!(retain(&mut bench, 10_000), (2, 3));
    assert_eq!((bench.log.segment_count(), bench.log.size()), (1, 0));
    assert_eq!(retain(&mut bench, 20_000), (0, 3), "an empty segment stays");
    bench.restart();
    assert_eq!((bench.log.start_offset(), bench.log.end_offset()), (Offset(3), Offset(3)));
    bench.fill(1);
    assert_eq!(bench.log.end_offset(), Offset(4));
}

#[test]
fn a_segment_without_timestamps_ages_by_when_it_was_written() {
    let mut bench = Bench::new(LogConfig { retention_ms: 100, ..LogConfig::default() });
    bench.now = 1000;
    bench.append(&records(&[(-1, "a")]));
    assert_eq!(retain(&mut bench, 1100), (0, 0));
    assert_eq!(retain(&mut bench, 1101), (1, 1));
}

#[test]
fn segments_beyond_the_size_limit_are_deleted() {
    let mut bench = Bench::new(small_segments(2));
    bench.fill(7);
    let size = bench.log.size() as i64;
    let segment = size / 7 * 2;
    let limit = |bench: &mut Bench, retention_bytes| {
        let config = LogConfig { retention_bytes, ..bench.config.clone() };
        bench.log.set_config(std::sync::Arc::new(config));
        retain(bench, 0)
    };
    assert_eq!(limit(&mut bench, size), (0, 0));
    assert_eq!(limit(&mut bench, size - segment + 1), (0, 0), "a segment goes only if enough stays");
    assert_eq!(limit(&mut bench, size - segment), (1, 2));
    assert_eq!(limit(&mut bench, 0), (3, 7), "zero keeps nothing");
}

#[test]
fn records_that_are_not_replicated_are_kept() {
    let mut bench = Bench::new(LogConfig { retention_ms: 0, ..small_segments(2) });
    bench.fill(6);
    let retained = bench.log.apply_retention(Timestamp(1000), Offset(3)).unwrap();
    assert_eq!((retained.segments, bench.log.start_offset()), (1, Offset(2)));
}

#[test]
fn a_compacted_topic_is_not_cut_by_time() {
    for delete in [false, true] {
        let cleanup = CleanupPolicy { delete, compact: true };
        let mut bench = Bench::new(LogConfig { retention_ms: 0, cleanup, ..small_segments(2) });
        bench.fill(4);
        assert_eq!(retain(&mut bench, 1000).0, if delete { 2 } else { 0 });
    }
}

#[test]
fn deleted_records_are_out_of_reach_at_once_and_their_segments_go_later() {
    let mut bench = Bench::new(LogConfig { retention_ms: -1, ..small_segments(2) });
    bench.fill(6);
    assert_eq!(bench.log.delete_records(Offset(5), Offset(6)).unwrap(), Offset(5));
    assert_eq!(
        bench.log.delete_records(Offset(2), Offset(6)).unwrap(),
        Offset(5),
        "the start never goes back"
    );
    assert_eq!(bench.log.segment_count(), 3);
    assert_eq!(retain(&mut bench, 0), (2, 5));
    assert_eq!(bench.values(5), [(5, "value 5".to_owned())]);
    let beyond = bench.log.delete_records(Offset(7), Offset(6)).unwrap_err();
    assert_eq!(beyond.code(), ErrorCode::OffsetOutOfRange);
    bench.crash();
    assert_eq!(bench.log.start_offset(), Offset(5));
}

#[test]
fn the_start_of_the_log_is_the_start_of_its_first_epoch() {
    let mut bench = Bench::new(small_segments(100));
    bench.fill(4);
    bench.log.append(Timestamp(0), &[judged(&records(&[(1, "b")]))], LeaderEpoch(8), Origin::Client).unwrap();
    bench.log.delete_records(Offset(2), Offset(5)).unwrap();
    let starts: Vec<_> = bench.log.epochs().iter().map(|entry| (entry.epoch.0, entry.start.0)).collect();
    assert_eq!(starts, [(3, 2), (8, 4)]);
    assert_eq!(bench.content("leader-epoch-checkpoint").trim_ascii_end(), b"0\n2\n3 2\n8 4");
}

#[test]
fn files_of_deleted_segments_are_renamed_and_removed_after_a_delay() {
    let mut bench =
        Bench::new(LogConfig { retention_bytes: 0, file_delete_delay_ms: 60, ..small_segments(2) });
    bench.fill(4);
    retain(&mut bench, 1000);
    let logs =
        |bench: &Bench| bench.names().into_iter().filter(|name| name.contains(".log")).collect::<Vec<_>>();
    assert_eq!(
        logs(&bench),
        ["00000000000000000000.log.deleted", "00000000000000000002.log.deleted", "00000000000000000004.log"]
    );
    assert_eq!(bench.log.background(Timestamp(1059)).remove.len(), 0);
    assert_eq!(bench.log.next_removal(), Some(Timestamp(1060)));
    let due = bench.log.background(Timestamp(1060)).remove;
    assert_eq!(due.len(), 7, "log and two indexes of two segments, and a snapshot: {due:?}");
    assert!(due.iter().all(|path| path.to_string_lossy().ends_with(".deleted")));
    bench.restart();
    assert_eq!(bench.report.leftovers_removed, 7, "what was not removed in time goes when the log is opened");
    assert_eq!(logs(&bench), ["00000000000000000004.log"]);
}

#[test]
fn nothing_is_deleted_without_need() {
    let mut bench = Bench::new(LogConfig::default());
    assert_eq!(bench.log.apply_retention(Timestamp(i64::MAX), Offset(0)).unwrap(), Retained::default());
    bench.fill(1);
    assert_eq!(retain(&mut bench, 1), (0, 0));
}
