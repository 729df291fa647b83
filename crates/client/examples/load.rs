//! A load for `cargo xtask bench client`, which compares it with the same load on librdkafka.
//!
//! `load produce|consume HOST:PORT TOPIC PARTITIONS RECORDS VALUE_BYTES`
//!
//! Says `ready`, waits for a line, works, says `done RECORDS BYTES`, and waits for the end of its input, so that what it
//! used can be read while it is still there.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{Write, stdin, stdout};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use client::{
    Client, ClientConfig, Consumer, ConsumerConfig, Producer, ProducerConfig, ProducerRecord, Start,
    TopicPartition,
};

/// As many keys as the other program has.
const KEYS: u64 = 4096;

/// How many records may wait to be acknowledged, as librdkafka's `queue.buffering.max.messages` has it.
const WAITING_MAX: usize = 100_000;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [what, address, topic, partitions, records, value_bytes] = words.as_slice() else {
        return Err("usage: load produce|consume HOST:PORT TOPIC PARTITIONS RECORDS VALUE_BYTES".into());
    };
    let client = Client::connect(ClientConfig::new(address)).await?;
    let (records, bytes) = match what.as_str() {
        "produce" => produce(&client, topic.as_str().into(), records.parse()?, value_bytes.parse()?).await?,
        _ => consume(&client, topic, partitions.parse()?, records.parse()?).await?,
    };
    say(&format!("done {records} {bytes}"))
}

/// Says where it is, and waits for a line, or for the end of its input.
fn say(line: &str) -> Outcome {
    writeln!(stdout(), "{line}")?;
    stdin().read_line(&mut String::new())?;
    Ok(())
}

async fn produce(client: &Client, topic: Arc<str>, records: u64, value_bytes: usize) -> Outcome<(u64, u64)> {
    // Its defaults are `acks=all` and an idempotent producer, 5 ms, 32 MiB.
    let config = ProducerConfig { batch_size: 64 << 10, ..ProducerConfig::default() };
    let producer = Producer::new(client, config)?;
    let value = Bytes::from(vec![b'v'; value_bytes]);
    let key = |number: u64| (number % KEYS).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let keys: Vec<Bytes> = (0..KEYS).map(|number| Bytes::copy_from_slice(&key(number))).collect();
    let record = |key: &Bytes| ProducerRecord {
        key: Some(key.clone()),
        value: Some(value.clone()),
        ..ProducerRecord::new(Arc::clone(&topic))
    };
    producer.send(record(&Bytes::copy_from_slice(&key(0)))).await?.await?;
    say("ready")?;
    let mut waiting = VecDeque::with_capacity(WAITING_MAX);
    let (mut delivered, mut bytes) = (0, 0);
    for (_, key) in (0..records).zip(keys.iter().cycle()) {
        waiting.push_back(producer.send(record(key)).await?);
        if waiting.len() == WAITING_MAX
            && let Some(delivery) = waiting.pop_front()
        {
            delivery.wait().await?;
            delivered += 1;
            bytes += (key.len() + value.len()) as u64;
        }
    }
    producer.flush().await;
    for delivery in waiting {
        delivery.wait().await?;
        delivered += 1;
        bytes += (size_of::<u64>() + value.len()) as u64;
    }
    Ok((delivered, bytes))
}

async fn consume(client: &Client, topic: &str, partitions: i32, records: u64) -> Outcome<(u64, u64)> {
    // Its defaults ask for checksums to be verified, and for as much at once as librdkafka's.
    let mut consumer = Consumer::new(client, ConsumerConfig::default())?;
    say("ready")?;
    let all = (0..partitions).map(|partition| (TopicPartition::new(topic, partition), Start::Earliest));
    consumer.assign(all)?;
    let (mut seen, mut bytes) = (0, 0);
    while seen < records {
        for record in consumer.poll(Duration::from_secs(1)).await? {
            bytes += (record.key.map_or(0, |key| key.len()) + record.value.map_or(0, |v| v.len())) as u64;
            seen += 1;
        }
    }
    Ok((seen, bytes))
}
