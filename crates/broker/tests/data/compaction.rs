//! Topics that keep the last record of each key, while others read and write.

use std::collections::BTreeMap;

use broker::cleaner::CleanerStatus;
use bytes::Bytes;
use host::RealClock;
use kernel::Timestamp;
use kernel::port::Clock;
use wire::Records;
use wire::batch::{BatchBuilder, BatchView};
use wire::compress::Limits;

use crate::client::{EARLIEST, LATEST};
use crate::support::{Client, TestNode};

/// Pauses of 20 ms each after which something has failed.
const PAUSES_MAX: usize = 1500;

pub const EAGER: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("internal.segment.bytes", "3000"),
    ("min.cleanable.dirty.ratio", "0.01"),
];
pub const OFTEN: &str = "log.cleaner.backoff.ms=5";

fn eager(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [EAGER, more].concat()
}

fn now() -> Timestamp {
    RealClock::new().now().wall
}

fn update(key: &str, value: Option<&str>) -> Bytes {
    let mut builder = BatchBuilder::new();
    builder.append(now(), Some(key.as_bytes()), value.map(str::as_bytes));
    builder.build().unwrap()
}

/// Appends `count` updates of ten keys, and notes what the last of each is.
pub fn updates(
    client: &mut Client,
    topic: &str,
    from: usize,
    count: usize,
    last: &mut BTreeMap<String, String>,
) {
    for number in from..from + count {
        let (key, value) = (format!("key {}", number * 7 % 10), format!("value {number}"));
        client.append(topic, update(&key, Some(&value)));
        last.insert(key, value);
    }
}

/// What somebody finds who reads on from an offset to the end of the log: the last value of each key, and how many
/// records that took.
fn read_on(client: &mut Client, topic: &str, from: i64, map: &mut BTreeMap<String, String>) -> (i64, usize) {
    let (mut at, mut count) = (from, 0);
    let end = client.offset(topic, LATEST).offset;
    while at < end {
        let data = client.fetch(topic, at);
        assert_eq!(data.error_code, 0, "at {at}");
        let Records::Bytes(bytes) = &data.records else { panic!("records are never null") };
        assert!(!bytes.is_empty(), "the reader is stuck at {at}, the log ends at {end}");
        for batch in BatchView::iter(bytes) {
            let batch = batch.expect("a batch");
            batch.verify_crc().expect("it is whole");
            assert!(batch.next_offset().get() > at);
            for record in &batch.records(Limits::for_batches_of(1 << 20)).expect("it can be decompressed") {
                let record = record.expect("a record");
                if record.offset.get() < at {
                    continue;
                }
                count += 1;
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let key = text(record.key.expect("a key"));
                match record.value {
                    Some(value) => map.insert(key, text(value)),
                    None => map.remove(&key),
                };
            }
            at = batch.next_offset().get();
        }
    }
    (at, count)
}

fn read_all(client: &mut Client, topic: &str) -> (BTreeMap<String, String>, usize) {
    let mut map = BTreeMap::new();
    let start = client.offset(topic, EARLIEST).offset;
    let (_, count) = read_on(client, topic, start, &mut map);
    (map, count)
}

#[expect(clippy::disallowed_methods, reason = "a test waits for what happens in the background")]
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(20));
}

pub fn wait_for(node: &TestNode, what: &str, is_so: impl Fn(&CleanerStatus) -> bool) {
    for _ in 0..PAUSES_MAX {
        if is_so(&node.node().cleaner.status()) {
            return;
        }
        pause();
    }
    panic!("{what} did not come: {:?}", node.node().cleaner.status());
}

/// Waits until no log is due any more.
pub fn wait_until_clean(node: &TestNode) {
    let before = node.node().cleaner.status().last_run;
    wait_for(node, "a clean log", |status| {
        status.cleanable() == 0
            && status.running.is_empty()
            && status.last_run > before
            && status.cleanings() > 0
    });
}

#[expect(clippy::disallowed_methods, reason = "the directory of a test")]
fn file(node: &TestNode, name: &str) -> String {
    // A checksum stands in blanks at its end.
    std::fs::read_to_string(node.dir().join(name)).unwrap_or_default().trim_end().to_owned()
}

#[test]
fn readers_find_the_last_value_of_each_key_while_segments_are_swapped() {
    let node = TestNode::start_with("compaction-readers", &[OFTEN]);
    let (mut writer, mut reader) = (node.client(), node.client());
    writer.create("t", &eager(&[]));
    let (mut last, mut seen, mut at) = (BTreeMap::new(), BTreeMap::new(), 0);
    for round in 0..40 {
        updates(&mut writer, "t", round * 50, 50, &mut last);
        assert_eq!(read_all(&mut reader, "t").0, last, "from the start, in round {round}");
        (at, _) = read_on(&mut reader, "t", at, &mut seen);
        assert_eq!(seen, last, "reading on, in round {round}");
    }
    wait_until_clean(&node);
    let (found, count) = read_all(&mut reader, "t");
    assert_eq!(found, last);
    assert!(count < 100, "{count} records of ten keys are left");
    let status = node.node().cleaner.status();
    let dir = status.dirs.values().next().expect("there is one directory");
    assert!(dir.bytes_written < dir.bytes_read && status.uncleanable.is_empty());
    let cleaned = status.last.expect("it is told of the last");
    assert!(cleaned.partition == "t-0" && cleaned.to > cleaned.from && cleaned.stats.keys > 0);
}

