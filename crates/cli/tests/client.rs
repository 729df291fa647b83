//! The client against a real broker, which is killed, restarted and asked for what cannot be.

mod support;

// The examples of the client's documentation, which are shown there as they are run here.
#[allow(dead_code)]
#[path = "../../client/examples/administer.rs"]
mod administer;
#[allow(dead_code)]
#[path = "../../client/examples/group.rs"]
mod group;
#[allow(dead_code)]
#[path = "../../client/examples/write_and_read.rs"]
mod write_and_read;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::admin::{CommittedOffset, NewTopic};
use client::config::{Assignor, OffsetReset};
use client::{
    Admin, Client, ClientConfig, Consumer, ConsumerConfig, Error, ErrorCode, Offset, Producer,
    ProducerConfig, ProducerRecord, Rebalance, RebalanceListener, Start, Timestamp, TopicPartition,
};
use support::Broker;
use tokio::time::{Instant, timeout};

const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(200);

async fn connect(broker: &Broker) -> Client {
    Client::connect(ClientConfig::new(&broker.bootstrap)).await.expect("the broker is there")
}

async fn topic(client: &Client, name: &str, partitions: i32, configs: &[(&str, &str)]) {
    let configs = configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let topic = NewTopic { partitions: Some(partitions), configs, ..NewTopic::new(name) };
    Admin::new(client).create_topic(&topic, false).await.expect("the topic is new");
}

fn producer(client: &Client) -> Producer {
    Producer::new(client, ProducerConfig::default()).expect("the defaults work")
}

/// A consumer of all partitions of a topic, from the start.
fn reader(client: &Client, topic: &str, partitions: i32) -> Consumer {
    let mut consumer = Consumer::new(client, ConsumerConfig::default()).expect("the defaults work");
    consumer
        .assign((0..partitions).map(|partition| (TopicPartition::new(topic, partition), Start::Earliest)))
        .expect("it has not subscribed");
    consumer
}

