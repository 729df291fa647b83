//! A consumer of several partitions, of which one is not well.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, Offset, TopicPartition};
use parking_lot::Mutex;
use tokio::time::Instant;
use wire::Records;
use wire::messages::fetch_request::{FetchPartition, FetchRequest};
use wire::messages::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use wire::messages::find_coordinator_request::FindCoordinatorRequest;
use wire::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use wire::messages::list_offsets_request::ListOffsetsRequest;
use wire::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use wire::messages::metadata_request::MetadataRequest;
use wire::messages::metadata_response::{MetadataResponse, MetadataResponsePartition};
use wire::messages::offset_fetch_request::OffsetFetchRequest;
use wire::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use wire::messages::offset_for_leader_epoch_request::OffsetForLeaderEpochRequest;
use wire::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};

use super::super::Consumer;
use crate::config::OffsetReset;
use crate::scripted::{Asked, Cluster, Reply, TOPIC, TOPIC_ID, metadata, records, refused};
use crate::{ConsumerConfig, Error, Start};

/// How many partitions there are. Node 1 leads those with an even number, node 2 the others.
const PARTITIONS: i32 = 4;

/// How many records each of them has.
const RECORDS: i64 = 5;

/// What is wrong, and when what was asked.
#[derive(Default)]
struct Topic {
    /// Who has no leader.
    leaderless: Option<i32>,
    /// What is answered to fetches of a partition.
    fetches: Option<(i32, ErrorCode)>,
    /// Whose records are damaged.
    damaged: Option<i32>,
    /// What is answered to who asks where a partition begins.
    listings: Option<(i32, ErrorCode)>,
    /// What is answered to who asks where the epochs of a partition end.
    epochs: Option<(i32, ErrorCode)>,
    /// Which partitions the group has committed nothing for.
    uncommitted: Option<i32>,
    epoch: i32,
    /// When the partition that is not well was fetched.
    fetched_at: Vec<Instant>,
}

type Shared = Arc<Mutex<Topic>>;

impl Topic {
    fn answer(&mut self, asked: &Asked) -> Reply {
        if asked.is::<MetadataRequest>() {
            return asked.answer(&self.metadata());
        }
        if asked.is::<FetchRequest>() {
            return self.fetched(asked);
        }
        if asked.is::<ListOffsetsRequest>() {
            return asked.answer(&self.listed(&asked.read()));
        }
        if asked.is::<OffsetForLeaderEpochRequest>() {
            return asked.answer(&self.ends(&asked.read()));
        }
        if asked.is::<FindCoordinatorRequest>() {
            let coordinator = Coordinator { node_id: 1, ..Default::default() };
            let answer = FindCoordinatorResponse { coordinators: vec![coordinator], ..Default::default() };
            return asked.answer(&answer);
        }
        asked.answer(&self.committed(&asked.read()))
    }

    fn metadata(&self) -> MetadataResponse {
        let mut answer = metadata(1, self.epoch);
        let one = answer.topics[0].partitions[0].clone();
        let partition = |partition_index| MetadataResponsePartition {
            partition_index,
            leader_id: if self.leaderless == Some(partition_index) { -1 } else { 1 + partition_index % 2 },
            ..one.clone()
        };
        answer.topics[0].partitions = (0..PARTITIONS).map(partition).collect();
        answer
    }

    fn fetched(&mut self, asked: &Asked) -> Reply {
        let request: FetchRequest = asked.read();
        let wanted = request.topics.into_iter().flat_map(|topic| topic.partitions);
        let partitions: Vec<PartitionData> = wanted.map(|wanted| self.records_of(wanted)).collect();
        let is_empty = |data: &PartitionData| {
            data.error_code == 0 && !matches!(&data.records, Records::Bytes(bytes) if !bytes.is_empty())
        };
        let late = partitions.iter().all(is_empty);
        let topic = FetchableTopicResponse { topic_id: TOPIC_ID, partitions, ..Default::default() };
        let answer = FetchResponse { responses: vec![topic], ..Default::default() };
        if late { asked.answer_late(&answer) } else { asked.answer(&answer) }
    }

