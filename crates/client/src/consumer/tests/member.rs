//! A member of a group: its coordinator goes away, topics grow, it waits in a poll, and is thrown out.

use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, Offset, TopicPartition};
use parking_lot::Mutex;
use tokio::time::Instant;
use wire::messages::find_coordinator_request::FindCoordinatorRequest;
use wire::messages::heartbeat_request::HeartbeatRequest;
use wire::messages::join_group_request::JoinGroupRequest;
use wire::messages::leave_group_request::LeaveGroupRequest;
use wire::messages::offset_commit_request::OffsetCommitRequest;

use super::coordinator::{consumer, coordinator, poll};
use crate::{ConsumerConfig, Error, Rebalance, RebalanceListener, Start};

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test(start_paused = true)]
async fn a_member_outlives_a_coordinator_that_is_away_for_any_time() {
    let (script, cluster) = coordinator("t", 1, 3);
    script.lock().away = true;
    let mut consumer = consumer(&cluster, ConsumerConfig::default()).await;
    consumer.subscribe(["t"]).expect("it has a group");
    assert_eq!(poll(&mut consumer, seconds(600)).await, Vec::<i64>::new());
    let told = consumer.hindrance().and_then(|error| error.code());
    assert_eq!(told, Some(ErrorCode::CoordinatorNotAvailable), "it can be asked what it waits for");
    let asked = cluster.heard::<FindCoordinatorRequest>().len();
    assert!((300..700).contains(&asked), "it is looked for about once a second: {asked}");
    script.lock().away = false;
    assert_eq!(poll(&mut consumer, seconds(5)).await, [0, 1, 2]);
    assert_eq!(consumer.hindrance().map(|error| error.to_string()), None);
}

