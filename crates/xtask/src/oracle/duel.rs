//! Both sides under the same requests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::catalog::{self, Api};
use super::codec::{self, Slots};
use super::compare::{self, Difference};
use super::identity::{Identities, Kind};
use super::link::{Link, Received, framed};
use super::report::{Example, Report};
use super::side::Who;
use super::value::{Value, record};

/// What a request was answered with.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Reply(Value),
    /// The next request was answered, this one was not.
    Nothing,
    Closed,
    Silence,
    Unreadable(String),
}

/// What both answered.
#[derive(Debug, Clone)]
pub struct Pair {
    pub ours: Answer,
    pub kafka: Answer,
}

impl Pair {
    /// A number that both answered.
    pub fn int(&self, path: &str) -> Option<i64> {
        self.tree()?.int(path)
    }

    pub fn tree(&self) -> Option<&Value> {
        match (&self.ours, &self.kafka) {
            (Answer::Reply(_), Answer::Reply(tree)) => Some(tree),
            _ => None,
        }
    }
}

/// A request that was sent and not yet answered.
#[derive(Debug)]
pub struct Sent {
    connection: usize,
    api: String,
    version: i16,
    correlation: i32,
    request: String,
    frames: [Vec<u8>; 2],
    begun: Instant,
}

/// Requests that change nothing: where the answers differ because one side has not seen yet what it was told before, they
/// are asked again.
const READS: &[&str] = &[
    "ApiVersions",
    "Metadata",
    "DescribeConfigs",
    "ListGroups",
    "DescribeGroups",
    "DescribeCluster",
    "ListOffsets",
    "DescribeTopicPartitions",
    "DescribeLogDirs",
    "DescribeProducers",
    "ListConfigResources",
    "OffsetFetch",
    "OffsetForLeaderEpoch",
    "DescribeQuorum",
    "ListPartitionReassignments",
];
/// An exchange that takes longer is told, as it makes a run long.
const SLOW: Duration = Duration::from_millis(300);

const ASKED_AGAIN: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(15);

const SETTLE_DEADLINE: Duration = Duration::from_secs(20);

/// The correlation id of the request behind one that may not be answered.
const PROBE: i32 = i32::MAX;

pub struct Duel {
    pub apis: BTreeMap<String, Api>,
    addresses: [SocketAddr; 2],
    links: HashMap<usize, [Link; 2]>,
    slots: [Slots; 2],
    known: Identities,
    correlation: i32,
    pub report: Report,
    /// Whether every exchange is printed.
    pub loud: bool,
}

impl Duel {
    pub fn new(apis: BTreeMap<String, Api>, addresses: [SocketAddr; 2], report: Report) -> Self {
        Self {
            apis,
            addresses,
            links: HashMap::new(),
            slots: [Slots::new(), Slots::new()],
            known: Identities::default(),
            correlation: 0,
            report,
            loud: false,
        }
    }

    /// Sends a request on a connection of each side and compares the answers.
    pub fn call(&mut self, connection: usize, api: &str, version: i16, tree: &Value) -> Result<Pair, String> {
        let mut pause = FIRST_PAUSE;
        for attempt in 0.. {
            let sent = self.send(connection, api, version, tree)?;
            let pair = self.receive(&sent)?;
            let differences = self.differences(&sent, &pair);
            let again = attempt < ASKED_AGAIN && READS.contains(&api) && !matches!(pair.ours, Answer::Closed);
            if !again || !self.report.has_news(api, version, &differences) {
                self.judge(&sent, &pair, differences);
                return Ok(pair);
            }
            thread::sleep(pause);
            pause *= 2;
        }
        Err("unreachable: the last attempt returns".to_owned())
    }

