//! What is in the log directories when a node begins, and the logs of its partitions opened from that.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use kernel::{NodeId, Offset, TopicPartition, Uuid};
use metadata::{Image, LocalReplica};
use storage::{Checkpoint, Damage, FoundPartition, Offsets, OpenParams, Remembered, Rest, StorageError};
use tracing::{error, warn};

use crate::apply::Begin;
use crate::controller::METADATA_TOPIC;
use crate::dirs::{Dir, KnownOffsets};
use crate::moves::Unfinished;
use crate::node::Node;
use crate::partition::Partition;
use crate::settings::LastTopic;

/// The folder of a partition, and what its directory knows of it.
struct Stored<'a> {
    dir: &'a Dir,
    known: KnownOffsets,
    /// From the last stop, if nothing needs to be looked at.
    remembered: Option<(Uuid, Rest)>,
}

/// What the log directories have.
#[derive(Default)]
struct All<'a> {
    partitions: BTreeMap<TopicPartition, Stored<'a>>,
    /// Copies that were on their way to another directory.
    future: Vec<Unfinished>,
}

/// Opens the logs of every partition that the metadata gives to this node, those apart that were remembered at the stop.
pub(crate) fn open_partitions(node: &Arc<Node>, remembered: Vec<Vec<Remembered>>) -> Vec<Arc<Partition>> {
    let mut opened = Vec::new();
    let image = node.image();
    let All { partitions: stored, future } = look(node, &image, remembered);
    let offsets = image.topic(crate::groups::OFFSETS_TOPIC).map_or(0, |topic| topic.partitions.len());
    node.groups.set_partitions(i32::try_from(offsets).unwrap_or(i32::MAX));
    let mut settings = LastTopic::default();
    for replica in local_replicas(&image, node.id) {
        let name = TopicPartition::new(Arc::clone(&replica.topic), replica.index);
        let Some(Stored { dir, known, remembered }) = stored.get(&name) else {
            let copy = future.iter().find(|copy| copy.partition == name);
            let begin = copy.map_or(Begin::Missing, |copy| Begin::OnlyCopy(&copy.folder));
            opened.extend(node.open(&replica, &image, begin, &mut settings));
            continue;
        };
        let params = OpenParams {
            clean: dir.clean,
            recovery_point: known.recovery.unwrap_or(Offset::ZERO),
            log_start: known.start.unwrap_or(Offset::ZERO),
            ..OpenParams::default()
        };
        let begin = match remembered {
            Some((id, rest)) if *id == replica.topic_id => Begin::Rest(dir, *rest),
            // Recovered when somebody uses it, or the journal has something for it.
            None if !dir.clean => Begin::Rest(dir, known.unverified()),
            _ => Begin::Files(dir, params),
        };
        opened.extend(node.open(&replica, &image, begin, &mut settings));
        if node.hosted.is_offline(replica.topic_id, replica.index) {
            node.dirs.keep(&name, *known);
        } else if let Some(cleaned) = known.cleaned
            && let Begin::Files(..) = begin
            && let Some(partition) = node.hosted.partition(&replica.topic, replica.index)
        {
            partition.log().note_cleaned(cleaned);
        }
    }
    future.into_iter().for_each(|copy| node.moves.found(copy));
    opened
}

/// Takes the partitions out whose directory has failed since: they may lack what its journal has, so that not even readers
/// may see them. Returns the others.
pub(crate) fn without_failed(node: &Node, opened: Vec<Arc<Partition>>) -> Vec<Arc<Partition>> {
    let (online, failed): (Vec<_>, Vec<_>) =
        opened.into_iter().partition(|partition| partition.home().is_online());
    for partition in failed {
        node.hosted.remove(partition.topic_id, partition.index);
        node.hosted.add_offline(partition.topic_id, partition.index, Some(partition.home().id));
    }
    online
}

fn local_replicas(image: &Image, node: NodeId) -> Vec<LocalReplica> {
    let replicas = image.topics.replicas_of(node).map(|(topic, index, partition)| LocalReplica {
        topic: Arc::clone(&topic.name),
        topic_id: topic.id,
        index,
        partition: Arc::clone(partition),
        before: None,
    });
    replicas.collect()
}

