//! A partition's files: segments of any content, and a sound log in which anything was changed.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use kernel::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use storage::{Log, LogConfig, OffsetQuery, OpenParams, Origin};
use wire::batch::validate::Validated;
use wire::batch::{BatchBuilder, BatchView, EndTxnMarker};

use super::{Target, batches};
use crate::bound::{twice, within};
use crate::input::{Input, Output};
use crate::memory_disk::MemoryDisk;
use crate::seal;

pub const SEGMENT: Target = Target {
    name: "segment",
    what: "segments of any batches: recovery, the indexes it writes, reads, the next append",
    run: run_segments,
    seeds: seeds_segments,
    len_max: 2560,
    micros: 150,
};

pub const FILES: Target = Target {
    name: "log-files",
    what: "a sound log of three segments with its files patched, replaced, cut, removed or added",
    run: run_files,
    seeds: seeds_files,
    len_max: 1024,
    micros: 190,
};

const LOG_DIR: &str = "/data";
const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// What a log may hold beside twice its files: the windows of a scan, an index's last entries, names and states.
const OPEN_LOG_BYTES: usize = 512 * 1024;

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

fn path(name: &str) -> PathBuf {
    Path::new(LOG_DIR).join("t-0").join(name)
}

/// Segments and indexes so small that a few batches fill them.
fn config() -> Arc<LogConfig> {
    static CONFIG: LazyLock<Arc<LogConfig>> = LazyLock::new(|| {
        Arc::new(LogConfig { index_interval_bytes: 64, segment_bytes: 1024, ..LogConfig::default() })
    });
    CONFIG.clone()
}

fn open(disk: &Arc<MemoryDisk>, params: OpenParams) -> Option<(Log, storage::RecoveryReport)> {
    Log::open(disk.clone(), Path::new(LOG_DIR), partition(), None, config(), params, NOW).ok()
}

/// How the node stopped, the checkpoints, and for each segment where it begins and its batches.
fn run_segments(input: &[u8]) {
    let mut input = Input::new(input);
    let params = params(&mut input);
    let disk = Arc::new(MemoryDisk::default());
    let mut bytes = 0;
    for _ in 0..4 {
        if input.is_empty() {
            break;
        }
        let base = match input.byte() {
            255 => input.i64().max(0),
            base => i64::from(base),
        };
        let content = seal::batches(Input::new(input.part()));
        bytes += content.len();
        disk.put(&path(&format!("{base:020}.log")), content);
    }
    use_log(&disk, params, bytes);
}

fn params(input: &mut Input<'_>) -> OpenParams {
    let flags = input.byte();
    let offset = |set: u8, offset: u8| Offset(if flags & set == 0 { 0 } else { i64::from(offset) });
    OpenParams {
        clean: flags & 1 != 0,
        recovery_point: offset(2, input.byte()),
        log_start: offset(4, input.byte()),
        one_by_one: flags & 8 != 0,
    }
}

/// Changes of the files of a sound log, and what is made right again afterwards.
fn run_files(input: &[u8]) {
    static SOUND: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| sound_log().files());
    let mut input = Input::new(input);
    let params = params(&mut input);
    let borrow = |(path, content): &'static (PathBuf, Vec<u8>)| -> File {
        (Cow::Borrowed(path), Cow::Borrowed(content))
    };
    let mut files: Vec<File> = SOUND.iter().map(borrow).collect();
    while !input.is_empty() {
        change(&mut files, &mut input);
    }
    let disk = Arc::new(MemoryDisk::default());
    let mut bytes = 0;
    for (path, content) in files {
        bytes += content.len();
        disk.put(&path, content.into_owned());
    }
    use_log(&disk, params, bytes);
}

/// A file of the sound log, or what became of it.
type File = (Cow<'static, Path>, Cow<'static, [u8]>);

fn change(files: &mut Vec<File>, input: &mut Input<'_>) {
    let (what, which) = (input.byte(), usize::from(input.byte()));
    if files.is_empty() {
        return;
    }
    let which = which % files.len();
    let (path, content) = &mut files[which];
    match what % 6 {
        0 => {
            let at = usize::from(input.u16()) % (content.len() + 1);
            let patch = input.part();
            let content = content.to_mut();
            content.resize(content.len().max(at + patch.len()), 0);
            content[at..at + patch.len()].copy_from_slice(patch);
        }
        1 => *content = input.part().to_vec().into(),
        2 => content.to_mut().truncate(usize::from(input.u16())),
        3 => drop(files.remove(which)),
        4 => {
            let copy = (path.with_file_name(name(input)).into(), content.clone());
            files.push(copy);
        }
        _ => reseal(path, content.to_mut()),
    }
}