    /// Sends a request that is answered later.
    pub fn send(&mut self, connection: usize, api: &str, version: i16, tree: &Value) -> Result<Sent, String> {
        self.correlation = (self.correlation + 1) % PROBE;
        let declared = self.apis.get(api).ok_or_else(|| format!("{api} is not served"))?;
        let [ours, kafka] = &self.slots;
        let frames = [
            declared.frame(version, self.correlation, tree, ours)?,
            declared.frame(version, self.correlation, tree, kafka)?,
        ];
        let sent = Sent {
            connection,
            api: api.to_owned(),
            version,
            correlation: self.correlation,
            request: tree.to_string(),
            frames,
            begun: Instant::now(),
        };
        self.put(connection, &sent.frames)?;
        Ok(sent)
    }

    /// Sends bytes that may not be a request, with one behind them that is, and compares what comes back.
    pub fn send_raw(
        &mut self,
        connection: usize,
        api: &str,
        version: i16,
        request: &str,
        frames: [Vec<u8>; 2],
    ) -> Result<Pair, String> {
        let correlation = self.correlation;
        let sent = Sent {
            connection,
            api: api.to_owned(),
            version,
            correlation,
            request: request.to_owned(),
            frames,
            begun: Instant::now(),
        };
        self.put(connection, &sent.frames)?;
        let probe = catalog::header(18, 0, PROBE, false);
        self.put(connection, &[probe.clone(), probe])?;
        let mut answers = Vec::new();
        for side in [0, 1] {
            let first = self.take(connection, side);
            let answer = match first {
                Received::Frame(frame) if frame.starts_with(&PROBE.to_be_bytes()) => Answer::Nothing,
                Received::Frame(frame) => {
                    // The probe's own answer, or the end; either is the same on both sides or seen at the next request.
                    let after = self.take(connection, side);
                    match after {
                        Received::Frame(_) => self.read(&sent, &frame),
                        _ => Answer::Unreadable(format!(
                            "answered and then closed: {}",
                            self.read(&sent, &frame)
                        )),
                    }
                }
                Received::Closed => Answer::Closed,
                Received::Silence => Answer::Silence,
            };
            answers.push(answer);
        }
        let pair = pair_of(answers)?;
        if pair.ours != pair.kafka || !matches!(pair.ours, Answer::Reply(_) | Answer::Nothing) {
            self.links.remove(&connection);
        }
        let differences = self.differences(&sent, &pair);
        self.judge(&sent, &pair, differences);
        Ok(pair)
    }

    pub fn next_correlation(&mut self) -> i32 {
        self.correlation = (self.correlation + 1) % PROBE;
        self.correlation
    }

    pub fn slots(&self) -> &[Slots; 2] {
        &self.slots
    }

    /// Compares the answers to a request that was sent before.
    pub fn finish(&mut self, sent: &Sent) -> Result<Pair, String> {
        let pair = self.receive(sent)?;
        let differences = self.differences(sent, &pair);
        self.judge(sent, &pair, differences);
        Ok(pair)
    }

    /// Asks without comparing.
    pub fn ask(&mut self, api: &str, version: i16, tree: &Value) -> Result<Pair, String> {
        const ASIDE: usize = usize::MAX;
        let sent = self.send(ASIDE, api, version, tree)?;
        self.receive(&sent)
    }

