//! Runs the controller of a lone node: decisions become records in `__cluster_metadata`, durable before anybody hears of
//! them, and the records become the image that everything else reads.
//!
//! The log and its snapshots are Kafka's own, so that a data directory of Kafka is taken over as it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use kernel::planted::{self, Bug};
use kernel::port::disk::OpenMode;
use kernel::port::{Clock, Disk, Submission};
use kernel::{ErrorCode, LeaderEpoch, Now, Offset, Timestamp, TopicPartition, Uuid};
use metadata::controller::Decision;
use metadata::log::{MetadataBatch, SnapshotId, decode_batch, encode_batch, encode_quorum, encode_snapshot};
use metadata::{Delta, Image, MetadataRecord, Provenance};
use parking_lot::RwLock;
use storage::{CleanupPolicy, Log, LogConfig, OpenParams, Origin};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tracing::{error, info, warn};
use wire::batch::BatchView;
use wire::batch::validate::Validated;
use wire::records::voters_record::VotersRecord;

use crate::quorum;

/// The topic of the metadata log. It is in no image.
pub const METADATA_TOPIC: &str = "__cluster_metadata";

/// The folder of its only partition.
pub const METADATA_FOLDER: &str = "__cluster_metadata-0";

/// The file in which a format step leaves a cluster's first records.
pub const BOOTSTRAP_CHECKPOINT: &str = "bootstrap.checkpoint";

/// What is read of the log at a time when it is loaded.
const LOAD_BYTES: u32 = 4 << 20;

/// The largest snapshot that is read.
const SNAPSHOT_BYTES_MAX: u64 = 1 << 30;

