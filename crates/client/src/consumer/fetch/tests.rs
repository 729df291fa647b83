//! Answers to fetches, read record by record.

use super::*;
use bytes::BytesMut;
use kernel::{ProducerEpoch, Timestamp};
use wire::batch::BatchBuilder;
use wire::compress::{Codec, Compression};

fn batch(base: i64, values: &[&str], codec: Codec) -> BatchBuilder {
    let mut builder = BatchBuilder::new().base_offset(Offset(base)).compression(Compression::of(codec));
    for value in values {
        builder.append(Timestamp(1), Some(b"k"), Some(value.as_bytes()));
    }
    builder
}

fn fetched(offset: i64, batches: Vec<BatchBuilder>, aborted: Option<Aborted>) -> Fetched {
    let mut bytes = BytesMut::new();
    for builder in batches {
        bytes.extend_from_slice(&builder.build().expect("it is small"));
    }
    Fetched {
        name: TopicPartition::new("t", 0),
        token: 0,
        bounds: Bounds::default(),
        end: None,
        preferred: None,
        batches: bytes.freeze(),
        held: Held::nothing(),
        open: None,
        next: Offset(offset),
        check_crcs: true,
        aborted,
    }
}

#[track_caller]
fn check(fetched: &mut Fetched, max: usize, values: &[&str], position: i64) {
    let mut out = Vec::new();
    fetched.take(max, &mut out).expect("the batches are whole");
    let after = fetched.position();
    let got: Vec<_> =
        out.iter().map(|r| String::from_utf8_lossy(r.value.as_deref().unwrap_or_default())).collect();
    assert_eq!(
        (got.as_slice(), after),
        (&values.iter().map(|v| (*v).into()).collect::<Vec<_>>()[..], Offset(position))
    );
}

#[test]
fn records_come_in_parts_and_each_codec_is_read() {
    for codec in Codec::ALL {
        let batches = vec![batch(5, &["a", "b"], codec), batch(7, &["c"], codec)];
        let mut fetched = fetched(5, batches, None);
        check(&mut fetched, 1, &["a"], 6);
        check(&mut fetched, 10, &["b", "c"], 8);
        assert!(fetched.is_empty());
    }
}

#[test]
fn a_record_says_who_wrote_its_batch_and_how() {
    let written = batch(0, &["a"], Codec::Zstd).producer(ProducerId(7), ProducerEpoch(2), 0).transactional();
    let plain = batch(1, &["b"], Codec::None).log_append_time(Timestamp(9));
    let mut out = Vec::new();
    fetched(0, vec![written, plain], None).take(2, &mut out).expect("the batches are whole");
    let origin = Origin {
        producer_id: ProducerId(7),
        producer_epoch: ProducerEpoch(2),
        codec: Codec::Zstd,
        log_append_time: false,
        transactional: true,
    };
    assert_eq!(out[0].origin, origin);
    assert_eq!(out[1].origin, Origin { log_append_time: true, ..Origin::PLAIN });
}

#[test]
fn what_an_answer_does_not_tell_of_bounds_stays_as_it_was() {
    let before = Bounds { log_start: Some(Offset(1)), last_stable: Some(Offset(2)), high_watermark: None };
    let told = Bounds { last_stable: Some(Offset(3)), high_watermark: Some(Offset(4)), ..Bounds::default() };
    let after = Bounds { log_start: Some(Offset(1)), ..told };
    assert_eq!(told.or(before), after);
}

#[test]
fn a_batch_that_begins_before_the_position_gives_what_is_after_it() {
    check(&mut fetched(6, vec![batch(5, &["a", "b"], Codec::Zstd)], None), 10, &["b"], 7);
}

#[test]
fn offsets_that_compaction_took_from_the_end_of_a_batch_are_passed_over() {
    let compacted = batch(5, &["a"], Codec::None).last_offset(Offset(9));
    check(&mut fetched(5, vec![compacted], None), 10, &["a"], 10);
}

#[test]
fn a_server_cannot_send_a_consumer_back() {
    check(&mut fetched(50, vec![batch(5, &["a"], Codec::None)], None), 10, &[], 50);
}

#[test]
fn a_batch_that_is_cut_off_waits_for_the_next_answer() {
    let mut fetched = fetched(5, vec![batch(5, &["a"], Codec::None), batch(6, &["b"], Codec::None)], None);
    fetched.batches.truncate(fetched.batches.len() - 1);
    check(&mut fetched, 10, &["a"], 6);
}

#[test]
fn damage_is_reported_with_its_place() {
    let mut fetched = fetched(5, vec![batch(5, &["a"], Codec::None), batch(6, &["b"], Codec::None)], None);
    let mut bytes = fetched.batches.to_vec();
    *bytes.last_mut().expect("there are bytes") ^= 1;
    fetched.batches = bytes.into();
    let mut out = Vec::new();
    let error = fetched.take(10, &mut out).expect_err("the checksum is wrong");
    assert!(matches!(error, Error::Records { offset: 6, .. }), "{error}");
    assert_eq!((out.len(), fetched.position()), (1, Offset(6)), "what was read before it counts");
}

#[test]
fn no_answer_makes_it_panic() {
    use wire::Writer;
    use wire::messages::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};

    let config = ConsumerConfig { check_crcs: false, ..Default::default() };
    let want = Want {
        name: TopicPartition::new("t", 0),
        topic_id: Uuid::ZERO,
        offset: Offset(5),
        leader_epoch: LeaderEpoch::NONE,
        token: 0,
    };
    let records = batch(5, &["a", "b"], Codec::None).build().expect("it is small");
    let partition = PartitionData { records: records.into(), ..Default::default() };
    let topic =
        FetchableTopicResponse { topic: "t".to_owned(), partitions: vec![partition], ..Default::default() };
    let response = FetchResponse { responses: vec![topic], ..Default::default() };
    let mut out = Writer::new();
    out.raw(&[0; 5]);
    response.encode(&mut out, 12).expect("it is an answer");
    let good = out.into_bytes().expect("nothing lies in a file");
    let mut whole = 0;
    for place in 0..good.len() {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = good.to_vec();
            bytes[place] = byte;
            let answer = Answer::of_nobody(bytes.into(), 1, 12)
                .and_then(|a| read(&a, &config, vec![want.clone()], &Held::nothing()));
            for got in answer.into_iter().flatten().filter_map(|got| got.result.ok()) {
                let (mut got, mut out) = (got, Vec::new());
                whole += usize::from(got.take(10, &mut out).is_ok() && out.len() == 2);
                assert!(out.iter().all(|record| record.offset >= Offset(5)), "a server sends nobody back");
            }
        }
    }
    assert!(whole > 0, "what is not damaged is read");
}

#[test]
fn aborted_transactions_are_left_out_for_who_reads_committed() {
    let transaction = |base, values: &[&str], id| {
        batch(base, values, Codec::None).producer(ProducerId(id), ProducerEpoch(0), 0).transactional()
    };
    let batches = vec![
        transaction(0, &["aborted"], 1),
        transaction(1, &["committed"], 2),
        transaction(2, &["marker"], 1).control(),
        transaction(3, &["later"], 1),
    ];
    let aborted = Aborted { to_come: vec![(Offset(0), ProducerId(1))], open: BTreeSet::new() };
    check(&mut fetched(0, batches, Some(aborted)), 10, &["committed", "later"], 4);
}
