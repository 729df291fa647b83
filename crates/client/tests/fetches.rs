//! How much a consumer asks for at once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::time::Duration;

use client::{Consumer, ConsumerConfig, Offset, Start, TopicPartition};
use support::scripted::TOPIC;
use support::{PARTITIONS, RECORDS, cluster};
use wire::messages::fetch_request::FetchRequest;

#[tokio::test]
async fn one_half_of_the_partitions_is_on_its_way_while_the_other_is_read() {
    let cluster = cluster(2);
    let mut consumer = Consumer::new(&cluster.client().await, ConsumerConfig::default()).unwrap();
    let name = |partition| TopicPartition::new(TOPIC, partition);
    consumer
        .assign((0..PARTITIONS).map(|partition| (name(partition), Start::Offset(Offset(0)))))
        .expect("it has not subscribed");
    let (mut seen, all) = (0, RECORDS * i64::from(PARTITIONS));
    while seen < all {
        seen += consumer.poll(Duration::from_secs(10)).await.unwrap().len() as i64;
    }
    let fetches = cluster.heard::<FetchRequest>();
    let fetches: Vec<usize> = fetches.iter().map(|(_, fetch)| fetch.topics[0].partitions.len()).collect();
    let (first, later) = fetches.split_first().unwrap();
    assert_eq!(*first, PARTITIONS as usize);
    let later = &later[..8];
    assert!(later.iter().all(|count| *count == PARTITIONS as usize / 2), "{later:?}");
}

#[tokio::test]
async fn nobody_waits_at_a_broker_while_there_are_records_of_it_to_read() {
    let cluster = cluster(2);
    let mut consumer = Consumer::new(&cluster.client().await, ConsumerConfig::default()).unwrap();
    // Only the first partition has records: the others would hold up the next question about it.
    let start = |partition: i32| Start::Offset(Offset(if partition == 0 { 0 } else { RECORDS }));
    let from = |partition| (TopicPartition::new(TOPIC, partition), start(partition));
    consumer.assign((0..PARTITIONS).map(from)).expect("it has not subscribed");
    let mut seen = 0;
    while seen < RECORDS {
        seen += consumer.poll(Duration::from_secs(10)).await.unwrap().len() as i64;
    }
    let fetches = cluster.heard::<FetchRequest>();
    let is_of_first =
        |fetch: &FetchRequest| fetch.topics[0].partitions.iter().any(|asked| asked.partition == 0);
    let (of_first, beside): (Vec<_>, Vec<_>) =
        fetches.iter().map(|(_, fetch)| fetch).partition(|fetch| is_of_first(fetch));
    let waits =
        |fetches: &[&FetchRequest]| -> Vec<i32> { fetches.iter().map(|fetch| fetch.max_wait_ms).collect() };
    assert!(waits(&of_first).iter().all(|wait| *wait == 500), "{:?}", waits(&of_first));
    assert!(!beside.is_empty() && waits(&beside).iter().all(|wait| *wait == 0), "{:?}", waits(&beside));
}
