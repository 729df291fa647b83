//! What is accepted, how it is stored, and what is refused with which code.

use kernel::{ErrorCode, Timestamp};
use wire::Records;
use wire::batch::{BatchBuilder, BatchView, TimestampType};
use wire::compress::{Codec, Compression};
use wire::messages::fetch_response::PartitionData;
use wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};

use crate::client::{PRODUCE, batch, code, produce_request, records, values, with_values};
use crate::support::TestNode;

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// The codec and the type of the timestamps of the first batch.
fn form(data: &PartitionData) -> (Codec, TimestampType) {
    let Records::Bytes(bytes) = &data.records else { panic!("no records") };
    let (batch, _) = BatchView::parse(bytes).unwrap();
    (batch.codec().unwrap(), batch.timestamp_type())
}

#[test]
fn every_codec_is_stored_as_it_came() {
    let node = TestNode::start("codecs");
    let mut client = node.client();
    client.create("t", &[]);
    for codec in CODECS {
        let builder = BatchBuilder::new().compression(Compression::of(codec));
        let first = client.append("t", with_values(builder, &["a", "b"]));
        let stored = client.fetch("t", first);
        assert_eq!(form(&stored).0, codec);
        assert_eq!(values(&stored), ["a", "b"]);
    }
}

#[test]
fn a_topic_with_a_codec_of_its_own_gets_everything_in_it() {
    let node = TestNode::start("recompressed");
    let mut client = node.client();
    for target in CODECS {
        let topic = format!("to-{target:?}").to_lowercase();
        let name = if target == Codec::None { "uncompressed" } else { target.name() };
        client.create(&topic, &[("compression.type", name)]);
        for source in CODECS {
            let builder = BatchBuilder::new().compression(Compression::of(source));
            let first = client.append(&topic, with_values(builder, &["a", "b"]));
            let stored = client.fetch(&topic, first);
            assert_eq!(form(&stored).0, target, "from {source:?}");
            assert_eq!(records(&stored), [(first, "a".to_owned()), (first + 1, "b".to_owned())]);
        }
    }
}

#[test]
fn the_time_of_the_append_is_told_and_stored_where_the_topic_asks_for_it() {
    let node = TestNode::start("append-time");
    let mut client = node.client();
    client.create("t", &[("message.timestamp.type", "LogAppendTime")]);
    let answer = client.produce("t", batch(&["a", "b"]));
    assert!(answer.log_append_time_ms > 1_600_000_000_000, "{answer:?}");
    let stored = client.fetch("t", 0);
    assert_eq!(form(&stored).1, TimestampType::LogAppendTime);
    assert_eq!(values(&stored), ["a", "b"]);
    assert_eq!(client.offset("t", answer.log_append_time_ms).offset, 0);
    client.create("u", &[]);
    assert_eq!(client.produce("u", batch(&["a"])).log_append_time_ms, -1, "the record's own time counts");
}

#[test]
fn a_batch_above_max_message_bytes_is_too_large_also_after_compression() {
    let node = TestNode::start("too-large");
    let mut client = node.client();
    client.create("t", &[("max.message.bytes", "1000")]);
    let wide = "x".repeat(1000);
    let answer = client.produce("t", batch(&[&wide]));
    assert_eq!((code(answer.error_code), answer.base_offset), (ErrorCode::MessageTooLarge, -1));
    let small = || with_values(BatchBuilder::new().compression(Compression::of(Codec::Gzip)), &[&wide]);
    client.append("t", small());
    client.create("u", &[("max.message.bytes", "1000"), ("compression.type", "uncompressed")]);
    assert_eq!(code(client.produce("u", small()).error_code), ErrorCode::MessageTooLarge);
}

#[test]
fn a_batch_may_become_larger_than_max_message_bytes_where_it_is_opened() {
    let node = TestNode::start("equal");
    let mut client = node.client();
    client.create("t", &[]);
    let value = "a".repeat(3 << 20);
    // Snappy makes a twentieth of it at best, which is small enough as well.
    for codec in CODECS.into_iter().filter(|codec| *codec != Codec::None) {
        let builder = BatchBuilder::new().compression(Compression::of(codec));
        let first = client.append("t", with_values(builder, &[&value]));
        assert_eq!(values(&client.fetch("t", first)), [value.as_str()], "{codec:?}");
    }
}

#[test]
fn old_formats_and_damage_are_refused_with_kafkas_codes() {
    let node = TestNode::start("old-magic");
    let mut client = node.client();
    client.create("t", &[]);
    let changed = |at: usize, to: u8| {
        let mut bytes = batch(&["a"]).to_vec();
        bytes[at] = to;
        bytes
    };
    let twice = [batch(&["a"]), batch(&["b"])].concat();
    let cases = [
        ("magic 0", changed(16, 0), ErrorCode::InvalidRecord),
        ("magic 1", changed(16, 1), ErrorCode::InvalidRecord),
        ("magic 3", changed(16, 3), ErrorCode::CorruptMessage),
        ("a wrong checksum", changed(65, 0xff), ErrorCode::CorruptMessage),
        ("nothing", Vec::new(), ErrorCode::InvalidRecord),
        ("two batches", twice, ErrorCode::InvalidRecord),
    ];
    for (what, bytes, expected) in cases {
        let answer = client.produce("t", bytes);
        assert_eq!(code(answer.error_code), expected, "{what}");
        assert_eq!((answer.error_message, answer.record_errors.len()), (None, 0), "{what}");
    }
    assert!(client.all("t").is_empty());
}

