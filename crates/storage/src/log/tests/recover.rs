use kernel::port::Disk;
use kernel::{Offset, Timestamp};

use crate::testing::{Bench, EPOCH, from_producer, judged, records, small_segments};
use crate::{LogConfig, OffsetQuery, OpenParams, RecoveryReport};

const LOG: &str = "00000000000000000000.log";

fn unclean() -> OpenParams {
    OpenParams::default()
}

fn write(bench: &Bench, name: &str, at: u64, bytes: &[u8]) {
    bench.file(name).write_at(at, &[std::io::IoSlice::new(bytes)]).expect("writes");
}

#[test]
fn a_torn_batch_at_the_end_is_cut_off_wherever_it_is_torn() {
    let mut bench = Bench::new(LogConfig { index_interval_bytes: 1, ..LogConfig::default() });
    bench.fill(3);
    let whole = bench.content(LOG);
    let batch = whole.len() / 3;
    for torn in 0..batch {
        let mut bench = Bench::new(LogConfig { index_interval_bytes: 1, ..LogConfig::default() });
        bench.fill(3);
        bench.file(LOG).set_len((2 * batch + torn) as u64).unwrap();
        bench.reopen(unclean());
        assert_eq!(bench.log.end_offset(), Offset(2), "torn after {torn} bytes");
        assert_eq!(bench.report.bytes_truncated, torn as u64);
        assert_eq!(bench.report.damage.is_some(), torn > 0);
        bench.fill(1);
        assert_eq!(bench.content(LOG), whole);
    }
}

#[test]
fn zeros_or_garbage_at_the_end_are_cut_off() {
    for filler in [0_u8, 0xff, 0x41] {
        let mut bench = Bench::new(LogConfig::default());
        bench.fill(3);
        let size = bench.log.size();
        write(&bench, LOG, size, &vec![filler; 10_000]);
        bench.reopen(unclean());
        assert_eq!((bench.log.end_offset(), bench.log.size()), (Offset(3), size));
        assert_eq!(bench.content(LOG).len() as u64, size);
        assert!(!bench.report.lost_durable);
    }
}

#[test]
fn every_flipped_bit_of_a_batch_is_found() {
    let mut bench = Bench::new(LogConfig::default());
    bench.fill(2);
    let whole = bench.content(LOG);
    let second = whole.len() / 2;
    for bit in 0..second * 8 {
        // The leader epoch is not covered by the checksum.
        if (12 * 8..16 * 8).contains(&bit) {
            continue;
        }
        let mut damaged = whole.clone();
        damaged[second + bit / 8] ^= 1 << (bit % 8);
        write(&bench, LOG, 0, &damaged);
        bench.reopen(unclean());
        let end = bench.log.end_offset().0;
        // A larger base offset cannot be told from a gap that cleaning left.
        let gap = bit < 64 && end > 2;
        assert!(end == 1 || gap, "bit {bit}: the log ends at {end}");
        write(&bench, LOG, 0, &whole);
        bench.reopen(unclean());
    }
}

#[test]
fn segments_after_a_damaged_one_are_dropped() {
    let mut bench = Bench::new(small_segments(2));
    bench.fill(7);
    write(&bench, "00000000000000000002.log", 90, &[0xff; 4]);
    bench.reopen(unclean());
    assert_eq!(bench.log.end_offset(), Offset(3));
    assert_eq!((bench.report.segments_dropped, bench.log.segment_count()), (2, 2));
    let kept = bench.names().into_iter().filter(|name| name.ends_with(".damaged")).collect::<Vec<_>>();
    let base = |offset: i64| format!("{offset:020}.log");
    let part = format!("{}.{}.damaged", base(2), bench.content(&base(2)).len());
    assert_eq!(kept, [part, format!("{}.0.damaged", base(4)), format!("{}.0.damaged", base(6))]);
    assert_eq!(bench.values(0).len(), 3);
    bench.fill(2);
    bench.crash();
    assert_eq!(bench.values(0).len(), 5);
}

