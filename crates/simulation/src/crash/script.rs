//! The lives whose every moment is looked at: what a node is asked for, and what happens to it meanwhile.

use std::time::Duration;

use sim::{Chance, Fault, Op, When};

use super::facts::Kind;

/// A life, before a seed fills in its sizes.
pub struct Script {
    pub name: &'static str,
    /// What it is there for.
    pub about: &'static str,
    /// The disk fails in it, and what is asked for may be refused.
    pub fails: bool,
    pub topics: Vec<TopicPlan>,
    pub acts: Vec<Act>,
}

/// A topic of one partition.
pub struct TopicPlan {
    pub name: &'static str,
    pub kind: Kind,
    pub configs: Vec<(&'static str, String)>,
}

pub enum Act {
    /// Clients work, each with the topic of its number, all at the same time.
    Work(Vec<(usize, Vec<Step>)>),
    /// Moments are kept from here on.
    Record,
    /// The node stops as it should.
    Stop,
    /// The process is killed.
    Crash,
    Start,
    /// Removes what Kafka would not have left.
    ForgetJournal,
    Fail(Fault),
}

#[derive(Debug, Clone, Copy)]
pub enum Step {
    Create,
    Delete,
    /// Sends a batch. Up to three are on their way at the same time.
    Append {
        records: u64,
        value_len: u64,
    },
    /// Waits for all that is on its way.
    Settle,
    /// Deletes all records before the middle of what was sent.
    Trim,
    /// Commits the end of what was sent for a group.
    Commit,
    Rest(Duration),
}

/// Longer than the node's background work takes to come round.
const ROUND: Duration = Duration::from_millis(1_600);

const SMALL: std::ops::RangeInclusive<u64> = 10..=250;

fn small(chance: &mut Chance) -> Step {
    Step::Append { records: chance.within(1..=3), value_len: chance.within(SMALL) }
}

fn appends(chance: &mut Chance, count: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    for _ in 0..count {
        steps.push(small(chance));
        if chance.one_in(4) {
            steps.push(Step::Settle);
        }
    }
    steps.push(Step::Settle);
    steps
}

fn sized(count: usize, value_len: u64) -> Vec<Step> {
    let mut steps = vec![Step::Append { records: 1, value_len }; count];
    steps.push(Step::Settle);
    steps
}

fn topic(name: &'static str, kind: Kind, configs: &[(&'static str, u64)]) -> TopicPlan {
    let mut configs: Vec<_> = configs.iter().map(|(name, value)| (*name, value.to_string())).collect();
    match kind {
        Kind::Kept => configs.push(("retention.ms", "-1".to_owned())),
        Kind::Retained(bytes) => configs.push(("retention.bytes", bytes.to_string())),
        Kind::Compacted => configs.push(("cleanup.policy", "compact".to_owned())),
    }
    TopicPlan { name, kind, configs }
}

fn plain(name: &'static str) -> TopicPlan {
    topic(name, Kind::Kept, &[])
}

fn rolling(name: &'static str, kind: Kind, bytes: u64) -> TopicPlan {
    topic(name, kind, &[("internal.segment.bytes", bytes), ("index.interval.bytes", 1)])
}

fn compacted(name: &'static str) -> TopicPlan {
    let mut plan = rolling(name, Kind::Compacted, 900);
    plan.configs.push(("min.cleanable.dirty.ratio", "0.01".to_owned()));
    plan
}

fn joined(parts: impl IntoIterator<Item = Vec<Step>>) -> Vec<Step> {
    parts.into_iter().flatten().collect()
}

impl Script {
    /// All of them, with the sizes that a seed gives.
    pub fn all(seed: u64) -> Vec<Self> {
        let chance = &mut Chance::new(seed);
        vec![
            journal(chance),
            large(chance),
            retention(chance),
            compaction(chance),
            topics(chance),
            wrap(chance),
            restart(chance),
            adoption(chance),
            failing_journal(chance),
            failing_segment(chance),
        ]
    }
}

fn journal(chance: &mut Chance) -> Script {
    let work = |chance: &mut Chance| joined([vec![Step::Create], appends(chance, 14)]);
    Script {
        name: "journal",
        about: "small batches to three partitions, two of which roll, made durable by the journal",
        fails: false,
        topics: vec![plain("a"), rolling("b", Kind::Kept, 1_500), rolling("c", Kind::Kept, 3_000)],
        acts: vec![Act::Record, Act::Work((0..3).map(|index| (index, work(chance))).collect())],
    }
}

fn large(chance: &mut Chance) -> Script {
    let work = |chance: &mut Chance| {
        let large = || sized(2, 300_000);
        joined([
            vec![Step::Create],
            appends(chance, 3),
            large(),
            appends(chance, 4),
            large(),
            appends(chance, 3),
        ])
    };
    Script {
        name: "large",
        about: "batches that a sync of their segment makes durable, among small ones, over rolls",
        fails: false,
        topics: vec![topic("a", Kind::Kept, &[("internal.segment.bytes", 700_000)]), plain("b")],
        acts: vec![Act::Record, Act::Work((0..2).map(|index| (index, work(chance))).collect())],
    }
}

