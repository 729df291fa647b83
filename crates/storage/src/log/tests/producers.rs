use std::io::ErrorKind;

use kernel::port::Disk;
use kernel::{ErrorCode, Offset, Timestamp};
use sim::{Fault, Op, When};

use crate::testing::{Bench, EPOCH, from_producer, in_txn, judged, marker, records, small_segments};
use crate::{AppendError, AppendInfo, LogConfig, OpenParams, Origin};

const COORDINATOR: Origin = Origin::Coordinator { transaction_version: 0 };

fn end_txn(bench: &mut Bench, id: i64, committed: bool) -> AppendInfo {
    bench
        .log
        .append(Timestamp(0), &[judged(&marker(id, 0, committed))], EPOCH, COORDINATOR)
        .expect("is appended")
}

#[test]
fn a_repeated_batch_gets_its_first_offsets_and_is_not_written_again() {
    let mut bench = Bench::new(LogConfig::default());
    bench.fill(3);
    bench.append(&from_producer(7, 0, 0, 2));
    bench.append(&from_producer(7, 0, 2, 3));
    let size = bench.log.size();
    let again = bench.append(&from_producer(7, 0, 0, 2));
    assert!(again.duplicate);
    assert_eq!((again.base_offset, again.last_offset), (Offset(3), Offset(4)));
    assert_eq!((bench.log.size(), bench.log.end_offset()), (size, Offset(8)));
}

#[test]
fn a_repeated_batch_waits_for_the_same_sync_as_the_first() {
    let mut bench = Bench::new(LogConfig { flush_messages: 1, ..LogConfig::default() });
    assert!(bench.append(&from_producer(7, 0, 0, 1)).flush_due);
    assert!(bench.append(&from_producer(7, 0, 0, 1)).flush_due);
    bench.log.flush(Timestamp(0)).unwrap();
    assert!(!bench.append(&from_producer(7, 0, 0, 1)).flush_due);
}

#[test]
fn producers_are_known_again_after_a_crash_or_a_restart() {
    let mut bench = Bench::new(small_segments(3));
    for round in 0..5 {
        bench.append(&from_producer(7, 0, round * 10, 10));
        bench.append(&from_producer(8, 2, round * 2, 2));
        bench.fill(2);
    }
    bench.crash();
    assert!(bench.append(&from_producer(7, 0, 40, 10)).duplicate);
    bench.restart();
    assert_eq!(bench.report.batches_replayed, 0, "the snapshot of the clean stop has it all");
    assert!(bench.append(&from_producer(8, 2, 8, 2)).duplicate);
    let gap = bench.try_append(&from_producer(8, 2, 11, 2)).unwrap_err();
    assert_eq!(gap.code(), ErrorCode::OutOfOrderSequenceNumber);
    assert!(!bench.append(&from_producer(7, 0, 50, 1)).duplicate);
}

#[test]
fn after_a_crash_the_whole_window_is_known() {
    let mut bench = Bench::new(LogConfig::default());
    for sequence in 0..6 {
        bench.append(&from_producer(7, 0, sequence, 1));
    }
    bench.crash();
    for sequence in 1..6 {
        assert!(bench.append(&from_producer(7, 0, sequence, 1)).duplicate, "sequence {sequence}");
    }
}

#[test]
fn after_a_restart_all_batches_that_may_come_again_are_known() {
    for config in [LogConfig::default(), small_segments(2), small_segments(4)] {
        let mut bench = Bench::new(config);
        for sequence in 0..6 {
            bench.append(&from_producer(7, 0, sequence, 1));
            bench.append(&from_producer(8, 0, sequence, 1));
        }
        for stop in [Bench::restart, Bench::crash] {
            stop(&mut bench);
            let gap = bench.try_append(&from_producer(7, 0, 8, 1)).unwrap_err();
            assert_eq!(gap.code(), ErrorCode::OutOfOrderSequenceNumber);
            for sequence in 1..6 {
                let again = bench.append(&from_producer(7, 0, sequence, 1));
                assert_eq!((again.duplicate, again.base_offset.0), (true, i64::from(sequence) * 2));
            }
            let forgotten = bench.try_append(&from_producer(7, 0, 0, 1)).unwrap_err();
            assert_eq!(forgotten.code(), ErrorCode::OutOfOrderSequenceNumber, "it is the sixth from the end");
        }
    }
}