#[test]
fn the_form_of_a_batch_is_judged_before_its_log_is_looked_at() {
    let node = TestNode::start("form-first");
    let mut client = node.client();
    client.create("t", &[]);
    client.create("keyed", &[("cleanup.policy", "compact")]);
    let twice = client.produce("t", [batch(&["a"]), batch(&["b"])].concat());
    assert_eq!((code(twice.error_code), twice.log_start_offset), (ErrorCode::InvalidRecord, -1));
    let mut builder = BatchBuilder::new();
    builder.append(Timestamp(1), None, Some(b"a"));
    let keyless = client.produce("keyed", builder.build().unwrap());
    assert_eq!((code(keyless.error_code), keyless.log_start_offset), (ErrorCode::InvalidRecord, 0));
}

#[test]
fn zstd_needs_version_7() {
    let node = TestNode::start("zstd");
    let mut client = node.client();
    client.create("t", &[]);
    let records = || with_values(BatchBuilder::new().compression(Compression::of(Codec::Zstd)), &["a"]);
    let refused = client.produce_at(6, "t", records());
    assert_eq!(code(refused.error_code), ErrorCode::UnsupportedCompressionType);
    assert_eq!(client.produce_at(7, "t", records()).error_code, 0);
}

#[test]
fn records_without_a_key_are_named_one_by_one_where_the_topic_is_compacted() {
    let node = TestNode::start("no-key");
    let mut client = node.client();
    client.create("t", &[("cleanup.policy", "compact")]);
    let mut builder = BatchBuilder::new();
    builder.append(Timestamp(1), Some(b"k"), Some(b"v"));
    builder.append(Timestamp(1), None, Some(b"v"));
    let refused = client.produce("t", builder.build().unwrap());
    assert_eq!(code(refused.error_code), ErrorCode::InvalidRecord);
    let at_fault: Vec<i32> = refused.record_errors.iter().map(|error| error.batch_index).collect();
    assert_eq!(at_fault, [1]);
    assert!(refused.error_message.is_some());
    assert_eq!((refused.base_offset, refused.log_start_offset), (-1, 0));
    // Older versions have the code alone.
    let mut builder = BatchBuilder::new();
    builder.append(Timestamp(1), None, Some(b"v"));
    let refused = client.produce_at(7, "t", builder.build().unwrap());
    assert_eq!(code(refused.error_code), ErrorCode::InvalidRecord);
}

#[test]
fn what_is_asked_wrongly_is_refused_for_its_partition_alone() {
    let node = TestNode::start("wrong");
    let mut client = node.client();
    let id = client.create("t", &[]);
    let part = |index| PartitionProduceData { index, records: Records::Bytes(batch(&["a"])) };
    let topic = |name: &str, indexes: &[i32]| TopicProduceData {
        name: name.to_owned(),
        partition_data: indexes.iter().map(|index| part(*index)).collect(),
        ..TopicProduceData::default()
    };
    let request = |topic_data| ProduceRequest { acks: -1, topic_data, ..ProduceRequest::default() };
    let topics = vec![topic("t", &[0, 7]), topic("gone", &[0]), topic("__consumer_offsets", &[0])];
    let answered = client.call(PRODUCE, &request(topics));
    let codes: Vec<Vec<ErrorCode>> = answered
        .responses
        .iter()
        .map(|topic| topic.partition_responses.iter().map(|answer| code(answer.error_code)).collect())
        .collect();
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(codes, [vec![ErrorCode::None, unknown], vec![unknown], vec![unknown]]);
    // By id, an unknown topic has a code of its own.
    let mut by_id = request(vec![topic("", &[0]), topic("", &[0, 7])]);
    by_id.topic_data[0].topic_id = kernel::Uuid::from_bytes([7; 16]);
    by_id.topic_data[1].topic_id = id;
    let answered = client.call(13, &by_id);
    assert_eq!(code(answered.responses[0].partition_responses[0].error_code), ErrorCode::UnknownTopicId);
    assert_eq!(code(answered.responses[1].partition_responses[0].error_code), ErrorCode::None);
    assert_eq!(code(answered.responses[1].partition_responses[1].error_code), unknown);
    let answered = client.call(PRODUCE, &produce_request("t", 2, batch(&["a"])));
    assert_eq!(code(answered.responses[0].partition_responses[0].error_code), ErrorCode::InvalidRequiredAcks);
}

#[test]
fn each_version_of_produce_is_answered() {
    let node = TestNode::start("produce-versions");
    let mut client = node.client();
    client.create("t", &[]);
    for (offset, version) in (0..).zip(3..=12) {
        let answer = client.produce_at(version, "t", batch(&["a"]));
        assert_eq!((answer.error_code, answer.base_offset), (0, offset), "version {version}");
    }
}
