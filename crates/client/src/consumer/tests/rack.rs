//! A consumer that its leader sends on to a replica that is nearer.

use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, Offset};
use parking_lot::Mutex;
use wire::messages::fetch_request::FetchRequest;
use wire::messages::fetch_response::PartitionData;
use wire::messages::metadata_request::MetadataRequest;

use super::{Shared, answer, log, only, partition};
use crate::config::OffsetReset;
use crate::scripted::{Asked, Cluster, Reply, fetched, records, refused};
use crate::{Consumer, ConsumerConfig, Start};

/// What node 2, a replica in the consumer's rack, does with fetches.
#[derive(Clone, Copy)]
enum Replica {
    Serves,
    Refuses(ErrorCode),
}

/// Node 1 leads, and sends whoever is in a rack on to node `named`.
fn cluster(log: &Shared, named: i32, replica: &Arc<Mutex<Replica>>) -> Cluster {
    let (log, replica) = (Arc::clone(log), Arc::clone(replica));
    Cluster::new(move |asked| {
        if !asked.is::<FetchRequest>() {
            return answer(&log, asked);
        }
        let request = asked.read::<FetchRequest>();
        let (offset, end) = (only(&request).fetch_offset, log.lock().end);
        let high_watermark = log.lock().end;
        match *replica.lock() {
            Replica::Refuses(code) if asked.node == 2 => asked.answer(&fetched(refused(code))),
            Replica::Serves if asked.node == 1 && !request.rack_id.is_empty() => {
                let data = PartitionData {
                    preferred_read_replica: named,
                    high_watermark,
                    ..PartitionData::default()
                };
                asked.answer(&fetched(data))
            }
            _ if offset < end => asked.answer(&fetched(records(offset, 1, 1))),
            _ => waits(asked, high_watermark),
        }
    })
}

/// There is nothing for as long as the consumer lets the broker wait.
fn waits(asked: &Asked, high_watermark: i64) -> Reply {
    asked.answer_late(&fetched(PartitionData { high_watermark, ..PartitionData::default() }))
}

async fn consumer(cluster: &Cluster, rack: &str) -> Consumer {
    let config = ConsumerConfig {
        client_rack: rack.to_owned(),
        auto_offset_reset: OffsetReset::None,
        ..ConsumerConfig::default()
    };
    let mut consumer = Consumer::new(&cluster.client().await, config).expect("the settings work");
    consumer.assign([(partition(), Start::Offset(Offset(0)))]).expect("it has not subscribed");
    consumer
}

async fn read(consumer: &mut Consumer, count: usize) {
    for _ in 0..count {
        assert_eq!(consumer.poll(Duration::from_secs(60)).await.expect("nothing is lost").len(), 1);
    }
}

/// Who was asked for records, in turn.
fn asked(cluster: &Cluster) -> Vec<i32> {
    cluster.heard::<FetchRequest>().into_iter().map(|(node, _)| node).collect()
}

fn serving() -> Arc<Mutex<Replica>> {
    Arc::new(Mutex::new(Replica::Serves))
}

#[tokio::test(start_paused = true)]
async fn the_replica_that_the_leader_names_is_read() {
    let cluster = cluster(&log(3), 2, &serving());
    let mut consumer = consumer(&cluster, "rack-2").await;
    read(&mut consumer, 3).await;
    assert_eq!(asked(&cluster)[..4], [1, 2, 2, 2]);
    assert!(cluster.heard::<FetchRequest>().iter().all(|(_, fetch)| fetch.rack_id == "rack-2"));
    assert_eq!(consumer.high_watermark(&partition()), Some(Offset(1 + 2)));
}