#[test]
fn a_batch_that_could_not_be_looked_for_is_looked_for_again() {
    let mut bench = Bench::new(small_segments(2));
    for sequence in 0..6 {
        bench.append(&from_producer(7, 0, sequence, 1));
    }
    bench.restart();
    bench.disk.fail(Fault::new(Op::Open, When::Every(1)).on(".log").with(ErrorKind::StorageFull));
    assert!(matches!(bench.try_append(&from_producer(7, 0, 3, 1)), Err(AppendError::Storage(_))));
    bench.disk.clear_faults();
    assert!(bench.append(&from_producer(7, 0, 3, 1)).duplicate);
}

#[test]
fn a_missing_or_damaged_snapshot_is_made_up_for_by_the_batches() {
    let mut bench = Bench::new(small_segments(4));
    for sequence in 0..10 {
        bench.append(&from_producer(7, 0, sequence, 1));
    }
    bench.restart();
    let newest = bench.names().into_iter().rfind(|name| name.ends_with(".snapshot")).expect("a snapshot");
    let file = bench.file(&newest);
    file.write_at(12, &[std::io::IoSlice::new(&[0xff])]).unwrap();
    let params =
        OpenParams { clean: true, recovery_point: Offset(10), log_start: Offset(0), ..OpenParams::default() };
    bench.reopen(params);
    assert_eq!(bench.report.snapshots_dropped, 1);
    assert!(bench.report.batches_replayed > 0);
    assert!(bench.append(&from_producer(7, 0, 9, 1)).duplicate);
}

#[test]
fn snapshots_are_kept_where_segments_begin_and_at_the_end() {
    let mut bench = Bench::new(LogConfig { retention_bytes: 0, ..small_segments(2) });
    bench.fill(5);
    let snapshots = |bench: &Bench| {
        let names = bench.names().into_iter();
        names.filter_map(|name| name.strip_suffix(".snapshot")?.parse::<i64>().ok()).collect::<Vec<_>>()
    };
    assert_eq!(snapshots(&bench), [2, 4]);
    bench.log.close(Timestamp(0)).unwrap();
    assert_eq!(snapshots(&bench), [2, 4, 5]);
    bench.fill(1);
    bench.log.close(Timestamp(0)).unwrap();
    assert_eq!(snapshots(&bench), [2, 4, 6]);
    bench.log.apply_retention(Timestamp(0), Offset(6)).unwrap();
    assert_eq!(snapshots(&bench), [6]);
}

#[test]
fn producers_survive_the_deletion_of_all_their_records() {
    let mut bench = Bench::new(LogConfig { retention_bytes: 0, ..small_segments(2) });
    bench.append(&from_producer(7, 0, 0, 1));
    bench.log.apply_retention(Timestamp(0), Offset(1)).unwrap();
    bench.restart();
    assert!(bench.append(&from_producer(7, 0, 0, 1)).duplicate);
    bench.crash();
    assert!(bench.append(&from_producer(7, 0, 0, 1)).duplicate);
}

#[test]
fn silent_producers_expire() {
    let mut bench = Bench::new(LogConfig { producer_id_expiration_ms: 500, ..LogConfig::default() });
    bench.append(&from_producer(7, 0, 0, 1));
    bench.log.expire_producers(Timestamp(1499));
    assert_eq!(bench.log.producers().len(), 1);
    bench.log.expire_producers(Timestamp(1500));
    assert_eq!(bench.log.producers().len(), 0);
    assert_eq!(
        bench.append(&from_producer(7, 0, 33, 1)).base_offset,
        Offset(1),
        "any sequence may begin again"
    );
}

