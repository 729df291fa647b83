//! An operator's program: makes topics, moves replicas between log directories, asks where partitions end and what groups have
//! committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use client::admin::{NewTopic, OffsetSpec};
use client::config::IsolationLevel;
use client::{Admin, Error, ErrorCode};
use kernel::TopicPartition;

use super::program::Life;
use super::{OFFSETS_PARTITIONS, PAUSE, Topic};
use crate::history::{Offsets, Op};

/// The topic of what groups commit, with as many partitions as the scenario gives it.
const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// How many topics there are that come and go.
const PASSING_TOPICS: u64 = 3;

/// Makes the topics that a run begins with; tries until they are there.
pub async fn prepare(life: Life, topics: Arc<[Topic]>) {
    let client = life.connect().await;
    let admin = Admin::new(&client);
    for topic in topics.iter() {
        while !create(&life, &admin, topic).await {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Asks and changes until it is told to end.
pub async fn run(life: Life, topics: Arc<[Topic]>, groups: Arc<[Arc<str>]>, prefix: String) {
    let client = life.connect().await;
    let admin = Admin::new(&client);
    let partitions: Vec<TopicPartition> = topics.iter().flat_map(Topic::partitions).collect();
    while !life.is_ending() {
        let what = life.chance.lock().below(10);
        let passing = || -> Arc<str> {
            format!("{prefix}-passing-{}", life.chance.lock().below(PASSING_TOPICS)).into()
        };
        match what {
            0..=2 => ends(&life, &admin, &partitions).await,
            3..=4 => {
                let group = life.chance.lock().pick(&groups).cloned();
                if let Some(group) = group {
                    committed(&life, &admin, &group, &partitions).await;
                }
            }
            5..=6 => {
                let (name, count) = (passing(), life.chance.lock().within(1..=4) as i32);
                create(&life, &admin, &Topic { name, partitions: count, configs: Vec::new() }).await;
            }
            7 => delete(&life, &admin, &passing()).await,
            _ => relocate(&life, &admin, &partitions, &passing()).await,
        }
        life.sleep(Duration::from_millis(50)..=Duration::from_millis(1_500)).await;
    }
}

/// Whether the topic is there, as far as anybody can tell.
async fn create(life: &Life, admin: &Admin, topic: &Topic) -> bool {
    let history = &life.world.history;
    let op = Op::CreateTopic { name: Arc::clone(&topic.name), partitions: topic.partitions };
    let call = history.invoke(life.id, op.clone());
    let topic = NewTopic {
        partitions: Some(topic.partitions),
        configs: topic.configs.clone(),
        ..NewTopic::new(topic.name.as_ref())
    };
    match admin.create_topic(&topic, false).await {
        Ok(_) => history.ok(life.id, call, op),
        Err(error) if error.code() == Some(ErrorCode::TopicAlreadyExists) => {
            history.fail(life.id, call, op, error);
        }
        Err(error) => {
            history.info(life.id, call, op, error);
            return false;
        }
    }
    true
}

async fn delete(life: &Life, admin: &Admin, name: &Arc<str>) {
    let history = &life.world.history;
    let op = Op::DeleteTopic { name: Arc::clone(name) };
    let call = history.invoke(life.id, op.clone());
    match admin.delete_topic(name).await {
        Ok(()) => history.ok(life.id, call, op),
        Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {
            history.fail(life.id, call, op, error);
        }
        Err(error) => history.info(life.id, call, op, error),
    }
}

/// Has a replica moved into one of its broker's log directories, which may be the one where it is.
async fn relocate(life: &Life, admin: &Admin, partitions: &[TopicPartition], passing: &Arc<str>) {
    let Ok(cluster) = admin.describe_cluster().await else { return };
    let Some(broker) = cluster.brokers.first() else { return };
    let Ok(dirs) = admin.describe_log_dirs(broker.id).await else { return };
    let (of, to) = {
        let mut chance = life.chance.lock();
        let of = match chance.below(6) {
            0 => Some(TopicPartition::new(OFFSETS_TOPIC, chance.below(OFFSETS_PARTITIONS) as i32)),
            1 => Some(TopicPartition::new(Arc::clone(passing), 0)),
            _ => chance.pick(partitions).cloned(),
        };
        (of, chance.pick(&dirs).map(|dir| dir.path.clone()))
    };
    let (Some(of), Some(to)) = (of, to) else { return };
    let history = &life.world.history;
    let op = Op::Move { of: of.clone(), to: to.as_str().into() };
    let call = history.invoke(life.id, op.clone());
    let moves = BTreeMap::from([(of.clone(), to)]);
    match admin.alter_replica_log_dirs(broker.id, &moves).await {
        Ok(mut altered) => match altered.remove(&of) {
            Some(Ok(())) => history.ok(life.id, call, op),
            Some(Err(error)) => history.fail(life.id, call, op, error),
            None => history.stuck(format_args!("a move of {of} is not answered")),
        },
        Err(error) => history.info(life.id, call, op, error),
    }
}

async fn ends(life: &Life, admin: &Admin, partitions: &[TopicPartition]) {
    let history = &life.world.history;
    let Some(of) = life.chance.lock().pick(partitions).cloned() else { return };
    let call = history.invoke(life.id, Op::End { of: of.clone(), offset: None });
    match end(admin, &of).await {
        Ok(offset) => history.ok(life.id, call, Op::End { of, offset: Some(offset) }),
        Err(error) => history.fail(life.id, call, Op::End { of, offset: None }, error),
    }
}

/// The end of a partition for readers.
pub async fn end(admin: &Admin, of: &TopicPartition) -> Result<i64, Error> {
    let wanted = [(of.clone(), OffsetSpec::Latest)];
    let listed = admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await?;
    let offset = listed.get(of).and_then(|listed| listed.offset).map(|offset| offset.get());
    offset.ok_or(Error::NoOffset { topic: of.topic.to_string(), partition: of.partition })
}

/// Asks what a group has committed. Returns whether it was told.
pub async fn committed(life: &Life, admin: &Admin, group: &Arc<str>, partitions: &[TopicPartition]) -> bool {
    let history = &life.world.history;
    let nothing: Offsets = partitions.iter().map(|partition| (partition.clone(), -1)).collect();
    let op = |offsets| Op::Committed { group: Arc::clone(group), offsets };
    let call = history.invoke(life.id, op(nothing.clone()));
    match admin.committed_offsets(group, Some(partitions)).await {
        Ok(found) => {
            let mut offsets = nothing;
            offsets
                .extend(found.into_iter().map(|(partition, committed)| (partition, committed.offset.get())));
            history.ok(life.id, call, op(offsets));
            true
        }
        Err(error) => {
            history.fail(life.id, call, op(nothing), error);
            false
        }
    }
}
