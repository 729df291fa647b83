//! A consumer against leaders that change, and logs that lose what was read.

mod coordinator;
mod dropped;
mod kept;
mod member;
mod rack;
mod room;
mod several;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, Offset, TopicPartition};
use parking_lot::Mutex;
use wire::api_table::ApiKey;
use wire::messages::fetch_request::{FetchPartition, FetchRequest};
use wire::messages::find_coordinator_request::FindCoordinatorRequest;
use wire::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use wire::messages::list_offsets_request::ListOffsetsRequest;
use wire::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use wire::messages::metadata_request::MetadataRequest;
use wire::messages::offset_fetch_request::OffsetFetchRequest;
use wire::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use wire::messages::offset_for_leader_epoch_request::OffsetForLeaderEpochRequest;
use wire::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};

use super::{Consumer, Start};
use crate::config::OffsetReset;
use crate::scripted::{Asked, Cluster, Reply, TOPIC, fetched, metadata, records, refused};
use crate::{ConsumerConfig, Error};

/// The partition as the cluster has it.
struct Log {
    leader: i32,
    epoch: i32,
    end: i64,
    /// What is answered to questions for the ends of epochs, in turn.
    ends: VecDeque<EpochEndOffset>,
    /// What the group has committed: an offset and an epoch.
    committed: (i64, i32),
}

type Shared = Arc<Mutex<Log>>;

/// Led by node 1 in epoch 1, with records up to an offset.
fn log(end: i64) -> Shared {
    Arc::new(Mutex::new(Log { leader: 1, epoch: 1, end, ends: VecDeque::new(), committed: (-1, -1) }))
}

/// Where an epoch ends.
fn ends(leader_epoch: i32, end_offset: i64) -> EpochEndOffset {
    EpochEndOffset { leader_epoch, end_offset, ..Default::default() }
}

fn refuses(code: ErrorCode) -> EpochEndOffset {
    EpochEndOffset { error_code: code.code(), ..ends(-1, -1) }
}

fn answer(log: &Mutex<Log>, asked: &Asked) -> Reply {
    let mut log = log.lock();
    if asked.is::<MetadataRequest>() {
        return asked.answer(&metadata(log.leader, log.epoch));
    }
    if asked.is::<FetchRequest>() {
        let wanted = only(&asked.read());
        let data = match wanted.fetch_offset {
            _ if asked.node != log.leader => refused(ErrorCode::NotLeaderOrFollower),
            _ if wanted.current_leader_epoch < log.epoch => refused(ErrorCode::FencedLeaderEpoch),
            _ if wanted.current_leader_epoch > log.epoch => refused(ErrorCode::UnknownLeaderEpoch),
            offset if offset > log.end => refused(ErrorCode::OffsetOutOfRange),
            offset if offset == log.end => return Reply::Silence,
            offset => records(offset, log.end - offset, log.epoch),
        };
        return asked.answer(&fetched(data));
    }
    if asked.is::<OffsetForLeaderEpochRequest>() {
        let partitions = log.ends.pop_front().into_iter().collect();
        let topics = vec![OffsetForLeaderTopicResult { topic: TOPIC.to_owned(), partitions }];
        return asked.answer(&OffsetForLeaderEpochResponse { topics, ..Default::default() });
    }
    if asked.is::<ListOffsetsRequest>() {
        let current = asked.read::<ListOffsetsRequest>().topics[0].partitions[0].current_leader_epoch;
        let partition = ListOffsetsPartitionResponse {
            error_code: if current == log.epoch { 0 } else { ErrorCode::FencedLeaderEpoch.code() },
            offset: 0,
            leader_epoch: log.epoch,
            ..Default::default()
        };
        let topics = vec![ListOffsetsTopicResponse { name: TOPIC.to_owned(), partitions: vec![partition] }];
        return asked.answer(&ListOffsetsResponse { topics, ..Default::default() });
    }
    if asked.is::<FindCoordinatorRequest>() {
        let coordinator = Coordinator { node_id: 1, ..Default::default() };
        return asked
            .answer(&FindCoordinatorResponse { coordinators: vec![coordinator], ..Default::default() });
    }
    assert!(asked.is::<OffsetFetchRequest>(), "nothing else is asked: {}", asked.key);
    let (committed_offset, committed_leader_epoch) = log.committed;
    let partition =
        OffsetFetchResponsePartitions { committed_offset, committed_leader_epoch, ..Default::default() };
    let topic = OffsetFetchResponseTopics {
        name: TOPIC.to_owned(),
        partitions: vec![partition],
        ..Default::default()
    };
    let group =
        OffsetFetchResponseGroup { group_id: "g".to_owned(), topics: vec![topic], ..Default::default() };
    asked.answer(&OffsetFetchResponse { groups: vec![group], ..Default::default() })
}

