use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use kernel::port::disk::OpenMode;
use kernel::{ErrorCode, LeaderEpoch, Offset, Timestamp, TopicPartition, Uuid};
use sim::{Fault, Op, PowerCut, SimDisk, When};
use wire::batch::BatchView;

use crate::testing::{Bench, EPOCH, judged, records, small_segments};
use crate::{Log, LogConfig, LogDir, OpenParams, Origin};

#[test]
fn offsets_and_the_leader_epoch_are_assigned_without_touching_the_payload() {
    let mut bench = Bench::new(LogConfig::default());
    let batch = records(&[(5, "a"), (6, "b")]);
    let first = bench.append(&batch);
    assert_eq!((first.base_offset, first.last_offset), (Offset(0), Offset(1)));
    let second = bench.append(&batch);
    assert_eq!((second.base_offset, second.last_offset), (Offset(2), Offset(3)));
    let file = bench.content("00000000000000000000.log");
    let (one, rest) = BatchView::parse(&file).unwrap();
    let (two, _) = BatchView::parse(rest).unwrap();
    assert_eq!((two.base_offset(), two.partition_leader_epoch()), (Offset(2), EPOCH));
    assert_eq!(one.bytes()[16..], batch[16..]);
    two.verify_crc().unwrap();
}

#[test]
fn several_batches_are_appended_together() {
    let mut bench = Bench::new(LogConfig::default());
    let (one, two) = (records(&[(1, "a")]), records(&[(1, "b"), (1, "c")]));
    let info = bench
        .log
        .append(
            Timestamp(0),
            &[judged(&one), judged(&two)],
            EPOCH,
            Origin::Coordinator { transaction_version: 0 },
        )
        .unwrap();
    assert_eq!((info.base_offset, info.last_offset), (Offset(0), Offset(2)));
    let values: Vec<String> = bench.values(0).into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, ["a", "b", "c"]);
}

#[test]
fn segments_are_rolled_by_size() {
    let mut bench = Bench::new(small_segments(3));
    bench.fill(7);
    let logs: Vec<String> = bench.names().into_iter().filter(|name| name.ends_with(".log")).collect();
    assert_eq!(logs, ["00000000000000000000.log", "00000000000000000003.log", "00000000000000000006.log"]);
    assert_eq!(bench.values(0).len(), 7);
}

#[test]
fn segments_are_rolled_by_the_time_between_their_records() {
    let mut bench = Bench::new(LogConfig { segment_ms: 100, ..LogConfig::default() });
    bench.append(&records(&[(1000, "a")]));
    bench.append(&records(&[(1100, "b")]));
    assert_eq!(bench.log.segment_count(), 1);
    bench.append(&records(&[(1101, "c")]));
    assert_eq!(bench.log.segment_count(), 2);
}

#[test]
fn a_compacted_topic_rolls_within_its_compaction_lag() {
    let mut config = LogConfig { max_compaction_lag_ms: 10, ..LogConfig::default() };
    config.cleanup.compact = true;
    let mut bench = Bench::new(config);
    bench.append(&records(&[(1000, "a")]));
    bench.append(&records(&[(1011, "b")]));
    assert_eq!(bench.log.segment_count(), 2);
}

#[test]
fn jitter_makes_a_roll_come_earlier_and_never_later() {
    let config = LogConfig { segment_ms: 1000, segment_jitter_ms: 500, ..LogConfig::default() };
    let jitters: Vec<i64> = (0..50).map(|base| config.jitter_ms("/data/t-0", base)).collect();
    assert!(jitters.iter().all(|jitter| (0..500).contains(jitter)));
    assert!(jitters.iter().any(|jitter| *jitter != jitters[0]));
    assert_eq!(LogConfig::default().jitter_ms("/data/t-0", 7), 0);
}

#[test]
fn segments_are_rolled_when_an_index_is_full() {
    let mut config = small_segments(1000);
    config.segment_index_bytes = 40;
    let mut bench = Bench::new(config);
    bench.fill(20);
    assert!(bench.log.segment_count() > 3);
    assert_eq!(bench.values(0).len(), 20);
}

#[test]
fn a_batch_larger_than_a_segment_is_refused() {
    let mut bench = Bench::new(LogConfig { segment_bytes: 100, ..LogConfig::default() });
    let error = bench.try_append(&records(&[(1, &"x".repeat(200))])).unwrap_err();
    assert_eq!(error.code(), ErrorCode::RecordListTooLarge);
    assert_eq!(bench.log.end_offset(), Offset(0));
}

