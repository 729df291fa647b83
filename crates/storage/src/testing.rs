//! What the tests of this crate share: a log on a simulated disk, and batches.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use kernel::port::disk::OpenMode;
use kernel::port::{Disk, DiskFile};
use kernel::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use sim::SimDisk;
use wire::batch::{BatchBuilder, BatchView, EndTxnMarker};
use wire::compress::Limits;

use crate::{
    AbortedTxn, AppendError, AppendInfo, CleanStats, CleanStep, CleanerTools, Log, LogConfig, OpenParams,
    Origin, RecoveryReport, StorageError,
};

pub(crate) const EPOCH: LeaderEpoch = LeaderEpoch(3);

/// A log, the disk below it, and what it is opened with.
pub(crate) struct Bench {
    pub disk: SimDisk,
    pub config: LogConfig,
    pub log: Log,
    pub report: RecoveryReport,
    pub now: i64,
}

impl Bench {
    pub fn new(config: LogConfig) -> Self {
        Self::on(SimDisk::new(1), config)
    }

    pub fn on(disk: SimDisk, config: LogConfig) -> Self {
        let (log, report) = open(&disk, &config, OpenParams::default(), 0);
        Self { disk, config, log, report, now: 0 }
    }

    /// Opens the log again with these parameters.
    pub fn reopen(&mut self, params: OpenParams) {
        (self.log, self.report) = open(&self.disk, &self.config, params, self.now);
    }

    /// Opens the log again where that may be refused.
    pub fn try_reopen(&mut self, params: OpenParams) -> crate::error::Result<()> {
        (self.log, self.report) = try_open(&self.disk, &self.config, params, self.now)?;
        Ok(())
    }

    /// Opens the log as after `kill -9`, with the recovery point that a checkpoint would have.
    pub fn crash(&mut self) {
        let params = OpenParams {
            clean: false,
            recovery_point: self.log.recovery_point(),
            log_start: self.log.start_offset(),
            ..OpenParams::default()
        };
        self.disk.crash_process();
        self.reopen(params);
    }

    /// Stops cleanly and starts again.
    pub fn restart(&mut self) {
        let recovery_point = self.log.close(Timestamp(self.now)).expect("closes");
        let params = OpenParams {
            clean: true,
            recovery_point,
            log_start: self.log.start_offset(),
            ..OpenParams::default()
        };
        self.disk.crash_process();
        self.reopen(params);
    }

    pub fn append(&mut self, batch: &[u8]) -> AppendInfo {
        self.try_append(batch).expect("is appended")
    }

    pub fn try_append(&mut self, batch: &[u8]) -> Result<AppendInfo, AppendError> {
        self.log.append(Timestamp(self.now), &[judged(batch)], EPOCH, Origin::Client)
    }

    /// Appends so many batches of one record each, with timestamps 0, 1, 2...
    pub fn fill(&mut self, batches: i64) {
        for _ in 0..batches {
            let offset = self.log.end_offset().0;
            self.append(&records(&[(offset, &format!("value {offset}"))]));
        }
    }

