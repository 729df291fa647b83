//! The bytes of each file, as Kafka's tools expect them.

use kernel::{Offset, Timestamp, TopicPartition, Uuid};

use crate::testing::{Bench, EPOCH, in_txn, judged, marker, records};
use crate::{Log, LogConfig, OpenParams, Origin};

#[test]
fn the_indexes_have_kafkas_entries() {
    let mut bench = Bench::new(LogConfig { index_interval_bytes: 100, ..LogConfig::default() });
    let batch = records(&[(7, "ab"), (9, "cd")]);
    let len = batch.len() as u32;
    assert!((51..100).contains(&len), "{len}");
    for _ in 0..2 {
        bench.append(&batch);
    }
    bench.append(&records(&[(8, "ab"), (3, "cd")]));
    bench.append(&records(&[(20, "ab"), (10, "cd")]));
    bench.append(&records(&[(21, "ab"), (11, "cd")]));
    bench.append(&records(&[(30, "ab"), (12, "cd")]));
    bench.log.close(Timestamp(0)).unwrap();
    // An entry is due once more than 100 bytes follow the last one: for the third and the fifth batch.
    let mut index = Vec::new();
    for (last_offset, batches) in [(5_u32, 2), (9, 4)] {
        index.extend_from_slice(&last_offset.to_be_bytes());
        index.extend_from_slice(&(len * batches).to_be_bytes());
    }
    assert_eq!(bench.content("00000000000000000000.index"), index);
    // The largest timestamp so far and the last offset of its batch; the last one is added when the file is closed.
    let mut times = Vec::new();
    for (timestamp, last_offset) in [(9_i64, 1_u32), (21, 9), (30, 11)] {
        times.extend_from_slice(&timestamp.to_be_bytes());
        times.extend_from_slice(&last_offset.to_be_bytes());
    }
    assert_eq!(bench.content("00000000000000000000.timeindex"), times);
}

#[test]
fn the_transaction_index_has_kafkas_entries() {
    let mut bench = Bench::new(LogConfig::default());
    bench.append(&in_txn(7, 0, 0, 3));
    let coordinator = Origin::Coordinator { transaction_version: 0 };
    bench.log.append(Timestamp(0), &[judged(&marker(7, 0, false))], EPOCH, coordinator).unwrap();
    let mut expected = vec![0, 0];
    for field in [7_i64, 0, 3, 4] {
        expected.extend_from_slice(&field.to_be_bytes());
    }
    assert_eq!(bench.content("00000000000000000000.txnindex"), expected);
}

#[test]
fn a_new_log_has_kafkas_files() {
    let disk = sim::SimDisk::new(1);
    let id = Uuid::METADATA_TOPIC;
    let partition = TopicPartition::new("t", 0);
    let config = std::sync::Arc::new(LogConfig::default());
    let path = std::path::Path::new("/data");
    let opened = Log::open(
        disk.port(),
        path,
        partition,
        Some(id),
        config.clone(),
        OpenParams::default(),
        Timestamp(0),
    );
    let (mut log, report) = opened.unwrap();
    assert!(!report.is_notable());
    log.append(Timestamp(0), &[judged(&records(&[(1, "a")]))], EPOCH, Origin::Client).unwrap();
    log.close(Timestamp(0)).unwrap();
    let bench = Bench { disk, config: (*config).clone(), log, report, now: 0 };
    assert_eq!(
        bench.names(),
        [
            "00000000000000000000.index",
            "00000000000000000000.log",
            "00000000000000000000.timeindex",
            "00000000000000000001.snapshot",
            "leader-epoch-checkpoint",
            "partition.metadata"
        ]
    );
    assert_eq!(bench.content("partition.metadata"), b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
    assert_eq!(bench.log.end_offset(), Offset(1));
}
