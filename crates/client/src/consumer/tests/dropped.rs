//! Calls that are dropped before they end: nothing is lost, and no offset goes back.

use std::time::Duration;

use kernel::{ErrorCode, Offset, TopicPartition};
use tokio::time::{sleep, timeout};
use wire::messages::heartbeat_request::HeartbeatRequest;
use wire::messages::leave_group_request::LeaveGroupRequest;
use wire::messages::offset_commit_request::OffsetCommitRequest;

use super::coordinator::{consumer, coordinator, poll};
use crate::ConsumerConfig;
use crate::admin::CommittedOffset;

const SOON: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(5);

fn offset(offset: i64) -> [(TopicPartition, CommittedOffset); 1] {
    [(TopicPartition::new("t", 0), Offset(offset).into())]
}

fn by_hand() -> ConsumerConfig {
    ConsumerConfig { enable_auto_commit: false, ..ConsumerConfig::default() }
}

#[tokio::test(start_paused = true)]
async fn polls_that_are_dropped_lose_no_record_and_repeat_none() {
    // How long each poll is waited for decides where it is dropped: in joining, looking up, fetching.
    for micros in [0, 1, 100, 1_000, 7_000, 499_000, 501_000] {
        let (_script, cluster) = coordinator("t", 2, 30);
        let mut consumer = consumer(&cluster, ConsumerConfig::default()).await;
        consumer.subscribe(["t"]).expect("it has a group");
        let mut offsets = Vec::new();
        for _ in 0..10_000 {
            let polled = timeout(Duration::from_micros(micros), consumer.poll_up_to(2, LONG)).await;
            for record in polled.unwrap_or(Ok(Vec::new())).expect("nothing is wrong") {
                offsets.push((record.partition, record.offset.0));
            }
            if offsets.len() >= 60 {
                break;
            }
            sleep(Duration::from_millis(1)).await;
        }
        for partition in [0, 1] {
            let of_it = offsets.iter().filter(|(of, _)| *of == partition).map(|(_, offset)| *offset);
            assert_eq!(of_it.collect::<Vec<_>>(), (0..30).collect::<Vec<_>>(), "{micros} µs, {partition}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn commits_that_are_dropped_go_on_and_overwrite_none_that_comes_after() {
    let (script, cluster) = coordinator("t", 1, 0);
    let mut consumer = consumer(&cluster, by_hand()).await;
    script.lock().commits = Some(ErrorCode::CoordinatorLoadInProgress);
    assert!(timeout(SOON, consumer.commit_offsets(offset(1))).await.is_err(), "it is being tried");
    assert!(timeout(SOON, consumer.commit_offsets(offset(2))).await.is_err(), "it waits for its turn");
    drop(consumer.commit_offsets_async(offset(3)).expect("it has a group"));
    let waited_for = consumer.commit_offsets_async(offset(4)).expect("it has a group");
    assert!(timeout(SOON, waited_for).await.is_err(), "it waits as well");
    script.lock().commits = None;
    assert_eq!(timeout(LONG, consumer.commit_offsets(offset(5))).await, Ok(Ok(())));
    sleep(LONG).await;
    assert_eq!(script.lock().committed, [1, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_on_its_way_whose_call_is_dropped_comes_before_the_next() {
    let (script, cluster) = coordinator("t", 1, 0);
    let mut consumer = consumer(&cluster, by_hand()).await;
    script.lock().slow = true;
    assert!(timeout(SOON, consumer.commit_offsets(offset(1))).await.is_err(), "it is on its way");
    assert_eq!(consumer.commit_offsets(offset(2)).await, Ok(()));
    assert_eq!(script.lock().committed, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn who_drops_unsubscribe_leaves_all_the_same_and_can_come_back() {
    let (script, cluster) = coordinator("t", 1, 6);
    let mut consumer = consumer(&cluster, ConsumerConfig::default()).await;
    consumer.subscribe(["t"]).expect("it has a group");
    assert_eq!(poll(&mut consumer, LONG).await.len(), 6);
    script.lock().slow = true;
    assert!(timeout(SOON, consumer.unsubscribe()).await.is_err(), "the commit is on its way");
    assert_eq!((consumer.assignment().count(), consumer.generation()), (0, None));
    let beats = cluster.heard::<HeartbeatRequest>().len();
    sleep(LONG).await;
    assert_eq!(script.lock().committed.last(), Some(&6));
    assert_eq!(cluster.heard::<LeaveGroupRequest>().len(), 1);
    assert_eq!(cluster.heard::<HeartbeatRequest>().len(), beats);

    consumer.subscribe(["t"]).expect("it has unsubscribed");
    assert!(timeout(SOON, consumer.unsubscribe()).await.is_ok(), "it has not joined yet");
    consumer.subscribe(["t"]).expect("it has unsubscribed");
    assert_eq!(poll(&mut consumer, LONG).await.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn who_drops_close_is_gone_as_after_a_crash() {
    let (script, cluster) = coordinator("t", 1, 6);
    let mut consumer = consumer(&cluster, ConsumerConfig::default()).await;
    consumer.subscribe(["t"]).expect("it has a group");
    poll(&mut consumer, LONG).await;
    script.lock().commits = Some(ErrorCode::CoordinatorLoadInProgress);
    let waiting = consumer.commit_async().expect("it has a group");
    assert!(timeout(SOON, consumer.close()).await.is_err(), "it is being committed");
    assert_eq!(waiting.await, Err(crate::Error::Closed));
    let heard = || (cluster.heard::<HeartbeatRequest>().len(), cluster.heard::<OffsetCommitRequest>().len());
    let before = heard();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(heard(), before, "nothing goes on");
    assert_eq!(cluster.heard::<LeaveGroupRequest>().len(), 0);
}
