//! What a node finds after it was stopped or killed, and what time takes away.

use kernel::ErrorCode;
use wire::messages::fetch_request::FetchRequest;

use crate::client::{
    EARLIEST, FETCH, LATEST, PRODUCE, batch, code, fetch_request, from_producer, only, produce_request,
    values,
};
use crate::support::{Client, TestNode};

/// Pauses of 20 ms each after which something has failed.
const PAUSES_MAX: usize = 750;

const SEGMENT: (&str, &str) = ("segment.bytes", "1048576");

fn number(value: &str) -> usize {
    value.trim_start_matches('x').parse().expect("a number")
}

/// Appends until there are several segments. Returns how many records were acknowledged.
fn fill(client: &mut Client, topic: &str) -> usize {
    let values: Vec<String> = (0..40).map(|value| format!("{}{value:06}", "x".repeat(99_994))).collect();
    for value in &values {
        client.append(topic, batch(&[value]));
    }
    values.len()
}

fn check_all(client: &mut Client, topic: &str, count: usize) {
    let all = client.all(topic);
    let numbers: Vec<usize> = all.iter().map(|value| number(value)).collect();
    assert_eq!(numbers, (0..count).collect::<Vec<_>>());
}

#[test]
fn a_killed_node_keeps_every_acknowledged_record() {
    let mut node = TestNode::start("kill");
    let mut client = node.client();
    client.create("durable", &[SEGMENT]);
    client.create("buffered", &[SEGMENT, ("write.caching", "true")]);
    let count = fill(&mut client, "durable");
    fill(&mut client, "buffered");
    for _ in 0..2 {
        node.kill();
        node.restart();
        let mut client = node.client();
        check_all(&mut client, "durable", count);
        check_all(&mut client, "buffered", count);
    }
    assert_eq!(node.client().append("buffered", batch(&["next"])), count as i64);
}

#[test]
fn a_stopped_node_keeps_everything_and_has_nothing_to_verify() {
    let mut node = TestNode::start("stop");
    let mut client = node.client();
    client.create("t", &[SEGMENT]);
    let count = fill(&mut client, "t");
    node.stop();
    assert!(node.dir().join(".kafka_cleanshutdown").exists());
    node.restart();
    check_all(&mut node.client(), "t", count);
}

#[test]
fn nothing_is_acknowledged_that_a_stop_leaves_out() {
    let mut node = TestNode::start("stop-under-load");
    node.client().create("t", &[]);
    let mut client = node.client();
    // More than the node can have answered when it stops.
    let sent: Vec<_> =
        (0..2000).map(|_| client.send(PRODUCE, &produce_request("t", -1, batch(&["a"])))).collect();
    node.stop();
    let mut acknowledged = 0;
    for one in sent {
        let Some(answer) = client.try_receive(one) else { break };
        let answer = &answer.responses[0].partition_responses[0];
        match code(answer.error_code) {
            ErrorCode::None => acknowledged += 1,
            // The client finds the leader again and tries once more.
            other => assert_eq!(other, ErrorCode::NotLeaderOrFollower),
        }
    }
    node.restart();
    let kept = node.client().offset("t", LATEST).offset;
    assert!(kept >= acknowledged, "{acknowledged} were acknowledged, {kept} are there");
}

#[test]
fn a_retry_after_a_kill_is_recognized_and_durable() {
    let mut node = TestNode::start("kill-retry");
    let mut client = node.client();
    client.create("t", &[("flush.messages", "1")]);
    let id = client.producer_id();
    // The answer to the last one is never read.
    client.append("t", from_producer(id, 0, 0, &["a"]));
    drop(client.send(PRODUCE, &produce_request("t", -1, from_producer(id, 0, 1, &["b"]))));
    node.client().offset("t", LATEST);
    node.kill();
    node.restart();
    let mut client = node.client();
    assert_eq!(client.append("t", from_producer(id, 0, 1, &["b"])), 1);
    assert_eq!(client.all("t"), ["a", "b"]);
}

#[test]
fn a_torn_batch_at_the_end_is_cut_off() {
    let mut node = TestNode::start("torn");
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a"]));
    node.kill();
    let path = node.dir().join("t-0/00000000000000000000.log");
    let mut bytes = read(&path);
    bytes.extend_from_slice(&batch(&["torn"])[..50]);
    write(&path, &bytes);
    node.restart();
    let mut client = node.client();
    assert_eq!(client.all("t"), ["a"]);
    assert_eq!(client.append("t", batch(&["b"])), 1);
    assert_eq!(client.all("t"), ["a", "b"]);
}

#[test]
fn files_that_the_metadata_does_not_know_are_set_aside() {
    let mut node = TestNode::start("stray");
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["old"]));
    node.stop();
    // As if a deletion had been cut off, or another directory had been mounted.
    rename(&node.dir().join("t-0"), &node.dir().join("u-0"));
    node.restart();
    let mut client = node.client();
    assert_eq!(client.offset("t", LATEST).offset, 0, "a log that is gone begins anew");
    client.create("u", &[]);
    client.append("u", batch(&["new"]));
    assert_eq!(client.all("u"), ["new"]);
    let names = names(node.dir());
    assert!(names.iter().any(|name| name.starts_with("u-0.") && name.ends_with("-stray")), "{names:?}");
}

