//! What a run is made of: nodes, what clients do with each, and for how long.

use std::sync::Arc;
use std::time::Duration;

use sim::Chance;

use crate::workload::audit::Progress;
use crate::workload::program::Program;
use crate::workload::{OFFSETS_PARTITIONS, Topic, admin, member, producer, reader};
use crate::world::World;
use crate::world::node::{PORT, SimNode};

/// A scenario, before a seed makes a run of it.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub name: &'static str,
    /// How long clients work, and faults come; the healing and the last reads come on top.
    pub time: Duration,
    pub faults: bool,
    /// Where nothing is said, a node has one or two.
    log_dirs: Option<&'static str>,
    nodes: Vec<(String, Vec<Role>)>,
}

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Producer,
    Reader,
    Member,
    Admin,
}

const TWO_DIRS: &str = "/data,/more";

const THREE: &[Role] = &[Role::Producer, Role::Reader, Role::Member];
const ALL: &[Role] = &[Role::Producer, Role::Producer, Role::Reader, Role::Member, Role::Member, Role::Admin];

impl Scenario {
    pub fn new(name: &'static str) -> Self {
        Self { name, time: Duration::from_secs(30), faults: true, log_dirs: None, nodes: Vec::new() }
    }

    /// Adds a node, and clients of it.
    pub fn node(mut self, name: &str, clients: &[Role]) -> Self {
        self.nodes.push((name.to_owned(), clients.to_vec()));
        self
    }

    /// Gives each node these log directories; the metadata is in `/data`.
    pub fn log_dirs(mut self, paths: &'static str) -> Self {
        self.log_dirs = Some(paths);
        self
    }

    /// Leaves the world in peace.
    pub fn quiet(mut self) -> Self {
        self.faults = false;
        self
    }

    pub fn lasting(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// The scenarios that there are.
    pub fn all() -> Vec<Self> {
        vec![
            Self::new("one-node").node("a", ALL),
            Self::new("three-clients").log_dirs("/data").node("a", THREE).quiet(),
            Self::new("two-nodes").node("a", ALL).node("b", THREE),
            Self::new("two-dirs").log_dirs(TWO_DIRS).node("a", ALL),
        ]
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|scenario| scenario.name == name)
    }
}

/// A lone node with its clients.
pub struct Cluster {
    pub node: SimNode,
    pub topics: Arc<[Topic]>,
    pub groups: Arc<[Arc<str>]>,
    pub programs: Vec<Program>,
    /// Those of the programs that write.
    pub producers: Vec<Program>,
    /// Those of them that are in the group.
    pub members: Vec<Program>,
    /// Of the group's members.
    pub progress: Arc<Progress>,
    pub servers: String,
}

impl Scenario {
    /// Puts the scenario into a world; nothing of it runs yet.
    pub fn build(&self, world: &World) -> Vec<Cluster> {
        self.nodes
            .iter()
            .enumerate()
            .map(|(index, (name, roles))| {
                let mut chance = world.chance();
                let node = SimNode::new(world, name, &settings(name, index + 1, self.log_dirs, &mut chance));
                let mut topic = |suffix, partitions| Topic {
                    name: format!("{name}-{suffix}").into(),
                    partitions,
                    configs: configs(&mut chance),
                };
                let topics: Arc<[Topic]> = Arc::new([topic("orders", 3), topic("events", 1)]);
                let groups: Arc<[Arc<str>]> = Arc::new([format!("{name}-kitchen").into()]);
                let servers = format!("{name}:{PORT}");
                let progress = Arc::<Progress>::default();
                let program = |(number, role): (usize, &Role)| {
                    let title = format!("{name}-{role:?}-{number}").to_lowercase();
                    program(world, &title, &servers, *role, &topics, &groups, &progress)
                };
                let programs: Vec<Program> = roles.iter().enumerate().map(program).collect();
                let of = |role| {
                    let of = programs.iter().zip(roles).filter(move |(_, other)| **other == role);
                    of.map(|(program, _)| program.clone()).collect()
                };
                let (producers, members) = (of(Role::Producer), of(Role::Member));
                Cluster { node, topics, groups, programs, producers, members, progress, servers }
            })
            .collect()
    }
}