/// The only partition that is fetched.
fn only(request: &FetchRequest) -> FetchPartition {
    let partitions: Vec<_> = request.topics.iter().flat_map(|topic| topic.partitions.clone()).collect();
    assert_eq!(partitions.len(), 1);
    partitions[0]
}

fn cluster(log: &Shared) -> Cluster {
    let log = Arc::clone(log);
    Cluster::new(move |asked| answer(&log, asked))
}

fn partition() -> TopicPartition {
    TopicPartition::new(TOPIC, 0)
}

/// A consumer that has yet to read the partition.
async fn consumer(cluster: &Cluster, reset: OffsetReset, start: Start) -> Consumer {
    let config =
        ConsumerConfig { auto_offset_reset: reset, enable_auto_commit: false, ..ConsumerConfig::group("g") };
    let mut consumer = Consumer::new(&cluster.client().await, config).expect("the settings work");
    consumer.assign([(partition(), start)]).expect("it has not subscribed");
    consumer
}

/// The offsets and epochs of the next records.
async fn poll(consumer: &mut Consumer) -> Result<Vec<(i64, i32)>, Error> {
    let records = consumer.poll(Duration::from_secs(200)).await?;
    let told = |epoch: Option<kernel::LeaderEpoch>| epoch.map_or(-1, |epoch| epoch.0);
    Ok(records.iter().map(|record| (record.offset.0, told(record.leader_epoch))).collect())
}

/// A consumer that has read five records in epoch 1, after which node 2 leads in epoch 2. It says of epoch 1 what `ends`
/// has, and has records up to `end`.
async fn after_an_election(
    reset: OffsetReset,
    told: impl IntoIterator<Item = EpochEndOffset>,
    end: i64,
) -> (Cluster, Consumer) {
    let log = log(5);
    let cluster = cluster(&log);
    let mut consumer = consumer(&cluster, reset, Start::Offset(Offset(0))).await;
    assert_eq!(poll(&mut consumer).await.expect("there are records").len(), 5);
    *log.lock() = Log { leader: 2, epoch: 2, end, ends: told.into_iter().collect(), committed: (-1, -1) };
    (cluster, consumer)
}

const FETCH: i16 = ApiKey::Fetch as i16;
const EPOCH_ENDS: i16 = ApiKey::OffsetForLeaderEpoch as i16;

#[tokio::test(start_paused = true)]
async fn after_an_election_a_position_is_compared_with_the_new_log_before_more_is_fetched() {
    let (cluster, mut consumer) = after_an_election(OffsetReset::Latest, [ends(1, 5)], 7).await;
    assert_eq!(poll(&mut consumer).await, Ok(vec![(5, 2), (6, 2)]));
    let (node, question) = cluster.heard::<OffsetForLeaderEpochRequest>().remove(0);
    let asked = question.topics[0].partitions[0];
    assert_eq!(
        (node, question.replica_id, asked.leader_epoch, asked.current_leader_epoch),
        (2, -1, 1, 2),
        "a consumer asks the new leader for the end of the epoch that it read last"
    );
    assert_eq!(cluster.order(2)[..2], [EPOCH_ENDS, FETCH]);
    let fetches = cluster.heard::<FetchRequest>();
    let epochs: Vec<_> =
        fetches.iter().map(|(node, fetch)| (*node, only(fetch).current_leader_epoch)).collect();
    assert!(epochs.is_sorted() && epochs.iter().all(|(node, epoch)| node == epoch), "{epochs:?}");
    let of_replicas = |(_, fetch): &(i32, FetchRequest)| only(fetch).last_fetched_epoch != -1;
    assert!(!fetches.iter().any(of_replicas), "only replicas are told where logs part while they fetch");
}