/// Why the metadata log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    #[error(transparent)]
    Storage(#[from] storage::StorageError),
    #[error("{0}")]
    Log(#[from] metadata::log::LogError),
    #[error("{path}: {problem}")]
    Damaged { path: PathBuf, problem: String },
}

/// The cluster's facts, and the way to change them.
pub struct Controller {
    writer: Arc<Mutex<Writer>>,
    image: RwLock<Arc<Image>>,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
}

struct Writer {
    log: Log,
    epoch: LeaderEpoch,
    /// Bytes appended since the last snapshot.
    since_snapshot: u64,
    snapshot_after: u64,
    /// The log may hold what was answered as failed: only a restart tells.
    failed: bool,
    /// The node stops: nothing is decided here any more.
    closed: bool,
}

impl Writer {
    /// Where the log ends, whose last record was appended now.
    fn end(&self, now: Timestamp) -> Provenance {
        Provenance { offset: Offset(self.log.end_offset().get() - 1), epoch: self.epoch, timestamp: now }
    }
}

/// What a decision may use beside the image.
#[derive(Debug, Clone, Copy)]
pub struct Deciding {
    pub now: Now,
    /// Where the records will be appended.
    pub next_offset: Offset,
}

/// What was decided and is not in the log yet.
pub struct Change {
    writer: OwnedMutexGuard<Writer>,
    base: Arc<Image>,
    records: Vec<MetadataRecord>,
    now: Now,
}

impl Controller {
    /// Opens the metadata log and replays it.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        dir: &Path,
        clean: bool,
        snapshot_after: u64,
    ) -> Result<Self, MetadataError> {
        let now = clock.now().wall;
        let partition = TopicPartition::new(METADATA_TOPIC, 0);
        let folder = dir.join(partition.to_string());
        let snapshot = latest_snapshot(&*disk, &folder)?;
        let start = snapshot.map_or(Offset::ZERO, |id| id.end_offset);
        let config = Arc::new(LogConfig {
            segment_ms: i64::MAX,
            cleanup: CleanupPolicy { delete: false, compact: false },
            ..LogConfig::default()
        });
        // One that is cut off would take whole topics with it, so only what can be a torn write is.
        let params = OpenParams { clean, one_by_one: true, ..OpenParams::default() };
        let id = Some(Uuid::METADATA_TOPIC);
        let (mut log, report) = Log::open(Arc::clone(&disk), dir, partition, id, config, params, now)?;
        if report.is_notable() {
            warn!(?report, "the metadata log was repaired");
        }
        if !clean {
            // The last batch may be there without being durable, and must be before another follows it.
            log.flush(now)?;
        }
        if log.end_offset() < start {
            // The snapshot is newer than the log: a fresh node that was given only a snapshot.
            log.truncate_all(start, now)?;
        }
        let mut image = match snapshot {
            Some(id) => load_snapshot(&*disk, &folder, id)?,
            None => Image::default(),
        };
        image = replay_log(&mut log, image, start)?;
        let epoch = LeaderEpoch(image.provenance.epoch.0.max(log.latest_epoch().map_or(0, |e| e.0)).max(1));
        info!(offset = %image.provenance.offset, topics = image.topics.len(), "metadata loaded");
        let writer = Writer { log, epoch, since_snapshot: 0, snapshot_after, failed: false, closed: false };
        let writer = Arc::new(Mutex::new(writer));
        Ok(Self { writer, image: RwLock::new(Arc::new(image)), disk, clock })
    }

    /// The facts as of now.
    pub fn image(&self) -> Arc<Image> {
        Arc::clone(&self.image.read())
    }

    /// Decides. What there is to write is written by [`Controller::finish`], before which nobody else can decide.
    pub async fn decide<R>(
        &self,
        decide: impl FnOnce(&Image, Deciding) -> Decision<R>,
    ) -> Result<(Option<Change>, R), ErrorCode> {
        let writer = Arc::clone(&self.writer).lock_owned().await;
        if writer.failed {
            return Err(ErrorCode::KafkaStorageError);
        }
        if writer.closed {
            return Err(ErrorCode::NotController);
        }
        let base = self.image();
        let deciding = Deciding { now: self.clock.now(), next_offset: writer.log.end_offset() };
        let decision = decide(&base, deciding);
        if decision.records.is_empty() {
            return Ok((None, decision.reply));
        }
        Ok((Some(Change { writer, base, records: decision.records, now: deciding.now }), decision.reply))
    }

    /// Makes a decision's records durable, and publishes what they change. `apply` acts on the change before anybody
    /// else can change more. This must run to its end: what is in the log has to come into the image.
    pub async fn finish(
        &self,
        change: Change,
        apply: impl FnOnce(&Delta, &Arc<Image>),
    ) -> Result<(), ErrorCode> {
        let Change { mut writer, base, records, now } = change;
        if let Err(problem) = self.commit(&mut writer, &base, &records).await {
            error!(%problem, "the metadata log cannot be written; restart this node once its disk is well");
            writer.failed = true;
            return Err(ErrorCode::KafkaStorageError);
        }
        let mut delta = Delta::new(&base);
        for record in &records {
            delta.replay(record);
        }
        delta.advance(writer.end(now.wall));
        let image = Arc::new(delta.apply());
        *self.image.write() = Arc::clone(&image);
        apply(&delta, &image);
        self.snapshot_if_due(&mut writer, &image, now);
        Ok(())
    }

    /// Says in a log that does not say it yet who its voters are, as Kafka does when it formats one (KIP-853): without
    /// that no other node could go on with the log.
    pub async fn found_quorum(&self, voters: &VotersRecord) -> Result<(), MetadataError> {
        let mut writer = self.writer.lock().await;
        let base = self.image();
        if base.quorum.voters().is_some() {
            return Ok(());
        }
        if writer.failed || writer.closed {
            return Err(damaged(writer.log.dir(), "the metadata log is not written any more"));
        }
        let now = self.clock.now().wall;
        let unwritten = |problem: String| damaged(writer.log.dir(), problem);
        let quorum = quorum::first_records(voters).map_err(|error| unwritten(error.to_string()))?;
        let batch = encode_quorum(&quorum, writer.log.end_offset(), writer.epoch, now)
            .map_err(|error| unwritten(error.to_string()))?;
        if let Err(problem) = self.append(&mut writer, &batch).await {
            writer.failed = true;
            return Err(damaged(writer.log.dir(), problem));
        }
        let mut delta = Delta::new(&base);
        let provenance = writer.end(now);
        delta.replay_batch(&MetadataBatch { records: Vec::new(), quorum, provenance });
        delta.advance(provenance);
        *self.image.write() = Arc::new(delta.apply());
        Ok(())
    }

    async fn commit(
        &self,
        writer: &mut Writer,
        base: &Image,
        records: &[MetadataRecord],
    ) -> Result<(), String> {
        let now = self.clock.now().wall;
        // The level that the records themselves may set decides how they are written.
        let levels: Vec<_> =
            records.iter().filter(|one| matches!(one, MetadataRecord::FeatureLevel(_))).collect();
        let level = if levels.is_empty() {
            base.features.record_level()
        } else {
            let mut after = Delta::new(&Arc::new(base.clone()));
            levels.into_iter().for_each(|record| after.replay(record));
            after.apply().features.record_level()
        };
        let batch = encode_batch(records, level, writer.log.end_offset(), writer.epoch, now)
            .map_err(|error| error.to_string())?;
        self.append(writer, &batch).await
    }

    /// Appends a batch and makes it durable.
    async fn append(&self, writer: &mut Writer, batch: &Bytes) -> Result<(), String> {
        let now = self.clock.now().wall;
        writer.since_snapshot += batch.len() as u64;
        let batch = Validated::trusted(batch).map_err(|error| error.to_string())?;
        writer
            .log
            .append(now, &[batch], writer.epoch, Origin::Replication)
            .map_err(|error| error.to_string())?;
        if planted::on(Bug::MetadataBeforeSync) {
            return Ok(());
        }
        let Some(work) = writer.log.begin_flush().map_err(|error| error.to_string())? else { return Ok(()) };
        for file in work.files {
            let (tell, told) = oneshot::channel();
            let done = move |result| {
                let _ = tell.send(result);
            };
            self.disk.submit(Submission::Sync(file), Box::new(done));
            let result = told.await.map_err(|_| "the sync was given up".to_owned())?;
            result.map_err(|error: std::io::Error| writer.log.flush_failed(error).to_string())?;
        }
        writer.log.flushed_to(work.upto, now);
        Ok(())
    }

    fn snapshot_if_due(&self, writer: &mut Writer, image: &Image, now: Now) {
        if writer.since_snapshot < writer.snapshot_after {
            return;
        }
        writer.since_snapshot = 0;
        match write_snapshot(&*self.disk, writer.log.dir(), image, now) {
            Ok(id) => info!(%id, "metadata snapshot written"),
            // The log still has everything; the next one may succeed.
            Err(problem) => warn!(%problem, "a metadata snapshot could not be written"),
        }
    }

    /// Makes everything durable at a clean end. A change that has begun is made; no other is begun.
    pub async fn close(&self) -> Result<(), MetadataError> {
        let mut writer = self.writer.lock().await;
        writer.closed = true;
        writer.log.close(self.clock.now().wall)?;
        Ok(())
    }

    /// Where the metadata log stands.
    pub async fn position(&self) -> (LeaderEpoch, Offset) {
        let writer = self.writer.lock().await;
        (writer.epoch, writer.log.end_offset())
    }
}

