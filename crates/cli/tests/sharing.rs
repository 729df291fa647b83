//! `riverrun consume --until-end` beside other members of its group.

mod support;

use std::time::Duration;

use client::admin::NewTopic;
use client::config::OffsetReset;
use client::{
    Admin, Client, ClientConfig, Consumer, ConsumerConfig, Producer, ProducerConfig, ProducerRecord,
};
use support::{Broker, Ended};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// A topic with a record in each partition.
async fn topic(client: &Client, name: &str, partitions: i32) {
    let topic = NewTopic { partitions: Some(partitions), ..NewTopic::new(name) };
    Admin::new(client).create_topic(&topic, false).await.expect("the topic is new");
    let producer = Producer::new(client, ProducerConfig::default()).expect("the defaults work");
    for partition in 0..partitions {
        let record = ProducerRecord::new(name).partition(partition).value(format!("of {partition}"));
        producer.send(record).await.expect("there is room").await.expect("it is written");
    }
    producer.close().await.expect("it closes");
}

/// Runs the command while another member that commits nothing has read everything, and goes on being one.
async fn run_as_second(broker: Broker, partitions: usize) -> Ended {
    let client = Client::connect(ClientConfig::new(&broker.bootstrap)).await.expect("the broker is there");
    topic(&client, "t", i32::try_from(partitions).expect("they are few")).await;
    let config = ConsumerConfig {
        auto_offset_reset: OffsetReset::Earliest,
        enable_auto_commit: false,
        ..ConsumerConfig::group("g")
    };
    let mut first = Consumer::new(&client, config).expect("it works");
    first.subscribe(["t"]).expect("it has a group");
    let deadline = Instant::now() + DEADLINE;
    let mut read = 0;
    while read < partitions {
        assert!(Instant::now() < deadline, "only {read} records came");
        read += first.poll(POLL).await.expect("the topic is there").len();
    }
    let (end, mut ended) = oneshot::channel();
    std::thread::spawn(move || {
        let second = broker.run(&["consume", "t", "--group", "g", "--from", "start", "--until-end"]);
        drop(end.send((second, broker)));
    });
    let polled = async {
        loop {
            tokio::select! {
                ended = &mut ended => break ended.expect("it ends"),
                polled = first.poll(POLL) => drop(polled.expect("the topic is there")),
            }
        }
    };
    let (second, _broker) = timeout(DEADLINE, polled).await.expect("it ends in time");
    first.close().await.expect("it leaves");
    second
}

#[tokio::test]
async fn a_second_member_waits_for_its_share_and_reads_it() {
    let second = run_as_second(Broker::start("share"), 2).await;
    let text = second.ok();
    assert!(text == "of 0\n" || text == "of 1\n", "it has one of two partitions: {second:?}");
}

#[tokio::test]
async fn a_member_that_gets_nothing_says_so() {
    let second = run_as_second(Broker::start("no-share"), 1).await;
    assert_eq!(second.ok(), "");
    assert_eq!(second.stderr, "g has given nothing to this member: its 1 others have all 1 partitions\n");
}
