//! The state of a disk: the tree of names, who has what open or locked, and the rules of each operation.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Component, Path};

use kernel::port::disk::{DirEntry, OpenMode, Space};

use super::PowerCut;
use super::fault::{Faults, Op, Verdict};
use super::moment::{Moment, Moments};
use super::node::{DirNode, FileNode, Node, NodeId, SECTOR};
use crate::entropy::{Generator, generator};

const ROOT: NodeId = 0;

/// What an unlimited disk says it holds.
const SPACE_UNLIMITED: u64 = 1 << 44;

#[derive(Debug)]
pub(super) struct World {
    nodes: BTreeMap<NodeId, Node>,
    next_node: NodeId,
    /// Set when a name went away, so that a sweep may find something.
    unlinked: bool,
    pub(super) locks: BTreeSet<Vec<String>>,
    pub(super) capacity: Option<u64>,
    pub(super) faults: Faults,
    pub(super) generator: Generator,
    /// Which life of the process this is; what was opened in an earlier one is void.
    pub(super) life: u64,
    /// Kept if somebody wants them.
    pub(super) moments: Option<Moments>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            nodes: BTreeMap::from([(ROOT, Node::Dir(DirNode::default()))]),
            next_node: ROOT + 1,
            unlinked: false,
            locks: BTreeSet::new(),
            capacity: None,
            faults: Faults::default(),
            generator: generator(seed),
            life: 0,
            moments: None,
        }
    }

    /// A disk that holds what is left of a moment.
    pub(super) fn holding(nodes: BTreeMap<NodeId, Node>, seed: u64) -> Self {
        let next_node = nodes.keys().next_back().map_or(ROOT, |last| *last) + 1;
        let mut world = Self { nodes, next_node, ..Self::new(seed) };
        world.untangle();
        world
    }

    /// Keeps what the disk is now, before something changes it.
    fn keep_moment(&mut self, op: Op, path: &Path) {
        if let Some(moments) = &mut self.moments
            && !self.faults.is_halted()
        {
            moments.keep(&self.nodes, op, path);
        }
    }

    /// The moment that is now.
    pub(super) fn moment(&self) -> Moment {
        let mark = self.moments.as_ref().map_or(0, |moments| moments.mark);
        Moment::new(&self.nodes, mark, "the end".to_owned())
    }

    /// A number for all that is on the disk.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut folders = vec![ROOT];
        while let Some(folder) = folders.pop() {
            let Some(Node::Dir(dir)) = self.nodes.get(&folder) else { continue };
            for (name, id) in dir.names() {
                (folder, name, id).hash(&mut hasher);
                match self.nodes.get(id) {
                    Some(Node::File(file)) => file.content().digest().hash(&mut hasher),
                    _ => folders.push(*id),
                }
            }
        }
        hasher.finish()
    }

    pub(super) fn judge(&mut self, op: Op, path: &Path, position: u64, len: u64) -> Verdict {
        if self.moments.is_some() && op.changes_the_disk() {
            self.keep_moment(op, path);
        }
        self.faults.judge(&mut self.generator, op, path, position, len)
    }

    /// Judges an operation without bytes and does it if it is to happen.
    pub(super) fn perform(
        &mut self,
        op: Op,
        path: &Path,
        act: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let verdict = self.judge(op, path, 0, 1);
        if verdict.effect > 0 {
            act(self)?;
        }
        verdict.result()
    }

    /// Ends this life of the process: all that was written stays, all that was open or locked is void.
    pub(super) fn end_life(&mut self) {
        self.life += 1;
        self.locks.clear();
        self.faults.clear();
        for node in self.nodes.values_mut() {
            if let Node::File(file) = node {
                file.handles = 0;
            }
        }
        self.unlinked = true;
        self.sweep();
    }

    pub(super) fn power_cut(&mut self, how: PowerCut) {
        let mut chance = match how {
            PowerCut::Strict => None,
            PowerCut::Chance(seed) => Some(generator(seed)),
        };
        for node in self.nodes.values_mut() {
            match node {
                Node::File(file) => file.power_cut(chance.as_mut()),
                Node::Dir(dir) => dir.power_cut(chance.as_mut()),
            }
        }
        self.untangle();
    }

    /// Leaves each node at most one name: by chance a move from one folder to another can have half happened.
    fn untangle(&mut self) {
        let mut seen = BTreeSet::from([ROOT]);
        let mut folders = vec![ROOT];
        while let Some(folder) = folders.pop() {
            let Some(Node::Dir(dir)) = self.nodes.get_mut(&folder) else { continue };
            dir.retain(|node| seen.insert(node));
            folders.extend(dir.names().values());
        }
        self.nodes.retain(|id, _| seen.contains(id));
    }

    /// Drops nodes that neither a name, nor what a power cut could bring back, nor an open file needs.
    fn sweep(&mut self) {
        if !std::mem::take(&mut self.unlinked) {
            return;
        }
        let mut seen = BTreeSet::from([ROOT]);
        let mut folders = vec![ROOT];
        while let Some(folder) = folders.pop() {
            if let Some(Node::Dir(dir)) = self.nodes.get(&folder) {
                folders.extend(dir.reachable().filter(|node| seen.insert(*node)));
            }
        }
        self.nodes
            .retain(|id, node| seen.contains(id) || matches!(node, Node::File(file) if file.handles > 0));
    }

    pub(super) fn file(&mut self, id: NodeId) -> io::Result<&mut FileNode> {
        match self.nodes.get_mut(&id) {
            Some(Node::File(file)) => Ok(file),
            _ => Err(io::Error::other("the file is gone with the process that had it open")),
        }
    }

    fn dir(&mut self, id: NodeId) -> io::Result<&mut DirNode> {
        match self.nodes.get_mut(&id) {
            Some(Node::Dir(dir)) => Ok(dir),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn add(&mut self, node: Node) -> NodeId {
        let id = self.next_node;
        self.next_node += 1;
        self.nodes.insert(id, node);
        id
    }

    fn find(&self, path: &[String]) -> io::Result<NodeId> {
        path.iter().try_fold(ROOT, |at, name| match self.nodes.get(&at) {
            Some(Node::Dir(dir)) => dir.names().get(name).copied().ok_or(io::ErrorKind::NotFound.into()),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        })
    }

    /// The folder a path is in, and its name there.
    fn place(&self, path: &Path) -> io::Result<(NodeId, String)> {
        let mut names = names_of(path);
        let name = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.find(&names)?, name))
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        self.find(&names_of(path)).is_ok()
    }

    pub(super) fn open(&mut self, path: &Path, mode: OpenMode, now_ms: i64) -> io::Result<NodeId> {
        self.judge(Op::Open, path, 0, 1).result()?;
        let (folder, name) = self.place(path)?;
        let existing = self.dir(folder)?.names().get(&name).copied();
        let id = match (existing, mode) {
            (Some(_), OpenMode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (None, OpenMode::Read | OpenMode::Write) => return Err(io::ErrorKind::NotFound.into()),
            (Some(id), _) if matches!(self.nodes.get(&id), Some(Node::Dir(_))) => {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            (Some(id), _) => id,
            (None, _) => {
                let id = self.add(Node::File(FileNode::new(now_ms)));
                self.dir(folder)?.change(vec![(name, Some(id))]);
                id
            }
        };
        let file = self.file(id)?;
        file.handles += 1;
        file.direct |= mode == OpenMode::Direct;
        Ok(id)
    }

    pub(super) fn close(&mut self, id: NodeId) {
        if let Ok(file) = self.file(id) {
            file.handles = file.handles.saturating_sub(1);
        }
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let Some(Node::Dir(dir)) = self.nodes.get(&self.find(&names_of(path))?) else {
            return Err(io::ErrorKind::NotADirectory.into());
        };
        Ok(dir.names().iter().filter_map(|(name, id)| Some((name, self.nodes.get(id)?))).map(entry).collect())
    }

    pub(super) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let mut at = ROOT;
        for name in names_of(path) {
            at = match self.dir(at)?.names().get(&name).copied() {
                Some(id) => id,
                None => {
                    let id = self.add(Node::Dir(DirNode::default()));
                    self.dir(at)?.change(vec![(name, Some(id))]);
                    id
                }
            };
        }
        self.dir(at).map(|_| ())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_folder, from_name) = self.place(from)?;
        let (to_folder, to_name) = self.place(to)?;
        let moved = *self.dir(from_folder)?.names().get(&from_name).ok_or(io::ErrorKind::NotFound)?;
        let replaced = self.dir(to_folder)?.names().get(&to_name).copied();
        if replaced == Some(moved) {
            return Ok(());
        }
        self.check_rename(moved, replaced, &names_of(from), &names_of(to))?;
        self.unlinked |= replaced.is_some();
        let (gone, come) = ((from_name, None), (to_name, Some(moved)));
        if from_folder == to_folder {
            self.dir(from_folder)?.change(vec![gone, come]);
        } else {
            self.dir(to_folder)?.change(vec![come]);
            self.dir(from_folder)?.change(vec![gone]);
        }
        Ok(())
    }

    fn check_rename(
        &self,
        moved: NodeId,
        replaced: Option<NodeId>,
        from: &[String],
        to: &[String],
    ) -> io::Result<()> {
        if to.starts_with(from) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match (self.nodes.get(&moved), replaced.and_then(|id| self.nodes.get(&id))) {
            (Some(Node::File(_)), Some(Node::Dir(_))) => Err(io::ErrorKind::IsADirectory.into()),
            (Some(Node::Dir(_)), Some(Node::File(_))) => Err(io::ErrorKind::NotADirectory.into()),
            (Some(Node::Dir(_)), Some(Node::Dir(dir))) if !dir.names().is_empty() => {
                Err(io::ErrorKind::DirectoryNotEmpty.into())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let (folder, name) = self.place(path)?;
        let id = *self.dir(folder)?.names().get(&name).ok_or(io::ErrorKind::NotFound)?;
        self.file(id).map_err(|_| io::ErrorKind::IsADirectory)?;
        self.unlink(folder, name)
    }

    pub(super) fn remove_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let (folder, name) = self.place(path)?;
        let id = *self.dir(folder)?.names().get(&name).ok_or(io::ErrorKind::NotFound)?;
        self.dir(id)?;
        self.empty(id)?;
        self.unlink(folder, name)
    }

    /// Removes a file, or a folder with all that is in it.
    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        match self.nodes.get(&self.find(&names_of(path))?) {
            Some(Node::Dir(_)) => self.remove_dir_all(path),
            _ => self.remove_file(path),
        }
    }

    /// Removes one name after the other, as the system call has to, so that a crash can come between them.
    fn empty(&mut self, folder: NodeId) -> io::Result<()> {
        let children: Vec<_> =
            self.dir(folder)?.names().iter().map(|(name, id)| (name.clone(), *id)).collect();
        for (name, id) in children {
            if self.dir(id).is_ok() {
                self.empty(id)?;
            }
            self.unlink(folder, name)?;
        }
        Ok(())
    }

    fn unlink(&mut self, folder: NodeId, name: String) -> io::Result<()> {
        self.unlinked = true;
        self.dir(folder)?.change(vec![(name, None)]);
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let id = self.find(&names_of(path))?;
        self.dir(id)?.sync();
        self.sweep();
        Ok(())
    }

    /// Writes as far as the verdict and the space left allow.
    pub(super) fn write(
        &mut self,
        id: NodeId,
        path: &Path,
        position: u64,
        bytes: &[u8],
        now_ms: i64,
    ) -> io::Result<()> {
        let mut verdict = self.judge(Op::Write, path, position, bytes.len() as u64);
        if verdict.effect < bytes.len() as u64 && self.file(id)?.direct {
            verdict.effect -= verdict.effect % SECTOR;
        }
        let spare = self.capacity.map(|capacity| capacity.saturating_sub(self.used()));
        let file = self.file(id)?;
        let fitting =
            spare.map_or(verdict.effect, |spare| file.content().fitting(position, verdict.effect, spare));
        file.write(position, bytes.get(..fitting as usize).unwrap_or(bytes));
        file.modified_ms = now_ms;
        let full = fitting < verdict.effect;
        verdict.result()?;
        if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// Makes the first `changes` changes of a file durable, or as lost as after a failed sync. A process that stops before
    /// the disk does anything leaves the changes as they were: they are the kernel's.
    pub(super) fn sync_file(&mut self, id: NodeId, path: &Path, changes: u64) -> io::Result<()> {
        let verdict = self.judge(Op::Sync, path, 0, 1);
        let halted = self.faults.is_halted();
        let file = self.file(id)?;
        if verdict.effect > 0 {
            file.sync_through(changes);
        } else if !halted {
            file.fail_sync_through(changes);
        }
        verdict.result()
    }

    pub(super) fn used(&self) -> u64 {
        self.nodes
            .values()
            .map(|node| match node {
                Node::File(file) => file.content().allocated(),
                Node::Dir(_) => 0,
            })
            .sum()
    }

    pub(super) fn space(&mut self) -> Space {
        self.sweep();
        let total = self.capacity.unwrap_or(SPACE_UNLIMITED);
        Space { total, usable: total.saturating_sub(self.used()) }
    }

    /// Whether a power cut right now would leave this path.
    pub(super) fn is_name_durable(&self, path: &Path) -> bool {
        let found = names_of(path).iter().try_fold(ROOT, |at, name| match self.nodes.get(&at) {
            Some(Node::Dir(dir)) => dir.durable_names().get(name).copied(),
            _ => None,
        });
        found.is_some()
    }
}

fn entry((name, node): (&String, &Node)) -> DirEntry {
    let (is_dir, len, modified_ms) = match node {
        Node::File(file) => (false, file.content().len(), file.modified_ms),
        Node::Dir(_) => (true, 0, 0),
    };
    DirEntry { name: name.clone(), is_dir, len, modified_ms }
}

/// A path as the names from the root down; `.` and `..` are resolved, and a relative path starts at the root.
pub(super) fn names_of(path: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_string_lossy().into_owned()),
            Component::ParentDir => {
                names.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    names
}