    fn records_of(&mut self, wanted: FetchPartition) -> PartitionData {
        let partition_index = wanted.partition;
        let told = self.fetches.filter(|(partition, _)| *partition == partition_index);
        if told.is_some() || self.damaged == Some(partition_index) {
            self.fetched_at.push(Instant::now());
        }
        let mut data = match told {
            Some((_, code)) => refused(code),
            None if wanted.fetch_offset < RECORDS => {
                records(wanted.fetch_offset, RECORDS - wanted.fetch_offset, self.epoch)
            }
            None => PartitionData { high_watermark: RECORDS, ..PartitionData::default() },
        };
        if let Records::Bytes(bytes) = &data.records
            && self.damaged == Some(partition_index)
        {
            let mut bytes = bytes.to_vec();
            *bytes.last_mut().expect("there are records") ^= 1;
            data.records = bytes::Bytes::from(bytes).into();
        }
        PartitionData { partition_index, ..data }
    }

    fn listed(&self, request: &ListOffsetsRequest) -> ListOffsetsResponse {
        let wanted = request.topics.iter().flat_map(|topic| &topic.partitions);
        let listed = wanted.map(|wanted| ListOffsetsPartitionResponse {
            partition_index: wanted.partition_index,
            error_code: code_of(self.listings, wanted.partition_index),
            offset: 0,
            leader_epoch: self.epoch,
            ..Default::default()
        });
        let topic = ListOffsetsTopicResponse { name: TOPIC.to_owned(), partitions: listed.collect() };
        ListOffsetsResponse { topics: vec![topic], ..Default::default() }
    }

    fn ends(&self, request: &OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
        let wanted = request.topics.iter().flat_map(|topic| &topic.partitions);
        let ends = wanted.map(|wanted| EpochEndOffset {
            partition: wanted.partition,
            error_code: code_of(self.epochs, wanted.partition),
            leader_epoch: wanted.leader_epoch,
            end_offset: RECORDS,
        });
        let topic = OffsetForLeaderTopicResult { topic: TOPIC.to_owned(), partitions: ends.collect() };
        OffsetForLeaderEpochResponse { topics: vec![topic], ..Default::default() }
    }

    fn committed(&self, request: &OffsetFetchRequest) -> OffsetFetchResponse {
        let topics = request.groups.iter().flat_map(|group| group.topics.iter().flatten());
        let wanted = topics.flat_map(|topic| topic.partition_indexes.iter().copied());
        let committed = wanted.map(|partition_index| OffsetFetchResponsePartitions {
            partition_index,
            committed_offset: if self.uncommitted == Some(partition_index) { -1 } else { 0 },
            committed_leader_epoch: -1,
            ..Default::default()
        });
        let topic = OffsetFetchResponseTopics {
            name: TOPIC.to_owned(),
            partitions: committed.collect(),
            ..Default::default()
        };
        let group =
            OffsetFetchResponseGroup { group_id: "g".to_owned(), topics: vec![topic], ..Default::default() };
        OffsetFetchResponse { groups: vec![group], ..Default::default() }
    }
}

fn code_of(told: Option<(i32, ErrorCode)>, partition: i32) -> i16 {
    told.filter(|(of, _)| *of == partition).map_or(0, |(_, code)| code.code())
}

fn cluster(topic: Topic) -> (Cluster, Shared) {
    let topic = Arc::new(Mutex::new(Topic { epoch: 1, ..topic }));
    let shared = Arc::clone(&topic);
    (Cluster::new(move |asked| topic.lock().answer(asked)), shared)
}

/// A consumer of all partitions without a reset policy.
async fn consumer(cluster: &Cluster, start: Start) -> Consumer {
    let config = ConsumerConfig {
        auto_offset_reset: OffsetReset::None,
        enable_auto_commit: false,
        ..ConsumerConfig::group("g")
    };
    let mut consumer = Consumer::new(&cluster.client().await, config).expect("the settings work");
    let all = (0..PARTITIONS).map(|partition| (TopicPartition::new(TOPIC, partition), start));
    consumer.assign(all).expect("it has not subscribed");
    consumer
}

/// What polls of one second each returned.
#[derive(Debug, Default)]
struct Polled {
    /// How many records there were of each partition.
    records: BTreeMap<i32, usize>,
    errors: Vec<Error>,
}

async fn poll(consumer: &mut Consumer, time: Duration) -> Polled {
    let mut polled = Polled::default();
    let end = Instant::now() + time;
    while Instant::now() < end {
        match consumer.poll(Duration::from_secs(1)).await {
            Ok(records) => {
                for record in records {
                    *polled.records.entry(record.partition).or_default() += 1;
                }
            }
            Err(error) => polled.errors.push(error),
        }
    }
    polled
}

