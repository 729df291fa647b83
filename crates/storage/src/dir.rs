//! A log directory: whose it is, which partitions it has, and what was known of them when the node stopped.
//!
//! Start at [`LogDir::lock`].

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::port::Disk;
use kernel::port::disk::{OpenMode, Whole};
use kernel::{Offset, TopicPartition, Uuid};

use crate::checkpoint;
use crate::error::{Result, StorageError};
use crate::names::{self, FolderName};
use crate::place::Place;
use crate::seal::{self, Seal};

pub use rests::Remembered;

const LOCK: &str = ".lock";
const META: &str = "meta.properties";
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const LOG_STARTS: &str = "log-start-offset-checkpoint";
const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
const CLEANED_TO: &str = "cleaner-offset-checkpoint";

/// The file `partition.metadata` of a partition's folder, which names the topic by id.
pub(crate) mod partition_metadata {
    use super::*;

    pub fn render(id: Uuid) -> String {
        format!("version: 0\ntopic_id: {id}")
    }

    /// Makes the file of a log durable.
    pub fn sync(at: &Place) -> Result<()> {
        let path = at.path(names::PARTITION_METADATA);
        match at.disk.open(&path, OpenMode::Write) {
            Ok(file) => file.sync_data().map_err(|error| StorageError::unsynced(&path, error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StorageError::io("open", &path, error)),
        }
    }

    pub fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Uuid>> {
        checkpoint::read_small(disk, path)?.map_or(Ok(None), |content| parse(&content, path))
    }

    fn parse(content: &[u8], path: &Path) -> Result<Option<Uuid>> {
        if content.iter().all(|byte| *byte == 0) {
            // The power went before its content was written.
            return Ok(None);
        }
        let text = String::from_utf8_lossy(content);
        let id = text.lines().find_map(|line| line.strip_prefix("topic_id:"));
        let id = id.and_then(|id| id.trim().parse::<Uuid>().ok());
        id.map(Some).ok_or_else(|| StorageError::corrupt(path, 0, "it has no line \"topic_id: <id>\""))
    }

    /// Whose files a folder has, for somebody who expects those of a topic.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Owner {
        Unknown,
        Expected,
        /// It is the topic that was expected; the file that says so has a wrong byte.
        Damaged,
        Other(Uuid),
    }

    pub fn owner(disk: &dyn Disk, path: &Path, expected: Uuid) -> Result<Owner> {
        let Some(content) = checkpoint::read_small(disk, path)? else { return Ok(Owner::Unknown) };
        let text = render(expected);
        if content == text.as_bytes() {
            return Ok(Owner::Expected);
        }
        if near(&content, text.as_bytes()) {
            return Ok(Owner::Damaged);
        }
        let found = parse(&content, path)?;
        Ok(found.map_or(Owner::Unknown, |id| if id == expected { Owner::Expected } else { Owner::Other(id) }))
    }

    /// Whether one byte differs. Ids are drawn: no two of them are as near to each other.
    pub fn near(one: &[u8], other: &[u8]) -> bool {
        one.len() == other.len() && one.iter().zip(other).filter(|(one, other)| one != other).count() == 1
    }
}

/// `meta.properties`: which node of which cluster a log directory belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaProperties {
    pub cluster_id: String,
    pub node_id: i32,
    pub directory_id: Uuid,
}

/// A partition's folder that a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPartition {
    pub partition: TopicPartition,
    /// From `partition.metadata`, if the folder has it.
    pub topic_id: Option<Uuid>,
    pub path: PathBuf,
}

impl FoundPartition {
    /// Whether the files are of this topic, or may be: nothing is known of them, or a byte of what is known is wrong.
    pub fn may_be_of(&self, topic: Uuid) -> bool {
        let near =
            |id: Uuid| partition_metadata::near(id.to_string().as_bytes(), topic.to_string().as_bytes());
        self.topic_id.is_none_or(|id| id == topic || near(id))
    }
}

/// What a log directory has.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct DirScan {
    pub partitions: Vec<FoundPartition>,
    /// Folders to remove: a deletion that did not finish.
    pub deleted: Vec<PathBuf>,
    /// Replicas that are not in use.
    pub set_aside: Vec<PathBuf>,
    /// Copies of replicas that were on their way from another log directory.
    pub future: Vec<(TopicPartition, PathBuf)>,
    /// Folders that are no partition's.
    pub unknown: Vec<PathBuf>,
}