#[test]
fn a_deleted_key_stays_deleted_and_its_tombstone_goes() {
    let mut node = TestNode::start_with("compaction-tombstones", &[OFTEN]);
    let mut client = node.client();
    client.create("t", &eager(&[("delete.retention.ms", "0")]));
    let mut last = BTreeMap::new();
    updates(&mut client, "t", 0, 100, &mut last);
    for number in 0..5 {
        client.append("t", update(&format!("key {number}"), None));
        last.remove(&format!("key {number}"));
    }
    // Two rounds: the first compares the tombstones, the second lets them go.
    for round in 0..3 {
        for number in 0..60 {
            client.append("t", update("other", Some(&format!("{round} {number}"))));
        }
        wait_until_clean(&node);
    }
    last.insert("other".to_owned(), "2 59".to_owned());
    let (found, count) = read_all(&mut client, "t");
    assert_eq!(found, last);
    assert!(count < 5 + 60, "{count} records are left");
    for end in [TestNode::kill, TestNode::stop] {
        end(&mut node);
        node.restart();
        assert_eq!(read_all(&mut node.client(), "t").0, last);
    }
}

#[test]
fn a_node_that_is_killed_while_it_compacts_loses_no_value() {
    let mut node = TestNode::start_with("compaction-killed", &[OFTEN]);
    node.client().create("t", &eager(&[]));
    let mut last = BTreeMap::new();
    for round in 0..12 {
        updates(&mut node.client(), "t", round * 120, 120 - round, &mut last);
        node.kill();
        node.restart();
        assert_eq!(read_all(&mut node.client(), "t").0, last, "after {round} rounds");
    }
    // All of it may have been clean when the node was killed the last time.
    updates(&mut node.client(), "t", 12 * 120, 120, &mut last);
    wait_until_clean(&node);
    assert_eq!(read_all(&mut node.client(), "t").0, last);
}

#[test]
fn what_was_cleaned_is_known_after_a_restart_and_forgotten_with_the_topic() {
    let mut node = TestNode::start_with("compaction-checkpoint", &[OFTEN]);
    let mut client = node.client();
    client.create("t", &eager(&[]));
    client.create("kept", &eager(&[("cleanup.policy", "delete")]));
    let mut last = BTreeMap::new();
    updates(&mut client, "t", 0, 300, &mut last);
    updates(&mut client, "kept", 0, 100, &mut BTreeMap::new());
    wait_until_clean(&node);
    let cleaned = |node: &TestNode| node.node().hosted.partition("t", 0).unwrap().log().cleaned_to().get();
    let to = cleaned(&node);
    assert!(to > 200);
    assert_eq!(file(&node, "cleaner-offset-checkpoint"), format!("0\n1\nt 0 {to}"));
    assert_eq!(read_all(&mut client, "kept").1, 100);
    node.kill();
    node.restart();
    assert_eq!(cleaned(&node), to);
    let mut client = node.client();
    client.delete("t");
    assert_eq!(file(&node, "cleaner-offset-checkpoint"), "0\n0");
    client.create("t", &eager(&[]));
    assert_eq!(cleaned(&node), 0);
}

#[test]
fn a_damaged_log_is_set_aside_and_others_are_cleaned() {
    let mut node = TestNode::start_with("compaction-damage", &["log.cleaner.enable=false"]);
    let mut client = node.client();
    for topic in ["bad", "good"] {
        client.create(topic, &eager(&[]));
        updates(&mut client, topic, 0, 300, &mut BTreeMap::new());
    }
    assert_eq!(read_all(&mut client, "good").1, 300, "nothing is cleaned where that is switched off");
    node.stop();
    let path = node.dir().join("bad-0/00000000000000000000.log");
    flip(&path, 100);
    let mut node = TestNode::start_in("compaction-damage", &[OFTEN]);
    wait_for(&node, "a cleaning and a failure", |status| {
        status.cleanings() > 0 && !status.uncleanable.is_empty()
    });
    wait_until_clean(&node);
    let mut client = node.client();
    assert!(read_all(&mut client, "good").1 < 100);
    let status = node.node().cleaner.status();
    let why: Vec<_> = status.uncleanable.values().collect();
    assert_eq!((why.len(), why[0].partition.as_str()), (1, "bad-0"));
    assert!(why[0].why.contains("00000000000000000000.log is damaged at byte"), "{}", why[0].why);
    client.delete("bad");
    wait_for(&node, "its end", |status| status.uncleanable.is_empty());
    node.stop();
}

#[expect(clippy::disallowed_methods, reason = "the directory of a test")]
fn flip(path: &std::path::Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_topic_can_be_deleted_while_it_is_cleaned() {
    // So slow that no cleaning ends by itself.
    let node =
        TestNode::start_with("compaction-deleted", &[OFTEN, "log.cleaner.io.max.bytes.per.second=2000"]);
    let mut client = node.client();
    client.create("t", &eager(&[]));
    updates(&mut client, "t", 0, 300, &mut BTreeMap::new());
    wait_for(&node, "a cleaning", |status| !status.running.is_empty());
    client.delete("t");
    wait_for(&node, "its end", |status| status.running.is_empty());
    let status = node.node().cleaner.status();
    assert_eq!((status.cleanings(), status.uncleanable.len()), (0, 0));
    client.create("t", &eager(&[]));
    let mut last = BTreeMap::new();
    updates(&mut client, "t", 0, 10, &mut last);
    assert_eq!(read_all(&mut client, "t").0, last);
}
