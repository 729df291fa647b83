//! A disk in memory that knows the difference between written and durable.
//!
//! | what happens | what stays |
//! |---|---|
//! | [`SimDisk::crash_process`] | all that was written, all names |
//! | [`SimDisk::power_cut`] with [`PowerCut::Strict`] | what a sync covered, names whose folder was synced |
//! | the same with [`PowerCut::Chance`] | that, and by the seed any part of the rest: writes kept, dropped or torn at sectors; the first few changes of each folder |
//! | a sync that fails | what it covered is lost at the next power cut, even if a later sync succeeds (as on Linux) |
//!
//! To test recovery at every instant: [`SimDisk::halt_after`] stops the process in the middle of the n-th change, then
//! crash or cut the power, and open again.

mod fault;
mod file;
mod moment;
mod node;
mod sparse;
#[cfg(test)]
mod tests;
mod whole;
mod world;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::port::disk::{Completion, DirEntry, OpenMode, Space, Whole};
use kernel::port::{Block, Clock, Disk, DiskFile, Submission};
use parking_lot::Mutex;

pub use self::fault::{Fault, Op, Operation, Watch, When};
use self::file::SimFile;
use self::moment::Moments;
pub use self::moment::{Kept, Left, Moment, Part, Pending, choices};
use self::node::NodeId;
use self::world::{World, names_of};
use crate::SimClock;
use crate::entropy::below;

/// How much of what was not synced a power cut spares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerCut {
    /// Nothing.
    Strict,
    /// Whatever this seed says.
    Chance(u64),
}

/// When submitted work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completions {
    /// At once, within [`Disk::submit`]. The caller must not hold a lock that its completion takes.
    Immediate,
    /// When the test calls [`SimDisk::complete_next`], [`SimDisk::complete_any`] or [`SimDisk::run_completions`].
    Queued,
}

/// A simulated disk; clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    shared: Arc<Shared>,
}

struct Shared {
    world: Mutex<World>,
    submitted: Mutex<Submitted>,
    clock: Arc<dyn Clock>,
}

struct Submitted {
    mode: Completions,
    queue: VecDeque<Queued>,
    /// Open files by the address of what the caller holds, which is all that a [`Submission::Sync`] shows of them.
    files: BTreeMap<usize, OpenFile>,
}

#[derive(Clone)]
struct OpenFile {
    node: NodeId,
    life: u64,
    path: PathBuf,
}

struct Queued {
    work: Work,
    done: Completion,
}

enum Work {
    /// The first so many changes of a file. The handle keeps the file open until then.
    Sync {
        file: OpenFile,
        changes: u64,
        _handle: Arc<dyn DiskFile>,
    },
    /// A sync of a file that is not of this disk, but wraps one.
    SyncOther(Arc<dyn DiskFile>),
    Remove(PathBuf),
    Warm {
        file: Arc<dyn DiskFile>,
        position: u64,
        len: usize,
    },
    Task(Box<dyn FnOnce() + Send>),
    /// A block that is durable once it is written.
    Write {
        file: OpenFile,
        position: u64,
        block: Arc<Block>,
    },
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDisk").finish_non_exhaustive()
    }
}

impl SimDisk {
    /// An empty disk with a clock of its own, whose submitted work is done at once.
    pub fn new(seed: u64) -> Self {
        Self::with_clock(seed, Arc::new(SimClock::new()))
    }

    /// A disk whose files are dated by `clock`.
    pub fn with_clock(seed: u64, clock: Arc<dyn Clock>) -> Self {
        Self::of(World::new(seed), clock)
    }

    fn of(world: World, clock: Arc<dyn Clock>) -> Self {
        let submitted =
            Submitted { mode: Completions::Immediate, queue: VecDeque::new(), files: BTreeMap::new() };
        let (world, submitted) = (Mutex::new(world), Mutex::new(submitted));
        Self { shared: Arc::new(Shared { world, submitted, clock }) }
    }

    /// A disk of its own that holds what a crash at `moment` has left.
    pub fn after(moment: &Moment, left: &Left, seed: u64, clock: Arc<dyn Clock>) -> Self {
        Self::of(World::holding(moment.nodes_left(left), seed), clock)
    }

