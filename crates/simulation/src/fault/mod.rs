//! What goes wrong, and when: a random subset of faults every few simulated seconds, with quiet periods in between.

mod kind;

use std::collections::BTreeMap;
use std::time::Duration;

use sim::{Chance, Fault as DiskFault, Op, PowerCut, When};
use tokio::time::{Instant, sleep, sleep_until};

pub use kind::Kind;

use crate::scenario::Cluster;
use crate::world::World;
use crate::world::net::Weather;
use crate::world::node::Standing;

/// How long a set of faults lasts.
const PERIOD: std::ops::RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(5);

/// One period in so many has no faults, so that recovery is exercised as well.
const QUIET_ONE_IN: u64 = 4;

/// How many kinds of fault a period has at most.
const KINDS_MAX: u64 = 3;

/// How long a host is down.
const DOWN: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3);

/// How long a disk that dies takes for a write or sync.
const DYING: std::ops::RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(2);

/// What the path of a journal has, and no other.
const JOURNAL: &str = "riverrun.journal";

/// How long a client stands still; the sessions of members last for two seconds.
const STILL: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(15);

/// How far a clock is set wrong: less than what anything is kept for.
const WALL_OFF_MS: u64 = 2 * 3_600 * 1_000;

/// The faults of a run.
pub struct Faults<'a> {
    world: &'a World,
    clusters: &'a [Cluster],
    chance: Chance,
    counts: BTreeMap<Kind, u64>,
}

impl<'a> Faults<'a> {
    pub fn new(world: &'a World, clusters: &'a [Cluster]) -> Self {
        Self { world, clusters, chance: world.chance(), counts: BTreeMap::new() }
    }

    /// How many there were of each kind.
    pub fn counts(self) -> BTreeMap<Kind, u64> {
        self.counts
    }

    /// Lets periods follow each other until then.
    pub async fn run(&mut self, until: Instant) {
        while Instant::now() < until {
            let end = (Instant::now() + self.chance.time(PERIOD)).min(until);
            if !self.chance.one_in(QUIET_ONE_IN) {
                self.period(end).await;
            }
            sleep_until(end).await;
            self.ease();
        }
    }

    /// Some kinds of fault, each at some time before the end.
    async fn period(&mut self, end: Instant) {
        let kinds = self.chance.within(1..=KINDS_MAX);
        let length = end.saturating_duration_since(Instant::now());
        let mut due: Vec<(Duration, Kind)> = Vec::new();
        for _ in 0..kinds {
            let kind = self.chance.pick(Kind::ALL).copied();
            due.extend(kind.map(|kind| (self.chance.time(Duration::ZERO..=length), kind)));
        }
        due.sort();
        let begin = Instant::now();
        for (after, kind) in due {
            sleep_until(begin + after).await;
            self.strike(kind);
        }
    }

    fn strike(&mut self, kind: Kind) {
        let index = self.chance.below(self.clusters.len() as u64) as usize;
        let Some(cluster) = self.clusters.get(index) else { return };
        *self.counts.entry(kind).or_default() += 1;
        self.world.history.note(format_args!("fault: {kind:?} at {}", cluster.node.name()));
        match kind {
            Kind::Crash | Kind::PowerCut | Kind::HaltedWrite | Kind::Stop | Kind::Pause => {
                self.end_node(kind, cluster);
            }
            Kind::FailedSync | Kind::FailedWrite | Kind::FullDisk | Kind::SlowDisk => {
                self.trouble_disk(kind, cluster);
            }
            Kind::DyingDisk => self.let_disk_die(cluster),
            Kind::Delay | Kind::Loss | Kind::Reset | Kind::Partition | Kind::OneWay => {
                self.trouble_network(kind, cluster);
            }
            Kind::ClockJump => {
                let off = self.chance.within(0..=2 * WALL_OFF_MS) as i64 - WALL_OFF_MS as i64;
                cluster.node.clock().set_wall_off(off);
            }
            Kind::ClientPause => {
                if let Some(program) = self.chance.pick(&cluster.programs) {
                    program.pause(self.chance.time(STILL));
                }
            }
            Kind::ClientCrash => {
                if let Some(program) = self.chance.pick(&cluster.programs) {
                    program.crash();
                    program.start_after(self.chance.time(DOWN));
                }
            }
        }
    }

    fn end_node(&mut self, kind: Kind, cluster: &Cluster) {
        let node = &cluster.node;
        match kind {
            Kind::Crash => node.crash(),
            Kind::PowerCut => node.power_cut(power_cut(&mut self.chance)),
            Kind::HaltedWrite => {
                let how = self.chance.one_in(2).then(|| power_cut(&mut self.chance));
                let down = self.chance.time(DOWN);
                return node.halt_after(self.chance.below(100), how, down);
            }
            Kind::Stop => node.stop(),
            _ => return node.pause(),
        }
        node.start_after(self.chance.time(DOWN));
    }

