//! Looks at what a node holds.

use std::collections::BTreeMap;

use kernel::Uuid;
use kernel::metric as m;

use super::Samples;
use crate::cleaner::CleanerStatus;
use crate::dirs::{Dir, whole};
use crate::node::Node;

/// How many partitions are looked at before requests get their turn.
const TURN: usize = 64;

/// The values of all metrics now.
pub async fn collect(node: &Node) -> Samples {
    let mut samples = Samples::default();
    info(node, &mut samples);
    memory(node, &mut samples);
    clients(node, &mut samples);
    groups(node, &mut samples);
    cluster(node, &mut samples).await;
    let logs = logs(node).await;
    let cordoned = node.cordoned_directories(&node.image());
    let cleaner = node.cleaner.status();
    for dir in node.dirs.iter() {
        let here = logs.get(&dir.id).copied().unwrap_or_default();
        directory(node, dir, here, cordoned.contains(&dir.id), &mut samples);
        journal(dir, &mut samples);
        compaction(node, dir, &cleaner, &mut samples);
    }
    for lost in node.dirs.lost() {
        samples.set(&m::DIR_ONLINE, [&whole(&lost.path)], false);
    }
    compaction_of_all(node, &cleaner, &mut samples);
    samples
}

fn info(node: &Node, samples: &mut Samples) {
    let id = node.id.0.to_string();
    samples.set(&m::NODE_INFO, [env!("CARGO_PKG_VERSION"), &node.cluster_id, &id], true);
    samples.set(&m::PARTITIONS, [], node.hosted.count());
    samples.set(&m::OPEN_LOGS, [], node.awake.open());
    samples.set(&m::OPEN_LOGS_BOUND, [], node.awake.open_max());
}

fn memory(node: &Node, samples: &mut Samples) {
    for part in node.memory_parts().0 {
        samples.set(&m::MEMORY_BOUND, [part.name], part.bound);
        samples.set(&m::MEMORY_HELD, [part.name], part.used);
    }
}

fn clients(node: &Node, samples: &mut Samples) {
    let connections = node.connections.counts();
    samples.set(&m::CONNECTIONS, [], connections.open);
    samples.set(&m::CONNECTIONS_ACCEPTED, [], connections.accepted);
    samples.set(&m::CONNECTIONS_REFUSED, [], connections.refused);
    let traffic = node.traffic.counts();
    samples.set(&m::RECEIVED, [], traffic.received);
    samples.set(&m::SENT, [], traffic.sent);
    for (key, count) in traffic.begun {
        samples.set(&m::REQUESTS, [key.api().name], count);
    }
    samples.set(&m::REQUESTS_REFUSED, [], traffic.refused);
    samples.set(&m::FETCH_SESSIONS, [], node.fetch_sessions.len());
    samples.set(&m::FETCH_SESSIONS_BOUND, [], node.fetch_sessions.slots());
}

fn groups(node: &Node, samples: &mut Samples) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for coordinator in node.groups.all() {
        coordinator.look(|shard, _| shard.states().for_each(|state| *counts.entry(state).or_default() += 1));
    }
    for (state, count) in counts {
        samples.set(&m::GROUPS, [state], count);
    }
}

/// What the metadata says of partitions.
async fn cluster(node: &Node, samples: &mut Samples) {
    let image = node.image();
    let (mut led, mut under_replicated, mut offline) = (0_usize, 0_usize, 0_usize);
    let partitions = image.topics.iter().flat_map(|topic| topic.partitions.values());
    for (number, partition) in partitions.enumerate() {
        offline += usize::from(partition.leader.is_none());
        if partition.leader == Some(node.id) {
            led += 1;
            under_replicated += usize::from(partition.isr.len() < partition.replicas.len());
        }
        give_way(number).await;
    }
    samples.set(&m::PARTITIONS_LED, [], led);
    samples.set(&m::PARTITIONS_UNDER_REPLICATED, [], under_replicated);
    samples.set(&m::PARTITIONS_OFFLINE, [], offline);
}

/// How many logs a directory has, their bytes, and how many are on their way to it.
#[derive(Debug, Default, Clone, Copy)]
struct Logs {
    count: usize,
    bytes: u64,
    arriving: usize,
}

