//! Files of a log changed by chance: nothing panics, and no record is invented.

use std::path::Path;
use std::sync::Arc;

use kernel::{Offset, Timestamp, TopicPartition};
use wire::batch::BatchView;

use crate::testing::{Bench, EPOCH, from_producer, in_txn, judged, marker, small_segments};
use crate::{Log, OffsetQuery, OpenParams, Origin};

fn bench() -> Bench {
    let mut bench = Bench::new(small_segments(6));
    for round in 0..6 {
        bench.fill(2);
        bench.append(&from_producer(7, 0, round, 1));
        bench.append(&in_txn(8, 0, round, 1));
        let end = marker(8, 0, round % 2 == 0);
        let coordinator = Origin::Coordinator { transaction_version: 0 };
        bench.log.append(Timestamp(0), &[judged(&end)], EPOCH, coordinator).expect("is appended");
    }
    bench.log.close(Timestamp(0)).expect("closes");
    bench
}

/// Overwrites, shortens or lengthens one file. Returns what was done.
fn damage(bench: &Bench, seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound.max(1)
    };
    let names = bench.names();
    let name = &names[below(names.len() as u64) as usize];
    let file = bench.file(name);
    let len = file.len().unwrap();
    let (kind, at) = (below(4), below(len));
    match kind {
        0 => file.set_len(at).unwrap(),
        1 => file.set_len(len + below(100)).unwrap(),
        _ => {
            let bytes: Vec<u8> = (0..=below(20)).map(|_| below(256) as u8).collect();
            file.write_at(at, &[std::io::IoSlice::new(&bytes)]).unwrap();
        }
    }
    format!("seed {seed}: {name}, kind {kind} at {at} of {len}")
}

/// Uses all of a log. Returns the sound batches that a reader gets, each by its bytes without what the leader assigns.
fn use_all(log: &mut Log) -> Vec<Vec<u8>> {
    let (mut next, end) = (log.start_offset(), log.end_offset());
    let mut sound = Vec::new();
    while let Ok(read) = log.read(next, 1 << 20, end, true) {
        let Some(span) = read.span else { break };
        let bytes = span.read().unwrap_or_default();
        for batch in BatchView::iter(&bytes).map_while(Result::ok) {
            if batch.verify_crc().is_ok() {
                sound.push(batch.bytes()[16..].to_vec());
            }
        }
        if read.upper <= next {
            break;
        }
        next = read.upper;
    }
    for timestamp in [-3, -2, -1, 0, 5, 1000, i64::MAX] {
        let _ = OffsetQuery::from_timestamp(timestamp).map(|query| log.list_offset(query));
    }
    let _ = log.aborted_txns(Offset(0), end);
    let _ = log.apply_retention(Timestamp(i64::MAX), Offset(3));
    let _ = log.append(Timestamp(0), &[judged(&from_producer(9, 0, 0, 1))], EPOCH, Origin::Client);
    let _ = log.truncate_to(Offset(5), Timestamp(0));
    let _ = log.close(Timestamp(0));
    sound
}

#[test]
fn a_damaged_file_never_causes_a_panic_or_an_invented_record() {
    let truth = use_all(&mut bench().log);
    assert_eq!(truth.len(), 30);
    for seed in 0..400 {
        let bench = bench();
        let what = damage(&bench, seed);
        let clean = seed % 2 == 0;
        let params =
            OpenParams { clean, recovery_point: Offset(0), log_start: Offset(0), ..OpenParams::default() };
        let partition = TopicPartition::new("t", 0);
        let config = Arc::new(bench.config.clone());
        let path = Path::new("/data");
        match Log::open(bench.disk.port(), path, partition, None, config, params, Timestamp(0)) {
            Ok((mut log, _)) => {
                let sound = use_all(&mut log);
                assert!(sound.iter().all(|batch| truth.contains(batch)), "{what}");
                assert!(clean || log.offline().is_none(), "{what}: {:?}", log.offline());
            }
            Err(error) => assert!(clean, "{what}: {error}"),
        }
    }
}