#[test]
fn a_sync_is_due_after_so_many_messages() {
    let mut bench = Bench::new(LogConfig { flush_messages: 3, ..LogConfig::default() });
    let due: Vec<bool> = (0..4).map(|_| bench.append(&records(&[(1, "a")])).flush_due).collect();
    assert_eq!(due, [false, false, true, true]);
    let work = bench.log.begin_flush().unwrap().expect("there is something to sync");
    assert_eq!((work.upto, work.files.len()), (Offset(4), 1));
    bench.log.flushed_to(work.upto, Timestamp(1));
    assert_eq!(bench.log.recovery_point(), Offset(4));
    assert!(!bench.append(&records(&[(1, "a")])).flush_due);
    assert!(bench.log.begin_flush().unwrap().is_some());
}

#[test]
fn a_sync_is_due_in_the_background_after_a_roll_or_a_time() {
    let mut bench = Bench::new(LogConfig { flush_ms: 50, write_caching: true, ..small_segments(2) });
    bench.fill(1);
    assert!(!bench.log.background(Timestamp(49)).flush);
    assert!(bench.log.background(Timestamp(50)).flush);
    bench.log.flush(Timestamp(50)).unwrap();
    assert!(!bench.log.background(Timestamp(200)).flush);
    bench.fill(2);
    assert!(bench.log.background(Timestamp(51)).flush, "a segment was rolled");
    let work = bench.log.begin_flush().unwrap().expect("work");
    assert_eq!(work.files.len(), 4, "the log and both indexes of the old segment, the log of the new");
}

/// Under the page cache as well, if every record is synced: the first records of the next segment may survive what these do not.
#[test]
fn where_syncs_are_asked_for_a_segment_is_durable_before_another_follows_it() {
    for (flush_messages, durable) in [(1, 2), (i64::MAX, 0)] {
        let config = LogConfig { flush_messages, write_caching: true, ..small_segments(2) };
        let mut bench = Bench::new(config);
        bench.fill(2);
        assert_eq!(bench.log.recovery_point(), Offset(0));
        bench.fill(1);
        assert_eq!(bench.log.recovery_point(), Offset(durable), "flush.messages={flush_messages}");
    }
}

#[test]
fn after_a_failed_sync_the_log_is_offline() {
    let mut bench = Bench::new(LogConfig { flush_messages: 1, ..LogConfig::default() });
    bench.fill(1);
    bench.disk.fail(Fault::new(Op::Sync, When::Every(1)));
    assert!(bench.log.flush(Timestamp(0)).is_err());
    bench.disk.clear_faults();
    let error = bench.try_append(&records(&[(1, "a")])).unwrap_err();
    assert_eq!(error.code(), ErrorCode::KafkaStorageError);
    assert!(bench.log.offline().is_some());
    assert!(bench.log.read(Offset(0), 10, Offset(1), true).is_err());
}

#[test]
fn a_full_disk_refuses_an_append_and_takes_the_next() {
    let disk = SimDisk::new(1);
    let mut bench = Bench::on(disk, LogConfig::default());
    bench.fill(1);
    let batch = records(&[(1, &"x".repeat(100_000))]);
    bench.disk.set_capacity(Some(50_000));
    let error = bench.try_append(&batch).unwrap_err();
    assert_eq!(error.code(), ErrorCode::KafkaStorageError);
    let size = bench.log.size();
    assert_eq!(bench.content("00000000000000000000.log").len() as u64, size, "what was written is undone");
    bench.disk.set_capacity(None);
    assert_eq!(bench.append(&records(&[(1, "after")])).base_offset, Offset(1));
    bench.crash();
    assert_eq!(bench.values(0), [(0, "value 0".to_owned()), (1, "after".to_owned())]);
}

#[test]
fn a_full_disk_at_a_roll_refuses_the_append_and_rolls_later() {
    let mut bench = Bench::new(small_segments(2));
    bench.fill(2);
    bench.disk.fail(Fault::new(Op::Open, When::Every(1)).with(ErrorKind::StorageFull));
    let error = bench.try_append(&records(&[(1, "value 2")])).unwrap_err();
    assert_eq!(error.code(), ErrorCode::KafkaStorageError);
    bench.disk.clear_faults();
    bench.fill(2);
    assert_eq!(bench.log.segment_count(), 2);
    bench.crash();
    assert_eq!(bench.values(0).len(), 4);
}

#[test]
fn a_write_that_fails_for_another_reason_takes_the_log_offline() {
    let mut bench = Bench::new(LogConfig::default());
    bench.fill(1);
    bench.disk.fail(Fault::new(Op::Write, When::Next).with(ErrorKind::Other));
    assert!(bench.try_append(&records(&[(1, "a")])).is_err());
    assert!(bench.try_append(&records(&[(1, "a")])).is_err());
    bench.crash();
    assert_eq!(bench.values(0).len(), 1);
    bench.fill(1);
}