fn latest_snapshot(disk: &dyn Disk, folder: &Path) -> Result<Option<SnapshotId>, MetadataError> {
    if !disk.exists(folder) {
        return Ok(None);
    }
    let entries = disk.list(folder).map_err(|error| damaged(folder, error))?;
    Ok(entries.iter().filter_map(|entry| SnapshotId::from_file_name(&entry.name)).max())
}

/// What the format step of Kafka's tools left for the first start, if it was taken: how the cluster is to begin.
pub fn formatted(disk: &dyn Disk, dir: &Path) -> Result<Option<Vec<MetadataRecord>>, MetadataError> {
    let path = dir.join(BOOTSTRAP_CHECKPOINT);
    if !disk.exists(&path) {
        return Ok(None);
    }
    let bytes = read_whole(disk, &path)?;
    let mut records = Vec::new();
    for batch in BatchView::iter(&bytes) {
        let batch = batch.map_err(|error| damaged(&path, error))?;
        records.extend(decode_batch(&batch)?.records);
    }
    Ok(Some(records))
}

fn read_whole(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>, MetadataError> {
    let failed = |error| damaged(path, error);
    let file = disk.open(path, OpenMode::Read).map_err(failed)?;
    let len = file.len().map_err(failed)?;
    if len > SNAPSHOT_BYTES_MAX {
        return Err(damaged(path, format!("it has {len} bytes, which is too much")));
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
    let read = file.read_at(0, &mut bytes).map_err(failed)?;
    bytes.truncate(read);
    Ok(bytes)
}

fn load_snapshot(disk: &dyn Disk, folder: &Path, id: SnapshotId) -> Result<Image, MetadataError> {
    let path = folder.join(id.file_name());
    let bytes = read_whole(disk, &path)?;
    let mut delta = Delta::from_snapshot(&Arc::new(Image::default()));
    let mut timestamp = Timestamp::NONE;
    for batch in BatchView::iter(&bytes) {
        let batch = batch
            .map_err(|error| MetadataError::Damaged { path: path.clone(), problem: error.to_string() })?;
        timestamp = batch.header().max_timestamp();
        delta.replay_batch(&decode_batch(&batch)?);
    }
    delta.advance(Provenance { offset: Offset(id.end_offset.get() - 1), epoch: id.epoch, timestamp });
    report_notes(&delta);
    Ok(delta.apply())
}

fn replay_log(log: &mut Log, image: Image, from: Offset) -> Result<Image, MetadataError> {
    let mut delta = Delta::new(&Arc::new(image));
    let end = log.end_offset();
    let mut at = from.max(log.start_offset());
    while at < end {
        let read = log.read(at, LOAD_BYTES, end, true).map_err(|error| damaged(log.dir(), error))?;
        let Some(mut span) = read.span else { break };
        span.verify().map_err(|error| damaged(log.dir(), error))?;
        let bytes = Bytes::from(span.read().map_err(|error| damaged(log.dir(), error))?);
        let before = at;
        for batch in BatchView::iter(&bytes) {
            let batch = batch.map_err(|error| damaged(log.dir(), error))?;
            at = batch.header().next_offset();
            let decoded = decode_batch(&batch)?;
            delta.replay_batch(&decoded);
            delta.advance(decoded.provenance);
        }
        if at == before {
            break;
        }
    }
    report_notes(&delta);
    Ok(delta.apply())
}

fn report_notes(delta: &Delta) {
    if delta.notes().count() > 0 {
        warn!(notes = ?delta.notes(), "some metadata records had no effect");
    }
}

fn write_snapshot(disk: &dyn Disk, folder: &Path, image: &Image, now: Now) -> Result<SnapshotId, String> {
    let id = SnapshotId::of(image);
    let pieces = encode_snapshot(image, now.wall).map_err(|error| error.to_string())?;
    let path = folder.join(id.file_name());
    let part = folder.join(format!("{}.part", id.file_name()));
    let write = || {
        let file = disk.open(&part, OpenMode::Create)?;
        file.set_len(0)?;
        let mut position = 0;
        for piece in &pieces {
            file.write_at(position, &[std::io::IoSlice::new(piece)])?;
            position += piece.len() as u64;
        }
        file.sync_data()?;
        disk.rename(&part, &path)?;
        disk.sync_dir(folder)
    };
    write().map_err(|error: std::io::Error| error.to_string())?;
    Ok(id)
}

fn damaged(path: &Path, problem: impl std::fmt::Display) -> MetadataError {
    MetadataError::Damaged { path: path.to_owned(), problem: problem.to_string() }
}
