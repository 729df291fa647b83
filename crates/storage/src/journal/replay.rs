//! What an earlier life of the node left in its journal.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::port::disk::OpenMode;
use kernel::port::{Disk, DiskFile};

use super::block::{self, BLOCK_HEADER, BlockHeader, Entry, FileHeader};
use super::ring::ZONES;
use super::{BLOCK_MAX, BYTES_MIN, FILE, PAGE};
use crate::error::{Result, StorageError};

/// How much of the file is looked at in one read.
const LOOK: usize = 1 << 20;

/// The blocks that may have records that no segment has.
pub struct Found {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    /// By position in the stream.
    blocks: Vec<BlockHeader>,
    capacity: u64,
}

/// What a replay went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    pub blocks: u64,
    pub entries: u64,
    /// Blocks that were there and cannot be read: records that were acknowledged may be missing.
    pub damaged: u64,
}

impl Found {
    /// The journals of a log directory, oldest first: those that were kept for partitions that could not be opened, then the
    /// one in use.
    pub fn files(disk: &dyn Disk, dir: &Path) -> Result<Vec<PathBuf>> {
        let entries = disk.list(dir).map_err(|error| StorageError::io("list", dir, error))?;
        let names = entries.into_iter().filter(|entry| !entry.is_dir).map(|entry| entry.name);
        let mut names: Vec<String> = names.filter(|name| name.starts_with(FILE)).collect();
        // The one in use has the shortest name.
        names.sort_by_key(|name| (name.len() == FILE.len(), name.clone()));
        Ok(names.into_iter().map(|name| dir.join(name)).collect())
    }

    /// Looks through a journal; nothing if there is none, or none that was ever used.
    pub fn look(disk: &dyn Disk, path: &Path) -> Result<Option<Self>> {
        let path = path.to_owned();
        let failed = |error| StorageError::io("read", &path, error);
        let file = match disk.open(&path, OpenMode::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StorageError::io("open", &path, error)),
        };
        let mut page = vec![0; 64];
        file.read_at(0, &mut page).map_err(failed)?;
        let Some(header) = FileHeader::decode(&page) else {
            // Cut off while it was made: nothing was acknowledged for what is in it.
            return match page.iter().all(|byte| *byte == 0) {
                true => Ok(None),
                false => Err(StorageError::corrupt(&path, 0, "the header of the journal makes no sense")),
            };
        };
        let sound = header.capacity >= BYTES_MIN && header.capacity.is_multiple_of(ZONES * PAGE);
        if !sound || file.len().map_err(failed)? < PAGE + header.capacity {
            return Err(StorageError::corrupt(&path, 0, "the journal is shorter than its header says"));
        }
        let mut found = Self { file, path, blocks: Vec::new(), capacity: header.capacity };
        found.find_blocks(header.life)?;
        Ok((!found.blocks.is_empty()).then_some(found))
    }

    /// Collects the headers of this life, by looking at each page: a block that was cut off hides none after it.
    fn find_blocks(&mut self, life: u64) -> Result<()> {
        let mut buffer = vec![0; LOOK];
        let mut position = 0;
        while position < self.capacity {
            let read = self.read(position, &mut buffer)?;
            for (page, bytes) in buffer.get(..read).unwrap_or_default().chunks(PAGE as usize).enumerate() {
                let here = position + page as u64 * PAGE;
                let header = BlockHeader::decode(bytes).filter(|header| {
                    header.life == life
                        && header.at % self.capacity == here
                        && header.len as usize <= BLOCK_MAX
                        && header.tail <= header.at
                });
                self.blocks.extend(header);
            }
            position += LOOK as u64;
        }
        self.blocks.sort_by_key(|header| header.at);
        Ok(())
    }

    fn read(&self, position: u64, into: &mut [u8]) -> Result<usize> {
        let failed = |error| StorageError::io("read", &self.path, error);
        self.file.read_at(PAGE + position, into).map_err(failed)
    }

    /// Goes through the entries that are needed, in the order they were written.
    ///
    /// Blocks were written one after the other, so that only the last can be cut off; it was not acknowledged. Damage
    /// before it is counted, and what comes after it still told.
    pub fn replay(&self, mut each: impl FnMut(Entry<'_>) -> Result<()>) -> Result<Replayed> {
        let mut replayed = Replayed::default();
        let mut buffer = vec![0; BLOCK_MAX];
        // The last whole block knows best what is needed.
        let mut last = self.blocks.len();
        let tail = loop {
            let Some(header) = last.checked_sub(1).and_then(|index| self.blocks.get(index)) else {
                return Ok(replayed);
            };
            if self.read_block(header, &mut buffer)?.is_some() {
                break header.tail;
            }
            last -= 1;
        };
        let needed = self.blocks.iter().take(last).skip_while(|header| header.at < tail);
        let mut expected = tail;
        for header in needed {
            replayed.damaged += u64::from(header.at != expected && !self.begins_zone(header.at));
            expected = header.at + u64::from(header.len).next_multiple_of(PAGE);
            let Some(block) = self.read_block(header, &mut buffer)? else {
                replayed.damaged += 1;
                continue;
            };
            replayed.blocks += 1;
            for entry in block::entries(block).take(header.entries as usize) {
                replayed.entries += 1;
                each(entry)?;
            }
        }
        Ok(replayed)
    }

    fn begins_zone(&self, at: u64) -> bool {
        at.is_multiple_of(self.capacity / ZONES)
    }

    /// The bytes of a block; nothing if they are not what was written.
    fn read_block<'a>(&self, header: &BlockHeader, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>> {
        let len = (header.len as usize).clamp(BLOCK_HEADER, buffer.len());
        let (bytes, _) = buffer.split_at_mut(len);
        let read = self.read(header.at % self.capacity, bytes)?;
        Ok((read == len && block::whole(bytes)).then_some(&*bytes))
    }
}
