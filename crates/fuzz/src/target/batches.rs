//! Record batches: the codecs, what a consumer does with what it fetched, and what a broker does with what it is sent.

use bytes::Bytes;
use kernel::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};
use wire::batch::validate::{ProduceRules, validate_produce};
use wire::batch::{BatchBuilder, BatchView, ControlRecordType, EndTxnMarker, TimestampType};
use wire::compress::{self, Codec, CompressError, Compression, Limits};

use super::Target;
use crate::bound::{FREE_BYTES, twice, within};
use crate::input::{Input, Output};
use crate::seal;

pub const DECOMPRESS: Target = Target {
    name: "decompress",
    what: "the four codecs, with a limit on what may come out",
    run: run_decompress,
    seeds: seeds_decompress,
    len_max: 4096,
    micros: 30,
};

pub const ITERATE: Target = Target {
    name: "batches",
    what: "a row of batches as a consumer reads it: headers, checksums, records, markers",
    run: run_iterate,
    seeds: seeds_iterate,
    len_max: 4096,
    micros: 40,
};

pub const PRODUCE: Target = Target {
    name: "produce",
    what: "a batch as a broker judges it, under many rules, and as it then stores it",
    run: run_produce,
    seeds: seeds_produce,
    len_max: 4096,
    micros: 35,
};

/// What a decoder keeps beside its output: windows and tables.
const DECODER_BYTES: usize = 192 * 1024;
/// What an encoder keeps beside its output; deflate's tables are the largest.
const ENCODER_BYTES: usize = 768 * 1024;

/// What decompressing to at most `out_max` bytes may hold: the output while it grows from one place to one of twice the
/// size, one chunk beyond the limit, and the decoder.
const fn decompressing(input_len: usize, out_max: usize) -> usize {
    3 * (out_max + 1) + twice(input_len) + DECODER_BYTES
}

/// 16 bytes to 64 KiB, so that limits are met.
fn limits(input: &mut Input<'_>) -> Limits {
    Limits { bytes_max: 16 << (input.byte() % 13) }
}

fn run_decompress(input: &[u8]) {
    let mut input = Input::new(input);
    let codec = Codec::ALL[usize::from(input.byte()) % Codec::ALL.len()];
    let limits = limits(&mut input);
    let bytes = input.rest();
    let may = decompressing(bytes.len(), limits.bytes_max);
    match within(may, || compress::decompress(codec, bytes, limits)) {
        Ok(out) => {
            assert!(out.len() <= limits.bytes_max, "{} bytes came out", out.len());
            let wider = Limits::trusting(1 << 20);
            assert!(
                compress::decompress(codec, bytes, wider).as_ref() == Ok(&out),
                "a limit changed the content"
            );
            let mut again = Vec::new();
            compress::compress(Compression::of(codec), &out, &mut again).expect("it is short");
            let back = compress::decompress(codec, &again, limits).expect("what was compressed comes back");
            assert!(back == out, "it came back as something else");
        }
        Err(CompressError::TooLarge { limit }) => assert_eq!(limit, limits.bytes_max),
        Err(_) => {}
    }
}

fn run_iterate(input: &[u8]) {
    let mut input = Input::new(input);
    let limits = limits(&mut input);
    let bytes = seal::batches(input);
    let may = decompressing(bytes.len(), limits.bytes_max);
    for batch in BatchView::iter(&bytes) {
        let Ok(batch) = batch else { break };
        assert_eq!((batch.bytes().len(), batch.payload().len()), (batch.batch_len(), batch.payload_len()));
        let _ = within(0, || batch.verify_crc());
        within(may, || visit_records(&batch, limits));
    }
}

fn visit_records(batch: &BatchView<'_>, limits: Limits) {
    let Ok(records) = batch.records(limits) else { return };
    let (mut count, mut failed) = (0, false);
    for record in &records {
        let Ok(record) = record else {
            failed = true;
            continue;
        };
        assert!(!failed, "a record came after an error");
        count += 1;
        assert_eq!(record.headers.iter().count(), record.headers.len(), "headers were checked before");
        if let (Some(key), Some(value)) = (record.key, record.value) {
            let kind = ControlRecordType::parse(key);
            let marker = EndTxnMarker::parse(key, value);
            assert!(marker.is_none() || kind.is_some(), "a marker is a control record");
        }
    }
    assert!(failed || count == batch.record_count(), "{count} records of {}", batch.record_count());
}