    fn trouble_disk(&mut self, kind: Kind, cluster: &Cluster) {
        let disk = cluster.node.disk();
        let nth = When::Nth(self.chance.within(1..=20));
        match kind {
            Kind::FailedSync => disk.fail(self.aimed(DiskFault::new(Op::Sync, nth))),
            Kind::FailedWrite => disk.fail(self.aimed(DiskFault::new(Op::Write, nth))),
            Kind::FullDisk => disk.fill_up_after(self.chance.below(64 << 10)),
            _ => {
                let most = self.chance.time(Duration::from_millis(5)..=Duration::from_millis(500));
                return cluster.node.set_disk_time(Some(Duration::from_micros(50)..=most));
            }
        }
        cluster.node.mark_troubled();
    }

    /// Half of the failures are for the journal, of which there is one file among many.
    fn aimed(&mut self, fault: DiskFault) -> DiskFault {
        if self.chance.one_in(2) { fault.on(JOURNAL) } else { fault }
    }

    fn let_disk_die(&mut self, cluster: &Cluster) {
        let (node, host) = (&cluster.node, cluster.node.host());
        let slow = self.chance.time(DYING);
        node.set_disk_time(Some(slow / 2..=slow));
        let timeline = &self.world.timeline;
        for _ in 0..self.chance.within(1..=3) {
            let network = self.world.network.clone();
            timeline.after(self.chance.time(Duration::ZERO..=slow), move || network.reset_all_at(host));
        }
        if self.chance.one_in(2) {
            let (node, how) = (node.clone(), power_cut(&mut self.chance));
            let (after, down) = (self.chance.time(slow / 4..=2 * slow), self.chance.time(DOWN));
            timeline.after(after, move || {
                node.power_cut(how);
                node.start_after(down);
            });
        }
    }

    fn trouble_network(&mut self, kind: Kind, cluster: &Cluster) {
        let network = &self.world.network;
        let node = cluster.node.host();
        match kind {
            Kind::Delay => {
                let delay_max = self.chance.time(Duration::from_millis(5)..=Duration::from_millis(400));
                network.set_weather(Weather { delay_max, ..Weather::FAIR });
            }
            Kind::Loss => {
                network.set_weather(Weather { lost_one_in: self.chance.within(3..=50), ..Weather::FAIR });
            }
            Kind::Reset => {
                for _ in 0..self.chance.within(1..=5) {
                    network.reset_any();
                }
            }
            _ => {
                for program in &cluster.programs {
                    if self.chance.one_in(2) {
                        continue;
                    }
                    let both = kind == Kind::Partition;
                    let away = both || self.chance.one_in(2);
                    if away {
                        network.cut(program.host(), node);
                    }
                    if both || !away {
                        network.cut(node, program.host());
                    }
                }
            }
        }
    }

    /// The end of a period: what lasts is over.
    fn ease(&mut self) {
        self.world.network.set_weather(Weather::FAIR);
        self.world.network.heal();
        for Cluster { node, .. } in self.clusters {
            node.resume();
            node.set_disk_time(None);
            node.disk().set_capacity(None);
            if node.take_troubled() {
                // Whoever has lost writes to a failed sync must not trust what the kernel still shows of them: the host
                // goes down with its process, as it would have to in life.
                node.power_cut(power_cut(&mut self.chance));
                node.start_after(self.chance.time(DOWN));
            }
        }
    }

    /// The end of all faults: everything works, and everything that should run does.
    pub async fn heal(&mut self) {
        self.ease();
        for Cluster { node, programs, .. } in self.clusters {
            node.clock().set_wall_off(0);
            for program in programs {
                program.start_after(Duration::ZERO);
            }
        }
        // What was ordered before, a start or a stop, has happened by then.
        sleep(*DOWN.end()).await;
        for Cluster { node, .. } in self.clusters {
            node.disk().clear_faults();
            match self.chance.below(4) {
                _ if node.standing() == Standing::Down => {}
                0 => node.crash(),
                1 => node.power_cut(power_cut(&mut self.chance)),
                2 => node.stop(),
                _ => continue,
            }
            sleep(Duration::from_secs(1)).await;
            node.start();
        }
    }
}

fn power_cut(chance: &mut Chance) -> PowerCut {
    if chance.one_in(3) { PowerCut::Strict } else { PowerCut::Chance(chance.number()) }
}