/// The name of a further file: one that segments and what a cleaning leaves can have.
fn name(input: &mut Input<'_>) -> String {
    const SUFFIXES: [&str; 12] = [
        "log",
        "index",
        "timeindex",
        "txnindex",
        "snapshot",
        "log.swap",
        "index.swap",
        "log.cleaned",
        "log.deleted",
        "log.swap.cleaned",
        "tmp",
        "txnindex.swap",
    ];
    let suffix = SUFFIXES[usize::from(input.byte()) % SUFFIXES.len()];
    format!("{:020}.{suffix}", input.byte())
}

/// Makes the checksum of a producer snapshot right, or those of a segment's batches.
fn reseal(path: &Path, content: &mut Vec<u8>) {
    let ends = |suffix: &str| path.extension().is_some_and(|extension| extension == suffix);
    if ends("snapshot") && content.len() >= 6 {
        let crc = crc_fast::crc32_iscsi(&content[6..]);
        content[2..6].copy_from_slice(&crc.to_be_bytes());
    } else if ends("log") {
        let mut sealed = Vec::new();
        let mut batches = BatchView::iter(content);
        while let Some(Ok(batch)) = batches.next() {
            sealed.extend(seal::batch(seal::SEAL, batch.bytes()));
        }
        sealed.extend_from_slice(batches.rest());
        *content = sealed;
    }
}

/// Does with a log what a broker does with it from its start to its end, and starts again.
fn use_log(disk: &Arc<MemoryDisk>, params: OpenParams, bytes: usize) {
    let may = twice(bytes) + OPEN_LOG_BYTES;
    let Some((mut log, _)) = within(may, || open(disk, params)) else { return };
    assert!(log.start_offset() <= log.end_offset(), "a log ends before it begins");
    assert!(log.recovery_point() <= log.end_offset(), "more is durable than there is");
    // Only what was verified can be relied on to be sound.
    let verified = !params.clean && params.recovery_point == Offset::ZERO;
    read_all(&mut log, verified);
    ask(&mut log, verified);
    append(&mut log, verified);
    let (start, end) = (log.start_offset(), log.end_offset());
    if log.close(NOW).is_err() {
        return;
    }
    drop(log);
    let again = OpenParams { clean: false, recovery_point: Offset::ZERO, log_start: start, ..params };
    let reopened = within(may, || open(disk, again));
    if verified {
        let (log, report) = reopened.expect("what was recovered can be opened");
        assert_eq!((log.start_offset(), log.end_offset()), (start, end), "a second recovery: {report:?}");
        assert_eq!((report.bytes_truncated, report.segments_dropped), (0, 0), "{report:?}");
    }
}

fn read_all(log: &mut Log, verified: bool) {
    let mut from = log.start_offset();
    while from < log.end_offset() {
        let Ok(found) = log.read(from, 700, log.end_offset(), true) else {
            assert!(!verified, "what was verified can be read");
            return;
        };
        let Some(span) = found.span else { return };
        let content = span.read().expect("the disk does not fail");
        assert_eq!(content.len(), span.len as usize, "a span lies in its file");
        let mut next = from;
        for batch in BatchView::iter(&content) {
            let Ok(batch) = batch else {
                assert!(!verified, "a span of a verified log has whole batches");
                return;
            };
            if verified {
                batch.verify_crc().expect("what was verified has its checksum");
            }
            next = next.max(batch.next_offset());
        }
        assert!(next > from || !verified, "reading goes on");
        if next <= from {
            return;
        }
        from = next;
    }
}

fn ask(log: &mut Log, verified: bool) {
    let times = [0, 1, NOW.0, i64::MAX].map(|time| OffsetQuery::At(Timestamp(time)));
    let ends =
        [OffsetQuery::Latest, OffsetQuery::Earliest, OffsetQuery::MaxTimestamp, OffsetQuery::EarliestLocal];
    for query in times.into_iter().chain(ends) {
        if let Ok(Some(found)) = log.list_offset(query) {
            // Where segments were put in each other's place, one may hold offsets that belong behind it.
            let verified = verified && log.segment_count() == 1;
            assert!(
                !verified || found.offset <= log.end_offset(),
                "{query:?} is answered from within the log"
            );
        }
    }
    let (start, end) = (log.start_offset(), log.end_offset());
    // Damage in the index of aborted transactions is an error of this one question.
    let _ = log.aborted_txns(start, end);
    let stable = log.last_stable_offset(end);
    assert!(stable <= end, "what is stable was written");
    for epoch in [0, 1, 2, i32::MAX].map(LeaderEpoch).into_iter().chain(log.latest_epoch()) {
        if let Some(found) = log.epoch_end(epoch) {
            assert!(found.epoch <= epoch || log.epochs().is_empty(), "an epoch ends in a later one");
        }
    }
    assert!(log.epochs().is_sorted_by(|a, b| a.epoch < b.epoch && a.start < b.start), "{:?}", log.epochs());
    log.expire_producers(NOW);
}

