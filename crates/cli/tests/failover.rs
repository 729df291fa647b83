//! A producer and a member of a group while the leader of their partitions, and then their coordinator, are killed. It needs
//! brokers that replicate, so it runs against Apache Kafka alone: `cargo xtask test --only client` brings it.

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use client::admin::NewTopic;
use client::config::OffsetReset;
use client::{
    Admin, Client, ClientConfig, Consumer, ConsumerConfig, ConsumerRecord, Offset, Producer, ProducerConfig,
    ProducerRecord, Start, TopicPartition,
};
use kernel::NodeId;
use support::node;
use support::terminal::Terminal;
use tokio::time::{Instant, sleep};

/// For each step: brokers that are killed are missed after some seconds, and start slowly.
const DEADLINE: Duration = Duration::from_secs(120);

const POLL: Duration = Duration::from_millis(100);
const PARTITIONS: i32 = 3;

/// Three brokers, the first of which is the controller as well and stays.
struct Cluster {
    directory: PathBuf,
    ports: Vec<u16>,
    brokers: Vec<Option<Child>>,
}

impl Cluster {
    fn start(test: &str) -> Cluster {
        let directory = std::env::temp_dir().join(format!("riverrun-cli-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        let ports: Vec<u16> = (0..4).map(|_| node::free_port()).collect();
        let mut cluster = Cluster { directory, ports, brokers: vec![None, None, None] };
        for id in 1..=3 {
            cluster.configure(id);
            cluster.launch(id);
        }
        cluster
    }

    fn address(&self, id: usize) -> String {
        format!("127.0.0.1:{}", self.ports[id])
    }

    fn properties(&self, id: usize) -> PathBuf {
        self.directory.join(format!("{id}.properties"))
    }

    fn configure(&self, id: usize) {
        std::fs::create_dir_all(&self.directory).expect("the directory can be made");
        let controller = self.ports[0];
        let (roles, more) = match id {
            1 => ("broker,controller", format!(",CONTROLLER://127.0.0.1:{controller}")),
            _ => ("broker", String::new()),
        };
        let (address, data) = (self.address(id), self.directory.join(id.to_string()));
        let text = format!(
            "process.roles={roles}\nnode.id={id}\ncontroller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://{address}{more}\nadvertised.listeners=PLAINTEXT://{address}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             controller.quorum.bootstrap.servers=127.0.0.1:{controller}\nlog.dirs={}\n\
             offsets.topic.replication.factor=3\noffsets.topic.num.partitions=2\n\
             broker.session.timeout.ms=3000\nbroker.heartbeat.interval.ms=500\n\
             group.initial.rebalance.delay.ms=0\nunclean.leader.election.enable=false\n",
            data.display()
        );
        std::fs::write(self.properties(id), text).expect("the file can be written");
    }

    fn launch(&mut self, id: usize) {
        let command = std::env::var("RIVERRUN_TEST_BROKER").expect("it names the command of a broker");
        // A node that has no quorum to begin needs to know of none.
        let joins = [("KAFKA_IT_CLUSTER_ID", "AAAAAAAAAAAAAAAAAAAAAA"), ("KAFKA_IT_RELEASE_VERSION", "4.3")];
        let variables = if id > 1 { &joins[..] } else { &[] };
        let child = node::launch_with(&command, &self.properties(id), variables, self.ports[id]);
        self.brokers[id - 1] = Some(child);
    }

    /// Kills a broker as `kill -9` does.
    fn kill(&mut self, id: usize) {
        if let Some(mut broker) = self.brokers[id - 1].take() {
            broker.kill().expect("it runs");
            broker.wait().expect("it ends");
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        (1..=3).for_each(|id| self.kill(id));
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Writes records and reads them in a group, both all the time. Every one that is acknowledged is read, and a partition's
/// come in their order. A member that the group has given up reads again what it had not committed.
struct Flow {
    producer: Producer,
    consumer: Consumer,
    written: u64,
    /// How many records of each partition were read.
    read: BTreeMap<i32, u64>,
}

/// The number in a record. Each partition has every third one.
fn number_in(record: &ConsumerRecord) -> u64 {
    let value = record.value.as_deref().expect("it has one");
    std::str::from_utf8(value).expect("it is text").parse().expect("it is a number")
}

impl Flow {
    /// Until so many more records were written, and read.
    async fn go_on(&mut self, records: u64) {
        let goal = self.written + records;
        let deadline = Instant::now() + DEADLINE;
        while self.written < goal || self.count() < goal {
            assert!(
                Instant::now() < deadline,
                "{} written and {} read of {goal}",
                self.written,
                self.count()
            );
            if self.written < goal {
                let partition = i32::try_from(self.written).expect("they are few") % PARTITIONS;
                let record = ProducerRecord::new("t").partition(partition).value(self.written.to_string());
                self.producer.send(record).await.expect("there is room").await.expect("it is acknowledged");
                self.written += 1;
            }
            for record in self.consumer.poll(Duration::ZERO).await.expect("a member hears of no leader") {
                let read = self.read.entry(record.partition).or_default();
                let place = number_in(&record) / 3;
                assert!(place <= *read, "partition {} goes on at {place} and not {read}", record.partition);
                *read = (*read).max(place + 1);
            }
        }
    }

    fn count(&self) -> u64 {
        self.read.values().sum()
    }
}

#[tokio::test]
async fn leaders_and_coordinators_that_are_killed_are_followed_without_a_word() {
    if std::env::var("RIVERRUN_TEST_BROKER").is_err() {
        panic!("RIVERRUN_TEST_BROKER has to name a broker that replicates");
    }
    let mut cluster = Cluster::start("failover");
    let client = Client::connect(ClientConfig::new(&cluster.address(1))).await.expect("broker 1 is there");
    let admin = Admin::new(&client);
    let replicated = NewTopic {
        partitions: Some(PARTITIONS),
        replication_factor: Some(3),
        configs: vec![("min.insync.replicas".to_owned(), "1".to_owned())],
        ..NewTopic::new("t")
    };
    let deadline = Instant::now() + DEADLINE;
    while let Err(error) = admin.create_topic(&replicated, false).await {
        assert!(Instant::now() < deadline, "{error}");
        sleep(POLL).await;
    }
    let config = ConsumerConfig {
        auto_offset_reset: OffsetReset::Earliest,
        session_timeout: Duration::from_secs(10),
        heartbeat_interval: Duration::from_secs(1),
        ..ConsumerConfig::group("g")
    };
    let mut consumer = Consumer::new(&client, config).expect("it works");
    consumer.subscribe(["t"]).expect("it has a group");
    let producer = Producer::new(&client, ProducerConfig::default()).expect("the defaults work");
    let mut flow = Flow { producer, consumer, written: 0, read: BTreeMap::new() };
    flow.go_on(50).await;
    let led_by_each = (1..=3).map(|id| [id, id % 3 + 1].map(NodeId).to_vec()).collect();
    let topic = NewTopic { replicas: led_by_each, ..NewTopic::new("w") };
    admin.create_topic(&topic, false).await.expect("it is new");
    // One after the other, so that each leader and the coordinator are among them, and come back.
    for id in [2, 3] {
        cluster.kill(id);
        let describe =
            support::command_at(&cluster.address(1), &["topic", "describe", "w", "--format", "json"]);
        let described = tokio::task::spawn_blocking(|| support::run(describe, "").ok().to_owned());
        flow.go_on(100).await;
        told_as_it_is_after_the_wait(&described.await.expect("it ends"), id);
        cluster.launch(id);
        flow.go_on(50).await;
        caught_up(&admin).await;
    }
    let written = flow.written;
    flow.consumer.close().await.expect("it leaves");
    flow.producer.close().await.expect("it closes");
    each_is_there_once(&client, written).await;
    partitions_without_a_leader_hold_up_no_command(&mut cluster, &admin).await;
    a_group_is_described_beside_partitions_whose_broker_was_just_killed(&mut cluster, &admin).await;
    who_does_not_answer_is_named_beside_what_the_others_say(&mut cluster);
    without_a_quorum_what_the_living_broker_has_is_told(&cluster);
}

/// The leader that was asked in vain is not shown beside the offsets of the one that came after it.
fn told_as_it_is_after_the_wait(described: &str, killed: usize) {
    let told: serde_json::Value = serde_json::from_str(described).expect("it is JSON");
    let partition = &told["partitions"][killed - 1];
    let next = killed % 3 + 1;
    assert_eq!(partition["end_offset"], 0, "{partition}");
    assert_eq!((&partition["leader"], &partition["isr"]), (&next.into(), &[next].into()), "{partition}");
}

/// Whatever was sent again, the log has every record once, and a partition's in their order.
async fn each_is_there_once(client: &Client, written: u64) {
    let mut reader = Consumer::new(client, ConsumerConfig::default()).expect("the defaults work");
    let from_start = |partition| (TopicPartition::new("t", partition), Start::Earliest);
    reader.assign((0..PARTITIONS).map(from_start)).expect("it has no group");
    let mut read: BTreeMap<i32, Vec<u64>> = BTreeMap::new();
    let deadline = Instant::now() + DEADLINE;
    while (read.values().map(Vec::len).sum::<usize>() as u64) < written {
        assert!(Instant::now() < deadline, "not all of {written} are there");
        for record in reader.poll(POLL).await.expect("the topic is there") {
            read.entry(record.partition).or_default().push(number_in(&record));
        }
    }
    for (partition, numbers) in read {
        let own = |number: &u64| *number % 3 == u64::from(partition.unsigned_abs());
        assert_eq!(numbers, (0..written).filter(own).collect::<Vec<_>>(), "partition {partition}");
    }
}

/// One replica of each partition, and the broker of one of them is gone.
async fn partitions_without_a_leader_hold_up_no_command(cluster: &mut Cluster, admin: &Admin) {
    let topic = NewTopic { partitions: Some(3), replication_factor: Some(1), ..NewTopic::new("u") };
    admin.create_topic(&topic, false).await.expect("it is new");
    let address = cluster.address(1);
    let run = |arguments: &[&str], input: &str| {
        let ended = support::run(support::command_at(&address, arguments), input);
        (ended.code, ended.stdout, ended.stderr)
    };
    let lines: String = (0..3).map(|partition| format!("{partition} of {partition}\n")).collect();
    assert_eq!(run(&["produce", "u", "--template", "%p %v\\n"], &lines).0, Some(0));
    spread_groups(admin).await;
    what_was_trimmed_is_told_beside_what_was_not(cluster, admin).await;
    cluster.kill(3);
    let deadline = Instant::now() + DEADLINE;
    let gone = loop {
        let topic = admin.describe_topic("u").await.expect("it is there");
        let groups = admin.describe_topic("__consumer_offsets").await.expect("it is there");
        let gone = [topic, groups].map(|topic| {
            let gone = topic.partitions.into_values().filter(|one| one.leader.is_none());
            gone.map(|one| one.partition).collect::<Vec<_>>()
        });
        let [topic, groups] = gone;
        if !topic.is_empty() && !groups.is_empty() {
            break topic;
        }
        assert!(Instant::now() < deadline, "broker 3 leads none of them");
        sleep(POLL).await;
    };
    let begun = Instant::now();
    let (code, read, notes) = run(&["consume", "u", "--from", ":end"], "");
    assert_eq!((code, read.lines().count()), (Some(1), 3 - gone.len()), "not all is read: {notes}");
    assert!(notes.contains(&format!("u-{}", gone[0])) && notes.contains("no leader"), "{notes}");
    let (code, _, notes) = run(&["topic", "trim", "u", "--before", "end", "--dry-run"], "");
    assert!(code == Some(1) && notes.contains("riverrun cluster health"), "{notes}");
    let down = [
        (&["cluster", "info"][..], "down: 3\n"),
        (&["cluster", "info"], "  down   127.0.0.1"),
        (&["cluster", "log-dirs"], "broker is down: 3 (127.0.0.1:"),
        (&["cluster", "log-dirs", "--broker", "3"], "broker is down: 3 (127.0.0.1:"),
        (&["config", "get", "broker", "3"], "broker is down: 3 (127.0.0.1:"),
        (&["api", "--broker", "3"], "broker is down: 3 (127.0.0.1:"),
        (&["cluster", "health", "--format", "wide"], "no leader; down or without its directory: 3\n"),
    ];
    for (arguments, said) in down {
        let (code, printed, notes) = run(arguments, "");
        // What the cluster is made of is told whole: brokers that are registered are known.
        assert_eq!(code, Some(i32::from(arguments != ["cluster", "info"])), "{printed}{notes}");
        assert!((printed.clone() + &notes).contains(said), "{arguments:?}: {printed}{notes}");
    }
    let (code, printed, _) = run(&["cluster", "log-dirs", "--format", "json"], "");
    assert!(code == Some(1) && printed.contains("the broker is down"), "the others are shown: {printed}");
    assert_eq!(run(&["config", "get", "broker", "7"], "").0, Some(3), "nobody has heard of it");
    groups_without_a_coordinator_are_missed(&run);
    // Far less than a client tries by itself.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// A broker stands still, and then the only controller is gone.
fn who_does_not_answer_is_named_beside_what_the_others_say(cluster: &mut Cluster) {
    let run = |address: String, arguments: &[&str]| {
        let begun = Instant::now();
        let ended = support::run(support::command_at(&address, arguments), "");
        assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{arguments:?}: {:?}", begun.elapsed());
        ended.stdout
    };
    let still = cluster.brokers[1].as_ref().expect("it runs").id();
    support::send("-STOP", still);
    let of_all = format!("{},{}", cluster.address(2), cluster.address(1));
    for waits in [&["cluster", "health"][..], &["cluster", "health", "--wait", "8s"]] {
        let printed = run(of_all.clone(), waits);
        assert!(printed.contains("no answer from  1: 2 (") || printed.contains("2: 2 3\n"), "{printed}");
        assert!(printed.contains("without leader"), "{printed}");
    }
    support::send("-CONT", still);
    cluster.kill(1);
    let printed = run(cluster.address(2), &["cluster", "info"]);
    assert!(
        printed.contains("no controller answers\n") && printed.contains("metadata.version="),
        "{printed}"
    );
    let printed = run(cluster.address(2), &["cluster", "health", "--format", "json"]);
    assert!(printed.contains("\"controller\": false"), "{printed}");
    // What a look has found is told, however little time there is for the next one, and why somebody is not reached.
    for waits in [&["cluster", "health"][..], &["cluster", "health", "--wait", "4s"]] {
        let begun = Instant::now();
        let printed = run(cluster.address(2), waits);
        let refused = format!("1: 1 (the connection to {} failed: ", cluster.address(1));
        assert!(printed.contains(" none\n") && printed.contains(&refused), "{printed}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{waits:?}: {:?}", begun.elapsed());
    }
}

/// Broker 2 is left, and nobody tells it that the others are gone.
fn without_a_quorum_what_the_living_broker_has_is_told(cluster: &Cluster) {
    let begun = Instant::now();
    let describe = ["topic", "describe", "x", "v", "w", "--format", "json"];
    let ended = support::run(support::command_at(&cluster.address(2), &describe), "");
    // One wait for broker 1, and not one for each topic.
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    let ends: Vec<_> = (0..2).map(|place| told[0]["partitions"][place]["end_offset"].as_i64()).collect();
    assert_eq!(ends, [None, Some(0)], "{ended:?}");
    assert!(ended.stderr.contains("not all of x is known: x-0: "), "{ended:?}");
}

/// Each broker has a partition, and one is killed while it is asked whether they are to be trimmed.
async fn what_was_trimmed_is_told_beside_what_was_not(cluster: &Cluster, admin: &Admin) {
    let replicas = (1..=3).map(|broker| vec![NodeId(broker)]).collect();
    let topic = NewTopic { replicas, ..NewTopic::new("v") };
    admin.create_topic(&topic, false).await.expect("it is new");
    let address = cluster.address(1);
    let command = |arguments: &[&str]| support::command_at(&address, arguments);
    support::run(command(&["produce", "v", "--template", "%p %v\\n"]), "0 a\n1 b\n2 c\n").ok();
    let broker = cluster.brokers[2].as_ref().expect("it runs").id();
    let kill = Box::new(move || support::send("-KILL", broker));
    let terminal = Terminal { before_yes: Some(kill), ..Terminal::default() };
    let trim = ["topic", "trim", "v", "--before", "end", "-X", "default.api.timeout.ms=3000"];
    let seen = terminal.run(command(&trim), "");
    assert_eq!(seen.code, Some(1), "{seen:?}");
    let (done, failed) = (seen.screen.find("2 offsets deleted from v\n"), seen.screen.find("riverrun: "));
    assert!(done.is_some_and(|done| failed.is_some_and(|failed| done < failed)), "{seen:?}");
    let failed = seen.screen.split_once("riverrun: ").map_or("", |(_, failed)| failed);
    assert!(failed.starts_with("cannot trim the topic: v-2: ") && failed.contains("next: "), "{seen:?}");
    let rows = seen.screen.lines().filter(|line| line.trim_start().starts_with(['0', '1', '2']));
    assert_eq!(rows.count(), 2, "one for each that was trimmed: {seen:?}");
}

/// Broker 2 alone has a partition that a group has read, and the cluster does not know yet that it is gone.
async fn a_group_is_described_beside_partitions_whose_broker_was_just_killed(
    cluster: &mut Cluster,
    admin: &Admin,
) {
    let topic = NewTopic { replicas: vec![vec![NodeId(1)], vec![NodeId(2)]], ..NewTopic::new("x") };
    admin.create_topic(&topic, false).await.expect("it is new");
    let offsets = (0..2).map(|partition| (TopicPartition::new("x", partition), Offset(0).into())).collect();
    let address = cluster.address(1);
    // By the hash of its name it is broker 1 that coordinates it.
    admin.alter_offsets("g", &offsets).await.expect("it has a coordinator");
    cluster.kill(2);
    let begun = Instant::now();
    let describe = ["group", "describe", "g", "--trend", "1s", "--format", "json"];
    let ended = support::run(support::command_at(&address, &describe), "");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let read: serde_json::Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    let ends: Vec<_> = (0..2).map(|place| read["partitions"][place]["end_offset"].as_i64()).collect();
    assert_eq!(ends, [Some(0), None], "{ended:?}");
    cluster.launch(2);
    let deadline = Instant::now() + DEADLINE;
    let led =
        async || admin.describe_topic("x").await.is_ok_and(|topic| topic.partitions[&1].leader.is_some());
    while !led().await {
        assert!(Instant::now() < deadline, "broker 2 does not come back");
        sleep(POLL).await;
    }
}

/// Leaves one group with broker 1 and another one with broker 3, which keep them alone.
async fn spread_groups(admin: &Admin) {
    admin.delete_topic("__consumer_offsets").await.expect("no member is left");
    let topic = NewTopic {
        configs: vec![("cleanup.policy".to_owned(), "compact".to_owned())],
        replicas: vec![vec![NodeId(3)], vec![NodeId(1)]],
        ..NewTopic::new("__consumer_offsets")
    };
    admin.create_topic(&topic, false).await.expect("nobody else has made it");
    let offsets = [(TopicPartition::new("t", 0), Offset(1).into())].into();
    // By the hash of a name, "h" is in partition 0 and "g" in the other one.
    for group in ["g", "h"] {
        admin.alter_offsets(group, &offsets).await.expect("it has a coordinator");
    }
}

/// What is left of a list is shown, and nobody takes the rest for deleted.
fn groups_without_a_coordinator_are_missed(run: &impl Fn(&[&str], &str) -> (Option<i32>, String, String)) {
    let words = "riverrun: groups of 1 partition of __consumer_offsets are not listed: it has no leader\n\
                 next: `riverrun cluster health` shows which brokers are down\n";
    for (arguments, printed) in [
        (&["group", "list", "--format", "name"][..], "g\n"),
        (&["group", "list", "--format", "name", "--regex", "h"], ""),
        (&["group", "list", "--regex", "^h"], ""),
        (&["group", "list", "--state", "Stable"], ""),
        (&["group", "describe", "--format", "name", "--regex", "."], "g\n"),
        (&["group", "describe", "--regex", "^h"], ""),
        (&["group", "delete", "--regex", "^h", "--yes"], ""),
        (&["group", "delete", "--regex", "^[gh]$", "--yes", "--format", "name"], "g\n"),
    ] {
        assert_eq!(run(arguments, ""), (Some(1), printed.to_owned(), words.to_owned()), "{arguments:?}");
    }
}

/// Waits until every replica is in sync, so that the next broker may be killed.
async fn caught_up(admin: &Admin) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let mut behind = 0;
        for name in ["t", "__consumer_offsets"] {
            let topic = admin.describe_topic(name).await.expect("it is there");
            behind += topic.partitions.values().filter(|partition| partition.isr.len() < 3).count();
        }
        if behind == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "{behind} partitions lack replicas");
        sleep(POLL).await;
    }
}
