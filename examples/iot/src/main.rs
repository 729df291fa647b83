//! IoT: thousands of devices send readings, and somebody wants the latest of each.

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use client::admin::{NewTopic, OffsetSpec};
use client::config::IsolationLevel;
use client::{
    Admin, Client, ClientConfig, Consumer, ConsumerConfig, ErrorCode, Producer, ProducerConfig,
    ProducerRecord, Start, TopicPartition,
};

/// The broker keeps at least the last reading of each device, and removes what came before it.
const TOPIC: &str = "readings";
const PARTITIONS: i32 = 6;
const COMPACTED: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("segment.bytes", "1048576"),
    ("min.cleanable.dirty.ratio", "0.1"),
    ("max.compaction.lag.ms", "10000"),
];

const POLL: Duration = Duration::from_millis(200);

#[derive(Debug, Parser)]
#[command(about = "The latest reading of each of many devices", version)]
struct Options {
    /// Where the cluster is found.
    #[arg(long, default_value = "127.0.0.1:9092", env = "RIVERRUN_BOOTSTRAP", global = true)]
    bootstrap: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Has every device send readings.
    Send {
        #[arg(long, default_value_t = 10_000)]
        devices: u32,
        /// How many readings each device sends.
        #[arg(long, default_value_t = 10)]
        readings: u32,
    },
    /// Reads the topic to its end, and says how many readings there were to read for how many devices.
    Latest {
        /// Print the latest reading of this device.
        device: Option<u32>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match act(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("example-iot: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn act(options: Options) -> Result<(), Box<dyn Error>> {
    let client = Client::connect(ClientConfig::new(&options.bootstrap)).await?;
    match options.action {
        Action::Send { devices, readings } => send(&client, devices, readings).await,
        Action::Latest { device } => latest(&client, device).await,
    }
}

async fn send(client: &Client, devices: u32, readings: u32) -> Result<(), Box<dyn Error>> {
    let configs = COMPACTED.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let topic = NewTopic { partitions: Some(PARTITIONS), configs, ..NewTopic::new(TOPIC) };
    match Admin::new(client).create_topic(&topic, false).await {
        Err(error) if error.code() == Some(ErrorCode::TopicAlreadyExists) => {}
        created => drop(created?),
    }
    let producer = Producer::new(client, ProducerConfig::default())?;
    let begun = Instant::now();
    for reading in 0..readings {
        let mut under_way = Vec::with_capacity(devices as usize);
        for device in 0..devices {
            // Of a made-up thermometer, in tenths of a degree.
            let value = 200 + (device * 7 + reading * 13) % 50;
            let record = ProducerRecord::new(TOPIC)
                .key(format!("device-{device}"))
                .value(format!("{{\"reading\":{reading},\"tenths\":{value}}}"));
            under_way.push(producer.send(record).await?);
        }
        for sent in under_way {
            sent.await?;
        }
    }
    producer.close().await?;
    let count = u64::from(devices) * u64::from(readings);
    println!("{count} readings of {devices} devices in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

async fn latest(client: &Client, device: Option<u32>) -> Result<(), Box<dyn Error>> {
    let admin = Admin::new(client);
    let count = admin.describe_topic(TOPIC).await?.partitions.len() as i32;
    let partitions: Vec<_> = (0..count).map(|partition| TopicPartition::new(TOPIC, partition)).collect();
    let wanted: Vec<_> = partitions.iter().map(|name| (name.clone(), OffsetSpec::Latest)).collect();
    let ends = admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await?;
    let mut consumer = Consumer::new(client, ConsumerConfig::default())?;
    consumer.assign(partitions.iter().map(|name| (name.clone(), Start::Earliest)))?;
    // Later readings take the place of earlier ones, here as in the broker's cleaner.
    let (mut read, mut readings) = (0_u64, BTreeMap::new());
    loop {
        let at_end = partitions.iter().all(|name| {
            let end = ends.get(name).and_then(|end| end.offset);
            end.is_none_or(|end| consumer.position(name).is_some_and(|position| position >= end))
        });
        if at_end {
            break;
        }
        for record in consumer.poll(POLL).await? {
            read += 1;
            readings.insert(record.key.unwrap_or_default(), record.value.unwrap_or_default());
        }
    }
    if let Some(device) = device {
        let name = format!("device-{device}");
        let value = readings.get(name.as_bytes()).ok_or_else(|| format!("{name} has sent nothing"))?;
        println!("{name} {}", String::from_utf8_lossy(value));
        return Ok(());
    }
    println!("{read} readings read, {} devices", readings.len());
    Ok(())
}
