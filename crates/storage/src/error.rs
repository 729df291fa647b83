//! What can go wrong with a log, told apart by what the caller does about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::{ErrorCode, Offset};

/// The disk failed, or what it holds makes no sense.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// The file system is full; what was begun has been undone and the log goes on once there is room.
    #[error("no space left to {what} {path}: free space or raise the limit of the file system, then retry")]
    Full { what: &'static str, path: PathBuf },
    /// The journal takes its room beforehand, and there is not so much.
    #[error("{path} takes {needed} bytes (log.journal.bytes), and {} there", told(*.usable))]
    JournalTooLarge { path: PathBuf, needed: u64, usable: Option<u64> },
    #[error("cannot {what} {path}: {source}: {}", helps(.source))]
    Io { what: &'static str, path: PathBuf, source: Arc<io::Error> },
    #[error("{path} is damaged at byte {position}: {what}")]
    Corrupt { path: PathBuf, position: u64, what: String },
    /// An earlier failure makes the state of the log unsure; it must be opened again.
    #[error("the log {dir} is offline since: {why}")]
    Offline { dir: PathBuf, why: Arc<str> },
    /// The caller asked for something that cannot be.
    #[error("{what} ({path})")]
    Refused { what: String, path: PathBuf },
}

fn told(usable: Option<u64>) -> String {
    usable.map_or_else(|| "no more is free".to_owned(), |usable| format!("{usable} are free"))
}

/// What may help where the operating system refuses something.
fn helps(source: &io::Error) -> &'static str {
    match source.kind() {
        _ if has_no_file_left(source) => {
            "this process may open no more files: raise the limit (ulimit -n), or set max.connections to less"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free space, then restart the node",
        io::ErrorKind::NotADirectory => "a directory is needed there",
        io::ErrorKind::NotFound => "look whether the disk is mounted there",
        _ => "check the disk and the rights on the log directory",
    }
}

/// EMFILE and ENFILE: neither the process nor the system may open one more.
fn has_no_file_left(source: &io::Error) -> bool {
    matches!(source.raw_os_error(), Some(23 | 24))
}

impl StorageError {
    /// Whether it may be gone in a moment, and has left nothing unsure: room on a disk, or files that may be opened.
    pub fn passes(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Io { source, .. } => has_no_file_left(source),
            _ => false,
        }
    }

    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { what, path },
            _ => Self::Io { what, path, source: Arc::new(source) },
        }
    }

    /// A sync failed. Also where there is no room: the kernel forgets what it could not write, and a later sync that succeeds
    /// does not cover it.
    pub(crate) fn unsynced(path: &Path, source: io::Error) -> Self {
        Self::Io { what: "sync", path: path.to_owned(), source: Arc::new(source) }
    }

    /// What is in a file, or in some file of a directory, cannot be had.
    pub fn unreadable(path: &Path, source: io::Error) -> Self {
        Self::io("read", path, source)
    }

    pub(crate) fn corrupt(path: &Path, position: u64, what: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), position, what: what.into() }
    }

    /// A log directory can take no more records.
    pub fn offline(dir: &Path, why: &str) -> Self {
        Self::Offline { dir: dir.to_owned(), why: Arc::from(why) }
    }

    pub(crate) fn refused(path: &Path, what: impl Into<String>) -> Self {
        Self::Refused { path: path.to_owned(), what: what.into() }
    }

    /// Whether it is the disk that fails, and not one file or this process: nothing else on it can be relied on either.
    pub fn blames_the_disk(&self) -> bool {
        let Self::Io { source, .. } = self else { return false };
        let spares_others = matches!(
            source.kind(),
            io::ErrorKind::NotFound
                | io::ErrorKind::OutOfMemory
                | io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
        );
        !has_no_file_left(source) && !spares_others
    }

    /// What a client is told.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Refused { .. } => ErrorCode::InvalidRequest,
            Self::Corrupt { .. } => ErrorCode::CorruptMessage,
            Self::Full { .. } | Self::JournalTooLarge { .. } | Self::Io { .. } | Self::Offline { .. } => {
                ErrorCode::KafkaStorageError
            }
        }
    }
}

/// Why records were not appended. The log is as it was before.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The batches break a rule of the log: the sender's fault.
    #[error("{message}")]
    Rejected { code: ErrorCode, message: String },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl AppendError {
    pub(crate) fn rejected(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Rejected { code, message: message.into() }
    }

    /// What a client is told.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Rejected { code, .. } => *code,
            Self::Storage(error) => error.code(),
        }
    }
}

/// Why a read or a raise of the log start found nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    #[error("offset {offset} is not within the log, which has {start} to {end}")]
    OutOfRange { offset: Offset, start: Offset, end: Offset },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ReadError {
    /// What a client is told.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::Storage(error) => error.code(),
        }
    }
}

pub(crate) type Result<T, E = StorageError> = std::result::Result<T, E>;