fn program(
    world: &World,
    title: &str,
    servers: &str,
    role: Role,
    topics: &Arc<[Topic]>,
    groups: &Arc<[Arc<str>]>,
    progress: &Arc<Progress>,
) -> Program {
    let (topics, groups, progress) = (Arc::clone(topics), Arc::clone(groups), Arc::clone(progress));
    match role {
        Role::Producer => {
            Program::new(world, title, servers, move |life| producer::run(life, Arc::clone(&topics)))
        }
        Role::Reader => {
            Program::new(world, title, servers, move |life| reader::run(life, Arc::clone(&topics)))
        }
        Role::Member => Program::new(world, title, servers, move |life| {
            let group = groups.first().cloned().unwrap_or_default();
            member::run(life, Arc::clone(&topics), group, Arc::clone(&progress))
        }),
        Role::Admin => {
            let prefix = title.to_owned();
            Program::new(world, title, servers, move |life| {
                admin::run(life, Arc::clone(&topics), Arc::clone(&groups), prefix.clone())
            })
        }
    }
}

/// The settings of a node. What is acknowledged is synced, everywhere; and what happens seldom happens often.
fn settings(name: &str, id: usize, log_dirs: Option<&str>, chance: &mut Chance) -> Vec<String> {
    let log_dirs = log_dirs.unwrap_or(if chance.one_in(2) { TWO_DIRS } else { "/data" });
    // Some moves between log directories last for most of a run.
    let move_speed = chance.pick(&[i64::MAX, 1 << 20, 64 << 10]).copied().unwrap_or(i64::MAX);
    // Some stops sync all logs of a directory at once.
    let single_syncs = chance.pick(&[0, 3, 128]).copied().unwrap_or(128);
    vec![
        format!("node.id={id}"),
        format!("listeners=PLAINTEXT://{name}:{PORT}"),
        format!("advertised.listeners=PLAINTEXT://{name}:{PORT}"),
        format!("log.dirs={log_dirs}"),
        "metadata.log.dir=/data".to_owned(),
        // Some nodes have no use for the journal: there each topic asks for a sync of its own before the acknowledgement.
        format!("log.write.caching={}", chance.one_in(3)),
        "log.flush.interval.messages=1".to_owned(),
        // It goes round in a run.
        "log.journal.bytes=4194304".to_owned(),
        "log.segment.bytes=1048576".to_owned(),
        "log.index.interval.bytes=512".to_owned(),
        format!("log.flush.offset.checkpoint.interval.ms={}", chance.within(500..=5_000)),
        format!("log.shutdown.single.syncs.max={single_syncs}"),
        format!("replica.alter.log.dirs.io.max.bytes.per.second={move_speed}"),
        format!("offsets.topic.num.partitions={OFFSETS_PARTITIONS}"),
        // So that members come to be given up in the time that a scenario has.
        "group.min.session.timeout.ms=1000".to_owned(),
        "offsets.topic.segment.bytes=1048576".to_owned(),
        format!("group.initial.rebalance.delay.ms={}", chance.within(0..=500)),
        "file.delete.delay.ms=2000".to_owned(),
    ]
}

/// The settings of a topic: a run is short, and what happens at the borders of segments and between the entries of indexes
/// should happen in it.
fn configs(chance: &mut Chance) -> Vec<(String, String)> {
    let segment = 1_u64 << chance.within(15..=20);
    let interval = chance.pick(&[0_u64, 1, 256, 4_096]).copied().unwrap_or(4_096);
    let configs = [("internal.segment.bytes", segment), ("index.interval.bytes", interval)];
    configs.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect()
}