/// Finds the folders of all partitions. A directory that cannot be read is offline from then on.
fn look<'a>(node: &'a Node, image: &Image, remembered: Vec<Vec<Remembered>>) -> All<'a> {
    let mut all = All::default();
    for (dir, remembered) in node.dirs.iter().zip(remembered) {
        if !dir.is_online() {
            continue;
        }
        let found = match look_into(node, image, dir, remembered, &mut all.future) {
            Ok(found) => found,
            Err(problem) => {
                dir.lose(&problem);
                continue;
            }
        };
        for (name, stored) in found {
            match all.partitions.entry(name) {
                Entry::Vacant(free) => drop(free.insert(stored)),
                Entry::Occupied(mut taken) => {
                    let named = image.topic(&taken.key().topic);
                    let named = named.and_then(|topic| topic.partition(taken.key().partition));
                    let wanted = named.and_then(|partition| partition.directory(node.id));
                    let unwanted = if wanted == Some(stored.dir.id) { taken.insert(stored) } else { stored };
                    spare(node, taken.key(), unwanted.dir);
                }
            }
        }
    }
    all
}

/// Sets the second folder of a partition aside, which a move between directories left that did not end.
fn spare(node: &Node, partition: &TopicPartition, dir: &Dir) {
    match dir.dir.set_aside(partition, *node.random_uuid().as_bytes()) {
        Ok(path) => warn!(%partition, path = %path.display(),
            "two log directories have this partition; the one that the metadata does not name is kept under another name"),
        Err(problem) => {
            error!(%partition, %problem, "the second folder of a partition cannot be set aside");
            dir.home.blame(&problem);
        }
    }
}

/// Removes what deleted partitions left in a directory, and sets aside folders that the metadata does not give to this
/// node: a topic of the same name could not be created as long as they are in its way. Returns the others.
fn look_into<'a>(
    node: &Node,
    image: &Image,
    dir: &'a Dir,
    remembered: Vec<Remembered>,
    future: &mut Vec<Unfinished>,
) -> Result<Vec<(TopicPartition, Stored<'a>)>, StorageError> {
    let mut known: BTreeMap<TopicPartition, KnownOffsets> = BTreeMap::new();
    for (partition, offset) in sound(dir.dir.recovery_points()?) {
        known.entry(partition).or_default().recovery = Some(offset);
    }
    for (partition, offset) in sound(dir.dir.log_starts()?) {
        known.entry(partition).or_default().start = Some(offset);
    }
    for (partition, offset) in sound(dir.dir.cleaned_offsets()?) {
        known.entry(partition).or_default().cleaned = Some(offset);
    }
    let mut remembered: BTreeMap<_, _> =
        remembered.into_iter().map(|(partition, id, rest)| (partition, (id, rest))).collect();
    let scan = dir.dir.scan_beside(|partition| {
        let stopped = remembered.get(partition).map(|(id, _)| *id);
        // After a crash each folder is looked into when its log wakes.
        stopped.or_else(|| image.topic(&partition.topic).filter(|_| !dir.clean).map(|topic| topic.id))
    })?;
    for path in scan.deleted {
        let shown = path.display().to_string();
        let done = move |result: std::io::Result<()>| {
            if let Err(error) = result {
                warn!(path = %shown, %error, "the files of a deleted partition remain");
            }
        };
        node.disk.submit(kernel::port::Submission::Remove(path), Box::new(done));
    }
    let copies = scan.future.into_iter();
    future.extend(copies.map(|(partition, folder)| Unfinished { partition, folder, to: dir.id }));
    let mut here = Vec::with_capacity(scan.partitions.len());
    for found in scan.partitions.into_iter().filter(|found| *found.partition.topic != *METADATA_TOPIC) {
        if !is_ours(node, image, &found) {
            let path = dir.dir.set_aside(&found.partition, *node.random_uuid().as_bytes())?;
            warn!(partition = %found.partition, path = %path.display(),
                "the metadata does not know these files; they are kept under another name");
            continue;
        }
        let known = known.get(&found.partition).copied().unwrap_or_default();
        // Only what still has a folder is remembered rightly.
        let remembered = remembered.remove(&found.partition);
        here.push((found.partition, Stored { dir, known, remembered }));
    }
    Ok(here)
}

/// The entries of a checkpoint. Whatever was wrong with it is told.
fn sound(checkpoint: Checkpoint) -> Offsets {
    match checkpoint.damage {
        None => {}
        Some(mended @ Damage::Mended(_)) => warn!("{mended}"),
        Some(Damage::Lost(problem)) => error!(%problem,
            "a checkpoint is damaged and counts as empty: more is verified, and records that DeleteRecords took from the \
             middle of a segment may be back"),
    }
    checkpoint.offsets
}

fn is_ours(node: &Node, image: &Image, found: &FoundPartition) -> bool {
    let topic = image.topic(&found.partition.topic);
    let known = topic.filter(|topic| found.may_be_of(topic.id));
    let assigned = known.and_then(|topic| topic.partition(found.partition.partition));
    assigned.is_some_and(|partition| partition.has_replica(node.id))
}