/// All records of all partitions but one.
fn all_but(partition: i32) -> BTreeMap<i32, usize> {
    (0..PARTITIONS).filter(|other| *other != partition).map(|other| (other, RECORDS as usize)).collect()
}

const SOON: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_partition_without_a_leader_keeps_nobody_from_the_others() {
    for start in [Start::Earliest, Start::Committed, Start::Offset(Offset(0))] {
        let (cluster, topic) = cluster(Topic { leaderless: Some(2), ..Topic::default() });
        let mut consumer = consumer(&cluster, start).await;
        assert_eq!(poll(&mut consumer, SOON).await.records, all_but(2), "{start:?}");
        let before = cluster.heard::<MetadataRequest>().len();
        assert_eq!(poll(&mut consumer, MINUTE).await.errors, []);
        let asked = cluster.heard::<MetadataRequest>().len() - before;
        assert!((30..70).contains(&asked), "who leads is looked up about once a second: {asked}");
        topic.lock().leaderless = None;
        assert_eq!(poll(&mut consumer, SOON).await.records, [(2, RECORDS as usize)].into(), "{start:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_keeps_nobody_from_what_others_lead() {
    for start in [Start::Earliest, Start::Committed] {
        let (cluster, _) = cluster(Topic::default());
        cluster.take_down(2);
        let mut consumer = consumer(&cluster, start).await;
        let polled = poll(&mut consumer, MINUTE).await;
        assert_eq!((polled.records, polled.errors), ([(0, 5), (2, 5)].into(), Vec::new()), "{start:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_without_an_offset_is_told_of_and_the_others_are_read() {
    let (cluster, _) = cluster(Topic { uncommitted: Some(1), ..Topic::default() });
    let mut consumer = consumer(&cluster, Start::Committed).await;
    let polled = poll(&mut consumer, MINUTE).await;
    assert_eq!(polled.records, all_but(1));
    assert!((30..70).contains(&polled.errors.len()), "it comes again, with a rest: {}", polled.errors.len());
    let expected = Error::NoOffset { topic: TOPIC.to_owned(), partition: 1 };
    assert!(polled.errors.iter().all(|error| *error == expected), "{:?}", polled.errors);
    consumer.seek(&TopicPartition::new(TOPIC, 1), Start::Offset(Offset(0)));
    let polled = poll(&mut consumer, MINUTE).await;
    assert_eq!((polled.records, polled.errors), ([(1, 5)].into(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_partition_whose_beginning_is_not_told_keeps_nobody_from_the_others() {
    let listings = Some((0, ErrorCode::NotLeaderOrFollower));
    let (cluster, topic) = cluster(Topic { listings, ..Topic::default() });
    let mut consumer = consumer(&cluster, Start::Earliest).await;
    let polled = poll(&mut consumer, SOON).await;
    assert_eq!((polled.records, polled.errors), (all_but(0), Vec::new()));
    let asked = cluster.heard::<ListOffsetsRequest>();
    let again: Vec<usize> =
        asked.iter().skip(2).map(|(_, request)| request.topics[0].partitions.len()).collect();
    assert!(!again.is_empty() && again.iter().all(|count| *count == 1), "only what failed: {again:?}");
    topic.lock().listings = None;
    assert_eq!(poll(&mut consumer, SOON).await.records, [(0, 5)].into());
}

#[tokio::test(start_paused = true)]
async fn an_error_of_one_partition_leaves_the_records_of_the_others() {
    let refused = Some((0, ErrorCode::TopicAuthorizationFailed));
    let (cluster, topic) = cluster(Topic { fetches: refused, ..Topic::default() });
    let mut consumer = consumer(&cluster, Start::Offset(Offset(0))).await;
    let first = consumer.poll(SOON).await.expect("records come first");
    assert!(!first.is_empty());
    let mut polled = poll(&mut consumer, MINUTE).await;
    for record in first {
        *polled.records.entry(record.partition).or_default() += 1;
    }
    assert_eq!(polled.records, all_but(0));
    assert!((30..70).contains(&polled.errors.len()), "it comes again, with a rest: {}", polled.errors.len());
    let code = |error: &Error| (error.code(), error.partition());
    let expected = (Some(ErrorCode::TopicAuthorizationFailed), Some(0));
    assert!(polled.errors.iter().all(|error| code(error) == expected), "{:?}", polled.errors);
    topic.lock().fetches = None;
    let polled = poll(&mut consumer, SOON).await;
    assert_eq!(polled.records, [(0, 5)].into());
}

#[tokio::test(start_paused = true)]
async fn an_error_is_not_put_off_for_as_long_as_there_are_records() {
    let refused = Some((0, ErrorCode::TopicAuthorizationFailed));
    let (cluster, _) = cluster(Topic { fetches: refused, ..Topic::default() });
    let mut consumer = consumer(&cluster, Start::Offset(Offset(0))).await;
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        outcomes.push(
            consumer.poll_up_to(1, SOON).await.map(|records| records.len()).map_err(|error| error.code()),
        );
    }
    let told = Err(Some(ErrorCode::TopicAuthorizationFailed));
    assert_eq!(outcomes[0], Ok(1), "records come first");
    assert!(outcomes.contains(&told) && outcomes.contains(&Ok(1)), "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn records_that_cannot_be_read_keep_nobody_from_the_others() {
    let (cluster, topic) = cluster(Topic { damaged: Some(3), ..Topic::default() });
    let mut consumer = consumer(&cluster, Start::Offset(Offset(0))).await;
    let polled = poll(&mut consumer, MINUTE).await;
    assert_eq!(polled.records, all_but(3));
    let is_told = |error: &Error| matches!(error, Error::Records { partition: 3, offset: 0, .. });
    assert!(polled.errors.iter().all(is_told) && polled.errors.len() > 30, "{:?}", polled.errors);
    let fetched = topic.lock().fetched_at.len();
    assert!((30..70).contains(&fetched), "it is fetched again, with a rest: {fetched}");
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_may_not_be_compared_leaves_the_others_their_answers() {
    let (cluster, topic) = cluster(Topic::default());
    let mut consumer = consumer(&cluster, Start::Offset(Offset(0))).await;
    assert_eq!(poll(&mut consumer, SOON).await.records.len(), 4);
    (topic.lock().epoch, topic.lock().epochs) = (2, Some((0, ErrorCode::TopicAuthorizationFailed)));
    consumer.client.fetch_metadata(Some(&[TOPIC.to_owned()])).await.expect("it is answered");
    let polled = poll(&mut consumer, SOON).await;
    assert!(!polled.errors.is_empty() && polled.errors.iter().all(|error| error.partition() == Some(0)));
    let again = cluster.heard::<OffsetForLeaderEpochRequest>().into_iter().skip(2);
    let again: Vec<i32> =
        again.flat_map(|(_, ask)| ask.topics[0].partitions.clone()).map(|p| p.partition).collect();
    assert!(!again.is_empty() && again.iter().all(|partition| *partition == 0), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn what_fails_waits_twice_as_long_each_time_up_to_the_longest_wait() {
    for code in [ErrorCode::NotLeaderOrFollower, ErrorCode::TopicAuthorizationFailed] {
        let (cluster, topic) = cluster(Topic { fetches: Some((0, code)), ..Topic::default() });
        let mut consumer = consumer(&cluster, Start::Offset(Offset(0))).await;
        poll(&mut consumer, Duration::from_secs(5)).await;
        let at = topic.lock().fetched_at.clone();
        let waits: Vec<u128> = at.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
        let expected = [100, 200, 400, 800, 1000, 1000];
        for (wait, expected) in waits.iter().zip(expected) {
            // Another fetch of the broker may be on its way just then, for up to half a second.
            assert!((expected - 20..=expected + 600).contains(wait), "{code}: {waits:?}");
        }
        assert!(waits.len() >= expected.len() - 2, "{code}: {waits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn partitions_that_are_assigned_besides_leave_the_others_where_they_are() {
    let (cluster, _) = cluster(Topic::default());
    let config = ConsumerConfig { auto_offset_reset: OffsetReset::None, ..ConsumerConfig::default() };
    let mut consumer = Consumer::new(&cluster.client().await, config).expect("the settings work");
    let at = |partition| (TopicPartition::new(TOPIC, partition), Start::Earliest);
    consumer.assign([at(0)]).expect("it has not subscribed");
    assert_eq!(poll(&mut consumer, SOON).await.records, [(0, 5)].into());
    consumer.incremental_assign([at(0), at(1)]).expect("it has not subscribed");
    assert_eq!(poll(&mut consumer, SOON).await.records, [(1, 5)].into(), "nothing is read again");
}
