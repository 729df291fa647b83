//! What a producer does with a cluster that refuses, stalls or does not answer.

use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, TopicPartition};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};
use wire::batch::BatchView;
use wire::messages::init_producer_id_request::InitProducerIdRequest;
use wire::messages::init_producer_id_response::InitProducerIdResponse;
use wire::messages::metadata_request::MetadataRequest;
use wire::messages::metadata_response::{MetadataResponse, MetadataResponsePartition};
use wire::messages::produce_request::ProduceRequest;
use wire::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use wire::primitive::Records;

use crate::config::Acks;
use crate::scripted::{Asked, Cluster, Reply, TOPIC, metadata};
use crate::{Error, Producer, ProducerConfig, ProducerRecord};

/// The topic with so many partitions, all led by node 1.
fn topic_of(partitions: i32) -> MetadataResponse {
    let mut answer = metadata(1, 1);
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        leader_epoch: 1,
        ..Default::default()
    };
    answer.topics[0].partitions = (0..partitions).map(partition).collect();
    answer
}

/// The partition, the number of records and the length of each batch of a request.
fn batches(request: &ProduceRequest) -> Vec<(i32, i32, usize)> {
    let data = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    data.map(|data| {
        let Records::Bytes(bytes) = &data.records else {
            panic!("there are records");
        };
        let (batch, _) = BatchView::parse(bytes).expect("it is whole");
        (data.index, batch.record_count(), bytes.len())
    })
    .collect()
}

/// The same for all batches of a request.
fn produced(asked: &Asked, code: ErrorCode) -> Reply {
    let topics = asked.read::<ProduceRequest>().topic_data;
    let responses = topics.iter().map(|topic| {
        let partition =
            |index| PartitionProduceResponse { index, error_code: code.code(), ..Default::default() };
        TopicProduceResponse {
            topic_id: topic.topic_id,
            partition_responses: topic.partition_data.iter().map(|data| partition(data.index)).collect(),
            ..Default::default()
        }
    });
    asked.answer(&ProduceResponse { responses: responses.collect(), ..Default::default() })
}

