//! A disk of a few files in memory that never fails, quick enough to be made anew for every input.
//!
//! What it holds is not counted: it stands for a disk. `sim` has the disk that loses and tears what is written to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use allocation_counter::opt_out;
use kernel::port::disk::{Completion, DirEntry, OpenMode, Space, Submission};
use kernel::port::{Block, Disk, DiskFile};
use parking_lot::Mutex;

/// No file of a test is larger; a write beyond it would be a mistake of its own.
const FILE_BYTES_MAX: u64 = 64 << 20;

#[derive(Default)]
pub struct MemoryDisk(Mutex<Content>);

#[derive(Default)]
struct Content {
    files: BTreeMap<PathBuf, Arc<MemoryFile>>,
    dirs: BTreeSet<PathBuf>,
}

#[derive(Default)]
struct MemoryFile(Mutex<Vec<u8>>);

impl MemoryDisk {
    /// Makes a file with this content, and the folders above it.
    pub fn put(&self, path: &Path, content: &[u8]) {
        let mut all = self.0.lock();
        all.dirs.extend(path.ancestors().skip(1).map(Path::to_owned));
        all.files.insert(path.to_owned(), Arc::new(MemoryFile(Mutex::new(content.to_vec()))));
    }

    /// All files, by path.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.0.lock().files.iter().map(|(path, file)| (path.clone(), file.0.lock().clone())).collect()
    }
}

fn error(kind: io::ErrorKind) -> io::Error {
    kind.into()
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut all = self.0.lock();
        let file = match (all.files.get(path), mode) {
            (Some(_), OpenMode::CreateNew) => return Err(error(io::ErrorKind::AlreadyExists)),
            (Some(file), _) => Arc::clone(file),
            (None, OpenMode::Read | OpenMode::Write) => return Err(error(io::ErrorKind::NotFound)),
            (None, _) => opt_out_of(|| {
                let file = Arc::new(MemoryFile::default());
                all.files.insert(path.to_owned(), Arc::clone(&file));
                file
            }),
        };
        Ok(file)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let all = self.0.lock();
        if !all.dirs.contains(dir) {
            return Err(error(io::ErrorKind::NotFound));
        }
        let entry = |path: &Path, len: Option<u64>| {
            let name = path.file_name()?.to_str()?.to_owned();
            Some(DirEntry { name, is_dir: len.is_none(), len: len.unwrap_or(0), modified_ms: 0 })
        };
        let inside = |path: &Path| path.parent() == Some(dir);
        let dirs = all.dirs.iter().filter(|path| inside(path)).filter_map(|path| entry(path, None));
        let files = all.files.iter().filter(|(path, _)| inside(path));
        let files = files.filter_map(|(path, file)| entry(path, Some(file.0.lock().len() as u64)));
        let mut entries: Vec<_> = dirs.chain(files).collect();
        entries.sort();
        Ok(entries)
    }

    fn exists(&self, path: &Path) -> bool {
        let all = self.0.lock();
        all.dirs.contains(path) || all.files.contains_key(path)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut all = self.0.lock();
        opt_out(|| all.dirs.extend(dir.ancestors().map(Path::to_owned)));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut all = self.0.lock();
        opt_out_of(|| match all.files.remove(from) {
            Some(file) => {
                all.files.insert(to.to_owned(), file);
                Ok(())
            }
            None => Err(error(io::ErrorKind::NotFound)),
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut all = self.0.lock();
        opt_out_of(|| all.files.remove(path).map(|_| ()).ok_or_else(|| error(io::ErrorKind::NotFound)))
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut all = self.0.lock();
        opt_out(|| {
            all.files.retain(|path, _| !path.starts_with(dir));
            all.dirs.retain(|path| !path.starts_with(dir));
        });
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _: &Path) -> io::Result<Box<dyn Send + Sync>> {
        Ok(Box::new(()))
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        Ok(Space { total: FILE_BYTES_MAX, usable: FILE_BYTES_MAX })
    }

    fn submit(&self, work: Submission, done: Completion) {
        done(match work {
            Submission::Sync(_) | Submission::Warm { .. } => Ok(()),
            Submission::Remove(path) if self.0.lock().files.contains_key(&path) => self.remove_file(&path),
            Submission::Remove(path) => self.remove_dir_all(&path),
        });
    }
}

impl DiskFile for MemoryFile {
    fn write_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let mut content = self.0.lock();
        opt_out_of(|| {
            let mut at = position;
            for part in parts {
                let end = at + part.len() as u64;
                if end > FILE_BYTES_MAX {
                    return Err(error(io::ErrorKind::FileTooLarge));
                }
                if end > content.len() as u64 {
                    content.resize(end as usize, 0);
                }
                content[at as usize..end as usize].copy_from_slice(part);
                at = end;
            }
            Ok(())
        })
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        let content = self.0.lock();
        let from = usize::try_from(position).unwrap_or(usize::MAX).min(content.len());
        let count = into.len().min(content.len() - from);
        into[..count].copy_from_slice(&content[from..from + count]);
        Ok(count)
    }

    fn is_warm(&self, _: u64, _: usize) -> bool {
        true
    }

    fn warm(&self, _: u64, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn submit_write(&self, position: u64, block: Arc<Block>, done: Completion) {
        done(self.write_at(position, &[IoSlice::new(block.bytes())]));
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > FILE_BYTES_MAX {
            return Err(error(io::ErrorKind::FileTooLarge));
        }
        let mut content = self.0.lock();
        opt_out(|| content.resize(len as usize, 0));
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// [`opt_out`], with a result.
fn opt_out_of<T>(work: impl FnOnce() -> T) -> T {
    let mut result = None;
    opt_out(|| result = Some(work()));
    result.expect("the work was done")
}
