//! How often producers and consumers ask for memory: for each batch and each answer, never for each record.
//!
//! Everything happens on one thread and is counted, but what the server takes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use client::{
    Client, Consumer, ConsumerConfig, Delivery, Offset, Producer, ProducerConfig, ProducerRecord, Start,
    TopicPartition,
};
use support::scripted::TOPIC;
use support::{PARTITIONS, RECORDS, cluster};

/// How often memory was asked for on the way, from when `prepare` is done.
fn count<T>(prepare: impl AsyncFnOnce(Client) -> T, work: impl AsyncFnOnce(T)) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let prepared = runtime.block_on(async { prepare(cluster(usize::MAX).client().await).await });
    allocation_counter::measure(|| runtime.block_on(work(prepared))).count_total
}

#[test]
fn a_producer_asks_for_memory_by_the_batch_and_not_by_the_record() {
    let value = Bytes::from_static(&[7; 100]);
    let keys: [Bytes; 64] = std::array::from_fn(|key| Bytes::copy_from_slice(&[key as u8; 8]));
    let topic: Arc<str> = TOPIC.into();
    let prepare = async |client: Client| {
        let config = ProducerConfig { batch_size: 64 << 10, ..ProducerConfig::default() };
        let producer = Producer::new(&client, config).unwrap();
        for partition in 0..PARTITIONS {
            let record = ProducerRecord::new(Arc::clone(&topic)).partition(partition).value(value.clone());
            producer.send(record).await.unwrap().await.unwrap();
        }
        producer
    };
    let mut deliveries: Vec<Delivery> = Vec::with_capacity(RECORDS as usize);
    let mut delivered = 0;
    let asked = count(prepare, async |producer: Producer| {
        for (_, key) in (0..RECORDS).zip(keys.iter().cycle()) {
            let record = ProducerRecord::new(Arc::clone(&topic)).key(key.clone()).value(value.clone());
            deliveries.push(producer.send(record).await.unwrap());
        }
        producer.flush().await;
        for delivery in deliveries.drain(..) {
            delivered += i64::from(delivery.await.is_ok());
        }
    });
    assert_eq!(delivered, RECORDS);
    assert!(asked < 1000, "{asked} times for {RECORDS} records, which are some twenty batches");
}

#[test]
fn a_consumer_asks_for_memory_by_the_poll_and_not_by_the_record() {
    let prepare = async |client: Client| Consumer::new(&client, ConsumerConfig::default()).unwrap();
    let (mut seen, mut bytes) = (0, 0);
    let asked = count(prepare, async |mut consumer: Consumer| {
        consumer
            .assign([(TopicPartition::new(TOPIC, 0), Start::Offset(Offset(0)))])
            .expect("it has not subscribed");
        while seen < RECORDS {
            for record in consumer.poll(Duration::from_secs(10)).await.unwrap() {
                bytes += record.value.map_or(0, |value| value.len());
                bytes += record.headers.iter().filter_map(|(_, value)| value).map(<[u8]>::len).sum::<usize>();
                seen += 1;
            }
        }
    });
    assert_eq!((seen, bytes as i64), (RECORDS, RECORDS * (100 + "of a header".len() as i64)));
    assert!(asked < 1000, "{asked} times for {RECORDS} records, which are twenty polls");
}