/// An offset per partition, as a checkpoint file has it.
pub type Offsets = Vec<(TopicPartition, Offset)>;

/// What is left of a checkpoint file.
#[derive(Debug, Default)]
pub struct Checkpoint {
    /// All of them, or none where too much is wrong: recovery then verifies more, and segments know their own start.
    pub offsets: Offsets,
    /// What was wrong with the file.
    pub damage: Option<Damage>,
}

/// What was wrong with a file that is written anew.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    #[error("a byte of {} was wrong, and was put right", .0.display())]
    Mended(PathBuf),
    #[error("{0}")]
    Lost(StorageError),
}

/// A log directory that this process has for itself.
pub struct LogDir {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    whole: Option<Box<dyn Whole>>,
    _lock: Box<dyn Send + Sync>,
}

impl LogDir {
    /// Makes the directory if it is missing, and takes it for this process.
    pub fn lock(disk: Arc<dyn Disk>, path: &Path) -> Result<Self> {
        make_durable(disk.as_ref(), path)?;
        let lock = disk.lock(&path.join(LOCK)).map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => {
                StorageError::refused(path, "another process uses this log directory")
            }
            _ => StorageError::io("lock", path, error),
        })?;
        let whole = disk.whole(path).map_err(|error| StorageError::io("open", path, error))?;
        Ok(Self { disk, path: path.to_owned(), whole, _lock: lock })
    }

    /// Whose a directory is, looked up without taking it; nothing if it is not there or was never used.
    pub fn look(disk: &dyn Disk, path: &Path) -> Result<Option<MetaProperties>> {
        let path = path.join(META);
        let Some((text, _)) = checkpoint::read_sealed(disk, &path)? else { return Ok(None) };
        parse_meta(&text).map(Some).map_err(|what| StorageError::corrupt(&path, 0, what))
    }

    /// Whether [`Self::sync_whole`] makes what is in this folder of the directory durable.
    pub fn covers(&self, folder: &Path) -> bool {
        self.whole.as_ref().is_some_and(|whole| whole.covers(folder))
    }

    /// Whether [`Self::sync_whole`] makes anything durable.
    pub fn has_whole_sync(&self) -> bool {
        self.whole.is_some()
    }

    /// Makes all that was written to the directory durable. Syncs the file system, once, however many logs there are.
    pub fn sync_whole(&self) -> Result<()> {
        let failed = |error| StorageError::unsynced(&self.path, error);
        match &self.whole {
            Some(whole) => whole.sync().map_err(failed),
            None => Err(failed(std::io::ErrorKind::Unsupported.into())),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Reads `meta.properties`; nothing if the directory was never used. If it has no checksum or was mended it is written
    /// anew. Syncs then.
    pub fn meta(&self) -> Result<Option<MetaProperties>> {
        let path = self.file(META);
        let Some((text, seal)) = checkpoint::read_sealed(self.disk.as_ref(), &path)? else { return Ok(None) };
        let meta = parse_meta(&text).map_err(|what| StorageError::corrupt(&path, 0, what))?;
        if seal != Seal::Whole {
            // What is there can be used as well, so a disk that is full or cannot be written to is no obstacle here.
            let _ = self.write_meta_text(&text);
        }
        Ok(Some(meta))
    }

    pub fn write_meta(&self, meta: &MetaProperties) -> Result<()> {
        let MetaProperties { cluster_id, node_id, directory_id } = meta;
        let text = format!(
            "#\ncluster.id={cluster_id}\ndirectory.id={directory_id}\nnode.id={node_id}\nversion=1\n"
        );
        self.write_meta_text(&text)
    }

    /// The seal gets a comment of its own, as the blanks after a value are part of it.
    fn write_meta_text(&self, text: &str) -> Result<()> {
        let comment = if text.ends_with("\n#\n") { "" } else { "\n#\n" };
        let text = seal::sealed(&format!("{}{comment}", text.trim_end_matches('\n')));
        checkpoint::replace(self.disk.as_ref(), &self.file(META), text.as_bytes())?;
        self.sync()
    }

    /// Puts a file of somebody else into the directory, or into a folder of it, whole or not at all.
    pub fn write_file(&self, name: impl AsRef<Path>, content: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        let folder = path.parent().unwrap_or(&self.path);
        make_durable(self.disk.as_ref(), folder)?;
        checkpoint::replace(self.disk.as_ref(), &path, content)?;
        self.disk.sync_dir(folder).map_err(|error| StorageError::unsynced(folder, error))
    }

    /// The name of a folder that some partition's log is in, if there is one.
    pub fn any_log(&self) -> Result<Option<String>> {
        let folders = self.disk.folders(&self.path);
        let folders = folders.map_err(|error| StorageError::io("list", &self.path, error))?;
        let is_log = |name: &String| {
            matches!(names::parse_folder(name), FolderName::Partition(_) | FolderName::Future(_))
        };
        Ok(folders.into_iter().find(is_log))
    }

    /// Lists what the directory has.
    pub fn scan(&self) -> Result<DirScan> {
        self.scan_beside(|_| None)
    }

    /// Lists what the directory has. The folders whose topic ids are known are not looked into.
    pub fn scan_beside(&self, known: impl Fn(&TopicPartition) -> Option<Uuid>) -> Result<DirScan> {
        let failed = |error| StorageError::io("list", &self.path, error);
        let mut scan = DirScan::default();
        for name in self.disk.folders(&self.path).map_err(failed)? {
            let path = self.path.join(&name);
            match names::parse_folder(&name) {
                FolderName::Partition(partition) => {
                    if let Some(id) = known(&partition) {
                        scan.partitions.push(FoundPartition { partition, topic_id: Some(id), path });
                        continue;
                    }
                    let metadata = path.join(names::PARTITION_METADATA);
                    let topic_id = match partition_metadata::read(self.disk.as_ref(), &metadata) {
                        // Opening the log will say so, and others can be opened.
                        Err(StorageError::Corrupt { .. }) => None,
                        other => other?,
                    };
                    scan.partitions.push(FoundPartition { partition, topic_id, path });
                }
                FolderName::Deleted => scan.deleted.push(path),
                FolderName::Future(partition) => scan.future.push((partition, path)),
                FolderName::Stray(_) => scan.set_aside.push(path),
                FolderName::Other => scan.unknown.push(path),
            }
        }
        Ok(scan)
    }

    /// Sets a partition's folder aside under a name that is not used, and keeps its files. Returns the new path.
    pub fn set_aside(&self, partition: &TopicPartition, id: [u8; 16]) -> Result<PathBuf> {
        set_aside(&*self.disk, &self.path, partition, id)
    }

    /// Whether the node stopped cleanly, and with which broker epoch. The mark is taken away, so that it cannot be
    /// found again after a crash; this must come before any log is changed. Syncs.
    pub fn take_clean_shutdown(&self) -> Result<Option<i64>> {
        let path = self.file(CLEAN_SHUTDOWN);
        let Some(content) = checkpoint::read_small(self.disk.as_ref(), &path)? else { return Ok(None) };
        self.disk.remove_file(&path).map_err(|error| StorageError::io("remove", &path, error))?;
        self.sync()?;
        Ok(Some(parse_broker_epoch(&String::from_utf8_lossy(&content)).unwrap_or(-1)))
    }

    /// Marks a clean stop, once all logs are closed and all checkpoints written. Syncs.
    pub fn write_clean_shutdown(&self, broker_epoch: i64) -> Result<()> {
        let path = self.file(CLEAN_SHUTDOWN);
        let text = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
        let write = || {
            let file = self.disk.open(&path, OpenMode::Create)?;
            file.set_len(0)?;
            file.write_at(0, &[IoSlice::new(text.as_bytes())])?;
            file.sync_data()
        };
        write().map_err(|error| StorageError::io("write", &path, error))?;
        self.sync()
    }

    pub fn recovery_points(&self) -> Result<Checkpoint> {
        self.read_offsets(RECOVERY_POINTS)
    }

    pub fn write_recovery_points(&self, offsets: &Offsets) -> Result<()> {
        self.write_offsets(RECOVERY_POINTS, offsets)
    }

    pub fn log_starts(&self) -> Result<Checkpoint> {
        self.read_offsets(LOG_STARTS)
    }

    /// Durable when it returns, as DeleteRecords is acknowledged after it. Syncs.
    pub fn write_log_starts(&self, offsets: &Offsets) -> Result<()> {
        self.write_offsets(LOG_STARTS, offsets)?;
        self.sync()
    }

    pub fn high_watermarks(&self) -> Result<Checkpoint> {
        self.read_offsets(HIGH_WATERMARKS)
    }

    pub fn write_high_watermarks(&self, offsets: &Offsets) -> Result<()> {
        self.write_offsets(HIGH_WATERMARKS, offsets)
    }

    /// Up to where logs were compacted.
    pub fn cleaned_offsets(&self) -> Result<Checkpoint> {
        self.read_offsets(CLEANED_TO)
    }

    pub fn write_cleaned_offsets(&self, offsets: &Offsets) -> Result<()> {
        self.write_offsets(CLEANED_TO, offsets)
    }

    fn read_offsets(&self, name: &str) -> Result<Checkpoint> {
        let path = self.file(name);
        let (read, damage) = match checkpoint::read_offsets(self.disk.as_ref(), &path) {
            Err(damage @ StorageError::Corrupt { .. }) => (Vec::new(), Some(Damage::Lost(damage))),
            other => {
                let (read, mended) = other?;
                (read, mended.then_some(Damage::Mended(path)))
            }
        };
        let offsets = read.into_iter().map(|(partition, offset)| (partition, Offset(offset))).collect();
        Ok(Checkpoint { offsets, damage })
    }

    fn write_offsets(&self, name: &str, offsets: &Offsets) -> Result<()> {
        let offsets: Vec<_> =
            offsets.iter().map(|(partition, offset)| (partition.clone(), offset.0)).collect();
        checkpoint::write_offsets(self.disk.as_ref(), &self.file(name), &offsets)
    }

    fn sync(&self) -> Result<()> {
        self.disk.sync_dir(&self.path).map_err(|error| StorageError::unsynced(&self.path, error))
    }
}

fn set_aside(disk: &dyn Disk, log_dir: &Path, partition: &TopicPartition, id: [u8; 16]) -> Result<PathBuf> {
    let from = log_dir.join(partition.to_string());
    let to = log_dir.join(names::stray_folder(partition, id));
    disk.rename(&from, &to).map_err(|error| StorageError::io("rename", &from, error))?;
    disk.sync_dir(log_dir).map_err(|error| StorageError::unsynced(log_dir, error))?;
    Ok(to)
}

/// Sets a partition's folder aside if it is of an earlier topic of the same name. Returns its new path then.
pub fn set_former_aside(
    disk: &dyn Disk,
    log_dir: &Path,
    partition: &TopicPartition,
    topic_id: Uuid,
) -> Result<Option<PathBuf>> {
    let metadata = log_dir.join(partition.to_string()).join(names::PARTITION_METADATA);
    match partition_metadata::owner(disk, &metadata, topic_id)? {
        partition_metadata::Owner::Other(former) => {
            set_aside(disk, log_dir, partition, *former.as_bytes()).map(Some)
        }
        _ => Ok(None),
    }
}

/// Makes a folder and those above it that are missing, and makes their names durable.
fn make_durable(disk: &dyn Disk, path: &Path) -> Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !disk.exists(folder)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    disk.create_dir_all(path).map_err(|error| StorageError::io("make", path, error))?;
    for parent in missing.iter().filter_map(|folder| folder.parent()) {
        // A relative path ends with an empty one, which stands for the current folder.
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        disk.sync_dir(parent).map_err(|error| StorageError::unsynced(parent, error))?;
    }
    Ok(())
}

