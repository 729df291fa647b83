//! A producer: unique values to partitions chosen at random, with idempotence.

use std::sync::Arc;
use std::time::Duration;

use client::{Codec, Error, Producer, ProducerConfig, ProducerRecord};
use kernel::TopicPartition;
use tokio::sync::Semaphore;

use super::program::Life;
use super::{DELIVERY_TIMEOUT, PAUSE, Topic, payload};
use crate::history::Op;

/// How many records may be on their way.
const UNSETTLED_MAX: usize = 64;

const CODECS: &[Codec] = &[Codec::None, Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// Writes until it is told to end, and then waits for what is on its way.
pub async fn run(life: Life, topics: Arc<[Topic]>) {
    let partitions: Vec<TopicPartition> = topics.iter().flat_map(Topic::partitions).collect();
    let client = life.connect().await;
    let codec = life.chance.lock().pick(CODECS).copied().unwrap_or(Codec::None);
    // Some send every record alone: then there are many batches, of which five are on their way.
    let alone = life.chance.lock().one_in(2);
    let config = ProducerConfig {
        delivery_timeout: Some(DELIVERY_TIMEOUT),
        max_block: DELIVERY_TIMEOUT,
        batch_size: if alone { 1 } else { 4_096 },
        linger: if alone { Duration::ZERO } else { Duration::from_millis(5) },
        ..ProducerConfig::default()
    };
    let Ok(producer) = Producer::new(&client, config.codec(codec)) else { return };
    let producer = Arc::new(producer);
    let unsettled = Arc::new(Semaphore::new(UNSETTLED_MAX));
    while !life.is_ending() {
        let partition = life.chance.lock().pick(&partitions).cloned();
        let (Some(partition), Ok(place)) = (partition, Arc::clone(&unsettled).acquire_owned().await) else {
            return;
        };
        let sent = send(&life, &producer, partition, place).await;
        let burst = sent && !life.chance.lock().one_in(4);
        if !burst {
            life.sleep(Duration::ZERO..=Duration::from_millis(20)).await;
        }
    }
    // Every record is settled in the end.
    let _ = producer.close().await;
    let _ = unsettled.acquire_many(UNSETTLED_MAX as u32).await;
}

async fn send(
    life: &Life,
    producer: &Producer,
    partition: TopicPartition,
    place: tokio::sync::OwnedSemaphorePermit,
) -> bool {
    let history = &life.world.history;
    let bytes = payload::write(history.new_value(), &mut life.chance.lock());
    let Some(value) = payload::value(&bytes) else { return false };
    let op = |offset| Op::Send { to: partition.clone(), value, offset };
    let call = history.invoke(life.id, op(None));
    let record =
        ProducerRecord::new(Arc::clone(&partition.topic)).partition(partition.partition).value(bytes);
    let delivery = match producer.send(record).await {
        Ok(delivery) => delivery,
        Err(error) => {
            // Nothing was handed over.
            history.fail(life.id, call, op(None), error);
            tokio::time::sleep(PAUSE).await;
            return false;
        }
    };
    let (id, world, op) = (life.id, life.world.clone(), op(None));
    host::task::spawn(async move {
        let outcome = delivery.await;
        settle(&world.history, id, call, op, outcome);
        drop(place);
    });
    true
}

fn settle(
    history: &crate::history::Recorder,
    id: crate::history::ClientId,
    call: crate::history::CallId,
    op: Op,
    outcome: Result<client::RecordMetadata, Error>,
) {
    match (op, outcome) {
        (Op::Send { to, value, .. }, Ok(metadata)) => {
            let offset = metadata.offset.map(|offset| offset.get());
            history.ok(id, call, Op::Send { to, value, offset });
        }
        // It may have been written by an attempt whose answer was lost.
        (op, Err(error)) => history.info(id, call, op, error),
        (_, Ok(_)) => {}
    }
}