    /// Waits until a question is answered on both sides as a condition wants it.
    pub fn until(
        &mut self,
        what: &str,
        api: &str,
        version: i16,
        tree: &Value,
        holds: &dyn Fn(&Value) -> bool,
    ) -> Result<(), String> {
        let deadline = Instant::now() + SETTLE_DEADLINE;
        loop {
            let pair = self.ask(api, version, tree)?;
            let fine = |answer: &Answer| matches!(answer, Answer::Reply(tree) if holds(tree));
            if fine(&pair.ours) && fine(&pair.kafka) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "{what} does not come: {api} {tree}: ours {}, Kafka {}",
                    pair.ours, pair.kafka
                ));
            }
            thread::sleep(Duration::from_millis(3));
        }
    }

    /// Waits until the brokers know what the controllers have decided.
    pub fn settle(&mut self) -> Result<(), String> {
        let topics = record([(
            "Topics",
            Value::Array(vec![record([
                ("TopicName", Value::Text("__cluster_metadata".to_owned())),
                ("Partitions", Value::Array(vec![record([("PartitionIndex", Value::Int(0))])])),
            ])]),
        )]);
        let pair = self.ask("DescribeQuorum", 0, &topics)?;
        let Answer::Reply(quorum) = &pair.kafka else { return Ok(()) };
        let decided = quorum.int("Topics.0.Partitions.0.HighWatermark").unwrap_or(0);
        let deadline = Instant::now() + SETTLE_DEADLINE;
        loop {
            let pair = self.ask("ApiVersions", 3, &software())?;
            let Answer::Reply(versions) = &pair.kafka else { return Ok(()) };
            if versions.int("FinalizedFeaturesEpoch").unwrap_or(0) >= decided - 1 || Instant::now() > deadline
            {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Keeps what both sides answered under a key that requests can use.
    pub fn keep(&mut self, key: &str, pair: &Pair, path: &str) {
        for (slots, answer) in self.slots.iter_mut().zip([&pair.ours, &pair.kafka]) {
            if let Answer::Reply(tree) = answer
                && let Some(value) = tree.at(path)
            {
                slots.insert(key.to_owned(), value.clone());
            }
        }
    }

    /// What each side is sent where a request says the key.
    pub fn put_slots(&mut self, key: &str, values: [Value; 2]) {
        for (slots, value) in self.slots.iter_mut().zip(values) {
            slots.insert(key.to_owned(), value);
        }
    }

    fn put(&mut self, connection: usize, frames: &[Vec<u8>; 2]) -> Result<(), String> {
        if !self.links.contains_key(&connection) {
            let [ours, kafka] = self.addresses;
            self.links.insert(connection, [Link::open(ours)?, Link::open(kafka)?]);
        }
        let links = self.links.get_mut(&connection).ok_or("no connection")?;
        for (link, frame) in links.iter_mut().zip(frames) {
            link.send(&framed(frame));
        }
        Ok(())
    }

    fn take(&mut self, connection: usize, side: usize) -> Received {
        let link = self.links.get_mut(&connection).and_then(|links| links.get_mut(side));
        link.map_or(Received::Closed, Link::receive)
    }

    fn receive(&mut self, sent: &Sent) -> Result<Pair, String> {
        let mut answers = Vec::new();
        for side in [0, 1] {
            answers.push(match self.take(sent.connection, side) {
                Received::Frame(frame) => self.read(sent, &frame),
                Received::Closed => Answer::Closed,
                Received::Silence => Answer::Silence,
            });
        }
        let pair = pair_of(answers)?;
        if [&pair.ours, &pair.kafka].iter().any(|answer| !matches!(answer, Answer::Reply(_))) {
            self.links.remove(&sent.connection);
        }
        self.learn_topics(&pair);
        Ok(pair)
    }

    fn read(&self, sent: &Sent, frame: &[u8]) -> Answer {
        let Some(api) = self.apis.get(&sent.api) else {
            return Answer::Unreadable(format!("an answer of {} bytes", frame.len()));
        };
        match api.answer(sent.version, frame) {
            Ok((correlation, tree)) if correlation == sent.correlation => Answer::Reply(tree),
            Ok((other, tree)) => Answer::Unreadable(format!("correlation {other}: {tree}")),
            Err(error) => Answer::Unreadable(error),
        }
    }

    /// Requests may name a topic by the id that each side gave it.
    fn learn_topics(&mut self, pair: &Pair) {
        let mut learnt = BTreeSet::new();
        for (slots, answer) in self.slots.iter_mut().zip([&pair.ours, &pair.kafka]) {
            let Answer::Reply(tree) = answer else { continue };
            // A refusal may repeat an id and a name that do not belong together.
            for topic in tree.items("Topics").iter().filter(|topic| topic.int("ErrorCode") == Some(0)) {
                if let (Some(name), Some(Value::Uuid(id))) = (topic.text("Name"), topic.at("TopicId"))
                    && *id != [0; 16]
                {
                    slots.insert(format!("topic:{name}"), Value::Uuid(*id));
                    learnt.insert(format!("topic:{name}"));
                }
            }
        }
        let [ours, kafka] = &self.slots;
        for key in learnt {
            if let (Some(ours), Some(kafka)) = (ours.get(&key), kafka.get(&key)) {
                // A name that stands for another topic now is told where the answers are compared.
                self.known.same(Kind::Topic, ours, kafka);
            }
        }
    }

    fn differences(&mut self, sent: &Sent, pair: &Pair) -> Vec<Difference> {
        match (&pair.ours, &pair.kafka) {
            (Answer::Reply(ours), Answer::Reply(kafka)) => {
                compare::compare(&sent.api, &mut self.known, ours, kafka)
            }
            (ours, kafka) if ours == kafka => Vec::new(),
            (ours, kafka) => {
                let path = self.peculiarity(sent).unwrap_or(".");
                vec![Difference { path: path.to_owned(), ours: ours.short(), kafka: kafka.short() }]
            }
        }
    }

    /// What a request has that only Kafka takes.
    fn peculiarity(&self, sent: &Sent) -> Option<&'static str> {
        let api = self.apis.get(&sent.api).filter(|api| api.serves(sent.version))?;
        let [frame, _] = &sent.frames;
        let body = frame.get(catalog::header_len(api.request.is_flexible(sent.version))..)?;
        match codec::decode(&api.request, sent.version, body) {
            Ok((tree, _)) => tree.has_foreign_text().then_some("(text that is not UTF-8)"),
            Err(_) => codec::is_missized(&api.request, sent.version, body)
                .then_some("(tagged field of another size)"),
        }
    }

    fn judge(&mut self, sent: &Sent, pair: &Pair, differences: Vec<Difference>) {
        if sent.begun.elapsed() > SLOW {
            println!(
                "{:?} case {} {} v{} {} {}",
                sent.begun.elapsed(),
                self.report.case,
                sent.api,
                sent.version,
                pair.ours.short(),
                pair.kafka.short()
            );
        }
        if self.loud {
            println!(
                "{} v{} {}\n  ours  {}\n  kafka {}",
                sent.api, sent.version, sent.request, pair.ours, pair.kafka
            );
        }
        let example = || Example {
            request: sent.request.clone(),
            frames: sent.frames.clone(),
            ours: pair.ours.to_string(),
            kafka: pair.kafka.to_string(),
        };
        self.report.exchange(&sent.api, sent.version, differences, &example);
    }
}

/// What ApiVersions asks of a client.
pub fn software() -> Value {
    record([
        ("ClientSoftwareName", Value::Text("oracle".to_owned())),
        ("ClientSoftwareVersion", Value::Text("1".to_owned())),
    ])
}

fn pair_of(answers: Vec<Answer>) -> Result<Pair, String> {
    let [ours, kafka] = answers.try_into().map_err(|_| "two sides answer")?;
    Ok(Pair { ours, kafka })
}

/// The sides' addresses in the order in which everything is kept.
pub const ORDER: [Who; 2] = Who::BOTH;

impl Answer {
    fn short(&self) -> String {
        match self {
            Answer::Reply(_) => "answered".to_owned(),
            Answer::Nothing => "not answered".to_owned(),
            Answer::Closed => "closed".to_owned(),
            Answer::Silence => "silence".to_owned(),
            Answer::Unreadable(_) => "unreadable".to_owned(),
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Answer::Reply(tree) => write!(f, "{tree}"),
            Answer::Unreadable(error) => write!(f, "unreadable: {error}"),
            other => write!(f, "{}", other.short()),
        }
    }
}