    /// Values of all records that a reader finds from `from` on, with their offsets.
    pub fn values(&mut self, from: i64) -> Vec<(i64, String)> {
        let mut found = Vec::new();
        let mut next = from;
        let end = self.log.end_offset();
        loop {
            let read = self.log.read(Offset(next), 1 << 20, end, true).expect("reads");
            let Some(span) = read.span else { return found };
            for batch in BatchView::iter(&span.read().expect("reads the span")) {
                let batch = batch.expect("whole batches");
                batch.verify_crc().expect("sound batches");
                for record in &batch.records(Limits::trusting(1 << 20)).expect("records") {
                    let record = record.expect("a record");
                    let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
                    if record.offset.0 >= next {
                        found.push((record.offset.0, value));
                    }
                }
                next = batch.next_offset().0;
            }
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.log.dir().join(name)
    }

    pub fn file(&self, name: &str) -> Arc<dyn DiskFile> {
        self.disk.open(&self.path(name), OpenMode::Write).expect("the file is there")
    }

    pub fn names(&self) -> Vec<String> {
        let entries = self.disk.list(self.log.dir()).expect("lists");
        entries.into_iter().map(|entry| entry.name).collect()
    }

    pub fn content(&self, name: &str) -> Vec<u8> {
        let file = self.file(name);
        let mut bytes = vec![0; file.len().expect("has a length") as usize];
        file.read_at(0, &mut bytes).expect("reads");
        bytes
    }
}

pub(crate) fn open(
    disk: &SimDisk,
    config: &LogConfig,
    params: OpenParams,
    now: i64,
) -> (Log, RecoveryReport) {
    try_open(disk, config, params, now).expect("opens")
}

fn try_open(
    disk: &SimDisk,
    config: &LogConfig,
    params: OpenParams,
    now: i64,
) -> crate::error::Result<(Log, RecoveryReport)> {
    let partition = TopicPartition::new("t", 0);
    let (disk, config) = (disk.port(), Arc::new(config.clone()));
    Log::open(disk, Path::new("/data"), partition, None, config, params, Timestamp(now))
}

/// Segments of about `batches` small batches, and an index entry for each but the first.
pub(crate) fn small_segments(batches: u32) -> LogConfig {
    let one = records(&[(0, "value 0")]).len() as u32;
    LogConfig { segment_bytes: one * batches + one / 2, index_interval_bytes: 1, ..LogConfig::default() }
}

/// A batch of records with these timestamps and values.
pub(crate) fn records(records: &[(i64, &str)]) -> Bytes {
    filled(BatchBuilder::new(), records)
}

fn filled(mut builder: BatchBuilder, records: &[(i64, &str)]) -> Bytes {
    for (timestamp, value) in records {
        builder.append(Timestamp(*timestamp), None, Some(value.as_bytes()));
    }
    builder.build().expect("builds")
}

/// Records with these keys, values and, counted from 0, timestamps.
pub(crate) fn keyed(records: &[(&str, Option<&str>)]) -> Bytes {
    keyed_in(BatchBuilder::new(), records)
}

pub(crate) fn keyed_in(mut builder: BatchBuilder, records: &[(&str, Option<&str>)]) -> Bytes {
    for (timestamp, (key, value)) in records.iter().enumerate() {
        builder.append(Timestamp(timestamp as i64), Some(key.as_bytes()), value.map(str::as_bytes));
    }
    builder.build().expect("builds")
}

pub(crate) const TOOLS: CleanerTools =
    CleanerTools { map_bytes: 1 << 20, map_load: 0.9, io_bytes: 256, secret: [7; 16] };

/// Cleans all of a log that can be cleaned now.
pub(crate) fn clean(log: &mut Log, now: i64, tools: CleanerTools) -> Result<CleanStats, StorageError> {
    let (now, high_watermark) = (Timestamp(now), log.end_offset());
    let range = log.cleanable(now, high_watermark)?;
    let mut cleaning = log.begin_cleaning(range, now, high_watermark, tools)?;
    let mut before = cleaning.progress();
    loop {
        let step = cleaning.step()?;
        let progress = cleaning.progress();
        assert!(before.done <= progress.done && progress.done <= progress.planned, "{progress:?}");
        assert!(progress.memory >= 24, "there is a map of keys");
        before = progress;
        match step {
            CleanStep::Working { .. } => {}
            CleanStep::Swap(cleaned) => {
                assert!(log.swap_cleaned(cleaned, now)?, "nobody else changes the log")
            }
            CleanStep::Done => break,
        }
    }
    assert_eq!((before.done, before.written), (before.planned, cleaning.stats().bytes_written));
    log.note_cleaned(cleaning.end());
    Ok(cleaning.stats())
}

/// A record as a reader sees it: offset, key, value.
pub(crate) type Seen = (i64, String, Option<String>);

/// All records from the start of the log on that somebody reads who wants only what is committed.
pub(crate) fn committed(log: &mut Log) -> Vec<Seen> {
    let (mut found, mut at) = (Vec::new(), log.start_offset());
    let end = log.end_offset();
    let upper = log.last_stable_offset(end);
    while let Some(span) = {
        let read = log.read(at, 700, upper, true).expect("reads");
        read.span.map(|span| (span, log.aborted_txns(at, read.upper).expect("reads")))
    } {
        let (span, aborted) = span;
        at = visible(&span.read().expect("reads the span"), at, aborted, &mut found);
    }
    found
}

/// What a consumer makes of batches. Returns where it reads on.
pub(crate) fn visible(bytes: &[u8], from: Offset, aborted: Vec<AbortedTxn>, into: &mut Vec<Seen>) -> Offset {
    let (mut waiting, mut open) = (aborted, std::collections::BTreeSet::new());
    let mut at = from;
    for batch in BatchView::iter(bytes) {
        let batch = batch.expect("whole batches");
        batch.verify_crc().expect("sound batches");
        at = batch.next_offset();
        let begun = |txn: &mut AbortedTxn| txn.first_offset <= batch.last_offset();
        open.extend(waiting.extract_if(.., begun).map(|txn| txn.producer_id));
        if batch.is_control() {
            open.remove(&batch.producer_id());
            continue;
        }
        if batch.is_transactional() && open.contains(&batch.producer_id()) {
            continue;
        }
        for record in &batch.records(Limits::trusting(1 << 20)).expect("records") {
            let record = record.expect("a record");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            if record.offset >= from {
                into.push((
                    record.offset.0,
                    record.key.map(text).unwrap_or_default(),
                    record.value.map(text),
                ));
            }
        }
    }
    at
}

/// The last value of each key.
pub(crate) fn latest<'a>(
    records: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> std::collections::BTreeMap<String, String> {
    let mut map = std::collections::BTreeMap::new();
    for (key, value) in records {
        match value {
            Some(value) => map.insert(key.to_owned(), value.to_owned()),
            None => map.remove(key),
        };
    }
    map
}

/// A batch of `count` records of an idempotent producer.
pub(crate) fn from_producer(id: i64, epoch: i16, sequence: i32, count: usize) -> Bytes {
    let builder = BatchBuilder::new().producer(ProducerId(id), ProducerEpoch(epoch), sequence);
    filled(builder, &vec![(1000, "p"); count])
}

/// A batch of `count` records in a transaction.
pub(crate) fn in_txn(id: i64, epoch: i16, sequence: i32, count: usize) -> Bytes {
    let builder =
        BatchBuilder::new().producer(ProducerId(id), ProducerEpoch(epoch), sequence).transactional();
    filled(builder, &vec![(1000, "x"); count])
}

/// The end of a transaction.
pub(crate) fn marker(id: i64, epoch: i16, committed: bool) -> Bytes {
    let marker = EndTxnMarker { committed, coordinator_epoch: 1 };
    let producer = (ProducerId(id), ProducerEpoch(epoch));
    marker.batch(producer, Offset(0), EPOCH, Timestamp(1000)).expect("builds")
}

/// A batch as it comes from the judge of what producers send.
pub(crate) fn judged(batch: &[u8]) -> wire::batch::validate::Validated {
    wire::batch::validate::Validated::trusted(&Bytes::copy_from_slice(batch)).expect("a whole batch")
}
