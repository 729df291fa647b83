//! A sync of all that is in a folder: one change of the disk after the other, so that a halt can come between any two.

use std::io;
use std::path::{Path, PathBuf};

use kernel::port::Disk;
use kernel::port::disk::{OpenMode, Whole};

use super::SimDisk;

pub(super) struct Folder {
    pub disk: SimDisk,
    pub path: PathBuf,
}

impl Folder {
    fn sync_below(&self, dir: &Path) -> io::Result<()> {
        for entry in self.disk.list(dir)? {
            let path = dir.join(&entry.name);
            if entry.is_dir {
                self.sync_below(&path)?;
            } else {
                self.disk.open(&path, OpenMode::Write)?.sync_data()?;
            }
        }
        self.disk.sync_dir(dir)
    }
}

impl Whole for Folder {
    fn covers(&self, dir: &Path) -> bool {
        dir.starts_with(&self.path)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_below(&self.path)
    }
}