#[tokio::test(start_paused = true)]
async fn a_position_beyond_what_is_left_goes_to_where_the_log_parts() {
    let (cluster, mut consumer) = after_an_election(OffsetReset::Latest, [ends(1, 3)], 7).await;
    assert_eq!(poll(&mut consumer).await, Ok(vec![(3, 2), (4, 2), (5, 2), (6, 2)]));
    assert!(cluster.heard::<ListOffsetsRequest>().is_empty(), "nothing is looked up for a reset");
}

#[tokio::test(start_paused = true)]
async fn without_a_reset_policy_a_truncation_is_an_error_that_says_where_the_log_parts() {
    let (_cluster, mut consumer) =
        after_an_election(OffsetReset::None, [ends(1, 3), ends(1, 3), ends(1, 3)], 7).await;
    for _ in 0..2 {
        let expected =
            Error::Truncated { topic: TOPIC.to_owned(), partition: 0, offset: 5, divergent: Some(3) };
        assert_eq!(poll(&mut consumer).await, Err(expected), "it comes again as long as nobody seeks");
    }
    consumer.seek(&partition(), Start::Offset(Offset(3)));
    assert_eq!(poll(&mut consumer).await.map(|records| records[0]), Ok((3, 2)));
}

#[tokio::test(start_paused = true)]
async fn where_no_epoch_is_left_the_position_is_reset_by_the_policy() {
    let (cluster, mut consumer) = after_an_election(OffsetReset::Earliest, [ends(-1, -1)], 7).await;
    assert_eq!(poll(&mut consumer).await.map(|records| records[0]), Ok((0, 2)));
    assert_eq!(cluster.heard::<ListOffsetsRequest>().len(), 1);

    let (_cluster, mut consumer) = after_an_election(OffsetReset::None, [ends(-1, -1)], 7).await;
    let expected = Error::Truncated { topic: TOPIC.to_owned(), partition: 0, offset: 5, divergent: None };
    assert_eq!(poll(&mut consumer).await, Err(expected));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_not_sure_of_its_epoch_is_asked_again() {
    let unsure = [
        refuses(ErrorCode::FencedLeaderEpoch),
        refuses(ErrorCode::UnknownLeaderEpoch),
        refuses(ErrorCode::UnknownServerError),
        ends(1, 3),
    ];
    let (cluster, mut consumer) = after_an_election(OffsetReset::None, unsure, 7).await;
    let before = cluster.heard::<MetadataRequest>().len();
    assert!(matches!(poll(&mut consumer).await, Err(Error::Truncated { divergent: Some(3), .. })));
    assert_eq!(cluster.heard::<OffsetForLeaderEpochRequest>().len(), 4);
    // Once for the election, and more than that.
    assert!(cluster.heard::<MetadataRequest>().len() > before + 1, "who leads is looked up again");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_leaves_the_partition_out_is_no_answer() {
    let (cluster, mut consumer) = after_an_election(OffsetReset::Latest, [], 7).await;
    let silent = consumer.poll(Duration::from_secs(40)).await.expect("it can be polled");
    assert_eq!(silent, [], "nothing is fetched from a log that was not compared");
    let questions = cluster.heard::<OffsetForLeaderEpochRequest>().len();
    assert!((2..500).contains(&questions), "it is asked again, but not without a rest: {questions}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_too_old_to_say_where_epochs_end_is_believed() {
    let log = log(5);
    let cluster = {
        let log = Arc::clone(&log);
        Cluster::of_versions([(ApiKey::OffsetForLeaderEpoch, 2)], move |asked| answer(&log, asked))
    };
    let mut consumer = consumer(&cluster, OffsetReset::None, Start::Offset(Offset(0))).await;
    assert_eq!(poll(&mut consumer).await.expect("there are records").len(), 5);
    *log.lock() = Log { leader: 2, epoch: 2, end: 7, ends: VecDeque::new(), committed: (-1, -1) };
    assert_eq!(poll(&mut consumer).await, Ok(vec![(5, 2), (6, 2)]));
    assert_eq!(cluster.heard::<OffsetForLeaderEpochRequest>().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_group_committed_is_compared_with_the_log_too() {
    let log = log(7);
    (log.lock().committed, log.lock().epoch) = ((6, 1), 2);
    log.lock().ends = [ends(1, 4)].into();
    let cluster = cluster(&log);
    let mut consumer = consumer(&cluster, OffsetReset::Earliest, Start::Committed).await;
    assert_eq!(poll(&mut consumer).await, Ok(vec![(4, 2), (5, 2), (6, 2)]));
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_from_the_leader_before_is_not_returned_once_it_is_in_doubt() {
    let log = log(5);
    let cluster = cluster(&log);
    let mut consumer = consumer(&cluster, OffsetReset::Latest, Start::Offset(Offset(0))).await;
    let first = consumer.poll_up_to(2, Duration::from_secs(9)).await.expect("there are records");
    assert_eq!(first.len(), 2, "three more are there already");
    *log.lock() = Log { leader: 2, epoch: 2, end: 4, ends: [ends(1, 2)].into(), committed: (-1, -1) };
    consumer.client.fetch_metadata(Some(&[TOPIC.to_owned()])).await.expect("it is answered");
    assert_eq!(poll(&mut consumer).await, Ok(vec![(2, 2), (3, 2)]));
}

#[tokio::test(start_paused = true)]
async fn what_the_leader_before_sends_late_is_not_returned() {
    let log = log(5);
    let cluster = {
        let log = Arc::clone(&log);
        Cluster::new(move |asked| match asked.is::<FetchRequest>() && asked.node == 1 {
            true => asked.answer_late(&fetched(records(0, 5, 1))),
            false => answer(&log, asked),
        })
    };
    let mut consumer = consumer(&cluster, OffsetReset::Latest, Start::Offset(Offset(0))).await;
    assert_eq!(consumer.poll(Duration::from_millis(100)).await, Ok(Vec::new()), "it is on its way");
    (log.lock().leader, log.lock().epoch, log.lock().end) = (2, 2, 2);
    consumer.client.fetch_metadata(Some(&[TOPIC.to_owned()])).await.expect("it is answered");
    assert_eq!(poll(&mut consumer).await, Ok(vec![(0, 2), (1, 2)]));
}

#[tokio::test(start_paused = true)]
async fn epochs_of_a_topic_that_was_made_anew_are_not_compared_with_those_before() {
    let log = log(5);
    let anew: Arc<Mutex<bool>> = Arc::default();
    let cluster = {
        let (log, anew) = (Arc::clone(&log), Arc::clone(&anew));
        Cluster::new(move |asked| {
            if asked.is::<MetadataRequest>() && *anew.lock() {
                let mut metadata = metadata(2, 0);
                metadata.topics[0].topic_id = kernel::Uuid::from_bytes([9; 16]);
                return asked.answer(&metadata);
            }
            if asked.is::<FetchRequest>() && *anew.lock() {
                let mut answer = fetched(match only(&asked.read()).fetch_offset {
                    0 => records(0, 2, 0),
                    _ => refused(ErrorCode::OffsetOutOfRange),
                });
                answer.responses[0].topic_id = kernel::Uuid::from_bytes([9; 16]);
                return asked.answer(&answer);
            }
            answer(&log, asked)
        })
    };
    let mut consumer = consumer(&cluster, OffsetReset::Earliest, Start::Offset(Offset(0))).await;
    assert_eq!(poll(&mut consumer).await.map(|records| records.len()), Ok(5));
    let before = consumer.topic_id(&partition());
    (*anew.lock(), log.lock().epoch) = (true, 0);
    consumer.client.fetch_metadata(Some(&[TOPIC.to_owned()])).await.expect("it is answered");
    consumer.follow_leaders();
    let id = kernel::Uuid::from_bytes([9; 16]);
    assert!(before.is_some() && before != Some(id), "{before:?}");
    assert_eq!(
        (consumer.topic_id(&partition()), consumer.position(&partition())),
        (Some(id), Some(Offset(5)))
    );
    assert_eq!(poll(&mut consumer).await, Ok(vec![(0, 0), (1, 0)]), "it begins as the policy says");
    assert_eq!(cluster.heard::<OffsetForLeaderEpochRequest>().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reset_by_duration_goes_to_what_was_written_since_so_long_ago() {
    const HOUR: Duration = Duration::from_secs(3600);
    let log = log(2);
    let cluster = cluster(&log);
    let mut consumer = consumer(&cluster, OffsetReset::ByDuration(HOUR), Start::Committed).await;
    let from = consumer.client.world().now().0 - 3_600_000;
    assert_eq!(poll(&mut consumer).await, Ok(vec![(0, 1), (1, 1)]));
    let to = consumer.client.world().now().0 - 3_600_000;
    let asked = cluster.heard::<ListOffsetsRequest>();
    let times: Vec<i64> = asked.iter().map(|(_, asked)| asked.topics[0].partitions[0].timestamp).collect();
    assert!(times.len() == 1 && (from..=to).contains(&times[0]), "{times:?} is not in {from}..={to}");

    // Longer than there has been time.
    let mut consumer =
        self::consumer(&cluster, OffsetReset::ByDuration(Duration::MAX), Start::Committed).await;
    assert_eq!(poll(&mut consumer).await, Ok(vec![(0, 1), (1, 1)]));
    let asked = cluster.heard::<ListOffsetsRequest>();
    assert_eq!(asked[1].1.topics[0].partitions[0].timestamp, 0, "the times before it have other meanings");
}

#[tokio::test(start_paused = true)]
async fn who_was_deposed_does_not_say_where_the_log_begins() {
    let log = log(2);
    let cluster = cluster(&log);
    let mut consumer = consumer(&cluster, OffsetReset::Latest, Start::Earliest).await;
    log.lock().epoch = 2;
    assert_eq!(poll(&mut consumer).await, Ok(vec![(0, 2), (1, 2)]));
    let asked = cluster.heard::<ListOffsetsRequest>();
    let epochs: Vec<_> =
        asked.iter().map(|(_, asked)| asked.topics[0].partitions[0].current_leader_epoch).collect();
    assert_eq!(epochs, [1, 2], "the consumer learns who leads, and asks again");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_is_fenced_goes_again_in_the_epoch_that_is() {
    let log = log(2);
    let cluster = cluster(&log);
    let mut consumer = consumer(&cluster, OffsetReset::None, Start::Offset(Offset(0))).await;
    log.lock().epoch = 2;
    assert_eq!(poll(&mut consumer).await, Ok(vec![(0, 2), (1, 2)]));
    let fetches = cluster.heard::<FetchRequest>();
    let epochs: Vec<_> = fetches.iter().map(|(_, fetch)| only(fetch).current_leader_epoch).collect();
    assert!(epochs.is_sorted() && epochs.first() == Some(&1) && epochs.contains(&2), "{epochs:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_does_not_know_of_its_election_yet_is_waited_for() {
    let log = log(2);
    let cluster = {
        let log = Arc::clone(&log);
        Cluster::new(move |asked| match asked.is::<MetadataRequest>() {
            true => asked.answer(&metadata(1, 2)),
            false => answer(&log, asked),
        })
    };
    let mut consumer = consumer(&cluster, OffsetReset::None, Start::Offset(Offset(0))).await;
    assert_eq!(consumer.poll(Duration::from_secs(2)).await, Ok(Vec::new()));
    let asked = cluster.heard::<FetchRequest>().len();
    assert!((2..60).contains(&asked), "it is asked again, but not without a rest: {asked}");
    log.lock().epoch = 2;
    assert_eq!(poll(&mut consumer).await, Ok(vec![(0, 2), (1, 2)]));
}
