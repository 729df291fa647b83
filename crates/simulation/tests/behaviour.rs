//! Behaviour that took a fault at the right moment to be seen, each told as a story.

use std::sync::Arc;
use std::time::Duration;

use client::{Consumer, ErrorCode, Producer, ProducerConfig, ProducerRecord};
use parking_lot::Mutex;
use simulation::scenario::Scenario;
use simulation::workload::program::{Life, Program};
use simulation::workload::{admin, reader};
use simulation::world::World;
use simulation::world::trace::Trace;

/// A world with one node that serves and has its topics.
async fn world() -> (World, simulation::scenario::Cluster) {
    let world = World::new(1, Trace::new(None));
    let mut clusters = Scenario::new("a-story").node("a", &[]).build(&world);
    let cluster = clusters.pop().expect("it has a node");
    cluster.node.start();
    assert!(cluster.node.wait_serving(Duration::from_secs(10)).await, "{:?}", cluster.node.failure());
    let topics = Arc::clone(&cluster.topics);
    let prepare = Program::new(&world, "prepare", &cluster.servers, move |life| {
        admin::prepare(life, Arc::clone(&topics))
    });
    prepare.start();
    prepare.wait_end().await;
    (world, cluster)
}

/// A program that hands over its life, so that the story can act with it.
async fn program(world: &World, name: &str, servers: &str) -> (Program, Life) {
    let handed: Arc<Mutex<Option<Life>>> = Arc::default();
    let hand = Arc::clone(&handed);
    let program = Program::new(world, name, servers, move |life| {
        *hand.lock() = Some(life);
        std::future::pending()
    });
    program.start();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let life = handed.lock().take().expect("it has started");
    (program, life)
}

async fn poll_one(consumer: &mut Consumer) -> i64 {
    for _ in 0..100 {
        let records = consumer.poll_up_to(1, Duration::from_millis(500)).await.expect("it can be polled");
        if let Some(record) = records.first() {
            return record.offset.get();
        }
    }
    panic!("no record in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_lost_its_place_unheard_does_not_commit_over_those_who_followed() {
    let (world, cluster) = world().await;
    let topic = cluster.topics.iter().find(|topic| topic.partitions == 1).expect("there is one").name.clone();
    let (_writing, writer) = program(&world, "writer", &cluster.servers).await;
    let producer = Producer::new(&writer.connect().await, ProducerConfig::default()).expect("it is one");
    for number in 0..20_u64 {
        let record = ProducerRecord::new(Arc::clone(&topic)).value(number.to_be_bytes().to_vec());
        producer.send(record).await.expect("it takes it").await.expect("it is written");
    }

    let (first_program, first) = program(&world, "first", &cluster.servers).await;
    let mut early =
        Consumer::new(&first.connect().await, reader::config(Some("kitchen"))).expect("it is one");
    early.subscribe([topic.as_ref()]).expect("it has a group");
    assert_eq!(poll_one(&mut early).await, 0);

    // Nobody hears from it, until the group has given it up.
    world.network.cut(first_program.host(), cluster.node.host());
    world.network.cut(cluster.node.host(), first_program.host());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (_, second) = program(&world, "second", &cluster.servers).await;
    let mut late =
        Consumer::new(&second.connect().await, reader::config(Some("kitchen"))).expect("it is one");
    late.subscribe([topic.as_ref()]).expect("it has a group");
    while poll_one(&mut late).await < 9 {}
    late.commit().await.expect("it is a member");
    late.close().await.expect("it leaves");
    world.network.heal();

    // Its next heartbeat tells it, and its positions are of no use any more.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let refused = early.commit().await.expect_err("it is no member");
    assert_eq!(refused.code(), Some(ErrorCode::UnknownMemberId), "{refused}");
    let asking = client::Admin::new(&writer.connect().await);
    let committed = asking.committed_offsets("kitchen", None).await.expect("it is told");
    let offsets: Vec<i64> = committed.values().map(|committed| committed.offset.get()).collect();
    assert_eq!(offsets, [10]);
}
