//! A member of a group: reads what it is given, and commits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use client::Consumer;

use super::audit::Progress;
use super::program::Life;
use super::{PAUSE, Topic, reader};
use crate::history::{Offsets, Op};

/// Takes part in the group until it is told to end, and then leaves it, or simply goes.
pub async fn run(life: Life, topics: Arc<[Topic]>, group: Arc<str>, progress: Arc<Progress>) {
    let client = life.connect().await;
    let Ok(mut consumer) = Consumer::new(&client, reader::config(Some(&group))) else { return };
    if consumer.subscribe(topics.iter().map(|topic| topic.name.to_string())).is_err() {
        return;
    }
    let mut generation = None;
    let mut positions = BTreeMap::new();
    while !life.is_ending() {
        let polled = consumer.poll(Duration::from_millis(500)).await;
        let now = consumer.generation().filter(|_| consumer.has_assignment());
        if now.is_some() && now != generation {
            generation = now;
            joined(&life, &group, now.unwrap_or(-1));
        }
        match polled {
            Ok(records) => {
                // Members begin where somebody else has committed.
                positions.clear();
                for record in &records {
                    let name = kernel::TopicPartition::new(Arc::clone(&record.topic), record.partition);
                    positions.entry(name).or_insert(record.offset.get());
                }
                reader::note(&life, &consumer, &mut positions, &records);
                progress.reach(&positions);
                if !records.is_empty() && life.chance.lock().one_in(3) {
                    // What was read takes its time, in which the group may give the member up.
                    if life.chance.lock().one_in(2) {
                        life.sleep(Duration::ZERO..=Duration::from_millis(500)).await;
                    }
                    commit(&life, &mut consumer, &group).await;
                }
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    if life.chance.lock().one_in(2) {
        let _ = consumer.close().await;
    }
}

fn joined(life: &Life, group: &Arc<str>, generation: i32) {
    let op = Op::Join { group: Arc::clone(group), generation };
    let call = life.world.history.invoke(life.id, op.clone());
    life.world.history.ok(life.id, call, op);
}

async fn commit(life: &Life, consumer: &mut Consumer, group: &Arc<str>) {
    let known = consumer.assignment().filter_map(|one| Some((one.clone(), consumer.position(one)?.get())));
    let offsets: Offsets = known.collect();
    if offsets.is_empty() {
        return;
    }
    let generation = consumer.generation().unwrap_or(-1);
    let op = Op::Commit { group: Arc::clone(group), generation, offsets };
    let history = &life.world.history;
    let call = history.invoke(life.id, op.clone());
    match consumer.commit().await {
        Ok(()) => history.ok(life.id, call, op),
        // An attempt before the last one may have had its effect.
        Err(error) => history.info(life.id, call, op, error),
    }
}