#[tokio::test(start_paused = true)]
async fn who_is_in_no_rack_reads_from_the_leader() {
    let cluster = cluster(&log(3), 2, &serving());
    read(&mut consumer(&cluster, "").await, 3).await;
    assert_eq!(asked(&cluster)[..3], [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn after_the_age_of_metadata_the_leader_is_asked_again() {
    let cluster = cluster(&log(0), 2, &serving());
    let mut consumer = consumer(&cluster, "rack-2").await;
    for seconds in [290, 20] {
        assert_eq!(consumer.poll(Duration::from_secs(seconds)).await, Ok(Vec::new()));
        let of_leader = asked(&cluster).iter().filter(|node| **node == 1).count();
        assert_eq!(of_leader, if seconds == 290 { 1 } else { 2 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_does_not_have_the_offset_is_left_and_nothing_is_reset() {
    let replica = serving();
    let cluster = cluster(&log(9), 2, &replica);
    let mut consumer = consumer(&cluster, "rack-2").await;
    read(&mut consumer, 1).await;
    *replica.lock() = Replica::Refuses(ErrorCode::OffsetOutOfRange);
    read(&mut consumer, 3).await;
    let nodes = asked(&cluster);
    let last = nodes.iter().rposition(|node| *node == 2).expect("it was read from");
    assert!(nodes[last + 1..].iter().all(|node| *node == 1) && nodes.len() > last + 2, "{nodes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_none_any_more_is_left_and_who_leads_is_asked() {
    for code in [ErrorCode::NotLeaderOrFollower, ErrorCode::ReplicaNotAvailable, ErrorCode::FencedLeaderEpoch]
    {
        let replica = serving();
        let cluster = cluster(&log(9), 2, &replica);
        let mut consumer = consumer(&cluster, "rack-2").await;
        read(&mut consumer, 1).await;
        *replica.lock() = Replica::Refuses(code);
        let before = cluster.heard::<MetadataRequest>().len();
        read(&mut consumer, 4).await;
        assert_eq!(asked(&cluster).last(), Some(&1), "{code}");
        assert!(cluster.heard::<MetadataRequest>().len() > before, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_lags_behind_the_leaders_epoch_is_waited_for() {
    let replica = serving();
    let cluster = cluster(&log(9), 2, &replica);
    let mut consumer = consumer(&cluster, "rack-2").await;
    read(&mut consumer, 1).await;
    *replica.lock() = Replica::Refuses(ErrorCode::UnknownLeaderEpoch);
    assert_eq!(consumer.poll(Duration::from_secs(2)).await.map(|records| records.len() <= 1), Ok(true));
    assert_eq!(consumer.poll(Duration::from_secs(2)).await, Ok(Vec::new()));
    assert_eq!(asked(&cluster).last(), Some(&2));
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_cannot_be_reached_is_left() {
    let replica = serving();
    let cluster = cluster(&log(9), 2, &replica);
    cluster.take_down(2);
    let mut consumer = consumer(&cluster, "rack-2").await;
    assert_eq!(consumer.poll(Duration::from_secs(3)).await, Ok(Vec::new()));
    let asked_meanwhile = asked(&cluster).len();
    assert!((2..60).contains(&asked_meanwhile), "not without a rest: {asked_meanwhile}");
    // The leader notices as well, and sends nobody there any more.
    *replica.lock() = Replica::Refuses(ErrorCode::ReplicaNotAvailable);
    read(&mut consumer, 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_nobody_knows_is_not_gone_to() {
    let cluster = cluster(&log(9), 99, &serving());
    let mut consumer = consumer(&cluster, "rack-2").await;
    assert_eq!(consumer.poll(Duration::from_secs(3)).await, Ok(Vec::new()));
    let nodes = asked(&cluster);
    assert!(nodes.iter().all(|node| *node == 1) && (2..60).contains(&nodes.len()), "{nodes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_replica_is_left_when_another_leader_is_elected() {
    let log = log(9);
    let cluster = cluster(&log, 2, &serving());
    let mut consumer = consumer(&cluster, "rack-2").await;
    read(&mut consumer, 2).await;
    log.lock().epoch = 2;
    log.lock().ends = [super::ends(1, 9)].into();
    let before = asked(&cluster).iter().filter(|node| **node == 1).count();
    consumer.client.fetch_metadata(None).await.expect("it is answered");
    read(&mut consumer, 2).await;
    assert_eq!(asked(&cluster).iter().filter(|node| **node == 1).count(), before + 1);
}
