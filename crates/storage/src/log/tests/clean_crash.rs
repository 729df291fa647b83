//! The process or the power ends at every single change that a compaction makes to the disk.

use std::path::Path;
use std::sync::Arc;

use kernel::{Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use sim::{PowerCut, SimDisk};
use wire::batch::BatchBuilder;

use super::clean::compacted;
use crate::testing::{EPOCH, TOOLS, clean, committed, judged, keyed_in, latest, marker};
use crate::{Log, LogConfig, LogDir, OpenParams, Origin, StorageError};

/// How long a life is: two cleanings, the second of what the first has left.
const ROUNDS: i32 = 26;
/// Between two cleanings.
const CLEANED_EVERY: i32 = 12;

/// What somebody outside of the log knows when the end comes.
#[derive(Debug, Clone, Default)]
struct Known {
    /// What was written at each offset and is to be seen, the one that was being appended included.
    written: Vec<Option<(String, Option<String>)>>,
    acked: i64,
    durable: i64,
    recovery_point: i64,
    cleaned_to: i64,
    now: i64,
}

fn config() -> LogConfig {
    LogConfig { delete_retention_ms: 2, ..compacted(4) }
}

fn try_open(disk: &SimDisk, known: &Known) -> Result<Log, StorageError> {
    let params = OpenParams { recovery_point: Offset(known.recovery_point), ..OpenParams::default() };
    let (partition, config) = (TopicPartition::new("t", 0), Arc::new(config()));
    let (mut log, _) =
        Log::open(disk.port(), Path::new("/data"), partition, None, config, params, Timestamp(0))?;
    log.note_cleaned(Offset(known.cleaned_to));
    Ok(log)
}

/// Updates and tombstones of few keys, transactions that are committed or aborted, syncs and cleanings.
fn live(disk: &SimDisk, known: &mut Known, rounds: i32) -> Result<(), String> {
    let _dir = LogDir::lock(disk.port(), Path::new("/data")).map_err(|error| error.to_string())?;
    let mut log = try_open(disk, known).map_err(|error| error.to_string())?;
    for round in 0..rounds {
        let key = format!("key {}", round * 7 % 5);
        let value = (round % 4 != 3).then(|| format!("value {round}"));
        let mut builder = BatchBuilder::new();
        let (in_txn, aborted) = (round % 5 < 2, round % 10 == 1 || round % 10 == 0);
        if in_txn {
            builder =
                builder.producer(ProducerId(7), ProducerEpoch(0), round / 5 * 2 + round % 5).transactional();
        }
        known.written.push((!aborted || !in_txn).then(|| (key.clone(), value.clone())));
        let batch = keyed_in(builder, &[(&key, value.as_deref())]);
        let appended = log.append(Timestamp(0), &[judged(&batch)], EPOCH, Origin::Client);
        appended.map_err(|error| error.to_string())?;
        sync_if_nearly_full(&mut log, known).map_err(|error| error.to_string())?;
        if round % 5 == 1 {
            known.written.push(None);
            let origin = Origin::Coordinator { transaction_version: 0 };
            let marker = judged(&marker(7, 0, !aborted));
            log.append(Timestamp(0), &[marker], EPOCH, origin).map_err(|error| error.to_string())?;
            sync_if_nearly_full(&mut log, known).map_err(|error| error.to_string())?;
        }
        if round % CLEANED_EVERY == CLEANED_EVERY - 1 {
            known.now += 1;
            clean(&mut log, known.now, TOOLS).map_err(|error| error.to_string())?;
            known.cleaned_to = log.cleaned_to().0;
        }
    }
    Ok(())
}

/// Syncs before the next batch could begin a new segment: else a power cut could lose the end of the old one and spare
/// the new one.
fn sync_if_nearly_full(log: &mut Log, known: &mut Known) -> Result<(), StorageError> {
    known.acked = log.end_offset().0;
    if log.segments.last().is_some_and(|active| active.size + 100 > u64::from(log.config.segment_bytes)) {
        log.flush(Timestamp(0))?;
        (known.durable, known.recovery_point) = (known.acked, log.recovery_point().0);
    }
    Ok(())
}

/// Checks that a reader gets the last value of each key, before and after another cleaning, and that the log goes on.
fn judge(disk: &SimDisk, known: &Known, at_least: i64, what: &str) {
    let mut log = try_open(disk, known).unwrap_or_else(|error| panic!("{what}: {error}"));
    let end = log.end_offset().0;
    assert!(end >= at_least, "{what}: {at_least} must be there, the log ends at {end}");
    // A transaction whose marker is lost is open; what is before it is compared.
    for pass in 0..2 {
        let stable = log.last_stable_offset(Offset(end)).0;
        let seen = committed(&mut log);
        let all = known.written.iter().take(stable as usize).flatten();
        let model = latest(all.map(|(key, value)| (key.as_str(), value.as_deref())));
        let found = latest(seen.iter().map(|(_, key, value)| (key.as_str(), value.as_deref())));
        assert_eq!(found, model, "{what}, pass {pass}");
        for (offset, key, value) in seen {
            let written = known.written[offset as usize].clone();
            assert_eq!(written, Some((key, value)), "{what}, pass {pass}: offset {offset}");
        }
        let names = disk.list_names(log.dir());
        assert!(
            !names.iter().any(|name| name.ends_with(".swap") || name.ends_with(".cleaned")),
            "{what}: {names:?}"
        );
        log.roll(Timestamp(0)).unwrap();
        clean(&mut log, known.now + 10 * pass, TOOLS).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    let next = log.append(
        Timestamp(0),
        &[judged(&keyed_in(BatchBuilder::new(), &[("next", None)]))],
        EPOCH,
        Origin::Client,
    );
    assert_eq!(next.expect("goes on").base_offset, Offset(end), "{what}");
}

trait Names {
    fn list_names(&self, dir: &Path) -> Vec<String>;
}

impl Names for SimDisk {
    fn list_names(&self, dir: &Path) -> Vec<String> {
        kernel::port::Disk::list(self, dir).unwrap().into_iter().map(|entry| entry.name).collect()
    }
}

/// How many changes a whole life makes.
fn changes_of(rounds: i32) -> u64 {
    let disk = SimDisk::new(0);
    let mut known = Known::default();
    live(&disk, &mut known, rounds).expect("nothing fails");
    assert!(known.cleaned_to > 0);
    disk.change_count()
}

#[test]
fn the_last_value_of_each_key_is_there_whenever_the_process_is_killed() {
    let changes = changes_of(ROUNDS);
    for at in 0..changes {
        let disk = SimDisk::new(at);
        let mut known = Known::default();
        disk.halt_after(at);
        let _ = live(&disk, &mut known, ROUNDS);
        disk.crash_process();
        judge(&disk, &known, known.acked, &format!("killed at change {at} of {changes}"));
    }
}

#[test]
fn the_last_value_of_each_key_is_there_whenever_the_power_fails() {
    for at in 0..changes_of(ROUNDS) {
        for how in [PowerCut::Strict, PowerCut::Chance(at), PowerCut::Chance(at + 1000)] {
            let disk = SimDisk::new(at);
            let mut known = Known::default();
            disk.halt_after(at);
            let _ = live(&disk, &mut known, ROUNDS);
            disk.power_cut(how);
            judge(&disk, &known, known.durable, &format!("power cut {how:?} at change {at}"));
        }
    }
}

#[test]
fn a_crash_while_an_interrupted_swap_is_completed_changes_nothing() {
    for at in 0..changes_of(14) {
        let disk = SimDisk::new(at);
        let mut known = Known::default();
        disk.halt_after(at);
        let _ = live(&disk, &mut known, 14);
        disk.crash_process();
        let interrupted = kernel::port::Disk::exists(&disk, Path::new("/data/t-0"))
            && disk.list_names(Path::new("/data/t-0")).iter().any(|name| name.ends_with(".swap"));
        if !interrupted {
            continue;
        }
        for within in 0..200 {
            let disk = SimDisk::new(at);
            let mut known = Known::default();
            disk.halt_after(at);
            let _ = live(&disk, &mut known, 14);
            disk.crash_process();
            disk.halt_after(within);
            let opened = try_open(&disk, &known).is_ok();
            let reached = !disk.is_halted();
            disk.power_cut(PowerCut::Chance(within));
            judge(
                &disk,
                &known,
                known.durable,
                &format!("killed at change {at}, power cut at {within} of recovery"),
            );
            if opened && reached {
                break;
            }
        }
    }
}
