//! Single bits that turn over in files that nobody writes any more: no wrong byte is served, and what is not damaged is.

use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

use kernel::port::Disk;
use kernel::port::disk::OpenMode;
use kernel::{LeaderEpoch, Offset, Timestamp, TopicPartition, Uuid};
use sim::Chance;
use wire::batch::BatchView;

use crate::names::LEADER_EPOCHS as EPOCHS;
use crate::testing::{Bench, judged, records, small_segments};
use crate::{Log, LogConfig, OpenParams, Origin, StorageError};

/// Flips in each kind of file.
const FLIPS: u64 = 1_000;

/// What a leader writes into a batch and no checksum covers: the offset is compared with others, the epoch is not.
const EPOCH: std::ops::Range<usize> = 12..16;

/// A closed log of five segments, with an entry in the index for each batch or for none.
fn bench(indexed: bool) -> Bench {
    let config = small_segments(8);
    let index_interval_bytes = if indexed { config.index_interval_bytes } else { 1 << 20 };
    let mut bench = Bench::new(LogConfig { index_interval_bytes, ..config });
    bench.fill(40);
    bench.log.close(Timestamp(0)).expect("closes");
    bench
}

fn open(bench: &Bench) -> Result<Log, StorageError> {
    let params =
        OpenParams { clean: true, recovery_point: Offset(40), log_start: Offset(0), ..OpenParams::default() };
    let (disk, partition) = (bench.disk.port(), TopicPartition::new("t", 0));
    let config = Arc::new(bench.config.clone());
    let opened = Log::open(disk, Path::new("/data"), partition, None, config, params, Timestamp(0));
    opened.map(|(log, _)| log)
}

/// The batches of a span as it is served, by their first offset.
fn batches(log: &mut Log, from: i64, max_bytes: u32) -> Result<Vec<(i64, Vec<u8>)>, String> {
    let end = log.end_offset();
    let read = log.read(Offset(from), max_bytes, end, true).map_err(|error| error.to_string())?;
    let Some(mut span) = read.span else { return Ok(Vec::new()) };
    span.verify().map_err(|error| error.to_string())?;
    log.verified(&span);
    let bytes = span.read().expect("reads");
    let whole = |batch: BatchView<'_>| {
        let mut bytes = batch.bytes().to_vec();
        bytes[EPOCH].fill(0);
        (batch.base_offset().get(), bytes)
    };
    Ok(BatchView::iter(&bytes).map(|batch| whole(batch.expect("whole batches"))).collect())
}

fn flip(bench: &Bench, name: &str, bit: u64) {
    let file = bench.file(name);
    let mut byte = [0];
    file.read_at(bit / 8, &mut byte).expect("reads");
    byte[0] ^= 1 << (bit % 8);
    file.write_at(bit / 8, &[IoSlice::new(&byte)]).expect("writes");
}

/// Flips bits of the files with this ending, one at a time. `damaged` says which offsets may be refused.
fn check(
    ending: &str,
    indexed: bool,
    reopen: bool,
    damaged: impl Fn(&str, u64, &[(i64, Vec<u8>)]) -> Vec<i64>,
) {
    let bench = bench(indexed);
    let mut log = open(&bench).expect("opens");
    let truth: Vec<_> = (0..40).flat_map(|offset| batches(&mut log, offset, 1).expect("is sound")).collect();
    assert_eq!(truth.len(), 40);
    let names: Vec<String> = bench.names().into_iter().filter(|name| name.ends_with(ending)).collect();
    let mut chance = Chance::new(7);
    let mut refused = 0;
    for _ in 0..FLIPS {
        let bench = self::bench(indexed);
        let Some(name) = chance.pick(&names).cloned() else { continue };
        let bits = bench.content(&name).len() as u64 * 8;
        if bits == 0 {
            continue;
        }
        let mut log = open(&bench).expect("opens");
        let bit = chance.below(bits);
        flip(&bench, &name, bit);
        if reopen {
            log = open(&bench).unwrap_or_else(|error| panic!("{name} bit {bit}: {error}"));
        }
        let may_fail = damaged(&name, bit, &truth);
        let most = [1, 150, 1 << 20][chance.below(3) as usize];
        for from in 0..40 {
            match batches(&mut log, from, most) {
                Ok(found) => {
                    let wrong = found.iter().find(|batch| !truth.contains(batch));
                    assert_eq!(wrong, None, "{name} bit {bit}: read at {from}");
                    let first = found.first().map(|(offset, _)| *offset);
                    let skipped = first != Some(from) && !may_fail.contains(&from);
                    assert!(!skipped, "{name} bit {bit}: {first:?} at {from}");
                    assert!(
                        found.windows(2).all(|two| two[1].0 == two[0].0 + 1),
                        "{name} bit {bit}: at {from}"
                    );
                    assert!(first.is_none_or(|first| first <= from), "{name} bit {bit}: {first:?} at {from}");
                }
                Err(what) => {
                    assert!(may_fail.contains(&from), "{name} bit {bit}: {what} at {from}");
                    refused += 1;
                }
            }
        }
    }
    assert!(ending != ".log" || refused > 500, "{refused} reads were refused");
}