#[test]
fn a_new_leader_epoch_is_durable_with_its_first_record_and_known_without() {
    let mut bench = Bench::new(LogConfig::default());
    bench.fill(2);
    bench.log.append(Timestamp(0), &[judged(&records(&[(1, "b")]))], LeaderEpoch(5), Origin::Client).unwrap();
    let starts = bench.log.epochs().to_vec();
    bench.crash();
    assert_eq!(bench.log.epochs(), starts, "the records tell them");
    bench.log.flush(Timestamp(0)).unwrap();
    assert_eq!(bench.content("leader-epoch-checkpoint").trim_ascii_end(), b"0\n2\n3 0\n5 2");
    let ends: Vec<_> =
        [3, 4, 5, 6].map(|epoch| bench.log.epoch_end(LeaderEpoch(epoch)).map(|found| found.end.0)).to_vec();
    assert_eq!(ends, [Some(2), Some(2), Some(3), None]);
    assert_eq!(bench.log.epoch_at(Offset(1)), Some(EPOCH));
}

#[test]
fn replicated_batches_keep_their_offsets_and_epochs() {
    let mut leader = Bench::new(LogConfig::default());
    leader.fill(5);
    let bytes = leader.content("00000000000000000000.log");
    let mut follower = Bench::new(LogConfig::default());
    let cut = bytes.len() - 1;
    let info = follower.log.append_replicated(Timestamp(0), &bytes[..cut]).unwrap();
    assert_eq!(info.last_offset, Offset(3), "the batch that is cut off waits for the next fetch");
    let error = follower.log.append_replicated(Timestamp(0), &bytes).unwrap_err();
    assert!(error.to_string().contains("4 is next"), "{error}");
    let mut damaged = bytes[cut / 5 * 4 + 4..].to_vec();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    assert!(follower.log.append_replicated(Timestamp(0), &damaged).is_err());
    assert_eq!(follower.log.latest_epoch(), Some(EPOCH));
    assert_eq!(follower.values(0), leader.values(0)[..4]);
}

#[test]
fn a_first_record_waits_for_no_sync_of_its_own_and_the_first_sync_covers_all_there_is() {
    let disk = SimDisk::new(1);
    let params = OpenParams { clean: true, ..OpenParams::default() };
    let id = Some(Uuid::from_bytes([9; 16]));
    let open = |params| {
        let (config, partition) = (Arc::new(LogConfig::default()), TopicPartition::new("t", 0));
        Log::open(disk.port(), Path::new("/data"), partition, id, config, params, Timestamp(0))
    };
    let _dir = LogDir::lock(disk.port(), Path::new("/data")).unwrap();
    disk.start_recording();
    let (mut log, _) = open(params).unwrap();
    log.append(Timestamp(0), &[judged(&records(&[(1, "a")]))], EPOCH, Origin::Client).unwrap();
    let syncs = |op: &sim::Operation| matches!(op.op, Op::Sync | Op::SyncDir);
    assert_eq!(disk.take_recording().into_iter().find(syncs), None);
    let names = |log: &Log| {
        let there = disk.port().list(log.dir()).unwrap();
        there.into_iter().map(|entry| entry.name).collect::<BTreeSet<String>>()
    };
    let first = ["00000000000000000000.log", "partition.metadata"].map(str::to_owned);
    assert_eq!(names(&log), first.into(), "no more is made than somebody waits for");
    log.flush(Timestamp(0)).unwrap();
    disk.power_cut(PowerCut::Strict);
    let indexes = ["00000000000000000000.index", "00000000000000000000.timeindex"].map(str::to_owned);
    assert!(names(&log).is_superset(&indexes.into()));
    let unclean = OpenParams { recovery_point: Offset(1), ..OpenParams::default() };
    let (log, _) = open(unclean).unwrap();
    assert_eq!((log.end_offset(), log.latest_epoch(), log.topic_id()), (Offset(1), Some(EPOCH), id));
    let there = disk.port().list(log.dir()).unwrap();
    assert!(there.iter().any(|entry| entry.name == "leader-epoch-checkpoint" && entry.len > 0), "{there:?}");
}

#[test]
fn a_topic_id_whose_content_a_power_cut_took_is_written_again() {
    let bench = Bench::new(LogConfig::default());
    let path = bench.path("partition.metadata");
    for blank in [0, 30] {
        bench.disk.port().open(&path, OpenMode::Create).unwrap().set_len(blank).unwrap();
        let id = Uuid::from_bytes([9; 16]);
        let (config, partition) = (Arc::new(LogConfig::default()), TopicPartition::new("t", 0));
        let dir = Path::new("/data");
        let params = OpenParams::default();
        let (log, _) =
            Log::open(bench.disk.port(), dir, partition, Some(id), config, params, Timestamp(0)).unwrap();
        assert_eq!(log.topic_id(), Some(id));
        assert!(String::from_utf8(bench.content("partition.metadata")).unwrap().contains(&id.to_string()));
        bench.disk.port().remove_file(&path).unwrap();
    }
}
