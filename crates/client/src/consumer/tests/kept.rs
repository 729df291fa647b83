//! The coordinator of a group, which is looked for once, and again when it is another one.

use std::time::Duration;

use kernel::{ErrorCode, Offset, TopicPartition};
use wire::messages::find_coordinator_request::FindCoordinatorRequest;
use wire::messages::heartbeat_request::HeartbeatRequest;
use wire::messages::leave_group_request::LeaveGroupRequest;
use wire::messages::offset_commit_request::OffsetCommitRequest;

use super::coordinator::{consumer, coordinator, poll};
use crate::admin::CommittedOffset;
use crate::scripted::Cluster;
use crate::{Admin, ConsumerConfig};

const MINUTE: Duration = Duration::from_secs(60);

fn searches(cluster: &Cluster) -> usize {
    cluster.heard::<FindCoordinatorRequest>().len()
}

fn offset(offset: i64) -> [(TopicPartition, CommittedOffset); 1] {
    [(TopicPartition::new("t", 0), Offset(offset).into())]
}

#[tokio::test(start_paused = true)]
async fn a_member_looks_for_its_coordinator_once() {
    let (_script, cluster) = coordinator("t", 1, 100);
    let mut consumer = consumer(&cluster, ConsumerConfig::default()).await;
    consumer.subscribe(["t"]).expect("it has a group");
    assert_eq!(poll(&mut consumer, MINUTE).await.len(), 100);
    assert!(cluster.heard::<HeartbeatRequest>().len() > 15);
    assert!(cluster.heard::<OffsetCommitRequest>().len() > 8);
    consumer.close().await.expect("it leaves");
    assert_eq!(cluster.heard::<LeaveGroupRequest>().len(), 1);
    assert_eq!(searches(&cluster), 1, "for joining, beating, committing and leaving together");
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_moved_is_looked_for_again_and_beats_and_commits_go_there() {
    let (script, cluster) = coordinator("t", 1, 100);
    let mut consumer = consumer(&cluster, ConsumerConfig::default()).await;
    consumer.subscribe(["t"]).expect("it has a group");
    poll(&mut consumer, MINUTE).await;
    let generation = consumer.generation();
    script.lock().moved = true;
    poll(&mut consumer, MINUTE).await;
    assert_eq!(consumer.generation(), generation, "it stays a member");
    assert!((2..=3).contains(&searches(&cluster)), "what was on its way at once may look as well");
    let beats: Vec<i32> = cluster.heard::<HeartbeatRequest>().iter().map(|(node, _)| *node).collect();
    assert!(beats.is_sorted() && beats.iter().filter(|node| **node == 2).count() > 15, "{beats:?}");
    script.lock().moved = false;
    consumer.commit_offsets(offset(7)).await.expect("it is tried again where the coordinator is");
    assert_eq!(script.lock().committed.last(), Some(&7));
    script.lock().moved = true;
    consumer.close().await.expect("it leaves, also where the coordinator has just moved");
    let left: Vec<i32> = cluster.heard::<LeaveGroupRequest>().iter().map(|(node, _)| *node).collect();
    assert_eq!(left.last(), Some(&2));
}

#[tokio::test(start_paused = true)]
async fn who_is_a_coordinator_but_loads_yet_is_not_looked_for_again() {
    let (script, cluster) = coordinator("t", 1, 0);
    let mut consumer = consumer(&cluster, ConsumerConfig::default()).await;
    consumer.commit_offsets(offset(1)).await.expect("nothing is wrong");
    script.lock().commits = Some(ErrorCode::CoordinatorLoadInProgress);
    let waiting = consumer.commit_offsets_async(offset(2)).expect("it has a group");
    tokio::time::sleep(Duration::from_secs(10)).await;
    script.lock().commits = None;
    waiting.await.expect("it is tried again");
    assert_eq!(searches(&cluster), 1);
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_cannot_be_reached_is_looked_for_again() {
    let (script, cluster) = coordinator("t", 1, 0);
    script.lock().moved = true;
    let mut consumer = consumer(&cluster, ConsumerConfig::default()).await;
    consumer.commit_offsets(offset(1)).await.expect("nothing is wrong");
    assert_eq!(cluster.heard::<OffsetCommitRequest>().last().map(|(node, _)| *node), Some(2));
    cluster.take_down(2);
    script.lock().moved = false;
    consumer.commit_offsets(offset(2)).await.expect("node 1 coordinates it by now");
    assert_eq!(
        (cluster.heard::<OffsetCommitRequest>().last().map(|(node, _)| *node), searches(&cluster)),
        (Some(1), 2)
    );
}

#[tokio::test(start_paused = true)]
async fn questions_about_a_group_share_what_is_known_of_its_coordinator() {
    let (script, cluster) = coordinator("t", 1, 0);
    let consumer = consumer(&cluster, ConsumerConfig::default()).await;
    let admin = Admin::new(&consumer.client);
    let ask = async || {
        admin.alter_offsets("g", &offset(3).into()).await.expect("it is committed");
        admin.committed_offsets("g", None).await.expect("it is told");
    };
    ask().await;
    ask().await;
    assert_eq!(searches(&cluster), 1);
    script.lock().moved = true;
    ask().await;
    assert_eq!(searches(&cluster), 2);
    ask().await;
    assert_eq!(searches(&cluster), 2);
}