/// A cluster with so many partitions of the topic whose answers to what is written a test decides.
fn cluster(partitions: i32, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Cluster {
    Cluster::new(move |asked| {
        if asked.is::<MetadataRequest>() {
            return asked.answer(&topic_of(partitions));
        }
        if asked.is::<InitProducerIdRequest>() {
            return asked.answer(&InitProducerIdResponse { producer_id: 7, ..Default::default() });
        }
        answer(asked)
    })
}

async fn producer(cluster: &Cluster, config: ProducerConfig) -> Arc<Producer> {
    Arc::new(Producer::new(&cluster.client().await, config).expect("the settings work"))
}

fn record(value: &'static [u8]) -> ProducerRecord {
    ProducerRecord::new(TOPIC).value(value)
}

const WITHOUT_ACKS: fn() -> ProducerConfig =
    || ProducerConfig { acks: Acks::None, enable_idempotence: false, ..Default::default() };

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_for_too_long_is_told_in_time_and_may_have_been_written() {
    let cluster = cluster(1, |_| Reply::Silence);
    let delivery_timeout = Some(Duration::from_millis(30_005));
    let producer = producer(&cluster, ProducerConfig { delivery_timeout, ..Default::default() }).await;
    let begun = Instant::now();
    let error = producer.send(record(b"v")).await.expect("there is room").await.expect_err("nobody answers");
    assert!(begun.elapsed() < Duration::from_secs(31), "{:?}", begun.elapsed());
    assert!(matches!(error, Error::DeliveryTimeout { uncertain: true, .. }), "{error:?}");
    assert_eq!((error.topic(), error.partition(), error.retriable()), (Some(TOPIC), Some(0), false));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_again_and_again_is_tried_less_and_less_often_and_says_why_at_last() {
    let cluster = cluster(1, |asked| produced(asked, ErrorCode::NotEnoughReplicas));
    let delivery_timeout = Some(Duration::from_secs(40));
    let producer = producer(&cluster, ProducerConfig { delivery_timeout, ..Default::default() }).await;
    let error = producer.send(record(b"v")).await.expect("there is room").await.expect_err("it is refused");
    assert!(error.to_string().contains("NOT_ENOUGH_REPLICAS"), "{error}");
    assert!(error.retriable(), "nothing of it was written");
    let attempts = cluster.heard::<ProduceRequest>().len();
    assert!((20..=50).contains(&attempts), "{attempts} attempts in 40 s");
}

#[tokio::test(start_paused = true)]
async fn without_acknowledgements_records_still_wait_for_room() {
    let cluster = cluster(1, |_| Reply::Deafness);
    let max_block = Duration::from_secs(2);
    let config = ProducerConfig { buffer_memory: 1 << 20, max_block, ..WITHOUT_ACKS() };
    let producer = producer(&cluster, config).await;
    let mut taken = 0;
    let error = loop {
        match producer.send(record(&[7; 10_000])).await {
            Ok(_) => taken += 10_000,
            Err(error) => break error,
        }
        assert!(taken < 20 << 20, "nobody takes what is handed over");
    };
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(producer.close_within(Duration::from_secs(1)).await.is_err(), "not all of it has left");
}

#[tokio::test]
async fn without_acknowledgements_a_producer_that_closed_has_sent_everything() {
    let cluster = cluster(1, |_| Reply::Frame(Vec::new()));
    let client = cluster.client().await;
    let producer = Producer::new(&client, WITHOUT_ACKS()).expect("the settings work");
    let mut deliveries = Vec::new();
    for _ in 0..1000 {
        deliveries.push(producer.send(record(b"v")).await.expect("there is room"));
    }
    producer.close().await.expect("it closes");
    for delivery in deliveries {
        delivery.await.expect("it was sent");
    }
    drop((producer, client));
    let arrived = || -> i32 {
        let requests = cluster.heard::<ProduceRequest>();
        requests.iter().flat_map(|(_, request)| batches(request)).map(|(_, records, _)| records).sum()
    };
    let all = async {
        while arrived() < 1000 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), all).await.expect("all of it arrives");
}

#[tokio::test(start_paused = true)]
async fn whoever_writes_waits_no_longer_than_it_may() {
    let silent = Arc::new(Mutex::new(false));
    let is_silent = Arc::clone(&silent);
    let cluster = Cluster::new(move |asked| match *is_silent.lock() {
        true => Reply::Silence,
        false => asked.answer(&topic_of(1)),
    });
    let max_block = Duration::from_millis(100);
    let producer = producer(&cluster, ProducerConfig { max_block, ..Default::default() }).await;
    *silent.lock() = true;
    let begun = Instant::now();
    let sent = producer.send(ProducerRecord::new("another").value("v")).await;
    assert!(sent.is_err_and(|error| error.retriable()));
    assert!(begun.elapsed() <= max_block + Duration::from_millis(5), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_was_added_is_written_to_at_once_and_one_that_is_not_there_is_refused() {
    let count = Arc::new(Mutex::new(1));
    let counted = Arc::clone(&count);
    let cluster = Cluster::new(move |asked| {
        if asked.is::<MetadataRequest>() {
            return asked.answer(&topic_of(*counted.lock()));
        }
        if asked.is::<InitProducerIdRequest>() {
            return asked.answer(&InitProducerIdResponse { producer_id: 7, ..Default::default() });
        }
        produced(asked, ErrorCode::None)
    });
    let producer = producer(&cluster, ProducerConfig::default()).await;
    producer.send(record(b"v")).await.expect("there is room").await.expect("it is written");
    *count.lock() = 2;
    let added = producer.send(record(b"v").partition(1)).await.expect("it is found");
    assert_eq!(added.await.expect("it is written").partition.partition, 1);
    let begun = Instant::now();
    let error = producer.send(record(b"v").partition(2)).await.expect_err("it is not there");
    assert_eq!((error.code(), error.partition()), (Some(ErrorCode::UnknownTopicOrPartition), Some(2)));
    assert!(begun.elapsed() <= Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn no_request_is_larger_than_it_may_be_and_every_partition_has_its_turn() {
    let cluster = cluster(6, |asked| produced(asked, ErrorCode::None));
    let config = ProducerConfig {
        batch_size: 400_000,
        max_request_size: 1_000_000,
        max_in_flight: 1,
        linger: Duration::from_secs(1),
        ..Default::default()
    };
    let producer = producer(&cluster, config).await;
    let mut deliveries = Vec::new();
    for _ in 0..3 {
        for partition in 0..6 {
            let record = record(&[7; 390_000]).partition(partition);
            deliveries.push(producer.send(record).await.expect("there is room"));
        }
    }
    producer.flush().await;
    for delivery in deliveries {
        delivery.await.expect("it is written");
    }
    let requests = cluster.heard::<ProduceRequest>();
    let requests: Vec<_> = requests.iter().map(|(_, request)| batches(request)).collect();
    for request in &requests {
        assert!(request.iter().map(|(_, _, bytes)| bytes).sum::<usize>() <= 1_000_000, "{request:?}");
    }
    let mut begun: Vec<i32> = requests.iter().flatten().map(|(partition, ..)| *partition).take(6).collect();
    begun.sort_unstable();
    assert_eq!(begun, [0, 1, 2, 3, 4, 5], "none is served twice before all were once");
}

/// A producer whose memory is full, and stays so.
async fn full() -> (Cluster, Arc<Producer>) {
    let cluster = cluster(1, |_| Reply::Silence);
    let config =
        ProducerConfig { buffer_memory: 1000, batch_size: 900, max_request_size: 1000, ..Default::default() };
    let producer = producer(&cluster, config).await;
    producer.send(record(&[7; 800])).await.expect("there is room");
    (cluster, producer)
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_room_hears_that_the_producer_is_closed() {
    let (_cluster, producer) = full().await;
    let waiting = host::task::spawn({
        let producer = Arc::clone(&producer);
        async move { producer.send(record(&[7; 800])).await.map(drop) }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let begun = Instant::now();
    assert!(producer.close_within(Duration::from_millis(10)).await.is_err());
    assert_eq!(waiting.await.expect("it does not panic"), Err(Error::Closed));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_it_waits_has_handed_nothing_over() {
    let (cluster, producer) = full().await;
    let moment = Duration::from_millis(50);
    assert!(timeout(moment, producer.send(record(&[8; 800]))).await.is_err(), "there is no room");
    assert!(timeout(moment, producer.flush()).await.is_err(), "the first is on its way");
    assert!(timeout(moment, producer.close()).await.is_err(), "it still is");
    assert_eq!(producer.send(record(b"v")).await.map(drop), Err(Error::Closed), "it is closing");
    let error = producer.close_within(Duration::from_secs(1)).await;
    assert!(error.is_err(), "what is on its way is given up");
    let written: i32 =
        cluster.heard::<ProduceRequest>().iter().flat_map(|(_, r)| batches(r)).map(|b| b.1).sum();
    assert_eq!(written, 1);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_refused_is_told_from_the_others_of_its_batch() {
    let cluster = cluster(1, |asked| {
        let request = asked.read::<ProduceRequest>();
        let wrong = BatchIndexAndErrorMessage {
            batch_index: 1,
            batch_index_error_message: Some("it has no key".to_owned()),
        };
        let partition = PartitionProduceResponse {
            error_code: ErrorCode::InvalidRecord.code(),
            record_errors: vec![wrong],
            error_message: Some("one record is wrong".to_owned()),
            ..Default::default()
        };
        let topic = TopicProduceResponse {
            topic_id: request.topic_data[0].topic_id,
            partition_responses: vec![partition],
            ..Default::default()
        };
        asked.answer(&ProduceResponse { responses: vec![topic], ..Default::default() })
    });
    let producer = producer(&cluster, ProducerConfig::default()).await;
    let mut errors = Vec::new();
    let mut deliveries = Vec::new();
    for _ in 0..3 {
        deliveries.push(producer.send(record(b"v")).await.expect("there is room"));
    }
    for delivery in deliveries {
        errors.push(delivery.await.expect_err("nothing of the batch is written"));
    }
    let other = Error::RefusedWithAnother { topic: TOPIC.to_owned(), partition: 0 };
    assert_eq!((&errors[0], &errors[2]), (&other, &other));
    assert_eq!(errors[1].code(), Some(ErrorCode::InvalidRecord));
    assert!(errors[1].to_string().contains("it has no key"), "{}", errors[1]);
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_brokers_do_not_know_yet_is_waited_for_and_not_made() {
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let cluster = Cluster::new(move |asked| {
        if asked.is::<MetadataRequest>() {
            let request = asked.read::<MetadataRequest>();
            assert!(!request.allow_auto_topic_creation, "it is not to be made");
            let mut answer = topic_of(1);
            let mut count = count.lock();
            *count += 1;
            if *count < 5 {
                answer.topics[0].error_code = ErrorCode::UnknownTopicOrPartition.code();
                answer.topics[0].partitions.clear();
            }
            return asked.answer(&answer);
        }
        if asked.is::<InitProducerIdRequest>() {
            return asked.answer(&InitProducerIdResponse { producer_id: 7, ..Default::default() });
        }
        produced(asked, ErrorCode::None)
    });
    let config = ProducerConfig { allow_auto_create_topics: false, ..Default::default() };
    let producer = producer(&cluster, config).await;
    producer.send(record(b"v")).await.expect("it is known in time").await.expect("it is written");
}

#[tokio::test(start_paused = true)]
async fn batches_are_compressed_at_the_level_that_is_set() {
    // Words that a codec finds again the more of, the harder it looks.
    let words: Vec<u8> =
        (0..12_000_u32).flat_map(|at| (at * at % 7919 * at % 1009).to_string().into_bytes()).collect();
    let value = bytes::Bytes::from(words);
    let sent = async |codec: &str, level: &str| {
        let cluster = cluster(1, |asked| produced(asked, ErrorCode::None));
        let mut config = ProducerConfig::default();
        for (name, value) in [("compression.type", codec), (&format!("compression.{codec}.level"), level)] {
            assert_eq!(config.set(name, value), Ok(true));
        }
        let producer = producer(&cluster, config).await;
        let record = ProducerRecord::new(TOPIC).value(value.clone());
        producer.send(record).await.expect("there is room").await.expect("it is written");
        batches(&cluster.heard::<ProduceRequest>()[0].1)[0].2
    };
    for (codec, fast, hard) in [("gzip", "1", "9"), ("zstd", "-50", "19")] {
        let (fast, hard) = (sent(codec, fast).await, sent(codec, hard).await);
        assert!(hard < fast, "{codec}: {hard} bytes are not less than {fast}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_for_a_leader_that_cannot_be_reached_fails_with_why() {
    let cluster = cluster(1, |_| Reply::Silence);
    let delivery_timeout = Some(Duration::from_secs(31));
    let client = cluster.client_with(crate::ClientConfig::new("node:2")).await;
    cluster.take_down(1);
    let config = ProducerConfig { delivery_timeout, ..Default::default() };
    let producer = Producer::new(&client, config).expect("the settings work");
    let error = producer.send(record(b"v")).await.expect("there is room").await.expect_err("it is down");
    let Error::DeliveryTimeout { uncertain: false, last: Some(last), .. } = &error else {
        panic!("{error:?}")
    };
    assert!(matches!(&**last, Error::Connection { address, .. } if address == "node:1"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn records_for_a_partition_without_a_leader_are_told_of_while_they_wait_and_fail_with_that() {
    let led = Arc::new(Mutex::new(true));
    let now = Arc::clone(&led);
    let cluster = Cluster::new(move |asked| {
        if asked.is::<MetadataRequest>() {
            let mut answer = topic_of(2);
            if !*now.lock() {
                answer.topics[0].partitions[1].leader_id = -1;
            }
            return asked.answer(&answer);
        }
        if asked.is::<InitProducerIdRequest>() {
            return asked.answer(&InitProducerIdResponse { producer_id: 7, ..Default::default() });
        }
        produced(asked, ErrorCode::NotLeaderOrFollower)
    });
    let delivery_timeout = Some(Duration::from_secs(31));
    let producer = producer(&cluster, ProducerConfig { delivery_timeout, ..Default::default() }).await;
    let delivery = producer.send(record(b"v").partition(1)).await.expect("there is room");
    assert_eq!(producer.without_leader(), []);
    *led.lock() = false;
    let waiting = async {
        while producer.without_leader().is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(5), waiting).await.expect("its leader is missed");
    assert_eq!(producer.without_leader(), [TopicPartition::new(TOPIC, 1)]);
    let error = delivery.await.expect_err("nobody leads it");
    let Error::DeliveryTimeout { last: Some(last), .. } = &error else { panic!("{error:?}") };
    assert_eq!(last.code(), Some(ErrorCode::LeaderNotAvailable), "{error}");
    assert_eq!(producer.without_leader(), [], "nothing waits any more");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_silent_is_waited_for_only_until_the_others_know_that_it_is_gone() {
    let begun = Instant::now();
    let cluster = Cluster::new(move |asked| {
        let known = begun.elapsed() >= Duration::from_secs(9);
        let leader = if known { 2 } else { 1 };
        if asked.node == 2 && asked.is::<MetadataRequest>() {
            let mut answer = metadata(leader, leader);
            answer.brokers.retain(|broker| broker.node_id == 2 || !known);
            return asked.answer(&answer);
        }
        if asked.node == 1 {
            return Reply::Silence;
        }
        if asked.is::<InitProducerIdRequest>() {
            return asked.answer(&InitProducerIdResponse { producer_id: 7, ..Default::default() });
        }
        produced(asked, ErrorCode::None)
    });
    let client = cluster.client_with(crate::ClientConfig::new("node:2")).await;
    let producer = Producer::new(&client, ProducerConfig::default()).expect("the settings work");
    producer.send(record(b"v")).await.expect("there is room").await.expect("node 2 takes it");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let asked: Vec<i32> = cluster.heard::<ProduceRequest>().iter().map(|(node, _)| *node).collect();
    assert_eq!(asked, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_waits_for_a_producer_id_fails_with_that() {
    let cluster = Cluster::new(|asked| match asked.is::<InitProducerIdRequest>() {
        true => Reply::Silence,
        false => asked.answer(&topic_of(1)),
    });
    let producer = producer(&cluster, ProducerConfig::default()).await;
    let error = producer.send(record(b"v")).await.expect("there is room").await.expect_err("it has no id");
    let Error::DeliveryTimeout { last: Some(last), .. } = &error else { panic!("{error:?}") };
    assert!(last.to_string().starts_with("asking for a producer id took longer than"), "{error}");
}