#[test]
fn a_partition_that_cannot_be_opened_is_refused_alone_and_keeps_its_start() {
    let mut node = TestNode::start("offline");
    let mut client = node.client();
    client.create("t", &[]);
    client.create("u", &[]);
    client.append("t", batch(&["a"]));
    client.append("t", batch(&["b"]));
    client.delete_records("t", 1);
    node.stop();
    let path = node.dir().join("t-0/partition.metadata");
    let sound = read(&path);
    write(&path, b"nonsense");
    node.restart();
    let mut client = node.client();
    let storage = ErrorCode::KafkaStorageError;
    assert_eq!(code(client.fetch("t", 1).error_code), storage);
    assert_eq!(code(client.produce("t", batch(&["c"])).error_code), storage);
    assert_eq!(code(client.offset("t", LATEST).error_code), storage);
    let old = only(client.call(5, &fetch_request("t", 1)));
    assert_eq!(code(old.error_code), ErrorCode::NotLeaderOrFollower, "old clients do not know the other");
    client.append("u", batch(&["a"]));
    client.delete_records("u", 1);
    node.stop();
    write(&path, &sound);
    node.restart();
    let mut client = node.client();
    assert_eq!(client.offset("t", EARLIEST).offset, 1);
    assert_eq!(client.all("t"), ["b"]);
}

#[test]
fn the_files_of_a_deleted_topic_go_after_their_delay() {
    let node = TestNode::start_with("deleted-files", &["log.segment.delete.delay.ms=0"]);
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a"]));
    client.delete("t");
    wait_until(&node, || names(node.dir()).iter().all(|name| !name.starts_with("t-0")));
}

#[test]
fn old_segments_go_when_the_log_is_larger_than_it_may_be() {
    let node = TestNode::start_with("retention", &["log.retention.check.interval.ms=1"]);
    let mut client = node.client();
    client.create("t", &[SEGMENT, ("retention.bytes", "1500000")]);
    let count = fill(&mut client, "t") as i64;
    wait_until(&node, || node.client().offset("t", EARLIEST).offset >= count - 25);
    let first = client.offset("t", EARLIEST).offset;
    assert_eq!(code(client.fetch("t", first - 1).error_code), ErrorCode::OffsetOutOfRange);
    assert!(client.all("t").len() as i64 == count - first);
}

/// Looks again and again, with the pauses of polls that find nothing.
fn wait_until(node: &TestNode, mut done: impl FnMut() -> bool) {
    let mut client = node.client();
    client.create("pause", &[]);
    let pause = FetchRequest { max_wait_ms: 20, ..fetch_request("pause", 0) };
    for _ in 0..PAUSES_MAX {
        if done() {
            return;
        }
        client.call(FETCH, &pause);
    }
    panic!("it takes too long");
}

#[expect(clippy::disallowed_methods, reason = "what a crash or an operator left is made by hand")]
pub mod files {
    use std::path::Path;

    pub fn read(path: &Path) -> Vec<u8> {
        std::fs::read(path).expect("the log is there")
    }

    pub fn write(path: &Path, bytes: &[u8]) {
        std::fs::write(path, bytes).expect("it can be written");
    }

    pub fn rename(from: &Path, to: &Path) {
        std::fs::rename(from, to).expect("it can be renamed");
    }

    pub fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).expect("it can be listed");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }
}

use files::{names, read, rename, write};

#[test]
fn a_damaged_batch_is_refused_and_what_is_before_and_after_it_is_read() {
    let mut node = TestNode::start("damaged-batch");
    let mut client = node.client();
    client.create("t", &[("index.interval.bytes", "0")]);
    (0..6).for_each(|value| assert_eq!(client.append("t", batch(&[&value.to_string()])), value));
    node.stop();
    let path = node.dir().join("t-0/00000000000000000000.log");
    let mut bytes = read(&path);
    let second = bytes.len() / 6 * 2;
    bytes[second + 65] ^= 4;
    // No checksum covers an offset.
    let fourth = bytes.len() / 6 * 4;
    bytes[fourth + 5] ^= 1;
    write(&path, &bytes);
    node.restart();
    let mut client = node.client();
    assert_eq!(values(&client.fetch("t", 0)), ["0", "1"]);
    assert_eq!(code(client.fetch("t", 2).error_code), ErrorCode::CorruptMessage);
    assert_eq!(values(&client.fetch("t", 3)), ["3"]);
    assert_eq!(code(client.fetch("t", 4).error_code), ErrorCode::CorruptMessage);
    assert_eq!(values(&client.fetch("t", 5)), ["5"]);
    assert_eq!(values(&client.fetch("t", 0)), ["0", "1"], "once more");
}

#[test]
fn damage_within_the_metadata_log_is_refused_until_it_is_mended_or_given_up() {
    for kill in [true, false] {
        let mut node = TestNode::start(if kill { "damaged-metadata-kill" } else { "damaged-metadata" });
        let mut client = node.client();
        client.create("before", &[]);
        let path = node.dir().join("__cluster_metadata-0/00000000000000000000.log");
        let damaged_at = read(&path).len();
        client.create("damaged", &[]);
        client.create("after", &[]);
        client.append("after", batch(&["kept"]));
        if kill {
            node.kill()
        } else {
            node.stop()
        }
        let sound = read(&path);
        let mut damaged = sound.clone();
        damaged[damaged_at + 70] ^= 4;
        write(&path, &damaged);
        let refused = node.try_restart().expect_err("whole changes follow the damaged one").to_string();
        assert!(refused.contains(&format!("damaged at byte {damaged_at}")), "{refused}");
        assert_eq!(read(&path), damaged, "nothing is cut off");
        write(&path, &sound);
        node.restart();
        assert_eq!(node.client().all("after"), ["kept"]);
        node.kill();
        write(&path, &sound[..damaged_at]);
        node.restart();
        let image = node.node().image();
        assert_eq!(["before", "after"].map(|name| image.topic(name).is_some()), [true, false]);
    }
}