/// Reads `count` values, by partition.
async fn read(consumer: &mut Consumer, count: usize) -> BTreeMap<i32, Vec<String>> {
    let deadline = Instant::now() + DEADLINE;
    let mut values: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    let mut read = 0;
    while read < count {
        assert!(Instant::now() < deadline, "only {read} of {count} records came");
        for record in consumer.poll(POLL).await.expect("the topic is there") {
            let value = String::from_utf8(record.value.expect("it has one").to_vec()).expect("it is text");
            values.entry(record.partition).or_default().push(value);
            read += 1;
        }
    }
    values
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotent_producer_loses_and_repeats_nothing_while_the_broker_is_killed() {
    let mut broker = Broker::start("killed");
    let client = connect(&broker).await;
    topic(&client, "t", 3, &[]).await;
    let producer = Arc::new(producer(&client));
    let mut next = 0;
    for _ in 0..4 {
        // Half are on their way when the broker dies, and the others come while it is away.
        let mut deliveries = Vec::new();
        for place in 0..400 {
            if place == 200 {
                broker.kill();
            }
            let record = ProducerRecord::new("t").partition(next % 3).value(next.to_string());
            deliveries.push(producer.send(record).await.expect("there is room"));
            next += 1;
        }
        broker.restart();
        for delivery in deliveries {
            timeout(DEADLINE, delivery.wait()).await.expect("it ends in time").expect("it is written");
        }
    }
    producer.close().await.expect("it closes");
    let values = read(&mut reader(&client, "t", 3), 1600).await;
    for (partition, values) in &values {
        let expected: Vec<String> =
            (0..next).filter(|n| n % 3 == *partition).map(|n| n.to_string()).collect();
        assert_eq!(*values, expected, "partition {partition} has each once and in order");
    }
    let mut more = reader(&client, "t", 3);
    more.assign((0..3).map(|p| (TopicPartition::new("t", p), Start::Latest))).expect("it has not subscribed");
    assert_eq!(more.poll(POLL).await.expect("the topic is there"), [], "and nothing else");
}

#[tokio::test]
async fn a_record_that_the_broker_refuses_does_not_stop_those_after_it() {
    let broker = Broker::start("refused");
    let client = connect(&broker).await;
    topic(&client, "t", 1, &[("max.message.bytes", "1000")]).await;
    let config = ProducerConfig { batch_size: 0, linger: Duration::ZERO, ..Default::default() };
    let producer = Producer::new(&client, config).expect("it works");
    let mut deliveries = Vec::new();
    for size in [10, 10, 5000, 10, 10] {
        let record = ProducerRecord::new("t").value("x".repeat(size));
        deliveries.push(producer.send(record).await.expect("there is room"));
    }
    let mut outcomes = Vec::new();
    for delivery in deliveries {
        outcomes.push(timeout(DEADLINE, delivery.wait()).await.expect("it ends in time"));
    }
    let offsets: Vec<_> =
        outcomes.iter().map(|o| o.as_ref().ok().and_then(|written| written.offset)).collect();
    assert_eq!(offsets, [Some(Offset(0)), Some(Offset(1)), None, Some(Offset(2)), Some(Offset(3))]);
    let error = outcomes.swap_remove(2).expect_err("it is too large");
    assert_eq!(error.code(), Some(ErrorCode::MessageTooLarge));
    assert_eq!((error.topic(), error.partition(), error.retriable()), (Some("t"), Some(0), false));
}

#[tokio::test]
async fn batches_that_are_too_large_for_the_topic_are_halved_until_they_fit() {
    let broker = Broker::start("halved");
    let client = connect(&broker).await;
    topic(&client, "t", 1, &[("max.message.bytes", "1000")]).await;
    let producer = producer(&client);
    let mut deliveries = Vec::new();
    for n in 0..200 {
        let record = ProducerRecord::new("t").value(format!("{n:0100}"));
        deliveries.push(producer.send(record).await.expect("there is room"));
    }
    for (n, delivery) in (0..).zip(deliveries) {
        let written =
            timeout(DEADLINE, delivery.wait()).await.expect("it ends in time").expect("it fits at last");
        assert_eq!(written.offset, Some(Offset(n)));
    }
    timeout(DEADLINE, producer.close()).await.expect("it ends in time").expect("it closes");
    let values = read(&mut reader(&client, "t", 1), 200).await;
    assert!(values[&0].is_sorted(), "they kept their order");
}

#[tokio::test]
async fn a_producer_that_is_closed_in_time_says_what_was_given_up() {
    let mut broker = Broker::start("close-within");
    let client = connect(&broker).await;
    topic(&client, "t", 1, &[]).await;
    let first = producer(&client);
    let written = first.send(ProducerRecord::new("t").value("a")).await.expect("there is room");
    first.close_within(DEADLINE).await.expect("there is time enough");
    assert_eq!(written.await.expect("it is written").offset, Some(Offset(0)));
    let second = producer(&client);
    second
        .send(ProducerRecord::new("t").value("b"))
        .await
        .expect("there is room")
        .await
        .expect("it is written");
    broker.kill();
    let late = second.send(ProducerRecord::new("t").value("c")).await.expect("there is room");
    let error = second.close_within(Duration::from_millis(50)).await.expect_err("nobody is there");
    assert!(matches!(&error, Error::Timeout { what, .. } if what == "closing the producer"), "{error}");
    let given_up = timeout(DEADLINE, late.wait()).await.expect("it is settled").expect_err("nobody is there");
    let Error::Timeout { what, after } = given_up else { panic!("{given_up:?}") };
    assert!(what.starts_with("an acknowledgement") && after >= Duration::from_millis(50), "{what} {after:?}");
    assert_eq!(second.send(ProducerRecord::new("t")).await.expect_err("it is closed"), Error::Closed);
}

#[tokio::test]
async fn errors_say_what_they_are_about() {
    let broker = Broker::start("errors");
    let client = connect(&broker).await;
    topic(&client, "t", 1, &[]).await;
    let config = ProducerConfig { max_block: Duration::from_millis(500), ..Default::default() };
    let producer = Producer::new(&client, config).expect("it works");
    let error =
        producer.send(ProducerRecord::new("t").value(vec![0; 2 << 20])).await.expect_err("it is large");
    assert!(matches!(error, Error::RecordTooLarge { limit: 1_048_576, .. }), "{error}");
    let error =
        producer.send(ProducerRecord::new("t").partition(5)).await.expect_err("there is one partition");
    assert_eq!((error.code(), error.partition()), (Some(ErrorCode::UnknownTopicOrPartition), Some(5)));
    producer.close().await.expect("it closes");
    let error = producer.send(ProducerRecord::new("t")).await.expect_err("it is closed");
    assert_eq!(error, Error::Closed);

    let config = ConsumerConfig { auto_offset_reset: OffsetReset::None, ..Default::default() };
    let mut consumer = Consumer::new(&client, config).expect("it works");
    assert!(matches!(consumer.subscribe(["t"]), Err(Error::Config { name: "group.id", .. })));
    consumer
        .assign([(TopicPartition::new("t", 0), Start::Offset(Offset(7)))])
        .expect("it has not subscribed");
    let error = loop {
        match timeout(DEADLINE, consumer.poll(POLL)).await.expect("it ends in time") {
            Ok(records) => assert_eq!(records, []),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::OutOfRange { partition: 0, offset: 7, .. }), "{error}");
}

#[tokio::test]
async fn a_consumer_goes_where_it_is_sent() {
    let broker = Broker::start("seek");
    let client = connect(&broker).await;
    topic(&client, "t", 1, &[]).await;
    let producer = producer(&client);
    for n in 0..10i64 {
        let record = ProducerRecord::new("t").timestamp(Timestamp(1000 + n)).value(n.to_string());
        producer.send(record).await.expect("there is room");
    }
    producer.flush().await;
    let partition = TopicPartition::new("t", 0);
    let mut consumer = reader(&client, "t", 1);
    assert_eq!(read(&mut consumer, 10).await[&0].len(), 10);
    for (start, first) in
        [(Start::Offset(Offset(8)), "8"), (Start::At(Timestamp(1006)), "6"), (Start::Earliest, "0")]
    {
        consumer.seek(&partition, start);
        assert_eq!(read(&mut consumer, 1).await[&0].first().map(String::as_str), Some(first));
    }
    consumer.seek(&partition, Start::Earliest);
    let two = consumer.poll_up_to(2, DEADLINE).await.expect("the topic is there");
    assert_eq!((two.len(), consumer.position(&partition)), (2, Some(Offset(2))));
    consumer.pause([&partition]);
    assert_eq!(consumer.poll(POLL).await.expect("the topic is there"), []);
    consumer.resume([&partition]);
    assert_eq!(read(&mut consumer, 8).await[&0].first().map(String::as_str), Some("2"));
    assert_eq!(consumer.high_watermark(&partition), Some(Offset(10)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_go_on_when_the_broker_comes_back() {
    let mut broker = Broker::start("back");
    let client = connect(&broker).await;
    topic(&client, "t", 2, &[]).await;
    let producer = producer(&client);
    let mut alone = reader(&client, "t", 2);
    // Kafka's broker loads the group, and lets sessions run, up to ten seconds before it opens its port: it waits until its
    // controller takes the process that was killed for dead.
    let patient = ConsumerConfig { session_timeout: Duration::from_secs(30), ..member_config(None) };
    let mut patient = Consumer::new(&client, patient).expect("it works");
    patient.subscribe(["t"]).expect("it has a group");
    let mut members = vec![patient];
    settle(&mut members, 2).await;
    for round in 0..2 {
        for n in 0..10 {
            producer
                .send(ProducerRecord::new("t").partition(n % 2).value(n.to_string()))
                .await
                .expect("there is room");
        }
        producer.flush().await;
        assert_eq!(read(&mut alone, 10).await.values().map(Vec::len).sum::<usize>(), 10, "round {round}");
        let values = timeout(DEADLINE, read(&mut members[0], 10)).await.expect("it ends in time");
        assert_eq!(values.values().map(Vec::len).sum::<usize>(), 10, "round {round}");
        members[0].commit().await.expect("it is a member");
        broker.kill();
        broker.restart();
    }
    let committed = Admin::new(&client).committed_offsets("g", None).await.expect("it has some");
    assert_eq!(committed.values().map(|committed| committed.offset.0).sum::<i64>(), 20);
}

/// A member with a short session, so that its death is soon noticed.
fn member_config(instance: Option<&str>) -> ConsumerConfig {
    ConsumerConfig {
        session_timeout: Duration::from_secs(6),
        heartbeat_interval: Duration::from_millis(200),
        auto_offset_reset: OffsetReset::Earliest,
        group_instance_id: instance.map(str::to_owned),
        ..ConsumerConfig::group("g")
    }
}

fn member(client: &Client, instance: Option<&str>) -> Consumer {
    let mut consumer = Consumer::new(client, member_config(instance)).expect("it works");
    consumer.subscribe(["t"]).expect("it has a group");
    consumer
}

/// Polls members in turn until their shares are even and cover everything. Returns what was read meanwhile.
async fn settle(members: &mut [Consumer], partitions: usize) -> Vec<String> {
    let deadline = Instant::now() + DEADLINE;
    let mut values = Vec::new();
    loop {
        for member in &mut *members {
            let records = member.poll(Duration::from_millis(20)).await.expect("the group works");
            values.extend(
                records.into_iter().filter_map(|record| String::from_utf8(record.value?.to_vec()).ok()),
            );
        }
        let all: BTreeSet<_> = members.iter().flat_map(|member| member.assignment().cloned()).collect();
        let sizes: Vec<usize> = members.iter().map(|member| member.assignment().count()).collect();
        let even = sizes.iter().max().copied().unwrap_or(0) <= sizes.iter().min().copied().unwrap_or(0) + 1;
        let once = sizes.iter().sum::<usize>() == partitions;
        if members.iter().all(Consumer::has_assignment) && all.len() == partitions && even && once {
            return values;
        }
        assert!(Instant::now() < deadline, "the group does not settle: {sizes:?}");
    }
}

#[tokio::test]
async fn a_group_shares_partitions_and_outlives_a_member_that_dies() {
    let broker = Broker::start("members");
    let client = connect(&broker).await;
    topic(&client, "t", 4, &[]).await;
    let mut members = vec![member(&client, None)];
    settle(&mut members, 4).await;
    members.push(member(&client, None));
    settle(&mut members, 4).await;
    members.push(member(&client, None));
    settle(&mut members, 4).await;
    let producer = producer(&client);
    for n in 0..100 {
        producer
            .send(ProducerRecord::new("t").partition(n % 4).value(n.to_string()))
            .await
            .expect("there is room");
    }
    producer.flush().await;
    // Dropped without leaving, as a crash leaves it.
    drop(members.remove(1));
    let mut values: BTreeSet<String> = settle(&mut members, 4).await.into_iter().collect();
    let deadline = Instant::now() + DEADLINE;
    while values.len() < 100 {
        assert!(Instant::now() < deadline, "only {} records came", values.len());
        values.extend(settle(&mut members, 4).await);
    }
    for member in members {
        member.close().await.expect("it leaves");
    }
    let group = Admin::new(&client).describe_group("g").await.expect("it is there");
    assert_eq!((group.state.as_str(), group.members.len()), ("Empty", 0));
    let committed = Admin::new(&client).committed_offsets("g", None).await.expect("it has some");
    assert_eq!(committed.values().map(|committed| committed.offset.0).sum::<i64>(), 100);
}

/// Writes down what a member is told, and commits what it is about to lose.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn note(&self, what: &str, rebalance: &Rebalance<'_>) {
        let names: Vec<String> = rebalance.partitions().iter().map(ToString::to_string).collect();
        self.0.lock().expect("nobody panicked").push(format!("{what} {}", names.join(" ")));
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("nobody panicked"))
    }
}

impl RebalanceListener for Told {
    fn assigned(&mut self, rebalance: &mut Rebalance<'_>) {
        if !rebalance.partitions().is_empty() {
            self.note("assigned", rebalance);
        }
    }

    fn revoked(&mut self, rebalance: &mut Rebalance<'_>) {
        self.note("revoked", rebalance);
        for partition in rebalance.partitions() {
            if let Some(position) = rebalance.position(partition) {
                let committed = CommittedOffset { metadata: "parting".to_owned(), ..position.into() };
                rebalance.commit(partition, committed);
            }
        }
    }

    fn lost(&mut self, rebalance: &mut Rebalance<'_>) {
        self.note("lost", rebalance);
    }
}

#[tokio::test]
async fn a_member_keeps_reading_what_it_keeps_while_another_one_joins() {
    let broker = Broker::start("cooperative");
    let client = connect(&broker).await;
    topic(&client, "t", 4, &[]).await;
    let producer = producer(&client);
    for n in 0..40 {
        let record = ProducerRecord::new("t").partition(n % 4).value(n.to_string());
        producer.send(record).await.expect("there is room");
    }
    producer.flush().await;
    let told = Told::default();
    let config = ConsumerConfig { enable_auto_commit: false, ..member_config(None) };
    let mut first = Consumer::new(&client, config.clone()).expect("it works");
    first.subscribe(["t"]).expect("it has a group");
    first.on_rebalance(told.clone());
    assert_eq!(read(&mut first, 40).await.len(), 4);
    assert_eq!(told.take(), ["assigned t-0 t-1 t-2 t-3"]);
    let kept = TopicPartition::new("t", 0);
    first.pause([&kept]);

    let mut second = Consumer::new(&client, config).expect("it works");
    second.subscribe(["t"]).expect("it has a group");
    let mut members = vec![first, second];
    assert_eq!(settle(&mut members, 4).await, Vec::<String>::new(), "what was read and committed comes once");
    assert_eq!(told.take(), ["revoked t-2 t-3"]);
    assert_eq!(members[0].position(&kept), Some(Offset(10)), "it knew where it was all the time");
    assert_eq!(members[0].paused().collect::<Vec<_>>(), [&kept]);
    let committed = Admin::new(&client).committed_offsets("g", None).await.expect("it has some");
    let committed: Vec<_> = committed
        .iter()
        .map(|(name, committed)| (name.partition, committed.offset.0, committed.metadata.as_str()))
        .collect();
    assert_eq!(committed, [(2, 10, "parting"), (3, 10, "parting")]);

    members.pop().expect("there are two").close().await.expect("it leaves");
    settle(&mut members, 4).await;
    assert_eq!(told.take(), ["assigned t-2 t-3"]);
    members.pop().expect("there is one").close().await.expect("it leaves");
    assert_eq!(told.take(), ["revoked t-0 t-1 t-2 t-3"]);
}

#[tokio::test]
async fn an_eager_member_gives_up_everything_first() {
    let broker = Broker::start("eager");
    let client = connect(&broker).await;
    topic(&client, "t", 2, &[]).await;
    let told = Told::default();
    let eager = ConsumerConfig { assignors: vec![Assignor::Range], ..member_config(None) };
    let mut first = Consumer::new(&client, eager.clone()).expect("it works");
    first.subscribe(["t"]).expect("it has a group");
    first.on_rebalance(told.clone());
    let mut members = vec![first];
    settle(&mut members, 2).await;
    let mut second = Consumer::new(&client, eager).expect("it works");
    second.subscribe(["t"]).expect("it has a group");
    members.push(second);
    settle(&mut members, 2).await;
    let told = told.take();
    assert_eq!(told[..2], ["assigned t-0 t-1", "revoked t-0 t-1"]);
    assert!(told[2].starts_with("assigned t-") && told.len() == 3, "{told:?}");
}

#[tokio::test]
async fn a_member_that_does_not_poll_loses_its_partitions_and_is_told() {
    let broker = Broker::start("lost");
    let client = connect(&broker).await;
    topic(&client, "t", 1, &[]).await;
    let config = ConsumerConfig { max_poll_interval: Duration::from_millis(500), ..member_config(None) };
    let told = Told::default();
    let mut idle = Consumer::new(&client, config).expect("it works");
    idle.subscribe(["t"]).expect("it has a group");
    idle.on_rebalance(told.clone());
    let mut members = vec![idle];
    settle(&mut members, 1).await;
    let mut idle = members.pop().expect("there is one");
    let mut successor = vec![member(&client, None)];
    settle(&mut successor, 1).await;
    let late = idle.commit_offsets([(TopicPartition::new("t", 0), Offset(0).into())]).await;
    assert!(late.is_err(), "it has nothing to say any more");
    assert_eq!(idle.generation(), None);
    assert_eq!(idle.poll(Duration::ZERO).await.expect("the group works"), []);
    assert_eq!(told.take(), ["assigned t-0", "lost t-0"]);
}

#[tokio::test]
async fn commits_without_waiting_keep_their_order_and_lag_is_what_is_left() {
    let broker = Broker::start("async");
    let client = connect(&broker).await;
    topic(&client, "t", 1, &[]).await;
    let producer = producer(&client);
    for n in 0..50 {
        producer.send(ProducerRecord::new("t").value(n.to_string())).await.expect("there is room");
    }
    producer.close().await.expect("it closes");
    let config = ConsumerConfig { enable_auto_commit: false, ..member_config(None) };
    let mut consumer = Consumer::new(&client, config).expect("it works");
    consumer.subscribe(["t"]).expect("it has a group");
    let name = TopicPartition::new("t", 0);
    let mut last = None;
    let mut read = 0;
    while read < 49 {
        read += consumer.poll_up_to(1, DEADLINE).await.expect("the group works").len();
        last = Some(consumer.commit_async().expect("it has a group"));
    }
    assert_eq!(consumer.lag(&name), Some(1));
    timeout(DEADLINE, last.expect("there was one").wait()).await.expect("in time").expect("it is a member");
    let admin = Admin::new(&client);
    let committed = admin.committed_offsets("g", None).await.expect("it has some");
    assert_eq!(committed[&name].offset, Offset(49));
    consumer.commit_offsets([(name.clone(), Offset(7).into())]).await.expect("it is a member");
    let committed = admin.committed_offsets("g", None).await.expect("it has some");
    assert_eq!(committed[&name].offset, Offset(7));
    consumer.unsubscribe().await.expect("it leaves");
    assert_eq!(admin.describe_group("g").await.expect("it is there").state, "Empty");
    consumer.subscribe(["t"]).expect("it has a group");
    let again = consumer.poll_up_to(1, DEADLINE).await.expect("the group works");
    assert_eq!(again.first().map(|record| record.offset), Some(Offset(7)));
}

#[tokio::test]
async fn a_static_member_comes_back_to_what_it_had() {
    let broker = Broker::start("static");
    let client = connect(&broker).await;
    topic(&client, "t", 2, &[]).await;
    let mut members = vec![member(&client, Some("a")), member(&client, Some("b"))];
    settle(&mut members, 2).await;
    let had: Vec<_> = members[0].assignment().cloned().collect();
    members.remove(0).close().await.expect("it goes without leaving");
    members.insert(0, member(&client, Some("a")));
    settle(&mut members, 2).await;
    assert_eq!(members[0].assignment().cloned().collect::<Vec<_>>(), had);
}

#[tokio::test]
async fn a_static_member_whose_name_is_taken_ends_with_an_error() {
    let broker = Broker::start("fenced");
    let client = connect(&broker).await;
    topic(&client, "t", 1, &[]).await;
    let mut members = vec![member(&client, Some("a"))];
    settle(&mut members, 1).await;
    let mut successor = vec![member(&client, Some("a"))];
    settle(&mut successor, 1).await;
    let fenced = async {
        loop {
            if let Err(error) = members[0].poll(POLL).await {
                break error;
            }
        }
    };
    let error = timeout(DEADLINE, fenced).await.expect("it ends in time");
    assert_eq!(error.code(), Some(ErrorCode::FencedInstanceId));
    settle(&mut successor, 1).await;
}

#[tokio::test]
async fn what_is_committed_by_hand_is_where_the_next_member_begins() {
    let broker = Broker::start("commit");
    let client = connect(&broker).await;
    topic(&client, "t", 1, &[]).await;
    let producer = producer(&client);
    for n in 0..10 {
        producer.send(ProducerRecord::new("t").value(n.to_string())).await.expect("there is room");
    }
    producer.close().await.expect("it closes");
    let config = ConsumerConfig {
        enable_auto_commit: false,
        auto_offset_reset: OffsetReset::Earliest,
        ..ConsumerConfig::group("g")
    };
    for (take, commits, expected) in [(4, true, "0"), (3, false, "4"), (1, true, "4"), (1, true, "5")] {
        let mut consumer = Consumer::new(&client, config.clone()).expect("it works");
        consumer.subscribe(["t"]).expect("it has a group");
        let records = consumer.poll_up_to(take, DEADLINE).await.expect("the group works");
        assert_eq!(records.first().and_then(|record| record.value.as_deref()), Some(expected.as_bytes()));
        assert_eq!(records.len(), take);
        if commits {
            consumer.commit().await.expect("it is a member");
        }
        consumer.close().await.expect("it leaves");
    }
}

/// A client that asks anew for metadata of this age.
async fn curious_client(broker: &Broker, metadata_max_age: Duration) -> Client {
    let config = ClientConfig { metadata_max_age, ..ClientConfig::new(&broker.bootstrap) };
    Client::connect(config).await.expect("the broker is there")
}

#[tokio::test]
async fn topics_that_match_are_read_also_where_they_are_made_or_deleted_later() {
    let broker = Broker::start("client-pattern");
    let client = curious_client(&broker, Duration::from_millis(200)).await;
    let mut consumer = Consumer::new(&client, member_config(None)).expect("it works");
    consumer.subscribe_matching(|topic| topic.starts_with("orders-")).expect("it has a group");
    assert!(consumer.poll(POLL).await.expect("no topic is no error").is_empty());
    let producer = producer(&client);
    for name in ["orders-eu", "payments", "orders-us"] {
        topic(&client, name, 1, &[]).await;
        let sent = producer.send(ProducerRecord::new(name).value(name)).await.expect("there is room");
        sent.await.expect("it is written");
        if name != "payments" {
            assert_eq!(read(&mut consumer, 1).await, BTreeMap::from([(0, vec![name.to_owned()])]));
        }
    }
    let names = |consumer: &Consumer| {
        consumer.assignment().map(|partition| partition.topic.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&consumer), ["orders-eu", "orders-us"]);
    Admin::new(&client).delete_topic("orders-eu").await.expect("it is there");
    let deadline = Instant::now() + DEADLINE;
    while names(&consumer) != ["orders-us"] {
        assert!(Instant::now() < deadline, "it still reads {:?}", names(&consumer));
        // What is gone is an error until the subscription has followed.
        let _ = consumer.poll(POLL).await;
    }
    consumer.close().await.expect("the group is there");
}

#[tokio::test]
async fn a_topic_that_was_deleted_is_not_made_again_for_having_been_written_to() {
    let broker = Broker::start("client-deleted");
    let client = curious_client(&broker, Duration::from_millis(20)).await;
    let producer = producer(&client);
    topic(&client, "t", 1, &[]).await;
    let send = async || {
        let sent = producer.send(ProducerRecord::new("t").value("v")).await.expect("there is room");
        sent.await.expect("it is written")
    };
    send().await;
    Admin::new(&client).delete_topic("t").await.expect("it is there");
    let deadline = Instant::now() + DEADLINE;
    let is_there = async || {
        assert!(Instant::now() < deadline, "the producer makes it again");
        let metadata = client.fetch_metadata(None).await.expect("the broker is there");
        metadata.topic("t").is_some()
    };
    while is_there().await {}
    for _ in 0..3 {
        // Only the producer asks meanwhile.
        let before = client.metadata();
        while Arc::ptr_eq(&before, &client.metadata()) {
            assert!(Instant::now() < deadline, "the producer does not refresh");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!is_there().await, "nobody wants it any more");
    }
    // Records that are handed over later make it, where topics are made for whoever asks.
    send().await;
}

#[tokio::test]
async fn the_examples_of_the_documentation_run() {
    let broker = Broker::start("examples");
    let client = connect(&broker).await;
    topic(&client, "orders", 3, &[]).await;
    let all = async {
        write_and_read::run(&broker.bootstrap).await.expect("three records are written and read");
        group::run(&broker.bootstrap).await.expect("the group reads them");
        administer::run(&broker.bootstrap).await.expect("a topic is made and taken away");
    };
    timeout(DEADLINE, all).await.expect("they end in time");
    let committed = Admin::new(&client).committed_offsets("kitchen", None).await.expect("the group is there");
    assert_eq!(committed.values().map(|committed| committed.offset.0).sum::<i64>(), 3);
}
