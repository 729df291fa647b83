//! A run: one seed, one scenario, from the first start of its nodes to the judgement.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Once};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::fault;
use crate::history::{History, Violation, judge, report};
use crate::scenario::{Cluster, Scenario};
use crate::workload::program::Program;
use crate::workload::{admin, audit, drain};
use crate::world::World;
use crate::world::trace::Trace;

/// How long nodes have to serve, in simulated time, once nothing is wrong any more.
const START_MAX: Duration = Duration::from_secs(60);

/// How long clients have to come to their end: longer than a producer keeps a record.
const END_MAX: Duration = Duration::from_secs(60);

/// How long the last reads may take.
const DRAIN_MAX: Duration = Duration::from_secs(300);

/// What became of a run.
pub struct Outcome {
    pub seed: u64,
    pub scenario: &'static str,
    /// Of all that happened.
    pub hash: u64,
    pub acknowledged: usize,
    pub faults: BTreeMap<fault::Kind, u64>,
    pub violations: Vec<Violation>,
    pub history: History,
    /// Simulated time.
    pub time: Duration,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, hash, acknowledged, faults, violations, .. } = self;
        let (faults, violations) = (faults.values().sum::<u64>(), violations.len());
        write!(
            f,
            "seed {seed} trace {hash:016x} acked {acknowledged} faults {faults} violations {violations}"
        )
    }
}

impl Outcome {
    /// What is wrong, and what happened last, for people.
    pub fn report(&self) -> String {
        report(&self.history, &self.violations)
    }
}

/// Runs a scenario with a seed. Every line of the trace goes to `sink`.
///
/// # Errors
/// Only the runtime or the sink can fail; what is wrong with the product is a violation.
pub fn run(seed: u64, scenario: &Scenario, sink: Option<Box<dyn io::Write + Send>>) -> io::Result<Outcome> {
    note_panics();
    PANICS.take();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let mut outcome = runtime.block_on(live(seed, scenario, sink))?;
    drop(runtime);
    let panicked = |what| Violation { kind: "panic", what, proof: Vec::new() };
    outcome.violations.extend(PANICS.take().into_iter().map(panicked));
    Ok(outcome)
}

async fn live(
    seed: u64,
    scenario: &Scenario,
    sink: Option<Box<dyn io::Write + Send>>,
) -> io::Result<Outcome> {
    let begin = Instant::now();
    let world = World::new(seed, Trace::new(sink));
    let clusters = scenario.build(&world);
    clusters.iter().for_each(|cluster| cluster.node.start());
    let mut faults = BTreeMap::new();
    if ready(&world, &clusters).await && prepare(&world, &clusters).await {
        world.history.note(format_args!("clients begin"));
        clusters.iter().flat_map(|cluster| &cluster.programs).for_each(Program::start);
        faults = disturb(&world, scenario, &clusters).await;
        world.history.note(format_args!("everything is healed"));
        if ready(&world, &clusters).await {
            end(&world, &clusters).await;
            finish(&world, &clusters).await;
        }
    }
    world.trace.finish()?;
    let history = world.history.take();
    let hash = world.trace.hash();
    Ok(Outcome {
        seed,
        scenario: scenario.name,
        hash,
        acknowledged: history.acknowledged(),
        faults,
        violations: judge(&history),
        history,
        time: begin.elapsed(),
    })
}

/// Waits until all nodes serve.
async fn ready(world: &World, clusters: &[Cluster]) -> bool {
    let mut all = true;
    for Cluster { node, .. } in clusters {
        if !node.wait_serving(START_MAX).await {
            let why = node.failure().unwrap_or_else(|| "nobody knows why".to_owned());
            world.history.stuck(format_args!("{} does not serve: {why}", node.name()));
            all = false;
        }
    }
    all
}

async fn prepare(world: &World, clusters: &[Cluster]) -> bool {
    let programs = clusters.iter().map(|cluster| {
        let topics = Arc::clone(&cluster.topics);
        let name = format!("{}-prepare", cluster.node.name());
        Program::new(world, &name, &cluster.servers, move |life| admin::prepare(life, Arc::clone(&topics)))
    });
    let programs: Vec<Program> = programs.collect();
    programs.iter().for_each(Program::start);
    ended(world, &programs, START_MAX).await
}

/// Lets faults come, if the scenario has them, and heals everything. Returns how many there were of each kind.
async fn disturb(world: &World, scenario: &Scenario, clusters: &[Cluster]) -> BTreeMap<fault::Kind, u64> {
    let until = Instant::now() + scenario.time;
    if scenario.faults {
        let mut faults = fault::Faults::new(world, clusters);
        faults.run(until).await;
        faults.heal().await;
        faults.counts()
    } else {
        tokio::time::sleep_until(until).await;
        BTreeMap::new()
    }
}

/// Those who write end first, so that the others can come to the end of what there is.
async fn end(world: &World, clusters: &[Cluster]) {
    let producers: Vec<Program> = clusters.iter().flat_map(|cluster| cluster.producers.clone()).collect();
    producers.iter().for_each(Program::end);
    ended(world, &producers, END_MAX).await;
    for cluster in clusters {
        // Nobody says goodbye for it, and nothing takes its place: the others have to find out by themselves.
        if let [_, .., last] = cluster.members.as_slice() {
            last.crash();
        }
    }
    audit(world, clusters).await;
    let programs: Vec<Program> = clusters.iter().flat_map(|cluster| cluster.programs.clone()).collect();
    programs.iter().for_each(Program::end);
    ended(world, &programs, END_MAX).await;
    programs.iter().for_each(Program::crash);
}

async fn audit(world: &World, clusters: &[Cluster]) {
    let programs = clusters.iter().filter(|cluster| !cluster.members.is_empty()).map(|cluster| {
        let (topics, progress) = (Arc::clone(&cluster.topics), Arc::clone(&cluster.progress));
        let group = cluster.groups.first().cloned().unwrap_or_default();
        let name = format!("{}-audit", cluster.node.name());
        Program::new(world, &name, &cluster.servers, move |life| {
            audit::run(life, Arc::clone(&topics), Arc::clone(&group), Arc::clone(&progress))
        })
    });
    let programs: Vec<Program> = programs.collect();
    programs.iter().for_each(Program::start);
    ended(world, &programs, DRAIN_MAX).await;
}

async fn finish(world: &World, clusters: &[Cluster]) {
    let programs = clusters.iter().map(|cluster| {
        let (topics, groups) = (Arc::clone(&cluster.topics), Arc::clone(&cluster.groups));
        let name = format!("{}-drain", cluster.node.name());
        Program::new(world, &name, &cluster.servers, move |life| {
            drain::run(life, Arc::clone(&topics), Arc::clone(&groups))
        })
    });
    let programs: Vec<Program> = programs.collect();
    programs.iter().for_each(Program::start);
    ended(world, &programs, DRAIN_MAX).await;
}

/// Waits until none of the programs runs.
async fn ended(world: &World, programs: &[Program], time: Duration) -> bool {
    let all = async {
        for program in programs {
            program.wait_end().await;
        }
    };
    if timeout(time, all).await.is_ok() {
        return true;
    }
    for program in programs.iter().filter(|program| program.is_running()) {
        world.history.stuck(format_args!("{} does not come to its end", program.name()));
    }
    false
}

thread_local! {
    /// What panicked in this thread, which has one run at a time.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A task that panics only ends, and nobody may ask how. Here it counts.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
            before(info);
        }));
    });
}
