//! The states that a crash could leave: each moment of a disk's life, and any part of what was not synced by then.
//!
//! A [`Moment`] is a prefix of the changes. [`Left`] says what of its unsynced changes has reached the disk: of each
//! write all, nothing, or some of its units, for a drive may tear it; of the names in each folder the first few changes, as
//! file systems keep those in order. [`choices`] lists those worth trying.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::fault::Op;
use super::node::{Node, NodeId};
use super::world::World;
use crate::entropy::Chance;

/// What drives write whole, and what file systems do.
const UNITS: [u64; 2] = [512, 4096];

/// Up to so many unsynced changes, every subset of them is listed.
const ALL_SUBSETS_MAX: usize = 4;

/// How many subsets are drawn where there are too many for all.
const DRAWN: usize = 8;

/// A disk just before one of its changes.
#[derive(Clone)]
pub struct Moment {
    nodes: BTreeMap<NodeId, Node>,
    /// The number that [`SimDisk::set_mark`](super::SimDisk::set_mark) had set.
    pub mark: u64,
    /// What was about to be done.
    pub before: String,
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "before {} (mark {})", self.before, self.mark)
    }
}

/// What no sync had covered at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// Changes of files, file by file: where a write begins and its length, or nothing for a change of the file's length.
    pub changes: Vec<Option<(u64, u64)>>,
    /// How many changes of names each folder has that has any.
    pub names: Vec<usize>,
}

/// What has reached the disk of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    None,
    All,
    /// Some units of a write. A change of the length has none, and happens.
    Units {
        unit: u64,
        kept: Kept,
    },
}

/// Which units of a torn write have reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Those before this number.
    Before(u64),
    /// This one and those after it.
    From(u64),
    /// Those whose bit is set; the pattern repeats.
    Mask(u64),
}

impl Kept {
    pub(super) fn has(self, index: u64) -> bool {
        match self {
            Self::Before(end) => index < end,
            Self::From(start) => index >= start,
            Self::Mask(mask) => mask >> (index % 64) & 1 == 1,
        }
    }
}

/// What has reached the disk of all that was pending, in the order of [`Pending`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    pub changes: Vec<Part>,
    pub names: Vec<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Moments {
    pub(super) kept: Vec<Moment>,
    pub(super) mark: u64,
}

impl Moments {
    pub(super) fn keep(&mut self, nodes: &BTreeMap<NodeId, Node>, op: Op, path: &Path) {
        self.kept.push(Moment::new(nodes, self.mark, format!("{op:?} {}", path.display())));
    }
}

impl Moment {
    pub(super) fn new(nodes: &BTreeMap<NodeId, Node>, mark: u64, before: String) -> Self {
        Self { nodes: nodes.clone(), mark, before }
    }

    pub fn pending(&self) -> Pending {
        let mut pending = Pending::default();
        for node in self.nodes.values() {
            match node {
                Node::File(file) => pending.changes.extend(file.pending()),
                Node::Dir(dir) => pending.names.extend(Some(dir.pending()).filter(|count| *count > 0)),
            }
        }
        pending
    }

    /// A number for all names and bytes that are left.
    pub fn digest(&self, left: &Left) -> u64 {
        World::holding(self.nodes_left(left), 0).digest()
    }

    pub(super) fn nodes_left(&self, left: &Left) -> BTreeMap<NodeId, Node> {
        let mut nodes = self.nodes.clone();
        let mut changes = left.changes.iter().copied();
        let mut names = left.names.iter().copied();
        for node in nodes.values_mut() {
            match node {
                Node::File(file) => {
                    let count = file.pending().count();
                    file.leave(changes.by_ref().take(count));
                    file.handles = 0;
                }
                Node::Dir(dir) if dir.pending() > 0 => dir.leave(names.next().unwrap_or(0)),
                Node::Dir(_) => {}
            }
        }
        nodes
    }
}

impl Pending {
    /// Everything has reached the disk: also what `kill -9` leaves.
    pub fn everything(&self) -> Left {
        Left { changes: vec![Part::All; self.changes.len()], names: self.names.clone() }
    }

    /// Nothing has.
    pub fn nothing(&self) -> Left {
        Left { changes: vec![Part::None; self.changes.len()], names: vec![0; self.names.len()] }
    }
}

/// What may be left of what is pending: all subsets if they are few; else all, nothing, each alone, all but each, and some that
/// are drawn. And writes torn at each unit, alone and with all others there.
pub fn choices(pending: &Pending, chance: &mut Chance) -> Vec<Left> {
    let count = pending.changes.len();
    let mut all = vec![pending.everything(), pending.nothing()];
    let subset = |kept: &dyn Fn(usize) -> bool, names: Vec<usize>| Left {
        changes: (0..count).map(|index| if kept(index) { Part::All } else { Part::None }).collect(),
        names,
    };
    // Names are durable without content, content without names, and everything between.
    all.push(subset(&|_| false, pending.names.clone()));
    all.push(subset(&|_| true, vec![0; pending.names.len()]));
    if count <= ALL_SUBSETS_MAX {
        for bits in 0..1_u32 << count {
            all.push(subset(&|index| bits >> index & 1 == 1, pending.names.clone()));
            all.push(subset(&|index| bits >> index & 1 == 1, some_names(pending, chance)));
        }
    } else {
        for one in 0..count {
            all.push(subset(&|index| index == one, pending.names.clone()));
            all.push(subset(&|index| index != one, pending.names.clone()));
        }
        for _ in 0..DRAWN {
            let bits: Vec<bool> = (0..count).map(|_| chance.one_in(2)).collect();
            let kept = |index: usize| bits.get(index).copied().unwrap_or(false);
            all.push(subset(&kept, some_names(pending, chance)));
        }
    }
    for (folder, steps) in pending.names.iter().enumerate() {
        for kept in 0..*steps {
            let mut left = pending.everything();
            left.names.iter_mut().skip(folder).take(1).for_each(|one| *one = kept);
            all.push(left);
        }
    }
    for (index, change) in pending.changes.iter().enumerate() {
        let Some((position, len)) = *change else { continue };
        for torn in torn(position, len, chance) {
            for mut left in [pending.everything(), subset(&|_| false, pending.names.clone())] {
                left.changes.iter_mut().skip(index).take(1).for_each(|part| *part = torn);
                all.push(left);
            }
        }
    }
    all
}

fn some_names(pending: &Pending, chance: &mut Chance) -> Vec<usize> {
    pending.names.iter().map(|steps| chance.below(*steps as u64 + 1) as usize).collect()
}

/// Ways in which a write can be torn.
fn torn(position: u64, len: u64, chance: &mut Chance) -> Vec<Part> {
    let mut ways = Vec::new();
    for unit in UNITS {
        let count = (position + len).div_ceil(unit) - position / unit;
        if count < 2 {
            continue;
        }
        let cut = 1 + chance.below(count - 1);
        let kept = [
            Kept::Before(1),
            Kept::Before(count - 1),
            Kept::Before(cut),
            Kept::From(1),
            Kept::From(cut),
            Kept::Mask(chance.number()),
        ];
        ways.extend(kept.map(|kept| Part::Units { unit, kept }));
    }
    ways
}
