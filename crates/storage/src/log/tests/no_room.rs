//! A full disk, and files that cannot be opened for now: what was begun is undone, and the log goes on.

use std::io::ErrorKind;
use std::path::Path;

use kernel::port::Disk;
use kernel::port::disk::OpenMode;
use kernel::{ErrorCode, LeaderEpoch, Offset, Timestamp};
use sim::{Fault, Op, PowerCut, When};

use crate::testing::{Bench, EPOCH, from_producer, in_txn, judged, marker, records, small_segments};
use crate::{LogConfig, OpenParams, Origin};

const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;

/// More operations of a kind than an append makes.
const OPERATIONS: u64 = 30;

/// A log whose next append begins a segment.
fn before_a_roll(synced: bool) -> Bench {
    let flush_messages = if synced { 1 } else { i64::MAX };
    let mut bench = Bench::new(LogConfig { flush_messages, write_caching: true, ..small_segments(2) });
    bench.fill(2);
    bench
}

/// Fails one operation of an append, whichever, and then looks whether anything came of it but a refusal.
fn fails_harmlessly(mut bench: Bench, fault: Fault, what: &str) -> bool {
    let (before, all) = (bench.values(0), bench.log.end_offset().0);
    if all % 4 == 0 {
        bench.log.release().unwrap();
    }
    bench.disk.fail(fault);
    let tried = bench.try_append(&records(&[(9, "value x")]));
    bench.disk.clear_faults();
    assert_eq!(bench.log.offline(), None, "{what}");
    let refused = tried.is_err();
    if let Err(error) = tried {
        assert_eq!(error.code(), ErrorCode::KafkaStorageError, "{what}");
        assert_eq!(bench.values(0), before, "{what}");
    }
    bench.fill(3);
    let there = bench.values(0);
    bench.log.flush(Timestamp(0)).unwrap();
    bench.crash();
    assert_eq!(bench.values(0), there, "{what}");
    bench.restart();
    assert_eq!(bench.values(0), there, "{what}");
    refused
}

#[test]
fn whichever_file_cannot_be_opened_at_a_roll_the_append_fails_and_the_next_tries_again() {
    for errno in [EMFILE, ENFILE, ENOSPC] {
        for synced in [false, true] {
            let refused = (1..OPERATIONS).filter(|nth| {
                let what = format!("errno {errno}, open {nth}, synced: {synced}");
                let fault = Fault::new(Op::Open, When::Nth(*nth)).with_errno(errno);
                fails_harmlessly(before_a_roll(synced), fault, &what)
            });
            assert!(refused.count() >= 4, "the .log, two indexes and a snapshot");
        }
    }
}

#[test]
fn whatever_a_full_disk_does_not_take_at_a_roll_the_append_fails_and_the_next_tries_again() {
    for synced in [false, true] {
        let refused = (1..OPERATIONS).filter(|nth| {
            let fault = Fault::new(Op::Write, When::Nth(*nth)).with(ErrorKind::StorageFull);
            fails_harmlessly(before_a_roll(synced), fault, &format!("write {nth}, synced: {synced}"))
        });
        assert!(refused.count() >= 2, "the snapshot and the record");
    }
}

#[test]
fn a_log_whose_files_were_closed_is_not_lost_for_one_that_cannot_be_opened() {
    for nth in 1..OPERATIONS {
        let mut bench = Bench::new(LogConfig { index_interval_bytes: 1, ..LogConfig::default() });
        bench.fill(4);
        bench.restart();
        let fault = Fault::new(Op::Open, When::Nth(nth)).with_errno(EMFILE);
        fails_harmlessly(bench, fault, &format!("open {nth}"));
    }
}

#[test]
fn a_sync_that_fails_for_want_of_room_takes_the_log_offline() {
    let mut bench = before_a_roll(true);
    bench.disk.fail(Fault::new(Op::Sync, When::Every(1)).on(".log").with(ErrorKind::StorageFull));
    assert!(bench.try_append(&records(&[(1, "a")])).is_err());
    assert!(bench.log.offline().is_some(), "the kernel has forgotten what it could not write");
}

#[test]
fn half_a_segment_that_cannot_be_taken_away_takes_the_log_offline() {
    let mut bench = before_a_roll(false);
    bench.disk.fail(Fault::new(Op::Open, When::Every(1)).on("2.timeindex").with_errno(EMFILE));
    bench.disk.fail(Fault::new(Op::Remove, When::Every(1)).with(ErrorKind::StorageFull));
    assert!(bench.try_append(&records(&[(1, "a")])).is_err());
    assert!(bench.log.offline().is_some(), "what is appended before it would be hidden by it");
    bench.disk.clear_faults();
    bench.crash();
    bench.fill(3);
    assert_eq!(bench.values(0).len(), 5);
}

