//! What a disk was asked to do wrong, and the record of what it did.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::entropy::{Generator, below, one_in};

/// `EIO`, by its number, because the standard library has no kind for it.
const EIO: i32 = 5;

/// Kinds of operation on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    Open,
    Read,
    Write,
    SetLen,
    /// A sync of a file, waited for or submitted.
    Sync,
    SyncDir,
    CreateDir,
    Rename,
    /// A removal of a file or folder, waited for or submitted.
    Remove,
}

impl Op {
    /// Whether a crash before, in or after it can leave something different.
    pub(super) fn changes_the_disk(self) -> bool {
        !matches!(self, Op::Open | Op::Read)
    }
}

/// One operation, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub op: Op,
    /// The path the file was opened under, or the first path given.
    pub path: PathBuf,
    pub position: u64,
    pub len: u64,
    pub failed: bool,
}

/// Somebody who wants to know what happens on a disk, as it happens.
pub trait Watch: Send + Sync {
    /// An operation was decided about. It must not touch the disk.
    fn operation(&self, operation: &Operation);

    /// Work was put into the queue of submitted work.
    fn submitted(&self);
}

/// Which of the operations that match a [`Fault`] fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Only the next one.
    Next,
    /// Only the n-th one from now; 1 is the next.
    Nth(u64),
    /// The n-th, the 2n-th and so on.
    Every(u64),
}

/// An order to fail.
#[derive(Debug, Clone)]
pub struct Fault {
    op: Op,
    when: When,
    path_part: Option<String>,
    error: Option<io::ErrorKind>,
    errno: Option<i32>,
    seen: u64,
}

impl Fault {
    /// Lets operations of this kind fail with `EIO`, and without any effect.
    pub fn new(op: Op, when: When) -> Self {
        Self { op, when, path_part: None, error: None, errno: None, seen: 0 }
    }

    /// Only for paths that contain `part`.
    pub fn on(mut self, part: &str) -> Self {
        self.path_part = Some(part.to_owned());
        self
    }

    /// Fails with this kind of error instead of `EIO`.
    pub fn with(mut self, error: io::ErrorKind) -> Self {
        self.error = Some(error);
        self
    }

    /// Fails with this error of the operating system instead of `EIO`.
    pub fn with_errno(mut self, errno: i32) -> Self {
        self.errno = Some(errno);
        self
    }

    fn strikes(&mut self, op: Op, path: &Path) -> bool {
        let matches = self.op == op
            && self.path_part.as_ref().is_none_or(|part| path.to_string_lossy().contains(part.as_str()));
        if !matches {
            return false;
        }
        self.seen += 1;
        match self.when {
            When::Next => self.seen == 1,
            When::Nth(n) => self.seen == n,
            When::Every(n) => self.seen.is_multiple_of(n.max(1)),
        }
    }

    fn is_spent(&self) -> bool {
        match self.when {
            When::Next => self.seen >= 1,
            When::Nth(n) => self.seen >= n,
            When::Every(_) => false,
        }
    }

    fn error(&self) -> io::Error {
        self.error.map_or_else(|| io::Error::from_raw_os_error(self.errno.unwrap_or(EIO)), io::Error::from)
    }
}

/// What becomes of one operation.
#[derive(Debug)]
pub(super) struct Verdict {
    /// What the caller is told.
    pub(super) error: Option<io::Error>,
    /// How many of its bytes take effect; for an operation without bytes, 0 for none and 1 for done.
    pub(super) effect: u64,
}

impl Verdict {
    pub(super) fn result(self) -> io::Result<()> {
        self.error.map_or(Ok(()), Err)
    }
}

/// All orders to fail, and the record.
#[derive(Default)]
pub(super) struct Faults {
    orders: Vec<Fault>,
    /// Changing operations left until the world stops in the middle of one.
    until_halt: Option<u64>,
    halted: bool,
    /// Changing operations so far.
    pub(super) changes: u64,
    pub(super) record: Option<Vec<Operation>>,
    pub(super) watch: Option<Arc<dyn Watch>>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { orders, until_halt, halted, .. } = self;
        f.debug_struct("Faults")
            .field("orders", orders)
            .field("until_halt", until_halt)
            .field("halted", halted)
            .finish_non_exhaustive()
    }
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.orders.push(fault);
    }

    pub(super) fn halt_in(&mut self, changes: u64) {
        self.until_halt = Some(changes);
    }

    pub(super) fn is_halted(&self) -> bool {
        self.halted
    }

    /// Forgets all orders, and goes on after a halt.
    pub(super) fn clear(&mut self) {
        self.orders.clear();
        self.until_halt = None;
        self.halted = false;
    }

    /// Decides about an operation and records it. `len` is the number of bytes, or 1 for an operation without any.
    pub(super) fn judge(
        &mut self,
        generator: &mut Generator,
        op: Op,
        path: &Path,
        position: u64,
        len: u64,
    ) -> Verdict {
        let verdict = self.decide(generator, op, path, len);
        if self.record.is_some() || self.watch.is_some() {
            let failed = verdict.error.is_some();
            let operation = Operation { op, path: path.to_owned(), position, len, failed };
            if let Some(watch) = &self.watch {
                watch.operation(&operation);
            }
            if let Some(record) = self.record.as_mut() {
                record.push(operation);
            }
        }
        verdict
    }

    fn decide(&mut self, generator: &mut Generator, op: Op, path: &Path, len: u64) -> Verdict {
        if self.halted {
            return Verdict { error: Some(halted()), effect: 0 };
        }
        if op.changes_the_disk() {
            self.changes += 1;
            if let Some(left) = self.until_halt.as_mut() {
                if *left == 0 {
                    self.halted = true;
                    return Verdict { error: Some(halted()), effect: part_of(generator, len) };
                }
                *left -= 1;
            }
        }
        let mut error = None;
        for order in &mut self.orders {
            if order.strikes(op, path) && error.is_none() {
                error = Some(order.error());
            }
        }
        self.orders.retain(|order| !order.is_spent());
        let effect = if error.is_some() { 0 } else { len };
        Verdict { error, effect }
    }
}

/// How far an operation got when the process died in the middle of it.
fn part_of(generator: &mut Generator, len: u64) -> u64 {
    match below(generator, 3) {
        0 => 0,
        1 => len,
        _ if one_in(generator, 2) => below(generator, len + 1),
        // The header of a batch or record is where a torn write is most telling.
        _ => below(generator, len.min(64) + 1),
    }
}

fn halted() -> io::Error {
    io::Error::other("the simulated process has stopped; nothing reaches the disk until it is started again")
}