#[tokio::test(start_paused = true)]
async fn a_member_with_a_short_session_is_heard_soon_after_its_coordinator_is_back() {
    let (script, cluster) = coordinator("t", 1, 3);
    let config = ConsumerConfig { session_timeout: seconds(6), ..ConsumerConfig::default() };
    let mut consumer = consumer(&cluster, config).await;
    consumer.subscribe(["t"]).expect("it has a group");
    poll(&mut consumer, seconds(5)).await;
    // The heart may be at any place between two beats.
    for away in 30..34 {
        [1, 2].into_iter().for_each(|node| cluster.take_down(node));
        poll(&mut consumer, seconds(away)).await;
        [1, 2].into_iter().for_each(|node| cluster.bring_back(node));
        script.lock().away = true;
        poll(&mut consumer, seconds(1)).await;
        script.lock().away = false;
        let before = cluster.heard::<HeartbeatRequest>().len();
        poll(&mut consumer, seconds(2)).await;
        let beats = cluster.heard::<HeartbeatRequest>().len() - before;
        assert!((1..=2).contains(&beats), "{beats} beats after {away} s");
    }
    assert_eq!(cluster.heard::<JoinGroupRequest>().len(), 1, "it was a member all the time");
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_a_poll_polls() {
    let (script, cluster) = coordinator("t", 0, 0);
    let config = ConsumerConfig { max_poll_interval: seconds(60), ..ConsumerConfig::default() };
    let mut consumer = consumer(&cluster, config).await;
    consumer.subscribe(["t"]).expect("it has a group");
    assert_eq!(consumer.poll(seconds(250)).await, Ok(Vec::new()));
    assert_eq!(
        (cluster.heard::<JoinGroupRequest>().len(), cluster.heard::<LeaveGroupRequest>().len()),
        (1, 0)
    );
    // What comes to be meanwhile is noticed after the age of metadata.
    script.lock().counts.insert("t".to_owned(), 2);
    assert_eq!(consumer.poll(seconds(100)).await, Ok(Vec::new()));
    assert_eq!(consumer.assignment().count(), 2);
    assert_eq!(cluster.heard::<LeaveGroupRequest>().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_poll_may_last_for_ever() {
    let (_script, cluster) = coordinator("t", 1, 3);
    let mut consumer = consumer(&cluster, ConsumerConfig::default()).await;
    consumer.subscribe(["t"]).expect("it has a group");
    assert_eq!(consumer.poll(Duration::MAX).await.map(|records| records.len()), Ok(3));
}

#[tokio::test(start_paused = true)]
async fn the_leader_of_a_group_follows_what_only_others_read() {
    let (script, cluster) = coordinator("t", 1, 0);
    script.lock().counts.insert("u".to_owned(), 1);
    script.lock().other = Some("u".to_owned());
    let mut consumer = consumer(&cluster, ConsumerConfig::default()).await;
    consumer.subscribe(["t"]).expect("it has a group");
    poll(&mut consumer, seconds(10)).await;
    let before = cluster.heard::<JoinGroupRequest>().len();
    script.lock().counts.insert("u".to_owned(), 5);
    poll(&mut consumer, seconds(310)).await;
    assert_eq!(cluster.heard::<JoinGroupRequest>().len(), before + 1, "it shares out anew");
}

#[tokio::test(start_paused = true)]
async fn who_has_subscribed_must_unsubscribe_before_it_is_assigned_and_the_other_way_round() {
    let (_script, cluster) = coordinator("t", 3, 0);
    let mut consumer = consumer(&cluster, ConsumerConfig::default()).await;
    let by_hand = || [(TopicPartition::new("t", 0), Start::Earliest)];
    consumer.subscribe(["t"]).expect("it has a group");
    poll(&mut consumer, seconds(5)).await;
    assert!(matches!(consumer.assign(by_hand()), Err(Error::Misuse(_))));
    assert_eq!(consumer.assignment().count(), 3, "nothing has changed");

    assert_eq!(consumer.unsubscribe().await, Ok(()));
    consumer.assign(by_hand()).expect("it has unsubscribed");
    let beats = cluster.heard::<HeartbeatRequest>().len();
    poll(&mut consumer, seconds(60)).await;
    assert_eq!(cluster.heard::<HeartbeatRequest>().len(), beats, "it is no member any more");
    assert_eq!(cluster.heard::<LeaveGroupRequest>().len(), 1);
    assert!(matches!(consumer.subscribe(["t"]), Err(Error::Misuse(_))));
    assert!(matches!(consumer.subscribe_matching(|_| true), Err(Error::Misuse(_))));
    assert_eq!(consumer.unsubscribe().await, Ok(()));
    assert_eq!(consumer.subscribe(["t"]), Ok(()));
}

/// Notes what it is told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<&'static str>>>);

impl RebalanceListener for Told {
    fn assigned(&mut self, _: &mut Rebalance<'_>) {
        self.0.lock().push("assigned");
    }

    fn revoked(&mut self, _: &mut Rebalance<'_>) {
        self.0.lock().push("revoked");
    }

    fn lost(&mut self, _: &mut Rebalance<'_>) {
        self.0.lock().push("lost");
    }
}

#[tokio::test(start_paused = true)]
async fn who_lost_its_name_to_another_loses_its_partitions_until_it_unsubscribes() {
    let (script, cluster) = coordinator("t", 1, 3);
    let config = ConsumerConfig { group_instance_id: Some("i".to_owned()), ..ConsumerConfig::default() };
    let mut consumer = consumer(&cluster, config).await;
    let told = Told::default();
    consumer.on_rebalance(told.clone());
    consumer.subscribe(["t"]).expect("it has a group");
    assert_eq!(poll(&mut consumer, seconds(2)).await, [0, 1, 2]);
    script.lock().beats = Some(ErrorCode::FencedInstanceId);
    for _ in 0..3 {
        let refused = consumer.poll(seconds(10)).await.map_err(|error| error.code());
        assert_eq!(refused, Err(Some(ErrorCode::FencedInstanceId)), "until it does something about it");
    }
    assert_eq!(*told.0.lock(), ["assigned", "lost"]);
    assert_eq!((consumer.assignment().count(), consumer.generation()), (0, None));
    let refused = consumer.commit_offsets([(TopicPartition::new("t", 0), Offset(3).into())]).await;
    assert_eq!(refused.map_err(|error| error.code()), Err(Some(ErrorCode::FencedInstanceId)));

    script.lock().beats = None;
    assert_eq!(consumer.unsubscribe().await, Ok(()));
    consumer.subscribe(["t"]).expect("it has a group");
    assert_eq!(poll(&mut consumer, seconds(2)).await, [0, 1, 2]);
    assert_eq!(*told.0.lock(), ["assigned", "lost", "assigned"]);
}

fn offset(offset: i64) -> [(TopicPartition, crate::admin::CommittedOffset); 1] {
    [(TopicPartition::new("t", 0), Offset(offset).into())]
}

#[tokio::test(start_paused = true)]
async fn commits_that_wait_become_one_and_none_waits_longer_than_a_call_may() {
    let (script, cluster) = coordinator("t", 1, 0);
    let config = ConsumerConfig { enable_auto_commit: false, ..ConsumerConfig::default() };
    let mut consumer = consumer(&cluster, config).await;
    script.lock().commits = Some(ErrorCode::CoordinatorLoadInProgress);
    let mut waiting = Vec::new();
    for number in 0..20 {
        waiting.push(consumer.commit_offsets_async(offset(number)).expect("it has a group"));
    }
    let begun = Instant::now();
    let refused = consumer.commit_offsets(offset(20)).await.map_err(|error| error.code());
    let took = begun.elapsed().as_secs();
    assert!((55..=60).contains(&took), "default.api.timeout.ms: {took}");
    assert_eq!(refused, Err(Some(ErrorCode::CoordinatorLoadInProgress)));
    for waiting in waiting {
        assert!(waiting.await.is_err(), "none of them was committed");
    }

    let begun = cluster.heard::<OffsetCommitRequest>().len();
    let first = consumer.commit_offsets_async(offset(21)).expect("it has a group");
    tokio::time::sleep(seconds(1)).await;
    let mut waiting = vec![first];
    for number in 22..40 {
        waiting.push(consumer.commit_offsets_async(offset(number)).expect("it has a group"));
    }
    tokio::time::sleep(seconds(20)).await;
    assert!(cluster.heard::<OffsetCommitRequest>().len() > begun + 5, "it is tried again");
    script.lock().commits = None;
    for waiting in waiting {
        assert_eq!(waiting.await, Ok(()));
    }
    assert_eq!(script.lock().committed, [21, 39]);
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_was_deleted_keeps_nobody_from_committing_the_others_and_joining_again() {
    let (script, cluster) = coordinator("t", 2, 3);
    let mut consumer = consumer(&cluster, ConsumerConfig::default()).await;
    consumer.subscribe(["t", "u"]).expect("it has a group");
    poll(&mut consumer, seconds(2)).await;
    script.lock().counts.clear();
    script.lock().commits = Some(ErrorCode::UnknownTopicOrPartition);
    let begun = Instant::now();
    let refused = consumer.commit().await.map_err(|error| error.code());
    assert_eq!(refused, Err(Some(ErrorCode::UnknownTopicOrPartition)));
    assert!(begun.elapsed() < seconds(1), "nobody waits for its coming back");
    script.lock().counts.insert("t".to_owned(), 2);
    let begun = Instant::now();
    assert!(consumer.commit().await.is_err());
    assert!(begun.elapsed() > seconds(50), "a topic that is there will be known to the coordinator");
    script.lock().counts.clear();
    assert_eq!(consumer.close().await, Ok(()), "nobody needs to know where a topic was read to that is gone");
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_slowly_out_of_one_fetch_is_committed_at_the_interval() {
    let (script, cluster) = coordinator("t", 1, 3);
    let config = ConsumerConfig { auto_commit_interval: seconds(1), ..ConsumerConfig::default() };
    let mut consumer = consumer(&cluster, config).await;
    consumer.subscribe(["t"]).expect("it has a group");
    for offset in 0..3 {
        let records = consumer.poll_up_to(1, seconds(10)).await.expect("it is there");
        assert_eq!(records.first().map(|record| record.offset), Some(Offset(offset)));
        tokio::time::sleep(seconds(2)).await;
    }
    let before_the_last = [1, 2];
    assert_eq!(script.lock().committed, before_the_last);
}

#[tokio::test(start_paused = true)]
async fn what_was_read_of_a_topic_is_not_committed_for_another_one_of_its_name() {
    let (script, cluster) = coordinator("t", 1, 3);
    let config = ConsumerConfig { enable_auto_commit: false, ..ConsumerConfig::default() };
    let mut consumer = consumer(&cluster, config).await;
    consumer.subscribe(["t"]).expect("it has a group");
    assert_eq!(poll(&mut consumer, seconds(2)).await, [0, 1, 2]);
    consumer.commit().await.expect("it is the topic that was read");
    script.lock().anew = true;
    for by_position in [true, false] {
        let begun = Instant::now();
        let refused = match by_position {
            true => consumer.commit().await,
            false => consumer.commit_offsets(offset(2)).await,
        };
        let refused = refused.expect_err("it is another topic");
        assert_eq!((refused.code(), refused.topic()), (Some(ErrorCode::UnknownTopicId), Some("t")));
        assert!(begun.elapsed() < seconds(1), "nobody waits for the coming back of the old one");
    }
    assert_eq!(script.lock().committed, [3]);
    let unread = TopicPartition::new("u", 0);
    consumer.commit_offsets([(unread, Offset(1).into())]).await.expect("it goes by name");
}

#[tokio::test(start_paused = true)]
async fn who_commits_before_it_joins_again_is_not_taken_for_dead() {
    let (script, cluster) = coordinator("t", 1, 3);
    let mut consumer = consumer(&cluster, ConsumerConfig::default()).await;
    consumer.subscribe(["t"]).expect("it has a group");
    poll(&mut consumer, seconds(2)).await;
    script.lock().commits = Some(ErrorCode::CoordinatorLoadInProgress);
    script.lock().beats = Some(ErrorCode::RebalanceInProgress);
    let before = cluster.heard::<HeartbeatRequest>().len();
    poll(&mut consumer, seconds(30)).await;
    assert_eq!(cluster.heard::<JoinGroupRequest>().len(), 1, "it is still committing");
    assert!(cluster.heard::<HeartbeatRequest>().len() > before + 5);
}

#[test]
fn a_commit_can_go_from_one_thread_to_another_while_it_is_waited_for() {
    fn can_go<T: Send>(_: T) {}
    // That it is compiled is what is asked for.
    let _ = |mut consumer: crate::Consumer| {
        can_go(consumer.commit());
        can_go(consumer.commit_offsets([]));
    };
}
