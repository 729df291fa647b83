//! How a producer gets along with the tasks that share its thread.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use bytes::Bytes;
use client::{Producer, ProducerConfig, ProducerRecord};
use support::scripted::TOPIC;
use support::{RECORDS, cluster};
use wire::messages::produce_request::ProduceRequest;

#[tokio::test]
async fn what_was_handed_over_is_sent_while_more_is_handed_over_on_the_same_thread() {
    let cluster = cluster(0);
    let producer = Producer::new(&cluster.client().await, ProducerConfig::default()).unwrap();
    let record = || ProducerRecord::new(TOPIC).value(Bytes::from_static(&[7; 100]));
    producer.send(record()).await.unwrap().await.unwrap();
    let sent = || cluster.heard::<ProduceRequest>().len();
    let before = sent();
    // There is room for all of them, so that no call has to wait.
    for _ in 0..RECORDS {
        producer.send(record()).await.unwrap();
    }
    let meanwhile = sent() - before;
    assert!(meanwhile > 10, "{meanwhile} requests of some seventy batches");
    producer.close().await.unwrap();
}
