//! The process or the power ends at every single change that a busy log makes to its disk.

use std::path::Path;

use kernel::{Offset, Timestamp};
use sim::{PowerCut, SimDisk};

use crate::testing::{Bench, EPOCH, from_producer, judged, records, small_segments};
use crate::{Log, LogConfig, LogDir, OpenParams, Origin};

/// What somebody outside of the log knows when the end comes.
#[derive(Debug, Clone, Default)]
struct Known {
    /// Values that were acknowledged, by offset.
    acked: Vec<(i64, String)>,
    /// How many of them are durable.
    durable: usize,
    /// What was being appended when the end came.
    unsure: Option<(i64, String)>,
    recovery_point: i64,
    start: i64,
}

fn config() -> LogConfig {
    LogConfig { retention_bytes: 1500, flush_messages: 4, ..small_segments(4) }
}

fn try_open(disk: &SimDisk, known: &Known) -> Result<Log, crate::StorageError> {
    let params = OpenParams {
        clean: false,
        recovery_point: Offset(known.recovery_point),
        log_start: Offset(known.start),
        ..OpenParams::default()
    };
    let (disk, partition) = (disk.port(), kernel::TopicPartition::new("t", 0));
    let config = std::sync::Arc::new(config());
    let path = Path::new("/data");
    Log::open(disk, path, partition, None, config, params, Timestamp(0)).map(|(log, _)| log)
}

