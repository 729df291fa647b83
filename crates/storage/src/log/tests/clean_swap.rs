//! Compaction beside everything else that happens to a log.

use kernel::port::Disk;
use kernel::{Offset, Timestamp};
use sim::{Fault, Op, When};

use super::clean::{compacted, left, put};
use crate::testing::{Bench, Seen, TOOLS, clean, committed, latest, visible};
use crate::{CleanStep, Cleaned, Cleaning, LogConfig, StorageError};

fn filled() -> Bench {
    let mut bench = Bench::new(compacted(3));
    for round in 0..8 {
        put(&mut bench, &[("a", Some("x")), ("b", Some("x")), (&format!("only {round}"), Some("x"))]);
    }
    bench.log.roll(Timestamp(0)).unwrap();
    bench
}

fn begin(bench: &mut Bench) -> Cleaning {
    let end = bench.log.end_offset();
    let range = bench.log.cleanable(Timestamp(0), end).unwrap();
    bench.log.begin_cleaning(range, Timestamp(0), end, TOOLS).unwrap()
}

fn until_swap(cleaning: &mut Cleaning) -> Box<Cleaned> {
    for _ in 0..1000 {
        match cleaning.step().unwrap() {
            CleanStep::Working { .. } => {}
            CleanStep::Swap(cleaned) => return cleaned,
            CleanStep::Done => break,
        }
    }
    panic!("there is something to swap")
}

fn unfinished(bench: &Bench) -> Vec<String> {
    let names = bench.names().into_iter();
    names.filter(|name| name.ends_with(".cleaned") || name.ends_with(".swap")).collect()
}

#[test]
fn a_reader_of_old_segments_reads_on_while_they_are_swapped() {
    let mut bench = filled();
    let before = committed(&mut bench.log);
    let end = bench.log.end_offset();
    let old = bench.log.read(Offset(0), 1 << 20, end, true).unwrap().span.unwrap();
    let held = old.read().unwrap();
    clean(&mut bench.log, 0, TOOLS).unwrap();
    assert_eq!(old.read().unwrap(), held, "files that are open stay as they were");
    let mut seen: Vec<Seen> = Vec::new();
    let mut at = visible(&held, Offset(0), Vec::new(), &mut seen);
    while let Some(span) = bench.log.read(at, 300, end, true).unwrap().span {
        at = visible(&span.read().unwrap(), at, Vec::new(), &mut seen);
    }
    let map = |seen: &[Seen]| latest(seen.iter().map(|(_, key, value)| (key.as_str(), value.as_deref())));
    assert_eq!(map(&seen), map(&before));
    assert_eq!(at, end);
}

#[test]
fn a_reader_sees_the_last_value_of_each_key_whenever_segments_are_swapped() {
    for pause in 0..24 {
        let mut bench = filled();
        let before = committed(&mut bench.log);
        let end = bench.log.end_offset();
        let mut cleaning = begin(&mut bench);
        let (mut seen, mut at, mut steps) = (Vec::new(), Offset(0), 0);
        // It reads a little, then the cleaning goes on a little, and so on.
        while at < end {
            let read = bench.log.read(at, 150 + pause * 10, end, true).unwrap();
            at = visible(&read.span.unwrap().read().unwrap(), at, Vec::new(), &mut seen);
            for _ in 0..=pause {
                match cleaning.step().unwrap() {
                    CleanStep::Swap(cleaned) => {
                        assert!(bench.log.swap_cleaned(cleaned, Timestamp(0)).unwrap())
                    }
                    CleanStep::Working { .. } => steps += 1,
                    CleanStep::Done => {}
                }
            }
        }
        assert!(steps > 0 && seen.is_sorted_by_key(|(offset, ..)| *offset));
        let map = |seen: &[Seen]| latest(seen.iter().map(|(_, key, value)| (key.as_str(), value.as_deref())));
        assert_eq!(map(&seen), map(&before), "paused {pause}");
    }
}

