//! What a consumer sees of transactions, which Apache Kafka's own producer makes. It needs Java, Kafka's tools and a broker
//! that has transactions, so it runs against Apache Kafka alone: `cargo xtask test --only client` brings it.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use client::admin::{NewTopic, OffsetSpec};
use client::config::IsolationLevel;
use client::{
    Admin, Client, ClientConfig, Consumer, ConsumerConfig, Offset, Producer, ProducerConfig, ProducerRecord,
    Start, TopicPartition,
};
use support::Broker;
use tokio::time::{Instant, sleep};

const DEADLINE: Duration = Duration::from_secs(90);

const PROGRAM: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/java/transactions/Transactions.java");

/// A transactional producer of Apache Kafka's, which is killed at the end.
struct Java {
    child: Child,
    commands: ChildStdin,
    answers: mpsc::Receiver<String>,
}

impl Java {
    fn start(broker: &Broker, id: &str) -> Java {
        let jars = std::env::var("RIVERRUN_TEST_JAVA").expect("it names the directory of Kafka's tools");
        let mut child = Command::new("java")
            .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
            .arg(Path::new(&jars).join("*"))
            .args([PROGRAM, &broker.bootstrap, "t", id])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Java is there");
        let commands = child.stdin.take().expect("it is piped");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (told, answers) = mpsc::channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        let java = Java { child, commands, answers };
        java.expect_ok(id);
        java
    }

    #[track_caller]
    fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").expect("it listens");
        self.expect_ok(command);
    }

    #[track_caller]
    fn tell_all(&mut self, commands: &[&str]) {
        commands.iter().for_each(|command| self.tell(command));
    }

    #[track_caller]
    fn expect_ok(&self, to: &str) {
        // What its logger has to say comes on the same way.
        let is_answer = |line: &String| line == "ok" || line.contains("Exception");
        let answer = std::iter::from_fn(|| self.answers.recv_timeout(DEADLINE).ok()).find(is_answer);
        assert_eq!(answer.as_deref(), Some("ok"), "to {to:?}");
    }
}

impl Drop for Java {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn t0() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// A consumer of all there is, and the values that it has seen.
struct Reader {
    consumer: Consumer,
    seen: Vec<String>,
}

impl Reader {
    fn new(client: &Client, isolation_level: IsolationLevel) -> Reader {
        let config = ConsumerConfig { isolation_level, ..ConsumerConfig::default() };
        let mut consumer = Consumer::new(client, config).expect("the settings work");
        consumer.assign([(t0(), Start::Offset(Offset(0)))]).expect("it has not subscribed");
        Reader { consumer, seen: Vec::new() }
    }

