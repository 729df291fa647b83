//! Every state that a crash could leave of a node's disk, each started from and judged.
//!
//! A [`Script`] is lived once, and each change of the disk is a moment of it. From a moment and a choice of what had reached
//! the disk by then a disk is made, a node is started on it as after any crash, and what clients find there is compared with
//! what was acknowledged by that moment. Of some states the recovery is cut off as well, and made again.
//!
//! *Invariant:* a state is known by its script, seed, moment and choice, and is the same each time.

mod client;
mod facts;
mod judge;
mod live;
mod script;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sim::{Chance, Left, Moment, PowerCut, SimDisk, choices};
use tokio::runtime::Runtime;

pub use self::script::Script;

use self::client::{Client, Net};
use self::judge::{Found, judge};
use self::live::{Life, NODE, live, settings};
use crate::world::World;
use crate::world::node::{PORT, SimNode};
use crate::world::trace::Trace;

/// How long a node may take to start, in simulated time.
const START_MAX: Duration = Duration::from_secs(60);

/// How long a process whose recovery was cut off is down.
const DOWN: Duration = Duration::from_millis(50);

/// The recovery of every n-th state is cut off.
const CUT_OFF_EVERY: u64 = 4;

/// How often more states are drawn than are wanted, before a script counts as used up.
const DRAWS: u64 = 12;

/// Where a state comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    pub moment: usize,
    pub choice: usize,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.moment, self.choice)
    }
}

/// Something that is wrong.
#[derive(Debug)]
pub struct Violation {
    pub state: State,
    /// What was about to happen, and what had reached the disk.
    pub moment: String,
    pub what: String,
}

/// What came of a script.
#[derive(Debug, Default)]
pub struct Report {
    pub moments: usize,
    /// Different states of the disk.
    pub states: u64,
    /// Recoveries that were cut off and made again.
    pub cut_off: u64,
    pub violations: Vec<Violation>,
}

/// A life whose states can be looked at.
pub struct Crashes {
    seed: u64,
    life: Life,
}

impl Crashes {
    /// Lives a script.
    ///
    /// # Errors
    /// If the node does not do what the script asks for although nothing is wrong with its disk.
    pub fn of(script: &Script, seed: u64) -> Result<Self, String> {
        let life = runtime().map_err(|error| error.to_string())?.block_on(live(script, seed))?;
        Ok(Self { seed, life })
    }

    fn choices(&self, index: usize, moment: &Moment) -> Vec<Left> {
        choices(&moment.pending(), &mut Chance::new(self.seed ^ (index as u64) << 20))
    }

    /// Looks at so many different states, drawn by the seed from all there are; at fewer if there are not as many. Stops
    /// at the first `violations_max` that are wrong.
    pub fn look(&self, wanted: u64, violations_max: usize) -> Report {
        let mut report = Report { moments: self.life.moments.len(), ..Report::default() };
        let (mut seen, mut judged) = (BTreeSet::new(), BTreeSet::new());
        let mut chance = Chance::new(self.seed);
        for _ in 0..wanted.saturating_mul(DRAWS) {
            if report.states >= wanted || report.violations.len() >= violations_max {
                break;
            }
            let index = chance.below(self.life.moments.len() as u64) as usize;
            let Some(moment) = self.life.moments.get(index) else { break };
            let choices = self.choices(index, moment);
            let choice = chance.below(choices.len() as u64) as usize;
            let Some(left) = choices.get(choice) else { continue };
            let digest = moment.digest(left);
            if !judged.insert((digest, moment.mark)) {
                continue;
            }
            report.states += u64::from(seen.insert(digest));
            let state = State { moment: index, choice };
            let cut_off = report.states.is_multiple_of(CUT_OFF_EVERY);
            report.cut_off += u64::from(cut_off);
            if let Err(violation) = self.judge(state, moment, left, cut_off) {
                report.violations.push(violation);
            }
        }
        report
    }

    /// Looks at one state again.
    ///
    /// # Errors
    /// What is wrong with it, or that there is none.
    pub fn again(&self, state: State) -> Result<(), Violation> {
        let moment = self.life.moments.get(state.moment);
        let choices = moment.map(|moment| self.choices(state.moment, moment)).unwrap_or_default();
        match (moment, choices.get(state.choice)) {
            (Some(moment), Some(left)) => self.judge(state, moment, left, true),
            _ => Err(Violation { state, moment: String::new(), what: "there is no such state".to_owned() }),
        }
    }

    fn judge(&self, state: State, moment: &Moment, left: &Left, cut_off: bool) -> Result<(), Violation> {
        let seed = self.seed ^ (state.moment as u64) << 32 ^ (state.choice as u64) << 12;
        let judged = runtime()
            .map_err(|error| error.to_string())
            .and_then(|runtime| runtime.block_on(self.recover(moment, left, seed, cut_off)));
        judged.map_err(|what| Violation { state, moment: format!("{moment:?}, of {left:?}"), what })
    }

    /// Starts from a state; also once more with the start cut off, which must come to the same.
    async fn recover(&self, moment: &Moment, left: &Left, seed: u64, cut_off: bool) -> Result<(), String> {
        let (found, changes) = self.start_and_judge(moment, left, seed, None).await?;
        if !cut_off || changes == 0 {
            return Ok(());
        }
        let mut chance = Chance::new(seed);
        let at = chance.below(changes);
        let power = chance.one_in(2).then(|| PowerCut::Chance(chance.number()));
        let again = self.start_and_judge(moment, left, seed, Some((at, power))).await;
        let how = if power.is_some() { "power cut" } else { "kill" };
        let what = |what| format!("after a {how} at change {at} of its recovery: {what}");
        let (again, _) = again.map_err(what)?;
        let Some((now, before)) = again.iter().zip(&found).find(|(now, before)| !now.agrees(before)) else {
            return if again.len() == found.len() {
                Ok(())
            } else {
                Err(what("another number of topics".to_owned()))
            };
        };
        Err(what(format!("{now}, and {before} without")))
    }

    /// Starts a node on what is left; with `cut`, its first start ends at that change. Returns what clients find, and how many
    /// changes the start makes.
    async fn start_and_judge(
        &self,
        moment: &Moment,
        left: &Left,
        seed: u64,
        cut: Option<(u64, Option<PowerCut>)>,
    ) -> Result<(Vec<Found>, u64), String> {
        let world = World::new(seed, Trace::new(None));
        let node = SimNode::on(&world, NODE, &settings(), |seed, clock| {
            SimDisk::after(moment, left, seed, Arc::new(clock))
        });
        let net: Net = Arc::new(world.network.of(world.network.add_host("judge")));
        if let Some((at, power)) = cut {
            node.halt_after(at, power, DOWN);
            if power.is_some() {
                node.mark_troubled();
            }
        }
        node.start();
        let mut serving = node.wait_serving(START_MAX).await;
        if cut.is_some() {
            // The end may have come in the last change of the start, after which it seemed to serve.
            tokio::time::sleep(DOWN * 2).await;
            serving = node.wait_serving(START_MAX).await;
        }
        if !serving {
            return Err(format!("the node does not start: {}", node.failure().unwrap_or_default()));
        }
        let changes = node.disk().change_count();
        let mut client = Client::connect(&*net, NODE, PORT).await?;
        let found = judge(&mut client, &self.life.known, moment.mark).await?;
        node.disk().wipe();
        Ok((found, changes))
    }
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()
}