/// A busy life: idempotent appends, rolls, syncs, retention. Ends early when the disk does.
fn live(disk: &SimDisk, known: &mut Known, rounds: i32) -> Result<(), String> {
    let _dir = LogDir::lock(disk.port(), Path::new("/data")).map_err(|error| error.to_string())?;
    let mut log = try_open(disk, known).map_err(|error| error.to_string())?;
    for sequence in 0..rounds {
        let value = format!("value {sequence}");
        let offset = log.end_offset().0;
        known.unsure = Some((offset, value.clone()));
        let batch = match sequence % 3 {
            0 => from_producer(7, 0, sequence / 3, 1),
            _ => records(&[(i64::from(sequence), &value)]),
        };
        if sequence % 3 == 0 {
            known.unsure = Some((offset, "p".to_owned()));
        }
        let info =
            log.append(Timestamp(0), &[judged(&batch)], EPOCH, Origin::Client).map_err(|e| e.to_string())?;
        known.acked.extend(known.unsure.take());
        if info.flush_due {
            log.flush(Timestamp(0)).map_err(|error| error.to_string())?;
            known.durable = known.acked.len();
            known.recovery_point = log.recovery_point().0;
        }
        if sequence % 16 == 15 {
            let end = log.end_offset();
            let retained = log.apply_retention(Timestamp(0), end);
            known.start = known.start.max(log.start_offset().0);
            retained.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn values(log: &mut Log) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    let mut next = log.start_offset();
    let end = log.end_offset();
    while let Some(span) = log.read(next, 1 << 20, end, true).expect("reads").span {
        for batch in wire::batch::BatchView::iter(&span.read().expect("reads")) {
            let batch = batch.expect("whole");
            batch.verify_crc().expect("sound");
            for record in &batch.records(wire::compress::Limits::trusting(1 << 20)).expect("records") {
                let record = record.expect("a record");
                found.push((
                    record.offset.0,
                    String::from_utf8_lossy(record.value.unwrap_or_default()).into(),
                ));
            }
            next = batch.next_offset();
        }
    }
    found
}

/// Checks what is left against what was known, and that the log goes on.
fn judge(disk: &SimDisk, known: &Known, acked: usize, what: &str) {
    let mut log = try_open(disk, known).unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = values(&mut log);
    let start = log.start_offset().0;
    assert!(start <= known.acked.len() as i64, "{what}: the log starts at {start}");
    let mut expected = known.acked.clone();
    expected.extend(known.unsure.clone());
    for (index, (offset, value)) in found.iter().enumerate() {
        assert_eq!(*offset, start + index as i64, "{what}: offsets are without gaps");
        let (_, wanted) = &expected[*offset as usize];
        assert_eq!(value, wanted, "{what}: offset {offset}");
    }
    let end = log.end_offset().0;
    assert!(end >= acked as i64, "{what}: acknowledged to {acked}, there to {end}");
    assert_eq!(end, start + found.len() as i64, "{what}");
    // The producer's next batch is the next, and its last one is recognised.
    let sent = found.iter().filter(|(_, value)| value == "p").count() as i32;
    if sent > 0 && found.len() as i64 == end {
        let again =
            log.append(Timestamp(0), &[judged(&from_producer(7, 0, sent - 1, 1))], EPOCH, Origin::Client);
        assert!(again.expect("is recognised").duplicate, "{what}");
    }
    let next = log
        .append(Timestamp(0), &[judged(&records(&[(1, "next")]))], EPOCH, Origin::Client)
        .expect("goes on");
    assert_eq!(next.base_offset, Offset(end), "{what}");
}

/// How many changes a whole life makes.
fn changes_of(rounds: i32) -> u64 {
    let disk = SimDisk::new(0);
    live(&disk, &mut Known::default(), rounds).expect("nothing fails");
    disk.change_count()
}

#[test]
fn no_acknowledged_record_is_lost_whenever_the_process_is_killed() {
    let changes = changes_of(40);
    assert!(changes > 100, "{changes}");
    for at in 0..changes {
        let disk = SimDisk::new(at);
        let mut known = Known::default();
        disk.halt_after(at);
        let _ = live(&disk, &mut known, 40);
        disk.crash_process();
        let acked = known.acked.len();
        judge(&disk, &known, acked, &format!("killed at change {at}"));
    }
}

#[test]
fn no_synced_record_is_lost_whenever_the_power_fails() {
    let changes = changes_of(40);
    for at in 0..changes {
        for how in [PowerCut::Strict, PowerCut::Chance(at), PowerCut::Chance(at + 1000)] {
            let disk = SimDisk::new(at);
            let mut known = Known::default();
            disk.halt_after(at);
            let _ = live(&disk, &mut known, 40);
            disk.power_cut(how);
            judge(&disk, &known, known.durable, &format!("power cut {how:?} at change {at}"));
        }
    }
}

#[test]
fn a_crash_in_the_middle_of_recovery_changes_nothing() {
    for at in (0..changes_of(24)).step_by(5) {
        for within in 0..200 {
            let disk = SimDisk::new(at);
            let mut known = Known::default();
            disk.halt_after(at);
            let _ = live(&disk, &mut known, 24);
            disk.crash_process();
            disk.halt_after(within);
            let opened = try_open(&disk, &known).is_ok();
            let reached = !disk.is_halted();
            disk.crash_process();
            let acked = known.acked.len();
            judge(&disk, &known, acked, &format!("killed at change {at}, then at {within} of recovery"));
            if opened && reached {
                break;
            }
        }
    }
}

/// The journal brings back what is missing at the end. What is missing before the last segment it cannot tell from what
/// compaction took.
#[test]
fn a_power_cut_leaves_no_hole_between_segments() {
    for seed in 0..40 {
        let disk = SimDisk::new(seed);
        drop(LogDir::lock(disk.port(), Path::new("/data")).expect("is made"));
        let mut bench = Bench::on(disk.clone(), small_segments(4));
        bench.fill(30);
        disk.power_cut(PowerCut::Chance(seed));
        bench.reopen(OpenParams::default());
        let offsets: Vec<i64> = bench.values(0).into_iter().map(|(offset, _)| offset).collect();
        let expected: Vec<i64> = (0..bench.log.end_offset().0).collect();
        assert_eq!(offsets, expected, "seed {seed}");
        assert!(offsets.len() >= 24, "seed {seed}: all but the last segment is there");
    }
}

/// Else a batch that is appended there, and survives the next power cut, could be followed by what was cut off before it.
#[test]
fn what_recovery_cuts_off_does_not_come_back() {
    let disk = SimDisk::new(1);
    drop(LogDir::lock(disk.port(), Path::new("/data")).expect("is made"));
    let mut bench = Bench::on(disk, LogConfig::default());
    bench.fill(6);
    bench.log.close(Timestamp(0)).expect("closes");
    let log = "00000000000000000000.log";
    let whole = bench.content(log);
    let file = bench.file(log);
    file.write_at(whole.len() as u64 / 2 + 30, &[std::io::IoSlice::new(b"damage")]).expect("writes");
    file.sync_data().expect("syncs");
    bench.disk.crash_process();
    bench.reopen(OpenParams::default());
    let cut = bench.content(log).len();
    assert!(cut < whole.len(), "{cut}");
    bench.disk.power_cut(PowerCut::Strict);
    assert_eq!(bench.content(log).len(), cut);
}