    /// Polls until it knows that there is nothing more for it before an offset. Returns what has come since the last time.
    async fn read_up_to(&mut self, end: Offset) -> Vec<String> {
        let deadline = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        while self.consumer.position(&t0()) != Some(end) || self.consumer.lag(&t0()) != Some(0) {
            let position = self.consumer.position(&t0());
            assert!(Instant::now() < deadline, "it stays at {position:?} and not {end:?}, with {seen:?}");
            let records = self.consumer.poll(Duration::from_millis(50)).await.expect("nothing is wrong");
            let values = records.iter().map(|record| record.value.clone().unwrap_or_default());
            seen.extend(values.map(|value| String::from_utf8_lossy(&value).into_owned()));
        }
        self.seen.extend(seen.iter().cloned());
        seen
    }
}

/// The end of the log for readers of this kind.
async fn end(admin: &Admin, isolation: IsolationLevel) -> Offset {
    let listed = admin.list_offsets(&[(t0(), OffsetSpec::Latest)], isolation).await.expect("it is told");
    listed.get(&t0()).and_then(|listed| listed.offset).expect("there is an end")
}

/// The end of the log once no transaction is open. A producer hears that one is committed before its marker is written.
async fn settled_end(admin: &Admin) -> Offset {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let (stable, all) = (end(admin, COMMITTED).await, end(admin, UNCOMMITTED).await);
        if stable == all {
            return all;
        }
        assert!(Instant::now() < deadline, "a transaction is open from {stable:?} on, before {all:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn write(producer: &Producer, value: &str) {
    let record = ProducerRecord::new("t").partition(0).value(value.to_owned());
    producer.send(record).await.expect("there is room").await.expect("it is written");
}

const COMMITTED: IsolationLevel = IsolationLevel::ReadCommitted;
const UNCOMMITTED: IsolationLevel = IsolationLevel::ReadUncommitted;

#[tokio::test]
async fn who_reads_committed_sees_what_was_committed_up_to_the_first_open_transaction() {
    let broker = Broker::start("transactions");
    let client = Client::connect(ClientConfig::new(&broker.bootstrap)).await.expect("the broker is there");
    let admin = Admin::new(&client);
    let topic = NewTopic { partitions: Some(1), ..NewTopic::new("t") };
    admin.create_topic(&topic, false).await.expect("the topic is new");
    let producer = Producer::new(&client, ProducerConfig::default()).expect("the defaults work");
    let mut java = Java::start(&broker, "a");
    let mut committed = Reader::new(&client, COMMITTED);

    java.tell_all(&["begin", "send c1", "send c2", "commit", "begin", "send a1", "abort"]);
    write(&producer, "plain1").await;
    let all = settled_end(&admin).await;
    assert_eq!(
        committed.read_up_to(all).await,
        ["c1", "c2", "plain1"],
        "markers and what was aborted are passed"
    );

    java.tell_all(&["begin", "send o1"]);
    write(&producer, "plain2").await;
    assert_eq!(end(&admin, COMMITTED).await, all, "the open transaction begins there");
    let high_watermark = end(&admin, UNCOMMITTED).await;
    assert_eq!(high_watermark, Offset(all.0 + 2));
    let mut uncommitted = Reader::new(&client, UNCOMMITTED);
    uncommitted.read_up_to(high_watermark).await;
    assert_eq!(uncommitted.seen, ["c1", "c2", "a1", "plain1", "o1", "plain2"]);
    // An answer that was made before the transaction began says nothing of it.
    let mut late = Reader::new(&client, COMMITTED);
    assert_eq!(late.read_up_to(all).await, ["c1", "c2", "plain1"]);
    let bounds = late.consumer.bounds(&t0());
    assert_eq!((bounds.last_stable, bounds.high_watermark), (Some(all), Some(high_watermark)));
    assert_eq!((late.consumer.lag(&t0()), committed.seen.len()), (Some(0), 3), "what it may see it has seen");

    java.tell("commit");
    let all = settled_end(&admin).await;
    assert_eq!(committed.read_up_to(all).await, ["o1", "plain2"]);
    assert_eq!(late.read_up_to(all).await, ["o1", "plain2"]);
}

#[tokio::test]
async fn who_reads_committed_tells_transactions_that_lie_among_each_other_apart() {
    let broker = Broker::start("transactions-mixed");
    let client = Client::connect(ClientConfig::new(&broker.bootstrap)).await.expect("the broker is there");
    let admin = Admin::new(&client);
    let topic = NewTopic { partitions: Some(1), ..NewTopic::new("t") };
    admin.create_topic(&topic, false).await.expect("the topic is new");
    let (mut a, mut b) = (Java::start(&broker, "a"), Java::start(&broker, "b"));
    let mut committed = Reader::new(&client, COMMITTED);

    a.tell_all(&["begin", "send a1"]);
    b.tell_all(&["begin", "send b1"]);
    a.tell("send a2");
    b.tell_all(&["send b2", "commit"]);
    assert_eq!(end(&admin, COMMITTED).await, Offset(0), "a's is still open, and came first");
    a.tell("abort");
    let all = settled_end(&admin).await;
    assert_eq!(committed.read_up_to(all).await, ["b1", "b2"]);

    // The other way about, and then who is killed, whose successor ends what it had begun.
    a.tell_all(&["begin", "send a3"]);
    b.tell_all(&["begin", "send b3", "abort"]);
    a.tell_all(&["send a4", "commit", "begin", "send a5"]);
    drop(a);
    let mut successor = Java::start(&broker, "a");
    successor.tell_all(&["begin", "send a6", "commit"]);
    let all = settled_end(&admin).await;
    assert_eq!(committed.read_up_to(all).await, ["a3", "a4", "a6"]);
    let mut again = Reader::new(&client, COMMITTED);
    assert_eq!(again.read_up_to(all).await, ["b1", "b2", "a3", "a4", "a6"]);
}

#[tokio::test]
async fn the_end_is_where_an_open_transaction_begins_to_who_reads_committed_however_it_is_named() {
    let broker = Broker::start("transactions-end");
    broker.run(&["topic", "create", "t", "--partitions", "1"]).ok();
    let mut java = Java::start(&broker, "a");
    java.tell_all(&["begin", "send c1", "send c2", "commit", "begin", "send o1", "send o2"]);
    let read = |more: &[&str]| {
        let arguments = [&["consume", "t", "--read-committed"], more].concat();
        broker.run(&arguments).ok().to_owned()
    };
    // The end of the first transaction takes an offset: the stable end is 3, that of the log 5.
    for all in [
        &["--from", "start", "--until-end"][..],
        &["--from", "start", "--until", "end"],
        &["--from", "start", "--until", "@2099-01-01"],
        &["--from", "start", "--until", "@-0s"],
        &["--from", "start", "--until", "-1"],
        &["--from", "-3:end"],
        &["--tail", "3", "-e"],
    ] {
        assert_eq!(read(all), "c1\nc2\n", "{all:?}");
    }
    assert_eq!(read(&["--tail", "2", "-e"]), "c2\n", "an end of a transaction is no record");
    assert_eq!(read(&["--from", "start", "--until", "-2"]), "c1\n");
    assert_eq!(read(&["--from", "4", "-e"]), "", "it is behind the end, and nothing is waited for");
    let everything = broker.run(&["consume", "t", "--tail", "2", "-e"]);
    assert_eq!(everything.ok(), "o1\no2\n");
    let bench =
        broker.run(&["bench", "consume", "t", "-X", "isolation.level=read_committed", "--format", "json"]);
    assert!(bench.ok().contains("\"records\": 2,"), "{bench:?}");
}
