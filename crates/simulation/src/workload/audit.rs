//! What has to go on once everything is healed: partitions take records, and groups get to read all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use client::{Admin, Client, Producer, ProducerConfig, ProducerRecord};
use kernel::TopicPartition;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use super::program::Life;
use super::{PAUSE, Topic, admin, payload};
use crate::history::Op;

/// How long a partition may take for a record, or the end of a partition to be told: much longer than a restart.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// How long a group may take to read everything: longer than sessions last, and a rebalance after them.
const GROUP_MAX: Duration = Duration::from_secs(90);

/// How far the members of a group have read.
#[derive(Debug, Default)]
pub struct Progress(Mutex<BTreeMap<TopicPartition, i64>>);

impl Progress {
    /// Somebody has read everything before these offsets, or found it committed.
    pub fn reach(&self, positions: &BTreeMap<TopicPartition, i64>) {
        let mut reached = self.0.lock();
        for (partition, position) in positions {
            let before = reached.entry(partition.clone()).or_default();
            *before = (*before).max(*position);
        }
    }

    fn at(&self, partition: &TopicPartition) -> i64 {
        self.0.lock().get(partition).copied().unwrap_or(0)
    }
}

/// Looks at everything that has to go on. What does not is noted as stuck.
pub async fn run(life: Life, topics: Arc<[Topic]>, group: Arc<str>, progress: Arc<Progress>) {
    let client = life.connect().await;
    let asking = Admin::new(&client);
    let partitions: Vec<TopicPartition> = topics.iter().flat_map(Topic::partitions).collect();
    write(&life, &client, &partitions).await;
    let deadline = Instant::now() + GROUP_MAX;
    for partition in &partitions {
        let Ok(end) = timeout(ANSWER_MAX, end(&asking, partition)).await else {
            life.world.history.stuck(format_args!("the end of {partition} is not told"));
            continue;
        };
        while progress.at(partition) < end {
            if Instant::now() >= deadline {
                let at = progress.at(partition);
                life.world.history.stuck(format_args!("{group} has read {partition} up to @{at}, of @{end}"));
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn end(asking: &Admin, of: &TopicPartition) -> i64 {
    loop {
        match admin::end(asking, of).await {
            Ok(end) => return end,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// One record for every partition.
async fn write(life: &Life, client: &Client, partitions: &[TopicPartition]) {
    let config = ProducerConfig {
        delivery_timeout: Some(ANSWER_MAX),
        max_block: ANSWER_MAX,
        ..ProducerConfig::default()
    };
    let Ok(producer) = Producer::new(client, config) else { return };
    let history = &life.world.history;
    for to in partitions {
        let bytes = payload::write(history.new_value(), &mut life.chance.lock());
        let Some(value) = payload::value(&bytes) else { continue };
        let op = |offset| Op::Send { to: to.clone(), value, offset };
        let call = history.invoke(life.id, op(None));
        let record = ProducerRecord::new(Arc::clone(&to.topic)).partition(to.partition).value(bytes);
        let written = match producer.send(record).await {
            Ok(delivery) => delivery.await,
            Err(error) => Err(error),
        };
        match written {
            Ok(written) => history.ok(life.id, call, op(written.offset.map(|offset| offset.get()))),
            Err(error) => {
                history.info(life.id, call, op(None), &error);
                history.stuck(format_args!("{to} takes no record: {error}"));
            }
        }
    }
}