#[test]
fn half_a_segment_that_a_power_cut_brings_back_hides_nothing() {
    for flushed in [2, 3] {
        let mut bench = Bench::new(LogConfig::default());
        bench.fill(flushed);
        bench.log.flush(Timestamp(0)).unwrap();
        bench.fill(4 - flushed);
        let left = bench.path("00000000000000000002.log");
        bench.disk.open(&left, OpenMode::CreateNew).unwrap();
        bench.crash();
        assert_eq!(bench.log.end_offset(), Offset(4), "flushed to {flushed}");
        bench.fill(2);
        assert_eq!(bench.values(0).len(), 6);
        assert!(!bench.disk.exists(&left));
    }
}

fn aborted(bench: &mut Bench) -> usize {
    let end = bench.log.end_offset();
    bench.log.aborted_txns(Offset(0), end).unwrap().len()
}

fn abort(bench: &mut Bench) {
    bench.append(&in_txn(7, 0, 0, 1));
    let origin = Origin::Coordinator { transaction_version: 0 };
    bench.log.append(Timestamp(0), &[judged(&marker(7, 0, false))], EPOCH, origin).unwrap();
}

#[test]
fn an_aborted_transaction_that_cannot_be_noted_yet_is_known_and_noted_later() {
    for fault in [
        Fault::new(Op::Open, When::Every(1)).on(".txnindex").with_errno(EMFILE),
        Fault::new(Op::Write, When::Every(1)).on(".txnindex").with(ErrorKind::StorageFull),
    ] {
        let mut bench = Bench::new(LogConfig::default());
        bench.disk.fail(fault);
        abort(&mut bench);
        assert!(bench.log.flush(Timestamp(0)).is_err(), "nothing but the index tells of it after a crash");
        assert_eq!(bench.log.offline(), None);
        bench.disk.clear_faults();
        assert_eq!(aborted(&mut bench), 1);
        bench.log.flush(Timestamp(0)).unwrap();
        bench.crash();
        assert_eq!(aborted(&mut bench), 1);
    }
}

#[test]
fn an_aborted_transaction_before_the_recovery_point_is_known_after_a_power_cut() {
    let mut bench = Bench::new(LogConfig { index_interval_bytes: 1, ..LogConfig::default() });
    bench.disk.sync_dir(Path::new("/")).unwrap();
    bench.fill(10);
    bench.log.flush(Timestamp(0)).unwrap();
    abort(&mut bench);
    for timestamp in 2000..2200 {
        bench.append(&records(&[(timestamp, "later")]));
    }
    bench.log.flush(Timestamp(0)).unwrap();
    for index in ["00000000000000000000.index", "00000000000000000000.timeindex"] {
        // The kernel writes what it likes first.
        bench.file(index).sync_data().unwrap();
    }
    let recovery_point = bench.log.recovery_point();
    bench.fill(3);
    bench.disk.power_cut(PowerCut::Strict);
    bench.reopen(OpenParams { recovery_point, ..OpenParams::default() });
    assert_eq!(aborted(&mut bench), 1);
}

#[test]
fn on_a_full_disk_all_goes_but_the_segment_that_another_one_would_have_to_follow() {
    let mut bench = Bench::new(LogConfig { retention_ms: 100, ..small_segments(2) });
    bench.append(&from_producer(7, 0, 0, 1));
    bench.fill(6);
    let now = Timestamp(10_000);
    let segments = bench.log.segment_count();
    bench.disk.fail(Fault::new(Op::Write, When::Every(1)).with(ErrorKind::StorageFull));
    let end = bench.log.end_offset();
    assert!(bench.log.apply_retention(now, end).is_err(), "no room for what is known of the producer");
    assert_eq!((bench.log.segment_count(), bench.log.offline()), (1, None), "of {segments}");
    assert!(!bench.log.take_doomed().is_empty());
    bench.disk.clear_faults();
    bench.log.apply_retention(now, end).unwrap();
    assert_eq!((bench.log.segment_count(), bench.log.start_offset()), (1, end));
}

#[test]
fn on_a_full_disk_the_start_is_raised_and_the_epochs_follow() {
    let mut bench = Bench::new(LogConfig::default());
    bench.fill(3);
    bench.log.append(Timestamp(0), &[judged(&records(&[(1, "b")]))], LeaderEpoch(9), Origin::Client).unwrap();
    let (start, end) = (Offset(3), bench.log.end_offset());
    bench.disk.fail(Fault::new(Op::Write, When::Every(1)).with(ErrorKind::StorageFull));
    assert_eq!(bench.log.delete_records(start, end).unwrap(), start);
    bench.disk.clear_faults();
    bench.log.flush(Timestamp(0)).unwrap();
    assert_eq!(bench.content("leader-epoch-checkpoint").trim_ascii_end(), b"0\n1\n9 3");
    bench.crash();
    assert_eq!((bench.log.start_offset(), bench.log.epochs().len()), (start, 1));
}