async fn logs(node: &Node) -> BTreeMap<Uuid, Logs> {
    let mut logs: BTreeMap<Uuid, Logs> = BTreeMap::new();
    for (number, partition) in node.hosted.partitions().iter().enumerate() {
        let here = logs.entry(partition.home().id).or_default();
        here.count += 1;
        here.bytes = here.bytes.saturating_add(partition.glance().size);
        give_way(number).await;
    }
    for one in node.moves.all() {
        // It may have arrived a moment ago.
        if one.partition.home().id != one.to {
            logs.entry(one.to).or_default().arriving += 1;
        }
    }
    logs
}

async fn give_way(number: usize) {
    if number % TURN == TURN - 1 {
        tokio::task::yield_now().await;
    }
}

fn directory(node: &Node, dir: &Dir, logs: Logs, cordoned: bool, samples: &mut Samples) {
    let shown = dir.shown();
    let labels = [shown.as_str()];
    samples.set(&m::DIR_ONLINE, labels, dir.is_online());
    samples.set(&m::DIR_CORDONED, labels, cordoned);
    samples.set(&m::DIR_PARTITIONS, labels, logs.count);
    samples.set(&m::DIR_ARRIVING, labels, logs.arriving);
    samples.set(&m::DIR_LOGS, labels, logs.bytes);
    if !dir.is_online() {
        return;
    }
    // A file system may take its time.
    if let Ok(space) = host::task::long(|| node.disk.space(dir.path())) {
        samples.set(&m::DIR_CAPACITY, labels, space.total);
        samples.set(&m::DIR_FREE, labels, space.usable);
    }
}

fn journal(dir: &Dir, samples: &mut Samples) {
    let shown = dir.shown();
    let labels = [shown.as_str()];
    let figures = dir.journal().figures();
    samples.set(&m::JOURNAL_BLOCKS, labels, figures.blocks);
    samples.set(&m::JOURNAL_WRITTEN, labels, figures.written);
    samples.set(&m::JOURNAL_USED, labels, figures.used);
    samples.set(&m::JOURNAL_BOUND, labels, figures.bound);
    samples.set(&m::SEGMENT_SYNCS, labels, figures.syncs);
}

fn compaction(node: &Node, dir: &Dir, status: &CleanerStatus, samples: &mut Samples) {
    let shown = dir.shown();
    let labels = [shown.as_str()];
    let of_dir = status.dirs.get(&dir.id).cloned().unwrap_or_default();
    let home = |(topic, index): &(Uuid, i32)| {
        let partition = node.hosted.by_id(*topic).and_then(|topic| topic.partition(*index));
        partition.is_some_and(|partition| partition.home().id == dir.id)
    };
    samples.set(&m::CLEANER_UNCLEANABLE, labels, status.uncleanable.keys().filter(|key| home(key)).count());
    samples.set(&m::CLEANER_DUE, labels, of_dir.cleanable);
    samples.set(&m::CLEANER_MAX_DIRTY, labels, of_dir.max_dirty_ratio);
    samples.set(&m::CLEANER_CLEANINGS, labels, of_dir.cleanings);
    samples.set(&m::CLEANER_READ, labels, of_dir.bytes_read);
    samples.set(&m::CLEANER_WRITTEN, labels, of_dir.bytes_written);
    if let Some(at) = of_dir.last_end {
        samples.set(&m::CLEANER_LAST_END, labels, at.0 as f64 / 1000.0);
    }
    let running = status.running.values().filter(|one| one.dir == dir.id);
    samples.set(&m::CLEANER_RUNNING, labels, running.clone().count());
    for one in running {
        let labels = [shown.as_str(), &one.topic, &one.index.to_string()];
        samples.set(&m::CLEANER_RUN_DONE, labels, one.progress.done);
        samples.set(&m::CLEANER_RUN_PLANNED, labels, one.progress.planned);
    }
}

fn compaction_of_all(node: &Node, status: &CleanerStatus, samples: &mut Samples) {
    if let Some(looked) = status.last_run {
        samples.set(&m::CLEANER_LOOK_AGE, [], node.now().mono.since(looked).as_secs_f64());
    }
    samples.set(&m::CLEANER_MAX_DELAY, [], status.max_delay.as_secs_f64());
}
