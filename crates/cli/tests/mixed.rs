//! A member of ours and one of Apache Kafka's Java client in one cooperative group. It needs Java and Kafka's tools:
//! `cargo xtask test --only client` brings them.

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use client::admin::NewTopic;
use client::config::OffsetReset;
use client::{
    Admin, Client, ClientConfig, Consumer, ConsumerConfig, Producer, ProducerConfig, ProducerRecord,
};
use support::Broker;
use support::node::is_ours;
use tokio::time::Instant;

const DEADLINE: Duration = Duration::from_secs(90);
const PARTITIONS: usize = 6;

/// A Java member, which is killed at the end of the test.
struct Java(Child);

impl Java {
    fn join(broker: &Broker) -> Java {
        let jars = std::env::var("RIVERRUN_TEST_JAVA").expect("it names the directory of Kafka's tools");
        let child = Command::new("java")
            .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
            .arg(Path::new(&jars).join("*"))
            .arg("org.apache.kafka.tools.VerifiableConsumer")
            .args(["--bootstrap-server", &broker.bootstrap, "--topic", "t", "--group-id", "g"])
            .args(["--reset-policy", "earliest", "--session-timeout", "6000", "--assignment-strategy"])
            .arg("org.apache.kafka.clients.consumer.CooperativeStickyAssignor")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Java is there");
        Java(child)
    }
}

/// A Java member of a share group, which is killed at the end of the test.
fn share(broker: &Broker) -> Java {
    let jars = std::env::var("RIVERRUN_TEST_JAVA").expect("it names the directory of Kafka's tools");
    let child = Command::new("java")
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(Path::new(&jars).join("*"))
        .arg("org.apache.kafka.tools.VerifiableShareConsumer")
        .args(["--bootstrap-server", &broker.bootstrap, "--topic", "t", "--group-id", "pool"])
        .args(["--offset-reset-strategy", "earliest"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("Java is there");
    Java(child)
}

impl Drop for Java {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Polls until this member has so many partitions, and the other one the rest. Returns what was read meanwhile.
async fn settle(consumer: &mut Consumer, admin: &Admin, ours: usize, members: usize) -> usize {
    let deadline = Instant::now() + DEADLINE;
    let mut read = 0;
    loop {
        read += consumer.poll(Duration::from_millis(100)).await.expect("the group works").len();
        if let Ok(group) = admin.describe_group("g").await {
            let assigned: usize = group.members.iter().map(|member| member.assignment.len()).sum();
            let all = (group.members.len(), assigned) == (members, PARTITIONS);
            if all && consumer.has_assignment() && consumer.assignment().count() == ours {
                assert_eq!(group.assignor, "cooperative-sticky");
                return read;
            }
        }
        assert!(Instant::now() < deadline, "the group does not settle");
    }
}

#[test]
fn a_share_group_is_described_with_its_members_and_where_it_goes_on() {
    // Ours has none, and says of each name that there is no such group.
    if is_ours() {
        return;
    }
    let broker = Broker::start("pool");
    broker.run(&["topic", "create", "t", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "t"], "1\n2\n").ok();
    let java = share(&broker);
    let deadline = Instant::now() + DEADLINE;
    let told = loop {
        let described = broker.run(&["group", "describe", "pool", "--format", "json"]);
        let told: serde_json::Value = serde_json::from_str(&described.stdout).unwrap_or_default();
        let has_read = told["partitions"][0]["lag"] == 0;
        if described.code == Some(0) && has_read {
            break told;
        }
        assert!(Instant::now() < deadline, "the member does not read: {described:?}");
    };
    assert_eq!((&told["type"], &told["lag"]), (&"share".into(), &0.into()), "{told}");
    let member = &told["members"][0];
    assert_eq!(
        (&member["partitions"][0], &told["partitions"][0]["members"][0]),
        (&"t-0".into(), &member["id"])
    );
    let table = broker.run(&["group", "describe", "pool"]);
    assert!(table.ok().contains("READERS") && table.stdout.contains("READS"), "{table:?}");
    let listed = broker.run(&["group", "list", "--format", "wide"]);
    let row: Vec<&str> = listed.ok().lines().nth(1).expect("there is a group").split_whitespace().collect();
    assert_eq!((row.get(4), row.get(6)), (Some(&"1"), Some(&broker.bootstrap.as_str())), "{listed:?}");
    let reset = broker.run(&["group", "reset", "pool", "--to", "start", "--dry-run"]);
    assert!(reset.failed(1).contains("pool is of type share"), "{reset:?}");
    drop(java);
}

#[tokio::test]
async fn java_members_share_a_group_with_ours_whoever_leads() {
    let broker = Broker::start("mixed");
    let client = Client::connect(ClientConfig::new(&broker.bootstrap)).await.expect("the broker is there");
    let admin = Admin::new(&client);
    let topic = NewTopic { partitions: Some(PARTITIONS as i32), ..NewTopic::new("t") };
    admin.create_topic(&topic, false).await.expect("the topic is new");
    let config = ConsumerConfig {
        auto_offset_reset: OffsetReset::Earliest,
        session_timeout: Duration::from_secs(6),
        heartbeat_interval: Duration::from_millis(200),
        ..ConsumerConfig::group("g")
    };
    let join = || {
        let mut consumer = Consumer::new(&client, config.clone()).expect("it works");
        consumer.subscribe(["t"]).expect("it has a group");
        consumer
    };
    // Ours leads, as it was first; then it goes, and Java's member leads when it comes back.
    let mut ours = join();
    settle(&mut ours, &admin, PARTITIONS, 1).await;
    let java = Java::join(&broker);
    settle(&mut ours, &admin, PARTITIONS / 2, 2).await;
    ours.close().await.expect("it leaves");
    let mut ours = join();
    settle(&mut ours, &admin, PARTITIONS / 2, 2).await;

    let producer = Producer::new(&client, ProducerConfig::default()).expect("the defaults work");
    for partition in 0..PARTITIONS as i32 {
        let record = ProducerRecord::new("t").partition(partition).value("x");
        producer.send(record).await.expect("there is room").await.expect("it is written");
    }
    let deadline = Instant::now() + DEADLINE;
    let mut read = 0;
    while read < PARTITIONS / 2 {
        assert!(Instant::now() < deadline, "only {read} records came");
        read += ours.poll(Duration::from_millis(100)).await.expect("the group works").len();
    }
    assert_eq!(read, PARTITIONS / 2, "the others are Java's");
    drop(java);
    // Java's member may not have committed what it read.
    let more = settle(&mut ours, &admin, PARTITIONS, 1).await;
    assert!(more <= PARTITIONS / 2, "what ours had read comes once");
    ours.close().await.expect("it leaves");
}