fn parse_meta(text: &str) -> std::result::Result<MetaProperties, String> {
    let value = |key: &str| {
        let values = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let mut values = values.filter_map(|line| line.split_once('='));
        values.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().replace("\\:", ":"))
    };
    let required = |key: &str| value(key).ok_or_else(|| format!("{key} is missing"));
    let number = |key: &str, text: &str| {
        text.parse::<i32>().map_err(|_| format!("{key} is {text:?}, a number is expected"))
    };
    match required("version")?.as_str() {
        "1" => {}
        "0" => {
            return Err(
                "version is 0, as where ZooKeeper kept the metadata: only what KRaft has is taken over"
                    .into(),
            );
        }
        other => return Err(format!("version is {other:?}, 1 is expected")),
    }
    let directory_id = match value("directory.id") {
        Some(id) => id.parse().map_err(|error| format!("directory.id: {error}"))?,
        None => Uuid::ZERO,
    };
    Ok(MetaProperties {
        cluster_id: required("cluster.id")?,
        node_id: number("node.id", &required("node.id")?)?,
        directory_id,
    })
}

fn parse_broker_epoch(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once("\"brokerEpoch\"")?;
    let number = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = number.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(number.len());
    number.get(..end)?.parse().ok()
}

mod rests;
#[cfg(test)]
mod tests;