    /// This disk as the port that a node takes.
    pub fn port(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// Ends the process as `kill -9` does: all that was written stays. Open files and locks become void, submitted
    /// work is forgotten, faults and a halt are over.
    pub fn crash_process(&self) {
        self.forget_submitted();
        self.shared.world.lock().end_life();
    }

    /// Ends the process and the machine's power with it.
    pub fn power_cut(&self, how: PowerCut) {
        self.forget_submitted();
        let mut world = self.shared.world.lock();
        world.end_life();
        world.power_cut(how);
    }

    /// Dropped outside the locks, because what the completions own may be files of this disk.
    fn forget_submitted(&self) {
        let forgotten = std::mem::take(&mut self.shared.submitted.lock().queue);
        drop(forgotten);
    }

    /// Orders a failure.
    pub fn fail(&self, fault: Fault) {
        self.shared.world.lock().faults.add(fault);
    }

    /// Takes back all orders to fail, and a halt.
    pub fn clear_faults(&self) {
        self.shared.world.lock().faults.clear();
    }

    /// Lets `changes` more changing operations pass and stops in the middle of the one after: by the disk's seed it
    /// has no, all or part of its effect, and fails. All that follows fails until a crash or power cut.
    pub fn halt_after(&self, changes: u64) {
        self.shared.world.lock().faults.halt_in(changes);
    }

    pub fn is_halted(&self) -> bool {
        self.shared.world.lock().faults.is_halted()
    }

    /// How many changing operations there have been: the bound for a loop over [`SimDisk::halt_after`].
    pub fn change_count(&self) -> u64 {
        self.shared.world.lock().faults.changes
    }

    /// Limits the disk to so many bytes in all. A write that does not fit writes what fits and fails.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.shared.world.lock().capacity = bytes;
    }

    /// Tells `watch` of every operation from now on.
    pub fn watch(&self, watch: Arc<dyn Watch>) {
        self.shared.world.lock().faults.watch = Some(watch);
    }

    /// Limits the disk to what it holds now and so many bytes more.
    pub fn fill_up_after(&self, bytes: u64) {
        let mut world = self.shared.world.lock();
        world.capacity = Some(world.used().saturating_add(bytes));
    }

    /// Begins to record operations, from none.
    pub fn start_recording(&self) {
        self.shared.world.lock().faults.record = Some(Vec::new());
    }

