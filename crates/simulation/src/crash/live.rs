//! Lives a script: a node on a simulated disk, clients that work with it, all facts noted, all moments kept.

use std::sync::Arc;
use std::time::Duration;

use host::net::Connect;
use kernel::port::Disk;
use kernel::{Timestamp, Uuid};
use sim::{Chance, Moment, SimDisk};
use tokio::time::sleep;

use super::client::{Answer, Client, Net, Sent};
use super::facts::{Batch, Fact, Facts, Kind, Known, Shared};
use super::script::{Act, Script, Step, TopicPlan};
use crate::world::World;
use crate::world::node::{PORT, SimNode, Standing};
use crate::world::trace::Trace;

/// How long a start or a stop may take, in simulated time.
const CHANGE_MAX: Duration = Duration::from_secs(60);

/// How long the disk takes: so long that what is acknowledged too early is seen.
const DISK_TIME: std::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(8);

/// How many batches of a producer may be on their way.
const IN_FLIGHT: usize = 3;

/// How many keys a topic has.
const KEYS: u64 = 5;

/// The name of the only node.
pub const NODE: &str = "a";

/// What was kept of a life.
pub struct Life {
    pub known: Known,
    pub moments: Vec<Moment>,
}

/// The settings of a node whose background work comes round often.
pub fn settings() -> Vec<String> {
    [
        "node.id=1",
        "listeners=PLAINTEXT://a:9092",
        "advertised.listeners=PLAINTEXT://a:9092",
        "log.dirs=/data",
        "log.journal.bytes=4194304",
        "log.retention.check.interval.ms=500",
        "log.cleaner.backoff.ms=700",
        "log.flush.offset.checkpoint.interval.ms=1000",
        "log.segment.delete.delay.ms=500",
        "offsets.topic.num.partitions=1",
        "offsets.topic.segment.bytes=1048576",
        "group.initial.rebalance.delay.ms=0",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Lives a script from its first start to its last act.
pub async fn live(script: &Script, seed: u64) -> Result<Life, String> {
    let world = World::new(seed, Trace::new(None));
    let node = SimNode::new(&world, NODE, &settings());
    node.set_disk_time(Some(DISK_TIME));
    let net: Net = Arc::new(world.network.of(world.network.add_host("clients")));
    let facts = Shared::default();
    let mut chance = world.chance();
    let topics = script.topics.iter().map(|plan| Topic::new(plan, &mut chance));
    let mut topics: Vec<Option<Topic>> = topics.map(Some).collect();
    node.start();
    serving(&node).await?;
    for act in &script.acts {
        match act {
            Act::Record => node.disk().keep_moments(),
            Act::Stop => {
                node.stop();
                down(&node).await?;
            }
            Act::Crash => node.crash(),
            Act::Start => {
                node.start();
                serving(&node).await?;
            }
            Act::ForgetJournal => {
                let path = std::path::Path::new("/data/riverrun.journal");
                node.disk().remove_file(path).map_err(|error| error.to_string())?;
            }
            Act::Fail(fault) => node.disk().fail(fault.clone()),
            Act::Work(works) => work(&net, &node, &facts, script, works, &mut topics).await?,
        }
    }
    Ok(Life { moments: node.disk().take_moments(), known: facts.known() })
}

async fn serving(node: &SimNode) -> Result<(), String> {
    match node.wait_serving(CHANGE_MAX).await {
        true => Ok(()),
        false => Err(format!("the node does not serve: {}", node.failure().unwrap_or_default())),
    }
}

async fn down(node: &SimNode) -> Result<(), String> {
    let until = tokio::time::Instant::now() + CHANGE_MAX;
    while node.standing() != Standing::Down {
        if tokio::time::Instant::now() > until {
            return Err("the node does not stop".to_owned());
        }
        sleep(Duration::from_millis(5)).await;
    }
    node.failure().map_or(Ok(()), Err)
}

async fn work(
    net: &Net,
    node: &SimNode,
    facts: &Shared,
    script: &Script,
    works: &[(usize, Vec<Step>)],
    topics: &mut [Option<Topic>],
) -> Result<(), String> {
    let mut tasks = Vec::new();
    for (index, steps) in works {
        let Some(mut topic) = topics.get_mut(*index).and_then(Option::take) else { continue };
        let (net, disk, facts, steps) =
            (Arc::clone(net), node.disk().clone(), Arc::clone(facts), steps.clone());
        tasks.push((
            *index,
            host::task::spawn(async move {
                let done = topic.work(&*net, &disk, &facts, &steps).await;
                (topic, done)
            }),
        ));
    }
    for (index, task) in tasks {
        let (topic, done) = task.await.map_err(|error| error.to_string())?;
        if let (Err(why), false) = (done, script.fails) {
            return Err(format!("{}: {why}", topic.name));
        }
        topics.get_mut(index).map(|slot| slot.insert(topic));
    }
    Ok(())
}

/// A topic and the client that works with it.
struct Topic {
    name: &'static str,
    kind: Kind,
    configs: Vec<(&'static str, String)>,
    chance: Chance,
    /// Its number among the facts, once it was made.
    number: usize,
    producer: i64,
    sequence: i32,
}

impl Topic {
    fn new(plan: &TopicPlan, chance: &mut Chance) -> Self {
        Self {
            name: plan.name,
            kind: plan.kind,
            configs: plan.configs.clone(),
            chance: chance.split(),
            number: usize::MAX,
            producer: -1,
            sequence: 0,
        }
    }

    async fn work(&mut self, net: &dyn Connect, disk: &SimDisk, facts: &Facts, steps: &[Step]) -> Answer<()> {
        let mut client = Client::connect(net, NODE, PORT).await?;
        let mut waiting = Vec::new();
        for step in steps {
            match *step {
                Step::Create => self.create(&mut client, disk, facts).await?,
                Step::Append { records, value_len } => {
                    if waiting.len() == IN_FLIGHT {
                        self.settle(&mut client, disk, facts, waiting.drain(..1)).await?;
                    }
                    waiting.extend(self.append(&mut client, disk, facts, records, value_len).await?);
                }
                Step::Settle => self.settle(&mut client, disk, facts, waiting.drain(..)).await?,
                Step::Delete => {
                    facts.note(disk, Fact::Deleting(self.number));
                    client.delete(self.name).await?;
                    facts.note(disk, Fact::Deleted(self.number));
                }
                Step::Trim => {
                    let to = facts.sent_to(self.number) / 2;
                    facts.note(disk, Fact::Trimming(self.number, to));
                    client.delete_records(self.name, to).await?;
                    facts.note(disk, Fact::Trimmed(self.number, to));
                }
                Step::Commit => {
                    client.coordinator().await?;
                    let to = facts.sent_to(self.number);
                    facts.note(disk, Fact::Committing(self.number, to));
                    client.commit(self.name, to).await?;
                    facts.note(disk, Fact::Committed(self.number, to));
                }
                Step::Rest(time) => sleep(time).await,
            }
        }
        Ok(())
    }

    async fn create(&mut self, client: &mut Client, disk: &SimDisk, facts: &Facts) -> Answer<()> {
        (self.producer, self.sequence) = (client.producer_id().await?, 0);
        self.number = facts.add_topic(self.name, self.kind);
        facts.note(disk, Fact::Creating(self.number));
        client.create(self.name, &self.configs).await?;
        facts.note(disk, Fact::Created(self.number));
        Ok(())
    }

    async fn append(
        &mut self,
        client: &mut Client,
        disk: &SimDisk,
        facts: &Facts,
        records: u64,
        value_len: u64,
    ) -> Answer<Option<(usize, Sent)>> {
        let records: Vec<_> = (0..records).map(|_| self.record(value_len)).collect();
        let (producer, sequence, now) = (self.producer, self.sequence, self.now());
        self.sequence += records.len() as i32;
        let make = |base| Batch::new(base, producer, sequence, now, records);
        let Some((number, bytes)) = facts.send(disk, self.number, make) else { return Ok(None) };
        Ok(Some((number, client.send_batch(self.name, &bytes).await?)))
    }

    /// As a node in this world would date it.
    fn now(&self) -> Timestamp {
        use kernel::port::Clock;
        crate::world::clock::HostClock::new().now().wall
    }

    fn record(&mut self, value_len: u64) -> (String, Option<String>) {
        let key = format!("key {}", self.chance.below(KEYS));
        if self.kind == Kind::Compacted && self.chance.one_in(6) {
            return (key, None);
        }
        let mut value = Uuid::from_bytes(u128::from(self.chance.number()).to_be_bytes()).to_string();
        let filler = char::from(b'a' + (self.chance.below(26) as u8));
        while (value.len() as u64) < value_len {
            value.push(filler);
        }
        (key, Some(value))
    }

    async fn settle(
        &mut self,
        client: &mut Client,
        disk: &SimDisk,
        facts: &Facts,
        waiting: impl Iterator<Item = (usize, Sent)>,
    ) -> Answer<()> {
        for (number, sent) in waiting {
            let base = client.acknowledged(sent).await?;
            if facts.base_of(self.number, number) != Some(base) {
                return Err(format!("batch {number} got offset {base}"));
            }
            facts.note(disk, Fact::Acknowledged(self.number, number));
        }
        Ok(())
    }
}