#[test]
fn damage_before_the_last_of_batches_that_were_synced_one_by_one_is_refused() {
    let one_by_one = OpenParams { one_by_one: true, ..OpenParams::default() };
    let mut bench = Bench::new(LogConfig::default());
    bench.fill(3);
    let whole = bench.content(LOG);
    let batch = whole.len() / 3;
    // The offset is at 0, and a larger one is a gap; the leader epoch at 12 is covered by no checksum.
    for at in (8..12).chain(16..batch) {
        for (number, refused) in [(0, true), (1, true), (2, false)] {
            let mut damaged = whole.clone();
            damaged[number * batch + at] ^= 0x55;
            write(&bench, LOG, 0, &damaged);
            let opened = bench.try_reopen(one_by_one);
            assert_eq!(opened.is_err(), refused, "byte {at} of batch {number}");
            if refused {
                assert_eq!(bench.content(LOG), damaged, "nothing is cut off");
            } else {
                assert_eq!(bench.log.end_offset(), Offset(2));
            }
        }
        write(&bench, LOG, 0, &whole);
    }
}

#[test]
fn a_segment_behind_a_damaged_one_of_batches_synced_one_by_one_is_kept() {
    let one_by_one = OpenParams { one_by_one: true, ..OpenParams::default() };
    let mut bench = Bench::new(small_segments(2));
    bench.fill(4);
    let behind = bench.content("00000000000000000002.log");
    let last = bench.content(LOG).len() as u64 / 2;
    write(&bench, LOG, last + 70, &[0xff; 4]);
    assert!(bench.try_reopen(one_by_one).is_err());
    assert_eq!(bench.content("00000000000000000002.log"), behind);
}

#[test]
fn damage_below_the_recovery_point_is_told_from_a_torn_write() {
    let mut bench = Bench::new(LogConfig::default());
    bench.fill(4);
    bench.log.flush(Timestamp(0)).unwrap();
    let size = bench.log.size();
    write(&bench, LOG, size / 4 + 70, &[0xff]);
    bench.crash();
    assert!(bench.report.lost_durable);
    let kept = format!("{LOG}.{}.damaged", bench.log.size());
    assert_eq!(bench.content(&kept).len() as u64, size - bench.log.size(), "what was cut off is kept aside");
    assert!(bench.report.damage.as_deref().is_some_and(|damage| damage.contains("checksum")));
    assert!(bench.report.is_notable());
}

#[test]
fn segments_below_the_recovery_point_are_not_read_again() {
    let mut bench = Bench::new(small_segments(2));
    bench.fill(9);
    bench.log.flush(Timestamp(0)).unwrap();
    bench.crash();
    assert_eq!((bench.report.segments_verified, bench.report.batches_verified), (1, 1));
    assert_eq!(bench.values(0).len(), 9);
}

#[test]
fn opening_again_finds_nothing_more_to_mend() {
    let mut bench = Bench::new(small_segments(2));
    bench.fill(5);
    bench.file("00000000000000000004.log").set_len(10).unwrap();
    bench.reopen(unclean());
    assert_eq!(bench.report.bytes_truncated, 10);
    let files: Vec<_> = bench.names().into_iter().map(|name| (bench.content(&name), name)).collect();
    bench.reopen(unclean());
    let clean = RecoveryReport {
        segments_verified: bench.report.segments_verified,
        batches_verified: bench.report.batches_verified,
        ..RecoveryReport::default()
    };
    assert_eq!(bench.report, clean);
    let again: Vec<_> = bench.names().into_iter().map(|name| (bench.content(&name), name)).collect();
    assert_eq!(files, again);
}

#[test]
fn missing_indexes_are_rebuilt_and_equal_those_that_were_written() {
    let mut bench = Bench::new(small_segments(10));
    bench.fill(25);
    bench.log.close(Timestamp(0)).unwrap();
    let names: Vec<String> = bench.names().into_iter().filter(|name| name.contains("index")).collect();
    let before: Vec<Vec<u8>> = names.iter().map(|name| bench.content(name)).collect();
    for name in &names {
        bench.disk.remove_file(&bench.path(name)).unwrap();
    }
    let params =
        OpenParams { clean: true, recovery_point: Offset(25), log_start: Offset(0), ..OpenParams::default() };
    bench.reopen(params);
    assert_eq!(bench.report.indexes_rebuilt, 3);
    let after: Vec<Vec<u8>> = names.iter().map(|name| bench.content(name)).collect();
    assert_eq!(before, after);
    assert_eq!(bench.values(0).len(), 25);
}