fn run_produce(input: &[u8]) {
    let mut input = Input::new(input);
    let flags = input.byte();
    let limits = limits(&mut input);
    let how = input.byte();
    let target = Codec::from_id(flags & 7).map(Compression::of);
    let rules = ProduceRules {
        max_message_bytes: 16 * 1024,
        timestamp_type: match flags & 8 {
            0 => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        },
        timestamp_before_max_ms: if flags & 16 == 0 { i64::MAX } else { 1_000 },
        timestamp_after_max_ms: 3_600_000,
        compression: target,
        compacted: flags & 32 != 0,
        zstd_allowed: flags & 64 == 0,
        limits,
    };
    let bytes = Bytes::from(seal::batch(how, input.rest()));
    let now = Timestamp(1_700_000_000_000);
    let encoder = if target.is_some() { 3 * limits.bytes_max + ENCODER_BYTES } else { 0 };
    let may = decompressing(bytes.len(), limits.bytes_max) + encoder;
    let Ok(mut judged) = within(may, || validate_produce(&bytes, &rules, now)) else { return };
    judged.assign(Offset(42), LeaderEpoch(3));
    let stored = judged.to_bytes();
    assert!(stored.len() <= rules.max_message_bytes, "a batch of {} bytes was let in", stored.len());
    let (batch, rest) = BatchView::parse(&stored).expect("what is stored is a batch");
    assert!(rest.is_empty(), "nothing else is stored");
    batch.verify_crc().expect("what is stored has its checksum");
    let records = batch.records(Limits::trusting(1 << 20)).expect("what is stored can be decompressed");
    let mut next = 0;
    for record in &records {
        let record = record.expect("what is stored can be read");
        assert_eq!(record.offset, Offset(42 + next), "offsets are counted up");
        assert!(record.key.is_some() || !rules.compacted, "a compacted topic has keys");
        next += 1;
    }
    assert_eq!((next, batch.next_offset()), (i64::from(batch.record_count()), Offset(42 + next)));
    let may = twice(0) + FREE_BYTES;
    within(may, || judged.max_timestamp_entry());
}

fn seeds_decompress() -> Vec<Vec<u8>> {
    let repeated = b"event 1 of 9; event 2 of 9; ".repeat(40);
    let mut seeds = Vec::new();
    for (place, codec) in Codec::ALL.into_iter().enumerate() {
        for (limit, plain) in
            [(12, &b"short"[..]), (12, &repeated), (12, &[0; 3_000]), (3, &repeated), (12, b"")]
        {
            let mut out = vec![place as u8, limit];
            compress::compress(Compression::of(codec), plain, &mut out).expect("it is short");
            seeds.push(out);
        }
    }
    seeds
}

/// Batches of all codecs and kinds.
pub fn samples() -> Vec<Bytes> {
    let begin = || BatchBuilder::new().base_offset(Offset(0)).leader_epoch(LeaderEpoch(1));
    let time = Timestamp(1_700_000_000_000);
    let mut batches = Vec::new();
    for codec in Codec::ALL {
        let mut builder = begin().compression(Compression::of(codec));
        for value in [&b"one"[..], b"two two two two two two", b""] {
            builder.append(time, Some(b"key"), Some(value));
        }
        batches.push(builder.build().expect("it is small"));
    }
    let mut idempotent = begin().producer(ProducerId(7), ProducerEpoch(0), 0).transactional();
    idempotent.append(time, None, Some(b"value"));
    idempotent.append(time, Some(b"key"), None);
    batches.push(idempotent.build().expect("it is small"));
    let marker = EndTxnMarker { committed: false, coordinator_epoch: 2 };
    let producer = (ProducerId(7), ProducerEpoch(0));
    batches.push(marker.batch(producer, Offset(2), LeaderEpoch(1), time).expect("it is small"));
    batches
}

fn seeds_iterate() -> Vec<Vec<u8>> {
    let all = samples();
    let one = all.iter().map(|batch| [&[12][..], &seal::seed(&[batch])].concat());
    one.chain([[&[12][..], &seal::seed(&all)].concat()]).collect()
}

fn seeds_produce() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for batch in samples() {
        for flags in [7, 0, 1, 2, 3, 4, 8 | 7, 32 | 7] {
            seeds.push(Output::default().bytes(&[flags, 12, seal::SEAL]).bytes(&batch).0);
        }
    }
    // A batch that names a codec, whose records are compressed on the way in.
    let plain = samples().remove(0);
    for codec in 1..=4 {
        let mut batch = plain.to_vec();
        batch[22] = codec;
        seeds.push(Output::default().bytes(&[7, 12, seal::SEAL | seal::COMPRESS]).bytes(&batch).0);
    }
    seeds
}
