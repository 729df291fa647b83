//! An open file of the simulated disk.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kernel::port::disk::Completion;
use kernel::port::{Block, DiskFile};

use super::world::World;
use super::{Op, OpenFile, SimDisk, Work, address, of_an_earlier_life};

pub(super) struct SimFile {
    disk: SimDisk,
    open: OpenFile,
    writable: bool,
    /// Nothing of a file is in memory until somebody has asked for some of it.
    warm: AtomicBool,
}

impl SimFile {
    pub(super) fn new(disk: SimDisk, open: OpenFile, writable: bool) -> Self {
        Self { disk, open, writable, warm: AtomicBool::new(false) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut World) -> io::Result<T>) -> io::Result<T> {
        let mut world = self.disk.shared.world.lock();
        if world.life != self.open.life {
            return Err(of_an_earlier_life());
        }
        act(&mut world)
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl DiskFile for SimFile {
    fn write_at(&self, position: u64, parts: &[io::IoSlice<'_>]) -> io::Result<()> {
        self.check_writable()?;
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        let now_ms = self.disk.now_ms();
        self.with(|world| world.write(self.open.node, &self.open.path, position, &bytes, now_ms))
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        self.with(|world| {
            world.judge(Op::Read, &self.open.path, position, into.len() as u64).result()?;
            Ok(world.file(self.open.node)?.content().read(position, into))
        })
    }

    fn is_warm(&self, _: u64, _: usize) -> bool {
        self.warm.load(Ordering::Relaxed)
    }

    fn warm(&self, position: u64, len: usize) -> io::Result<()> {
        self.with(|world| world.judge(Op::Read, &self.open.path, position, len as u64).result())?;
        self.warm.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn submit_write(&self, position: u64, block: Arc<Block>, done: Completion) {
        self.disk.enqueue(Work::Write { file: self.open.clone(), position, block }, done);
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|world| Ok(world.file(self.open.node)?.content().len()))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let now_ms = self.disk.now_ms();
        self.with(|world| {
            world.perform(Op::SetLen, &self.open.path, |world| {
                let file = world.file(self.open.node)?;
                file.set_len(len);
                file.modified_ms = now_ms;
                Ok(())
            })
        })
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|world| world.sync_file(self.open.node, &self.open.path, u64::MAX))
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.disk.shared.submitted.lock().files.remove(&address(self));
        let mut world = self.disk.shared.world.lock();
        if world.life == self.open.life {
            world.close(self.open.node);
        }
    }
}