#[test]
fn damaged_indexes_are_noticed_when_they_are_used() {
    for damage in [&[0xff_u8; 8][..], &[0x00; 8], &[0x01; 3]] {
        for name in ["00000000000000000000.index", "00000000000000000000.timeindex"] {
            let mut bench = Bench::new(small_segments(20));
            bench.fill(30);
            bench.log.close(Timestamp(0)).unwrap();
            let len = bench.content(name).len() as u64;
            write(&bench, name, len, damage);
            let params = OpenParams {
                clean: true,
                recovery_point: Offset(30),
                log_start: Offset(0),
                ..OpenParams::default()
            };
            bench.reopen(params);
            assert_eq!(bench.values(0).len(), 30, "{name} with {damage:?}");
            for from in 0..30 {
                let read = bench.log.read(Offset(from), 1, Offset(30), true).unwrap();
                assert_eq!(read.upper, Offset(from + 1));
            }
        }
    }
}

#[test]
fn an_index_without_its_log_is_removed() {
    let mut bench = Bench::new(LogConfig::default());
    bench.fill(1);
    let stray = bench.path("00000000000000000077.index");
    bench.disk.open(&stray, kernel::port::disk::OpenMode::Create).unwrap();
    bench.crash();
    assert!(!bench.disk.exists(&stray));
}

#[test]
fn the_leader_epochs_are_rebuilt_from_the_batches() {
    let mut bench = Bench::new(LogConfig::default());
    bench.fill(2);
    let next = kernel::LeaderEpoch(9);
    bench.log.append(Timestamp(0), &[judged(&records(&[(1, "b")]))], next, crate::Origin::Client).unwrap();
    bench.log.close(Timestamp(0)).unwrap();
    let before = bench.content("leader-epoch-checkpoint");
    write(&bench, "leader-epoch-checkpoint", 0, b"what");
    bench.reopen(OpenParams {
        clean: true,
        recovery_point: Offset(3),
        log_start: Offset(0),
        ..OpenParams::default()
    });
    assert!(bench.report.epochs_rebuilt);
    assert_eq!(bench.content("leader-epoch-checkpoint"), before);
    bench.disk.remove_file(&bench.path("leader-epoch-checkpoint")).unwrap();
    bench.reopen(unclean());
    bench.log.flush(Timestamp(0)).unwrap();
    assert_eq!(bench.content("leader-epoch-checkpoint"), before);
    assert_eq!(bench.log.epoch_at(Offset(0)), Some(EPOCH));
}

#[test]
fn a_log_that_ends_before_its_checkpointed_start_begins_there() {
    let mut bench = Bench::new(small_segments(2));
    bench.fill(5);
    bench.reopen(OpenParams {
        clean: false,
        recovery_point: Offset(5),
        log_start: Offset(50),
        ..OpenParams::default()
    });
    assert_eq!((bench.log.start_offset(), bench.log.end_offset()), (Offset(50), Offset(50)));
    bench.append(&from_producer(7, 0, 0, 1));
    assert_eq!(bench.values(50).len(), 1);
}

#[test]
fn what_an_unfinished_cleaning_left_is_removed() {
    let mut bench = Bench::new(small_segments(2));
    bench.fill(5);
    for name in ["00000000000000000000.log.cleaned", "00000000000000000002.log.swap"] {
        bench.disk.open(&bench.path(name), kernel::port::disk::OpenMode::Create).unwrap();
    }
    bench.crash();
    assert_eq!(bench.report.leftovers_removed, 2);
    assert_eq!(bench.values(0).len(), 5);
}

#[test]
fn a_finished_cleaning_is_put_in_place() {
    let mut bench = Bench::new(small_segments(2));
    bench.fill(5);
    // Two segments cleaned into one that keeps the batch of offset 3 only.
    let kept = bench.content("00000000000000000002.log");
    let file = bench.path("00000000000000000000.log.swap");
    let swap = bench.disk.open(&file, kernel::port::disk::OpenMode::Create).unwrap();
    swap.write_at(0, &[std::io::IoSlice::new(&kept[kept.len() / 2..])]).unwrap();
    bench.crash();
    assert_eq!(bench.values(0), [(3, "value 3".to_owned()), (4, "value 4".to_owned())]);
    assert_eq!(bench.log.segment_count(), 2);
}