    /// Operations since the recording began or was last taken.
    pub fn take_recording(&self) -> Vec<Operation> {
        self.shared.world.lock().faults.record.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Keeps from now on what the disk was before each change: the prefixes of its history.
    pub fn keep_moments(&self) {
        self.shared.world.lock().moments = Some(Moments::default());
    }

    /// Sets the number that moments from now on have: how much of what matters was known by then.
    pub fn set_mark(&self, mark: u64) {
        if let Some(moments) = &mut self.shared.world.lock().moments {
            moments.mark = mark;
        }
    }

    /// The moments that were kept, and the one that is now. No more are kept.
    pub fn take_moments(&self) -> Vec<Moment> {
        let mut world = self.shared.world.lock();
        let last = world.moment();
        let mut kept = world.moments.take().unwrap_or_default().kept;
        kept.push(last);
        kept
    }

    /// Gives back the memory of all that the disk holds, for somebody who has finished with it.
    pub fn wipe(&self) {
        *self.shared.world.lock() = World::new(0);
    }

    /// Whether a strict power cut now would leave this name.
    pub fn is_name_durable(&self, path: &Path) -> bool {
        self.shared.world.lock().is_name_durable(path)
    }

    pub fn set_completions(&self, mode: Completions) {
        self.shared.submitted.lock().mode = mode;
    }

    pub fn pending_completions(&self) -> usize {
        self.shared.submitted.lock().queue.len()
    }

    /// Does the oldest submitted work; false if there is none.
    pub fn complete_next(&self) -> bool {
        self.complete(0)
    }

    /// Does any one of the submitted works, chosen by the disk's seed; false if there is none.
    pub fn complete_any(&self) -> bool {
        let pending = self.pending_completions() as u64;
        let chosen = below(&mut self.shared.world.lock().generator, pending);
        self.complete(chosen as usize)
    }

    /// Does submitted work, and what its completions submit, until none is left. Returns how much that was.
    pub fn run_completions(&self) -> usize {
        let mut count = 0;
        while self.complete_next() {
            count += 1;
        }
        count
    }

    fn complete(&self, index: usize) -> bool {
        let Some(queued) = self.shared.submitted.lock().queue.remove(index) else {
            return false;
        };
        let Queued { work, done } = queued;
        done(self.carry_out(work));
        true
    }

    fn carry_out(&self, work: Work) -> io::Result<()> {
        let mut world = self.shared.world.lock();
        match work {
            Work::Task(task) => {
                drop(world);
                task();
                Ok(())
            }
            Work::Sync { file, .. } if file.life != world.life => Err(of_an_earlier_life()),
            Work::Sync { file, changes, .. } => world.sync_file(file.node, &file.path, changes),
            Work::Write { file, .. } if file.life != world.life => Err(of_an_earlier_life()),
            Work::Write { file, position, block } => {
                let now_ms = self.now_ms();
                world.write(file.node, &file.path, position, block.bytes(), now_ms)?;
                world.sync_file(file.node, &file.path, u64::MAX)
            }
            Work::Remove(path) => world.perform(Op::Remove, &path, |world| world.remove(&path)),
            Work::SyncOther(file) => {
                drop(world);
                file.sync_data()
            }
            Work::Warm { file, position, len } => {
                drop(world);
                file.warm(position, len)
            }
        }
    }

    /// Notes what a submission covers, so that writes after it are not taken for durable.
    fn prepare(&self, work: Submission) -> Work {
        let handle = match work {
            Submission::Remove(path) => return Work::Remove(path),
            Submission::Warm { file, position, len } => return Work::Warm { file, position, len },
            Submission::Task(task) => return Work::Task(task),
            Submission::Sync(handle) => handle,
        };
        let known = self.shared.submitted.lock().files.get(&address(&*handle)).cloned();
        let Some(file) = known else {
            return Work::SyncOther(handle);
        };
        let changes = self.shared.world.lock().file(file.node).map_or(0, |file| file.changes());
        Work::Sync { file, changes, _handle: handle }
    }

    fn now_ms(&self) -> i64 {
        self.shared.clock.now().wall.millis()
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let (node, life) = {
            let mut world = self.shared.world.lock();
            (world.open(path, mode, self.now_ms())?, world.life)
        };
        let open = OpenFile { node, life, path: path.to_owned() };
        let writable = mode != OpenMode::Read;
        let file = Arc::new(SimFile::new(self.clone(), open.clone(), writable));
        self.shared.submitted.lock().files.insert(address(&*file), open);
        Ok(file)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.shared.world.lock().list(dir)
    }

    fn exists(&self, path: &Path) -> bool {
        self.shared.world.lock().exists(path)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.shared.world.lock().perform(Op::CreateDir, dir, |world| world.create_dir_all(dir))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.world.lock().perform(Op::Rename, from, |world| world.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.shared.world.lock().perform(Op::Remove, path, |world| world.remove_file(path))
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.shared.world.lock().perform(Op::Remove, dir, |world| world.remove_dir_all(dir))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.shared.world.lock().perform(Op::SyncDir, dir, |world| world.sync_dir(dir))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let file = self.open(path, OpenMode::Create)?;
        let mut world = self.shared.world.lock();
        let names = names_of(path);
        if !world.locks.insert(names.clone()) {
            drop(world);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(LockGuard { disk: self.clone(), life: world.life, names, _file: file }))
    }

    fn whole(&self, dir: &Path) -> io::Result<Option<Box<dyn Whole>>> {
        Ok(Some(Box::new(whole::Folder { disk: self.clone(), path: dir.to_owned() })))
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        Ok(self.shared.world.lock().space())
    }

    fn submit(&self, work: Submission, done: Completion) {
        self.enqueue(self.prepare(work), done);
    }
}

impl SimDisk {
    fn enqueue(&self, work: Work, done: Completion) {
        let mut submitted = self.shared.submitted.lock();
        match submitted.mode {
            Completions::Queued => {
                submitted.queue.push_back(Queued { work, done });
                drop(submitted);
                let watch = self.shared.world.lock().faults.watch.clone();
                if let Some(watch) = watch {
                    watch.submitted();
                }
            }
            Completions::Immediate => {
                drop(submitted);
                done(self.carry_out(work));
            }
        }
    }
}

/// Where a file lies in memory, which tells open files apart while they are open.
fn address(file: &(impl DiskFile + ?Sized)) -> usize {
    std::ptr::from_ref(file).cast::<()>() as usize
}

fn of_an_earlier_life() -> io::Error {
    io::Error::other("the file was opened by a process that has crashed since")
}

struct LockGuard {
    disk: SimDisk,
    life: u64,
    names: Vec<String>,
    _file: Arc<dyn DiskFile>,
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        let mut world = self.disk.shared.world.lock();
        if world.life == self.life {
            world.locks.remove(&self.names);
        }
    }
}