#[test]
fn records_that_come_while_it_cleans_are_kept_and_cleaned_the_next_time() {
    let mut bench = filled();
    let mut cleaning = begin(&mut bench);
    put(&mut bench, &[("a", Some("during")), ("b", None)]);
    bench.log.roll(Timestamp(0)).unwrap();
    loop {
        match cleaning.step().unwrap() {
            CleanStep::Swap(cleaned) => assert!(bench.log.swap_cleaned(cleaned, Timestamp(0)).unwrap()),
            CleanStep::Working { .. } => {}
            CleanStep::Done => break,
        }
    }
    assert_eq!(cleaning.end(), Offset(24));
    bench.log.note_cleaned(cleaning.end());
    assert_eq!(left(&mut bench).len(), 10 + 2, "the older ones of a and b were not superseded then");
    clean(&mut bench.log, 0, TOOLS).unwrap();
    assert_eq!(left(&mut bench).len(), 8 + 2);
}

#[test]
fn segments_that_went_meanwhile_do_not_come_back() {
    let retain = |bench: &mut Bench| {
        bench.log.delete_records(Offset(4), Offset(24)).unwrap();
        bench.log.apply_retention(Timestamp(0), Offset(24)).unwrap();
    };
    let cut = |bench: &mut Bench| {
        bench.log.truncate_to(Offset(10), Timestamp(0)).unwrap();
        put(bench, &[("new", Some("x")); 20]);
    };
    let anew = |bench: &mut Bench| bench.log.truncate_all(Offset(50), Timestamp(0)).unwrap();
    let changes: [fn(&mut Bench); 3] = [retain, cut, anew];
    for change in changes {
        for early in [false, true] {
            let mut bench = filled();
            let mut cleaning = begin(&mut bench);
            let cleaned = (!early).then(|| until_swap(&mut cleaning));
            assert!(bench.log.still_has(&cleaning));
            change(&mut bench);
            let before = committed(&mut bench.log);
            if let Some(cleaned) = cleaned {
                assert!(!bench.log.swap_cleaned(cleaned, Timestamp(0)).unwrap());
            } else {
                assert!(!bench.log.still_has(&cleaning));
            }
            cleaning.abandon();
            assert_eq!(unfinished(&bench), Vec::<String>::new());
            assert_eq!(committed(&mut bench.log), before);
            clean(&mut bench.log, 0, TOOLS).unwrap();
        }
    }
}

#[test]
fn retention_goes_on_beside_it() {
    let mut config = LogConfig { retention_ms: 1000, ..compacted(3) };
    config.cleanup.delete = true;
    let mut bench = Bench::new(config);
    put(
        &mut bench,
        &[("a", Some("1")), ("b", Some("1")), ("c", Some("1")), ("a", Some("2")), ("b", Some("2"))],
    );
    bench.log.roll(Timestamp(0)).unwrap();
    put(&mut bench, &[("d", Some("1"))]);
    clean(&mut bench.log, 0, TOOLS).unwrap();
    assert_eq!(left(&mut bench).len(), 4);
    bench.log.apply_retention(Timestamp(1000), Offset(6)).unwrap();
    assert_eq!(left(&mut bench).len(), 4);
    bench.log.apply_retention(Timestamp(1001), Offset(6)).unwrap();
    assert_eq!(left(&mut bench), []);
    assert_eq!(bench.log.start_offset(), Offset(6));
}

#[test]
fn damage_is_reported_and_never_written_anew() {
    let mut bench = filled();
    bench.log.release().unwrap();
    let file = bench.file("00000000000000000003.log");
    let before = bench.names();
    // The last byte of the first batch, which its checksum covers; where the second says it is, which none covers: far
    // beyond the segment, or where the third is.
    for (at, found_at) in [(69, 0), (70, 70), (77, 140)] {
        let mut byte = [0];
        file.read_at(at, &mut byte).unwrap();
        file.write_at(at, &[std::io::IoSlice::new(&[byte[0] ^ 1])]).unwrap();
        let error = clean(&mut bench.log, 0, TOOLS).unwrap_err();
        assert!(matches!(error, StorageError::Corrupt { .. }), "{error}");
        let place = format!("00000000000000000003.log is damaged at byte {found_at}");
        assert!(error.to_string().contains(&place), "{error}");
        assert_eq!(bench.names(), before);
        assert_eq!(bench.log.offline(), None);
        file.write_at(at, &[std::io::IoSlice::new(&byte)]).unwrap();
    }
    clean(&mut bench.log, 0, TOOLS).unwrap();
}