#[test]
fn the_stable_offset_waits_for_open_transactions() {
    let mut bench = Bench::new(LogConfig::default());
    bench.fill(1);
    bench.append(&in_txn(7, 0, 0, 2));
    bench.append(&in_txn(8, 0, 0, 1));
    let stable = |bench: &mut Bench, high: i64| bench.log.last_stable_offset(Offset(high)).0;
    assert_eq!(stable(&mut bench, 4), 1);
    end_txn(&mut bench, 7, true);
    assert_eq!(stable(&mut bench, 4), 1, "the marker is beyond the high watermark");
    assert_eq!(stable(&mut bench, 5), 3);
    bench.restart();
    assert_eq!(stable(&mut bench, 5), 3, "open transactions are in the snapshot");
    bench.crash();
    assert_eq!(stable(&mut bench, 5), 3);
    end_txn(&mut bench, 8, false);
    assert_eq!(stable(&mut bench, 6), 6);
    assert_eq!(stable(&mut bench, 2), 2, "never beyond the high watermark");
}

#[test]
fn aborted_transactions_are_found_across_segments_and_restarts() {
    let mut bench = Bench::new(small_segments(3));
    bench.append(&in_txn(7, 0, 0, 1));
    bench.fill(4);
    bench.append(&in_txn(8, 0, 0, 1));
    end_txn(&mut bench, 7, false);
    bench.fill(4);
    end_txn(&mut bench, 8, true);
    bench.append(&in_txn(9, 0, 0, 1));
    end_txn(&mut bench, 9, false);
    let aborted = |bench: &mut Bench, from, upper| {
        let found = bench.log.aborted_txns(Offset(from), Offset(upper)).expect("reads");
        found.iter().map(|txn| (txn.producer_id.0, txn.first_offset.0, txn.last_offset.0)).collect::<Vec<_>>()
    };
    for round in 0..3 {
        assert_eq!(aborted(&mut bench, 0, 14), [(7, 0, 6), (9, 12, 13)], "round {round}");
        assert_eq!(aborted(&mut bench, 0, 1), [(7, 0, 6)]);
        assert_eq!(aborted(&mut bench, 7, 14), [(9, 12, 13)]);
        assert_eq!(aborted(&mut bench, 7, 12), []);
        if round == 0 { bench.crash() } else { bench.restart() }
    }
    bench.log.truncate_to(Offset(13), Timestamp(0)).unwrap();
    assert_eq!(aborted(&mut bench, 0, 14), [(7, 0, 6)]);
    assert_eq!(bench.log.last_stable_offset(Offset(13)), Offset(12), "the transaction is open again");
}

#[test]
fn records_of_a_producer_in_a_transaction_are_told_apart() {
    let mut bench = Bench::new(LogConfig::default());
    bench.append(&in_txn(7, 1, 0, 3));
    let seen: Vec<_> = bench.log.producers().collect();
    assert_eq!(seen.len(), 1);
    let producer = seen[0];
    assert_eq!((producer.producer_id.0, producer.epoch.0, producer.last_sequence), (7, 1, 2));
    assert_eq!((producer.txn_start, producer.coordinator_epoch), (Some(Offset(0)), -1));
    let refused = bench.try_append(&from_producer(7, 1, 3, 1)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidTxnState);
    bench.append(&records(&[(1, "others may go on")]));
}

#[test]
fn aborted_transactions_are_known_after_a_power_cut_that_follows_a_roll() {
    let disk = sim::SimDisk::new(1);
    let _dir = crate::LogDir::lock(disk.port(), std::path::Path::new("/data")).unwrap();
    let mut bench = Bench::on(disk, LogConfig::default());
    bench.append(&in_txn(7, 0, 0, 2));
    end_txn(&mut bench, 7, false);
    bench.log.flush(Timestamp(0)).unwrap();
    bench.log.roll(Timestamp(0)).unwrap();
    // The file system may keep names that nobody asked it to keep, and then recovery begins with the new segment.
    bench.disk.sync_dir(bench.log.dir()).unwrap();
    bench.disk.power_cut(sim::PowerCut::Strict);
    bench.reopen(OpenParams { recovery_point: Offset(3), ..OpenParams::default() });
    assert_eq!(bench.log.end_offset(), Offset(3));
    assert_eq!(bench.log.aborted_txns(Offset(0), Offset(3)).unwrap().len(), 1);
}
