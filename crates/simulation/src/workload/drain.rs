//! The last look, when everything is healed: all records of all partitions, and all that groups have committed.

use std::sync::Arc;
use std::time::Duration;

use client::{Admin, Consumer, Start};
use kernel::{Offset, TopicPartition};

use super::program::Life;
use super::{PAUSE, Topic, admin, payload, reader};
use crate::history::Op;

/// Reads everything. It ends only when it has.
pub async fn run(life: Life, topics: Arc<[Topic]>, groups: Arc<[Arc<str>]>) {
    let client = life.connect().await;
    let asking = Admin::new(&client);
    let partitions: Vec<TopicPartition> = topics.iter().flat_map(Topic::partitions).collect();
    for partition in &partitions {
        let end = loop {
            match admin::end(&asking, partition).await {
                Ok(end) => break end,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        };
        let Ok(mut consumer) = Consumer::new(&client, reader::config(None)) else { return };
        if consumer.assign([(partition.clone(), Start::Offset(Offset::ZERO))]).is_err() {
            return;
        }
        drain(&life, &mut consumer, partition, end).await;
    }
    for group in groups.iter() {
        while !admin::committed(&life, &asking, group, &partitions).await {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn drain(life: &Life, consumer: &mut Consumer, of: &TopicPartition, end: i64) {
    let history = &life.world.history;
    let mut position = 0;
    loop {
        let records = match position < end {
            true => consumer.poll(Duration::from_millis(500)).await,
            false => Ok(Vec::new()),
        };
        match records {
            Ok(records) if position < end && records.is_empty() => {}
            Ok(records) => {
                position = records.last().map_or(position, |record| record.offset.get() + 1);
                let records = records.iter().map(payload::seen).collect();
                let begun = Op::Drain { of: of.clone(), records: Vec::new() };
                let call = history.invoke(life.id, begun);
                history.ok(life.id, call, Op::Drain { of: of.clone(), records });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        if position >= end {
            return;
        }
    }
}