#[test]
fn a_failure_while_it_writes_leaves_the_log_as_it_was() {
    for (op, error) in [
        (Op::Write, Some(std::io::ErrorKind::StorageFull)),
        (Op::Sync, None),
        (Op::Read, None),
        (Op::Open, None),
    ] {
        for nth in 1..6 {
            let mut bench = filled();
            let before = committed(&mut bench.log);
            let part = if matches!(op, Op::Read | Op::Open) { ".log" } else { ".cleaned" };
            let mut fault = Fault::new(op, When::Nth(nth)).on(part);
            if let Some(kind) = error {
                fault = fault.with(kind);
            }
            let mut cleaning = begin(&mut bench);
            bench.disk.fail(fault);
            let failed = loop {
                match cleaning.step() {
                    Ok(CleanStep::Working { .. }) => {}
                    Ok(CleanStep::Swap(cleaned)) => cleaned.remove(),
                    Ok(CleanStep::Done) => break false,
                    Err(_) => break true,
                }
            };
            assert!(failed, "{op:?} {nth}");
            cleaning.abandon();
            bench.disk.clear_faults();
            assert_eq!(unfinished(&bench), Vec::<String>::new(), "{op:?} {nth}");
            assert_eq!(committed(&mut bench.log), before);
            assert_eq!(bench.log.offline(), None);
            clean(&mut bench.log, 0, TOOLS).unwrap();
            assert_eq!(committed(&mut bench.log).len(), 10);
        }
    }
}

#[test]
fn a_swap_that_cannot_begin_changes_nothing_and_one_that_cannot_end_takes_the_log_offline() {
    for (op, nth, offline) in
        [(Op::Rename, 1, false), (Op::Rename, 3, false), (Op::Rename, 5, true), (Op::SyncDir, 1, true)]
    {
        let mut bench = filled();
        let before = committed(&mut bench.log);
        let mut cleaning = begin(&mut bench);
        let cleaned = until_swap(&mut cleaning);
        bench.disk.fail(Fault::new(op, When::Nth(nth)));
        assert!(bench.log.swap_cleaned(cleaned, Timestamp(0)).is_err());
        assert_eq!(bench.log.offline().is_some(), offline, "{op:?} {nth}");
        if !offline {
            assert_eq!(unfinished(&bench), Vec::<String>::new());
            assert_eq!(committed(&mut bench.log), before);
        }
        bench.disk.crash_process();
        bench.reopen(crate::OpenParams::default());
        let map = |seen: &[Seen]| latest(seen.iter().map(|(_, key, value)| (key.as_str(), value.as_deref())));
        assert_eq!(map(&committed(&mut bench.log)), map(&before));
    }
}

#[test]
fn old_files_go_after_their_delay_and_snapshots_with_their_segments() {
    let mut bench = filled();
    clean(&mut bench.log, 0, TOOLS).unwrap();
    put(&mut bench, &[("more", Some("x"))]);
    bench.log.roll(Timestamp(0)).unwrap();
    clean(&mut bench.log, 0, TOOLS).unwrap();
    for path in bench.log.background(Timestamp(60_000)).remove {
        bench.disk.remove_file(&path).unwrap();
    }
    let names = bench.names();
    assert!(names.iter().all(|name| !name.ends_with(".deleted")), "{names:?}");
    let bases = |suffix: &str| -> Vec<String> {
        names.iter().filter_map(|name| name.strip_suffix(suffix).map(str::to_owned)).collect()
    };
    assert_eq!(bases(".log"), bases(".index"));
    let newest = format!("{:020}", bench.log.end_offset().0);
    assert!(
        bases(".snapshot").iter().all(|base| *base == newest || bases(".log").contains(base)),
        "{names:?}"
    );
}
