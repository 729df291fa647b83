//! Files of this machine.

mod direct;
mod file;
mod whole;
mod worker;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use kernel::port::disk::{Completion, DirEntry, OpenMode, Space, Whole};
use kernel::port::{Disk, DiskFile, Submission};
use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::io::Errno;

use file::RealFile;
use worker::Workers;

/// The file systems of this machine, with a few threads for what takes long.
#[derive(Debug)]
pub struct RealDisk {
    workers: Workers,
}

impl RealDisk {
    pub fn new() -> io::Result<Self> {
        Ok(Self { workers: Workers::start()? })
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        if mode == OpenMode::Direct {
            return Ok(Arc::new(direct::open(path)?));
        }
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => &mut options,
            OpenMode::Write => options.write(true),
            OpenMode::Create | OpenMode::Direct => options.write(true).create(true),
            OpenMode::CreateNew => options.write(true).create_new(true),
        };
        Ok(Arc::new(RealFile::new(options.open(path)?)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            // A name that is not text cannot be one of ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let modified =
                metadata.modified()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
            let is_dir = metadata.is_dir();
            entries.push(DirEntry {
                name,
                is_dir,
                len: if is_dir { 0 } else { metadata.len() },
                modified_ms: i64::try_from(modified).unwrap_or(i64::MAX),
            });
        }
        entries.sort();
        Ok(entries)
    }

    fn folders(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            // The listing says what kind an entry is; only a link has to be followed.
            let kind = entry.file_type()?;
            if kind.is_dir() || (kind.is_symlink() && entry.path().is_dir()) {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        // Linux keeps the two kinds apart, and a JVM takes the other one.
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::ACCESS | Errno::AGAIN => io::ErrorKind::WouldBlock.into(),
            error => io::Error::from(error),
        })?;
        Ok(Box::new(file))
    }

    fn whole(&self, dir: &Path) -> io::Result<Option<Box<dyn Whole>>> {
        Ok(whole::open(dir)?.map(|whole| Box::new(whole) as Box<dyn Whole>))
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(Space {
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
            usable: stat.f_bavail.saturating_mul(stat.f_frsize),
        })
    }

    fn submit(&self, work: Submission, done: Completion) {
        self.workers.submit(work, done);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_lock_keeps_out_those_who_ask_for_either_kind() {
        let dir = std::env::temp_dir().join(format!("riverrun-lock-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("it can be made");
        let disk = RealDisk::new().expect("threads can be had");
        let path = dir.join(".lock");
        let held = disk.lock(&path).expect("nobody has it");
        let inode = format!(":{} ", fs::metadata(&path).expect("it is there").ino());
        let kinds = || {
            let locks = fs::read_to_string("/proc/locks").expect("the kernel tells");
            let of_file = locks.lines().filter(|line| line.contains(&inode) && line.contains(" WRITE "));
            let mut kinds: Vec<String> =
                of_file.filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned)).collect();
            kinds.sort();
            kinds
        };
        assert_eq!(kinds(), ["FLOCK", "POSIX"]);
        let refused = disk.lock(&path).err().map(|error| error.kind());
        assert_eq!(refused, Some(io::ErrorKind::WouldBlock));
        drop(held);
        assert_eq!(kinds(), Vec::<String>::new());
        fs::remove_dir_all(&dir).expect("it is there");
    }
}