#[test]
fn files_of_another_topic_of_the_same_name_are_refused() {
    let bench = Bench::new(LogConfig::default());
    let id = |byte| Some(kernel::Uuid::from_bytes([byte; 16]));
    let open = |topic_id| {
        crate::Log::open(
            bench.disk.port(),
            std::path::Path::new("/data"),
            kernel::TopicPartition::new("t", 0),
            topic_id,
            bench.log.config().clone(),
            unclean(),
            Timestamp(0),
        )
    };
    assert_eq!(open(id(1)).expect("a log without an id takes one").0.topic_id(), id(1));
    assert_eq!(open(None).expect("opens").0.topic_id(), id(1));
    let error = open(id(2)).err().expect("is refused");
    assert!(error.to_string().contains("topic id"), "{error}");
}

#[test]
fn a_stop_that_was_not_clean_after_all_is_recovered_from() {
    let mut bench = Bench::new(LogConfig::default());
    bench.fill(4);
    bench.log.close(Timestamp(0)).unwrap();
    let size = bench.log.size();
    bench.file(LOG).set_len(size - 1).unwrap();
    bench.reopen(OpenParams {
        clean: true,
        recovery_point: Offset(4),
        log_start: Offset(0),
        ..OpenParams::default()
    });
    assert_eq!(bench.log.end_offset(), Offset(3));
    assert!(bench.report.lost_durable && bench.report.damage.is_some());
    bench.fill(1);
    bench.crash();
    assert_eq!(bench.values(0).len(), 4);
}

#[test]
fn damage_in_an_old_segment_leaves_the_others_readable() {
    let mut bench = Bench::new(small_segments(3));
    bench.fill(8);
    bench.log.close(Timestamp(0)).unwrap();
    let batch = bench.content(LOG).len() as u64 / 3;
    write(&bench, LOG, batch + 16, &[0x01]);
    for name in ["00000000000000000000.index", "leader-epoch-checkpoint"] {
        bench.disk.remove_file(&bench.path(name)).unwrap();
    }
    for name in bench.names().iter().filter(|name| name.ends_with(".snapshot")) {
        bench.disk.remove_file(&bench.path(name)).unwrap();
    }
    bench.reopen(OpenParams {
        clean: true,
        recovery_point: Offset(8),
        log_start: Offset(0),
        ..OpenParams::default()
    });
    assert!(bench.report.damage.as_deref().is_some_and(|damage| damage.contains("magic")));
    assert_eq!(bench.log.end_offset(), Offset(8));
    assert_eq!(bench.values(3).len(), 5);
    let error = bench.log.read(Offset(1), 1 << 20, Offset(8), true).err().expect("cannot be read");
    assert_eq!(error.code(), kernel::ErrorCode::CorruptMessage);
}

/// Bytes that an opening reads of each `.log` file, by its name.
fn read_of_logs(bench: &mut Bench, params: OpenParams) -> Vec<(String, u64)> {
    bench.disk.start_recording();
    bench.reopen(params);
    let mut read = std::collections::BTreeMap::<String, u64>::new();
    for operation in bench.disk.take_recording() {
        let name = operation.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if operation.op == sim::Op::Read && name.ends_with(".log") {
            *read.entry(name).or_default() += operation.len;
        }
    }
    read.into_iter().collect()
}

#[test]
fn a_clean_start_reads_no_records_and_an_unclean_one_those_after_the_checkpoint() {
    let mut bench = Bench::new(small_segments(8));
    bench.fill(60);
    let recovery_point = bench.log.close(Timestamp(0)).unwrap();
    let last = bench.log.size() / 60;
    let clean = OpenParams { clean: true, recovery_point, ..OpenParams::default() };
    let read = read_of_logs(&mut bench, clean);
    let name = "00000000000000000056.log".to_owned();
    assert!(
        matches!(read.as_slice(), [(only, bytes)] if *only == name && *bytes <= 2 * (last + 2)),
        "only the header of the last batch says where the log ends: {read:?}"
    );
    bench.fill(7);
    let unclean = OpenParams { recovery_point, ..OpenParams::default() };
    bench.disk.crash_process();
    let read = read_of_logs(&mut bench, unclean);
    let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [name.as_str(), "00000000000000000064.log"], "from the segment with the checkpoint on");
    assert_eq!(bench.values(0).len(), 67);
}

