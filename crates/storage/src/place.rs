//! Where a log's files are: the disk and the folder, and the ways to open what is in it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::port::disk::OpenMode;
use kernel::port::{Disk, DiskFile};

use crate::error::{Result, StorageError};
use crate::names;

/// The folder of one log.
#[derive(Clone)]
pub(crate) struct Place {
    pub disk: Arc<dyn Disk>,
    pub dir: PathBuf,
    /// What the names of segment files end with: nothing, unless they are being cleaned.
    pub ending: &'static str,
}

impl Place {
    /// The same folder, for segment files whose names end so.
    pub fn ending_with(&self, ending: &'static str) -> Self {
        Self { disk: Arc::clone(&self.disk), dir: self.dir.clone(), ending }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub fn segment_path(&self, base: i64, suffix: &str) -> PathBuf {
        let mut name = names::segment_file(base, suffix);
        name.push_str(self.ending);
        self.dir.join(name)
    }

    pub fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>> {
        self.disk.open(path, mode).map_err(|error| StorageError::io("open", path, error))
    }

    /// Removes a file; that there is none is fine.
    pub fn remove_if_there(&self, path: &Path) -> Result<()> {
        match self.disk.remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StorageError::io("remove", path, error))
            }
            _ => Ok(()),
        }
    }

    /// Moves a file out of use, to be removed later. Returns its new path, or nothing if there was no such file.
    pub fn mark_deleted(&self, path: &Path) -> Result<Option<PathBuf>> {
        let mut name = path.as_os_str().to_owned();
        name.push(names::DELETED);
        let marked = PathBuf::from(name);
        match self.disk.rename(path, &marked) {
            Ok(()) => Ok(Some(marked)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::io("rename", path, error)),
        }
    }

    pub fn sync_dir(&self) -> Result<()> {
        self.disk.sync_dir(&self.dir).map_err(|error| StorageError::unsynced(&self.dir, error))
    }
}