fn append(log: &mut Log, verified: bool) {
    let epoch = log.latest_epoch().unwrap_or(LeaderEpoch(0));
    let before = log.end_offset();
    let batch = Validated::trusted(&record(None)).expect("it is a batch");
    let Ok(done) = log.append(NOW, &[batch], epoch, Origin::Client) else { return };
    assert_eq!((done.base_offset, done.last_offset), (before, before));
    assert_eq!(log.end_offset(), before + 1);
    let found = log.read(before, 10_000, log.end_offset(), true);
    if !verified {
        return;
    }
    let found = found.expect("what was appended can be read");
    let content = found.span.expect("it is there").read().expect("the disk does not fail");
    let (batch, _) = BatchView::parse(&content).expect("it is whole");
    assert_eq!(batch.base_offset(), before);
}

fn record(producer: Option<(i64, i32)>) -> Bytes {
    let mut builder = BatchBuilder::new();
    if let Some((id, sequence)) = producer {
        builder = builder.producer(ProducerId(id), ProducerEpoch(0), sequence).transactional();
    }
    builder.append(NOW, Some(b"key"), Some(&[b'v'; 40]));
    builder.build().expect("it is small")
}

/// A log of three segments with two epochs, two producers, and a transaction that was aborted in each segment.
fn sound_log() -> Arc<MemoryDisk> {
    let disk = Arc::new(MemoryDisk::default());
    let (mut log, _) = open(&disk, OpenParams::default()).expect("an empty disk can be used");
    for round in 0..3 {
        let epoch = LeaderEpoch(1 + round / 2);
        for number in 0..3 {
            for id in [7, 8] {
                let batch =
                    Validated::trusted(&record(Some((id, round * 3 + number)))).expect("it is a batch");
                log.append(NOW, &[batch], epoch, Origin::Client).expect("it can be appended");
            }
        }
        let marker = EndTxnMarker { committed: false, coordinator_epoch: round };
        let producer = (ProducerId(7), ProducerEpoch(0));
        let marker = marker.batch(producer, log.end_offset(), epoch, NOW).expect("it is small");
        let marker = Validated::trusted(&marker).expect("it is a batch");
        log.append(NOW, &[marker], epoch, Origin::Coordinator { transaction_version: 0 })
            .expect("it can be appended");
        if round < 2 {
            log.roll(NOW).expect("it can be rolled");
        }
    }
    log.close(NOW).expect("it can be closed");
    disk
}

fn seeds_segments() -> Vec<Vec<u8>> {
    let begin = |flags: u8| Output::default().bytes(&[flags, 0, 0]);
    let mut seeds = Vec::new();
    for batch in batches::samples() {
        seeds.push(begin(0).bytes(&[0]).part(&seal::seed(&[batch])).0);
    }
    let mut whole = Vec::new();
    for (path, content) in sound_log().files() {
        if path.extension().is_some_and(|extension| extension == "log") {
            let parts: Vec<_> =
                BatchView::iter(&content).flatten().map(|batch| batch.bytes().to_vec()).collect();
            let base =
                path.file_stem().and_then(|stem| stem.to_str()?.parse::<u8>().ok()).expect("it is low");
            whole.push((base, seal::seed(&parts)));
        }
    }
    for flags in [0, 1, 2 | 4] {
        let add = |out: Output, (base, part): &(u8, Vec<u8>)| out.bytes(&[*base]).part(part);
        seeds.push(whole.iter().fold(begin(flags), add).0);
    }
    seeds
}

fn seeds_files() -> Vec<Vec<u8>> {
    let files = sound_log().files();
    let mut seeds = vec![vec![0, 0, 0], vec![1, 0, 0]];
    for (which, (_, content)) in files.iter().enumerate() {
        let begin = |flags: u8, what: u8| Output::default().bytes(&[flags, 0, 0, what, which as u8]);
        for flags in [0, 1] {
            seeds.push(begin(flags, 3).0);
            seeds.push(begin(flags, 2).bytes(&[0, 9]).0);
            seeds.push(begin(flags, 0).bytes(&[0, 2]).part(&[1, 2, 3]).0);
            seeds.push(begin(flags, 1).part(&content[..content.len().min(400)]).bytes(&[5, which as u8]).0);
            seeds.push(begin(flags, 4).bytes(&[5, 7]).0);
        }
    }
    seeds
}