/// A batch whose length is wrong hides where those after it begin, up to the next that the index has: here the one after it.
fn batch_at(name: &str, bit: u64, truth: &[(i64, Vec<u8>)]) -> Vec<i64> {
    let base: i64 = name.trim_end_matches(".log").parse().expect("a segment");
    let mut position = 0;
    for (offset, bytes) in truth.iter().filter(|(offset, _)| *offset >= base) {
        position += bytes.len() as u64;
        if bit / 8 < position {
            return vec![offset - 1, *offset, offset + 1];
        }
    }
    Vec::new()
}

#[test]
fn a_flipped_bit_in_a_closed_segment_is_never_served_and_the_rest_is() {
    check(".log", true, false, batch_at);
    // Without an index, what follows a batch whose length is wrong is not found.
    let rest = |name: &str, bit, truth: &[_]| {
        batch_at(name, bit, truth).first().map_or(Vec::new(), |at| (*at..(*at + 1) / 8 * 8 + 8).collect())
    };
    check(".log", false, false, rest);
}

#[test]
fn a_flipped_bit_in_an_offset_index_changes_no_answer() {
    check(".index", true, true, |_, _, _| Vec::new());
}

#[test]
fn a_flipped_bit_in_a_time_index_changes_no_read() {
    check(".timeindex", true, true, |_, _, _| Vec::new());
}

#[test]
fn no_flipped_bit_in_the_leader_epochs_changes_one() {
    let mut bench = Bench::new(small_segments(8));
    bench.fill(4);
    for epoch in [5, 17] {
        bench.log.begin_epoch(LeaderEpoch(epoch)).expect("begins");
        let batch = records(&[(0, "more")]);
        bench
            .log
            .append(Timestamp(0), &[judged(&batch)], LeaderEpoch(epoch), Origin::Client)
            .expect("is appended");
    }
    bench.log.close(Timestamp(0)).expect("closes");
    let (truth, sound) = (bench.log.epochs().to_vec(), bench.content(EPOCHS));
    assert_eq!(truth.len(), 3);
    for bit in 0..sound.len() as u64 * 8 {
        flip(&bench, EPOCHS, bit);
        let log = open(&bench).unwrap_or_else(|error| panic!("bit {bit}: {error}"));
        assert_eq!(log.epochs(), truth, "bit {bit}");
        assert_eq!(bench.content(EPOCHS), sound, "bit {bit}: it is written anew");
    }
    // More than a byte: all that the batches tell is read from them.
    for bit in 0..sound.len() as u64 * 8 - 16 {
        flip(&bench, EPOCHS, bit);
        flip(&bench, EPOCHS, bit + 16);
        let log = open(&bench).unwrap_or_else(|error| panic!("bits {bit} and 16 on: {error}"));
        assert_eq!(log.epochs(), truth, "bits {bit} and 16 on");
    }
}

#[test]
fn no_flipped_bit_in_the_topic_id_takes_a_log_from_its_topic() {
    let id: Uuid = "4L6g3nShT-eMCtK--X86sw".parse().expect("an id");
    let disk = sim::SimDisk::new(1);
    let open = |id: Uuid| {
        let params = OpenParams {
            clean: true,
            recovery_point: Offset(1),
            log_start: Offset(0),
            ..OpenParams::default()
        };
        let (disk, partition, config) = (disk.port(), TopicPartition::new("t", 0), Arc::default());
        Log::open(disk, Path::new("/data"), partition, Some(id), config, params, Timestamp(0))
    };
    let (mut log, _) = open(id).expect("opens");
    log.append(Timestamp(0), &[judged(&records(&[(0, "one")]))], LeaderEpoch(3), Origin::Client)
        .expect("appends");
    log.close(Timestamp(0)).expect("closes");
    let path = log.dir().join("partition.metadata");
    let file = || disk.open(&path, OpenMode::Write).expect("is there");
    let len = file().len().expect("has a length");
    for bit in 0..len * 8 {
        let mut byte = [0];
        file().read_at(bit / 8, &mut byte).expect("reads");
        file().write_at(bit / 8, &[IoSlice::new(&[byte[0] ^ 1 << (bit % 8)])]).expect("writes");
        let (log, report) = open(id).unwrap_or_else(|error| panic!("bit {bit}: {error}"));
        assert_eq!(
            (log.topic_id(), log.end_offset(), report.files_mended),
            (Some(id), Offset(1), 1),
            "bit {bit}"
        );
        file().read_at(bit / 8, &mut byte).expect("reads");
        assert_eq!(open(id).expect("opens").1.files_mended, 0, "bit {bit}: it was written anew");
    }
    assert!(open(Uuid::METADATA_TOPIC).is_err(), "another topic's files stay those");
}
