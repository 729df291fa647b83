//! A disk of a few files in memory that never fails, quick enough to be made anew for every input.
//!
//! What it holds is not counted: it stands for a disk. `sim` has the disk that loses and tears what is written to it.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
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

/// Paths are compared as bytes, since everyone here writes them alike, and nearly always by a number that stands for them:
/// the engine looks at each comparison of bytes.
#[derive(Default)]
struct Content {
    files: Vec<Entry>,
    dirs: BTreeSet<OsString>,
}

struct Entry {
    number: u64,
    path: OsString,
    file: Arc<MemoryFile>,
}

fn number(path: &OsStr) -> u64 {
    let mix = |number: u64, part: &[u8]| {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        (number.rotate_left(23) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    };
    path.as_bytes().chunks(8).fold(0, mix)
}

impl Content {
    fn place(&self, path: &OsStr) -> Option<usize> {
        let number = number(path);
        self.files.iter().position(|entry| entry.number == number && entry.path == path)
    }

    /// Puts a file in the place of another one, if there is one.
    fn put(&mut self, path: OsString, file: Arc<MemoryFile>) {
        match self.place(&path) {
            Some(place) => self.files[place].file = file,
            None => self.files.push(Entry { number: number(&path), path, file }),
        }
    }

    fn take(&mut self, path: &OsStr) -> io::Result<Arc<MemoryFile>> {
        let place = self.place(path).ok_or_else(|| error(io::ErrorKind::NotFound))?;
        Ok(self.files.swap_remove(place).file)
    }

    /// Makes a folder and those above it.
    fn add_dir(&mut self, dir: &Path) {
        for dir in dir.ancestors() {
            if self.dirs.contains(dir.as_os_str()) {
                break;
            }
            self.dirs.insert(dir.into());
        }
    }
}

/// The name of what lies directly in a folder.
fn name_in<'a>(dir: &OsStr, path: &'a OsStr) -> Option<&'a str> {
    let name = path.as_bytes().strip_prefix(dir.as_bytes())?.strip_prefix(b"/")?;
    std::str::from_utf8(name).ok().filter(|name| !name.is_empty() && !name.contains('/'))
}

#[derive(Default)]
struct MemoryFile(Mutex<Vec<u8>>);

impl MemoryDisk {
    /// Makes a file with this content, and the folders above it.
    pub fn put(&self, path: &Path, content: Vec<u8>) {
        let mut all = self.0.lock();
        path.parent().into_iter().for_each(|dir| all.add_dir(dir));
        all.put(path.into(), Arc::new(MemoryFile(Mutex::new(content))));
    }

    /// All files, by path.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let all = self.0.lock();
        let mut files: Vec<(PathBuf, _)> =
            all.files.iter().map(|entry| (PathBuf::from(&entry.path), entry.file.0.lock().clone())).collect();
        files.sort();
        files
    }
}

fn error(kind: io::ErrorKind) -> io::Error {
    kind.into()
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut all = self.0.lock();
        let place = all.place(path.as_os_str());
        let file = match (place.map(|place| &all.files[place].file), mode) {
            (Some(_), OpenMode::CreateNew) => return Err(error(io::ErrorKind::AlreadyExists)),
            (Some(file), _) => Arc::clone(file),
            (None, OpenMode::Read | OpenMode::Write) => return Err(error(io::ErrorKind::NotFound)),
            (None, _) => opt_out_of(|| {
                let file = Arc::new(MemoryFile::default());
                all.put(path.into(), Arc::clone(&file));
                file
            }),
        };
        Ok(file)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let all = self.0.lock();
        let dir = dir.as_os_str();
        if !all.dirs.contains(dir) {
            return Err(error(io::ErrorKind::NotFound));
        }
        let entry = |path: &OsStr, len: Option<u64>| {
            let name = name_in(dir, path)?.to_owned();
            Some(DirEntry { name, is_dir: len.is_none(), len: len.unwrap_or(0), modified_ms: 0 })
        };
        let dirs = all.dirs.iter().filter_map(|path| entry(path, None));
        let files = all.files.iter();
        let files = files.filter_map(|one| entry(&one.path, Some(one.file.0.lock().len() as u64)));
        let mut entries: Vec<_> = dirs.chain(files).collect();
        entries.sort();
        Ok(entries)
    }

    fn exists(&self, path: &Path) -> bool {
        let all = self.0.lock();
        all.dirs.contains(path.as_os_str()) || all.place(path.as_os_str()).is_some()
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut all = self.0.lock();
        opt_out(|| all.add_dir(dir));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut all = self.0.lock();
        opt_out_of(|| {
            let file = all.take(from.as_os_str())?;
            all.put(to.into(), file);
            Ok(())
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut all = self.0.lock();
        opt_out_of(|| all.take(path.as_os_str()).map(drop))
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut all = self.0.lock();
        opt_out(|| {
            all.files.retain(|entry| !Path::new(&entry.path).starts_with(dir));
            all.dirs.retain(|path| !Path::new(path).starts_with(dir));
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
            Submission::Remove(path) if self.0.lock().place(path.as_os_str()).is_some() => {
                self.remove_file(&path)
            }
            Submission::Remove(path) => self.remove_dir_all(&path),
            Submission::Task(task) => {
                task();
                Ok(())
            }
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
