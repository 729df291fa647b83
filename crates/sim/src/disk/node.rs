//! Files and folders, each as it looks now and as a power cut would leave it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::moment::Part;
use super::sparse::Sparse;
use crate::entropy::{Generator, below, one_in};

/// What a drive writes whole or not at all.
pub(super) const SECTOR: u64 = 512;

pub(super) type NodeId = u64;

#[derive(Debug, Clone)]
pub(super) enum Node {
    File(FileNode),
    Dir(DirNode),
}

/// A change of a file that no sync has covered.
#[derive(Debug, Clone)]
enum Change {
    Write { position: u64, bytes: Arc<[u8]> },
    SetLen(u64),
}

#[derive(Debug, Default, Clone)]
pub(super) struct FileNode {
    now: Sparse,
    durable: Sparse,
    unsynced: Vec<Change>,
    /// Number of the first change in `unsynced`, counted from the file's making.
    first_unsynced: u64,
    /// How many open files point here; content of a file without a name lives as long.
    pub(super) handles: usize,
    /// Written past the page cache: even a process that ends in the middle of a write leaves whole sectors.
    pub(super) direct: bool,
    pub(super) modified_ms: i64,
}

impl FileNode {
    pub(super) fn new(modified_ms: i64) -> Self {
        Self { modified_ms, ..Self::default() }
    }

    pub(super) fn content(&self) -> &Sparse {
        &self.now
    }

    pub(super) fn write(&mut self, position: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.now.write(position, bytes);
        self.unsynced.push(Change::Write { position, bytes: bytes.into() });
    }

    pub(super) fn set_len(&mut self, len: u64) {
        self.now.set_len(len);
        self.unsynced.push(Change::SetLen(len));
    }

    /// How many changes there have been: a sync that begins now covers these and no later ones.
    pub(super) fn changes(&self) -> u64 {
        self.first_unsynced + self.unsynced.len() as u64
    }

    /// Makes the first `changes` changes durable.
    pub(super) fn sync_through(&mut self, changes: u64) {
        for change in self.take_through(changes) {
            change.apply(&mut self.durable);
        }
    }

    /// A failed sync: as on Linux, the pages count as clean afterwards, so no later sync writes them either.
    pub(super) fn fail_sync_through(&mut self, changes: u64) {
        self.take_through(changes);
    }

    fn take_through(&mut self, changes: u64) -> Vec<Change> {
        let count = (changes.saturating_sub(self.first_unsynced) as usize).min(self.unsynced.len());
        self.first_unsynced += count as u64;
        self.unsynced.drain(..count).collect()
    }

    /// What is left after a power cut. With a generator, each unsynced change may have reached the disk, wholly or in
    /// part; without one, none has.
    pub(super) fn power_cut(&mut self, mut chance: Option<&mut Generator>) {
        let unsynced = self.take_through(u64::MAX);
        if let Some(generator) = chance.as_mut() {
            for change in &unsynced {
                change.apply_by_chance(&mut self.durable, generator);
            }
        }
        self.now = self.durable.clone();
    }

    /// The unsynced changes: where each write begins and how long it is, or nothing for a change of the length.
    pub(super) fn pending(&self) -> impl Iterator<Item = Option<(u64, u64)>> {
        self.unsynced.iter().map(|change| match change {
            Change::Write { position, bytes } => Some((*position, bytes.len() as u64)),
            Change::SetLen(_) => None,
        })
    }

    /// What is left if so much of each unsynced change has reached the disk.
    pub(super) fn leave(&mut self, parts: impl Iterator<Item = Part>) {
        for (change, part) in self.take_through(u64::MAX).into_iter().zip(parts) {
            match (&change, part) {
                (_, Part::None) => {}
                (Change::Write { position, bytes }, Part::Units { unit, kept }) => {
                    for (index, (at, piece)) in units(*position, bytes, unit).enumerate() {
                        if kept.has(index as u64) {
                            self.durable.write(at, piece);
                        }
                    }
                }
                (_, Part::All | Part::Units { .. }) => change.apply(&mut self.durable),
            }
        }
        self.now = self.durable.clone();
    }
}

impl Change {
    fn apply(&self, content: &mut Sparse) {
        match self {
            Change::Write { position, bytes } => content.write(*position, bytes),
            Change::SetLen(len) => content.set_len(*len),
        }
    }

    /// A third of the changes is dropped, a third kept, and of a write of several sectors a third is torn.
    fn apply_by_chance(&self, content: &mut Sparse, generator: &mut Generator) {
        match (below(generator, 3), self) {
            (0, _) => {}
            (1, Change::Write { position, bytes }) => {
                for (at, sector) in units(*position, bytes, SECTOR) {
                    if one_in(generator, 2) {
                        content.write(at, sector);
                    }
                }
            }
            _ => self.apply(content),
        }
    }
}

/// Cuts a write where the drive's sectors, or other units, meet.
fn units(position: u64, bytes: &[u8], unit: u64) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = bytes;
    let mut at = position;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let take = rest.len().min((unit - at % unit) as usize);
        let (head, tail) = rest.split_at(take);
        let start = at;
        rest = tail;
        at += take as u64;
        Some((start, head))
    })
}

/// Names that appear (`Some`) and disappear (`None`) together.
type Renaming = Vec<(String, Option<NodeId>)>;

#[derive(Debug, Default, Clone)]
pub(super) struct DirNode {
    names: BTreeMap<String, NodeId>,
    durable: BTreeMap<String, NodeId>,
    unsynced: Vec<Renaming>,
}

impl DirNode {
    pub(super) fn names(&self) -> &BTreeMap<String, NodeId> {
        &self.names
    }

    pub(super) fn durable_names(&self) -> &BTreeMap<String, NodeId> {
        &self.durable
    }

    /// Nodes that a name stands for, now or in what an unsynced state could become.
    pub(super) fn reachable(&self) -> impl Iterator<Item = NodeId> {
        let pending = self.unsynced.iter().flatten().filter_map(|(_, node)| *node);
        self.names.values().chain(self.durable.values()).copied().chain(pending)
    }

    /// Changes some names in one step.
    pub(super) fn change(&mut self, step: Renaming) {
        apply_names(&mut self.names, &step);
        self.unsynced.push(step);
    }

    pub(super) fn sync(&mut self) {
        self.durable.clone_from(&self.names);
        self.unsynced.clear();
    }

    /// What is left after a power cut. File systems order changes of names, so by chance the first few have happened.
    pub(super) fn power_cut(&mut self, chance: Option<&mut Generator>) {
        let kept = chance.map_or(0, |generator| below(generator, self.unsynced.len() as u64 + 1) as usize);
        self.leave(kept);
    }

    /// How many changes no sync has covered.
    pub(super) fn pending(&self) -> usize {
        self.unsynced.len()
    }

    /// What is left if the first `kept` of the unsynced changes have happened.
    pub(super) fn leave(&mut self, kept: usize) {
        for step in std::mem::take(&mut self.unsynced).iter().take(kept) {
            apply_names(&mut self.durable, step);
        }
        self.names.clone_from(&self.durable);
    }

    /// Forgets names whose node is gone or already stands under another folder.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(NodeId) -> bool) {
        self.durable.retain(|_, node| keep(*node));
        self.names.clone_from(&self.durable);
    }
}

fn apply_names(names: &mut BTreeMap<String, NodeId>, step: &Renaming) {
    for (name, node) in step {
        match node {
            Some(node) => names.insert(name.clone(), *node),
            None => names.remove(name),
        };
    }
}