fn retention(chance: &mut Chance) -> Script {
    let old = joined([
        vec![Step::Create],
        appends(chance, 12),
        vec![Step::Rest(ROUND)],
        appends(chance, 8),
        vec![Step::Rest(ROUND)],
        appends(chance, 2),
    ]);
    let trimmed = joined([
        vec![Step::Create],
        appends(chance, 8),
        vec![Step::Trim, Step::Rest(ROUND)],
        appends(chance, 8),
        vec![Step::Trim, Step::Rest(ROUND), Step::Rest(ROUND)],
        appends(chance, 2),
    ]);
    Script {
        name: "retention",
        about: "old segments go by size, and by DeleteRecords; checkpoints are written",
        fails: false,
        topics: vec![rolling("a", Kind::Retained(2_500), 1_200), rolling("b", Kind::Kept, 1_000)],
        acts: vec![Act::Record, Act::Work(vec![(0, old), (1, trimmed)])],
    }
}

fn compaction(chance: &mut Chance) -> Script {
    let work = |chance: &mut Chance| {
        let round = |chance: &mut Chance| joined([appends(chance, 9), vec![Step::Rest(ROUND)]]);
        joined([vec![Step::Create], round(chance), round(chance), round(chance)])
    };
    Script {
        name: "compaction",
        about: "updates and tombstones of few keys are compacted, and cleaned segments swapped in",
        fails: false,
        topics: vec![compacted("a"), compacted("b")],
        acts: vec![Act::Record, Act::Work((0..2).map(|index| (index, work(chance))).collect())],
    }
}

fn topics(chance: &mut Chance) -> Script {
    let again = joined([
        vec![Step::Create],
        appends(chance, 4),
        vec![Step::Delete, Step::Create],
        appends(chance, 4),
        vec![Step::Delete, Step::Rest(ROUND), Step::Create],
        appends(chance, 3),
    ]);
    let commits = joined([
        vec![Step::Create],
        appends(chance, 2),
        vec![Step::Commit],
        appends(chance, 2),
        vec![Step::Commit, Step::Rest(ROUND)],
        appends(chance, 2),
        vec![Step::Commit],
    ]);
    Script {
        name: "topics",
        about: "a topic is deleted and made again under its name; a group commits offsets",
        fails: false,
        topics: vec![plain("a"), plain("b")],
        acts: vec![Act::Record, Act::Work(vec![(0, again), (1, commits)])],
    }
}

fn wrap(chance: &mut Chance) -> Script {
    let work =
        |chance: &mut Chance| joined([vec![Step::Create], sized(14, chance.within(180_000..=240_000))]);
    let idle = joined([vec![Step::Create], appends(chance, 3), vec![Step::Rest(ROUND)]]);
    let later = |chance: &mut Chance| joined([sized(5, 200_000), appends(chance, 2)]);
    Script {
        name: "wrap",
        about: "the journal goes round and overwrites what the segments have",
        fails: false,
        topics: vec![
            plain("a"),
            topic("b", Kind::Kept, &[("internal.segment.bytes", 1_000_000)]),
            rolling("c", Kind::Kept, 1_000),
        ],
        acts: vec![
            Act::Work(vec![(0, work(chance)), (1, work(chance)), (2, idle)]),
            Act::Record,
            Act::Work(vec![(0, later(chance)), (1, later(chance)), (2, appends(chance, 6))]),
        ],
    }
}

fn every_kind() -> Vec<TopicPlan> {
    vec![
        plain("a"),
        rolling("b", Kind::Kept, 1_200),
        compacted("c"),
        rolling("d", Kind::Retained(3_000), 1_000),
    ]
}

fn on_all(steps: impl FnMut(usize) -> (usize, Vec<Step>)) -> Act {
    Act::Work((0..4).map(steps).collect())
}

fn restart(chance: &mut Chance) -> Script {
    Script {
        name: "restart",
        about: "a stop, a start, a kill and a recovery, each cut off",
        fails: false,
        topics: every_kind(),
        acts: vec![
            on_all(|index| (index, joined([vec![Step::Create], appends(chance, 8)]))),
            Act::Record,
            Act::Stop,
            Act::Start,
            on_all(|index| (index, appends(chance, 4))),
            Act::Crash,
            Act::Start,
            on_all(|index| (index, appends(chance, 2))),
        ],
    }
}

fn adoption(chance: &mut Chance) -> Script {
    Script {
        name: "adoption",
        about: "a directory without a journal, as Kafka leaves one, is taken over",
        fails: false,
        topics: every_kind(),
        acts: vec![
            on_all(|index| (index, joined([vec![Step::Create], appends(chance, 8)]))),
            Act::Stop,
            Act::ForgetJournal,
            Act::Record,
            Act::Start,
            on_all(|index| (index, appends(chance, 3))),
        ],
    }
}

fn failing(
    name: &'static str,
    about: &'static str,
    fault: Fault,
    acts: Vec<Step>,
    chance: &mut Chance,
) -> Script {
    Script {
        name,
        about,
        fails: true,
        topics: vec![plain("a"), plain("b")],
        acts: vec![
            Act::Work(
                (0..2).map(|index| (index, joined([vec![Step::Create], appends(chance, 3)]))).collect(),
            ),
            Act::Record,
            Act::Fail(fault),
            Act::Work(vec![(0, acts), (1, appends(chance, 12))]),
        ],
    }
}

fn failing_journal(chance: &mut Chance) -> Script {
    let fault = Fault::new(Op::Sync, When::Nth(chance.within(1..=4))).on("riverrun.journal");
    let work = appends(chance, 12);
    failing("failing-journal", "a write of the journal fails", fault, work, chance)
}

fn failing_segment(chance: &mut Chance) -> Script {
    let fault = Fault::new(Op::Sync, When::Next).on("/a-0/");
    let work = joined([appends(chance, 2), sized(2, 300_000), appends(chance, 4)]);
    failing("failing-segment", "a sync of a segment fails", fault, work, chance)
}