#[test]
fn recovery_reads_no_records_before_the_recovery_point_in_its_segment_either() {
    let mut bench = Bench::new(LogConfig { index_interval_bytes: 1, ..LogConfig::default() });
    for timestamp in 0..300 {
        bench.append(&records(&[(timestamp, &"x".repeat(60_000))]));
        if timestamp % 20 == 19 {
            bench.log.flush(Timestamp(0)).unwrap();
        }
    }
    bench.fill(3);
    let recovery_point = bench.log.recovery_point();
    bench.disk.crash_process();
    let read = read_of_logs(&mut bench, OpenParams { recovery_point, ..unclean() });
    assert!(matches!(read.as_slice(), [(_, bytes)] if *bytes < 500_000), "{read:?} of {}", bench.log.size());
    assert_eq!((bench.report.batches_verified, bench.log.end_offset()), (3, Offset(303)));
    assert_eq!(bench.values(0).len(), 303);
}

#[test]
fn whatever_a_power_cut_left_of_the_indexes_of_the_active_segment_they_are_whole_after_recovery() {
    let mut bench = Bench::new(LogConfig { index_interval_bytes: 1, ..LogConfig::default() });
    bench.fill(200);
    bench.log.flush(Timestamp(0)).unwrap();
    let recovery_point = bench.log.recovery_point();
    bench.fill(4);
    bench.reopen(unclean());
    let names = ["00000000000000000000.index", "00000000000000000000.timeindex"];
    let whole = names.map(|name| bench.content(name));
    let newest = bench.log.list_offset(OffsetQuery::MaxTimestamp).unwrap();
    for (file, name) in names.iter().enumerate() {
        let cut = (0..=whole[file].len()).step_by(7).map(|len| whole[file][..len].to_vec());
        let sectors = (0..whole[file].len()).step_by(512).map(|from| {
            let mut left = whole[file].clone();
            left[from..].iter_mut().take(512).for_each(|byte| *byte = 0);
            left
        });
        for (number, left) in cut.chain(sectors).enumerate() {
            bench.file(name).set_len(0).unwrap();
            write(&bench, name, 0, &left);
            bench.disk.crash_process();
            bench.reopen(OpenParams { recovery_point, ..unclean() });
            assert!(names.map(|name| bench.content(name)) == whole, "{name}: damage number {number}");
            assert_eq!(bench.log.end_offset(), Offset(204));
            let found = bench.log.list_offset(OffsetQuery::MaxTimestamp).unwrap();
            assert_eq!(found, newest, "{name}: damage number {number}");
        }
    }
}

#[test]
fn producers_are_known_after_a_crash_from_the_last_snapshot_and_few_batches_after_it() {
    let mut bench = Bench::new(LogConfig { index_interval_bytes: 1, ..LogConfig::default() });
    let large = records(&[(1, &"x".repeat(1 << 20))]);
    let snapshots = |bench: &Bench| bench.names().iter().filter(|name| name.ends_with(".snapshot")).count();
    bench.append(&from_producer(7, 0, 0, 1));
    for second in 0..6 {
        bench.append(&large);
        bench.log.flush(Timestamp(second * 1_000)).unwrap();
    }
    assert_eq!(snapshots(&bench), 1, "the first stays: {:?}", bench.names());
    for second in 6..14 {
        bench.append(&large);
        bench.log.flush(Timestamp(second * 1_000)).unwrap();
    }
    bench.append(&from_producer(7, 0, 1, 1));
    assert_eq!(snapshots(&bench), 2, "older ones go: {:?}", bench.names());
    let recovery_point = bench.log.recovery_point();
    bench.disk.crash_process();
    bench.reopen(OpenParams { recovery_point, ..unclean() });
    assert!(bench.report.batches_replayed <= 4, "{:?}", bench.report);
    assert!(bench.append(&from_producer(7, 0, 1, 1)).duplicate);
    assert!(!bench.append(&from_producer(7, 0, 2, 1)).duplicate);
}
