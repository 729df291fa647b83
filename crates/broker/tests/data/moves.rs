//! Partitions that move between log directories while they are served.

use kernel::ErrorCode;
use kernel::port::Disk;
use sim::{Fault, Op, PowerCut, SimDisk, When};
use wire::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use wire::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use crate::client::{EARLIEST, LATEST, batch, code, from_producer};
use crate::support::{Client, TestNode};

const TWO: [&str; 4] = [
    "log.dirs=/a,/b",
    "metadata.log.dir=/a",
    "log.segment.delete.delay.ms=0",
    // Many of these tests are many starts.
    "log.journal.bytes=4194304",
];

fn two(disk: &SimDisk) -> TestNode {
    TestNode::start_on_with(disk, &TWO)
}

fn alter(client: &mut Client, topic: &str, path: &str) -> ErrorCode {
    let topics = vec![AlterReplicaLogDirTopic { name: topic.to_owned(), partitions: vec![0] }];
    let dirs = vec![AlterReplicaLogDir { path: path.to_owned(), topics }];
    let told = client.call(2, &AlterReplicaLogDirsRequest { dirs }).results.remove(0);
    assert_eq!((told.topic_name.as_str(), told.partitions[0].partition_index), (topic, 0));
    code(told.partitions[0].error_code)
}

/// The directories that have the partition of a topic: path, size, lag, and whether it is on its way there.
fn places(client: &mut Client, topic: &str) -> Vec<(String, i64, i64, bool)> {
    let told = client.call(4, &DescribeLogDirsRequest { topics: None }).results;
    let mut places = Vec::new();
    for dir in told {
        for one in dir.topics.iter().filter(|one| one.name == topic).flat_map(|one| &one.partitions) {
            places.push((dir.log_dir.clone(), one.partition_size, one.offset_lag, one.is_future_key));
        }
    }
    places
}

fn home(node: &TestNode, topic: &str) -> String {
    let partition = node.node().hosted.partition(topic, 0).expect("it is open");
    partition.home().path.display().to_string()
}

fn other(path: &str) -> &'static str {
    if path == "/a" { "/b" } else { "/a" }
}

/// The directory that the metadata names for a topic.
fn named(node: &TestNode, topic: &str) -> String {
    let image = node.node().image();
    let id =
        image.topic(topic).expect("it is there").partition(0).expect("it is there").directory(node.node().id);
    let dir = node.node().dirs.iter().find(|dir| Some(dir.id) == id).expect("it is one of ours");
    dir.path().display().to_string()
}

/// Moves a topic to the other directory and waits until it is there.
fn moved(node: &TestNode, client: &mut Client, topic: &str) -> &'static str {
    let to = other(&home(node, topic));
    assert_eq!(alter(client, topic, to), ErrorCode::None);
    arrived(node, client, topic, to);
    to
}

fn arrived(node: &TestNode, client: &mut Client, topic: &str, to: &str) {
    let there = |client: &mut Client| {
        client.offset(topic, LATEST);
        home(node, topic) == to && node.node().moves.all().is_empty()
    };
    assert!((0..100_000).any(|_| there(client)), "{topic} does not arrive");
    assert_eq!(named(node, topic), to);
}

/// Folders of a topic in both directories.
fn folders(disk: &SimDisk, topic: &str) -> Vec<String> {
    let of = |dir: &str| disk.folders(std::path::Path::new(dir)).expect("it can be listed");
    let all = ["/a", "/b"].map(|dir| of(dir).into_iter().map(move |name| format!("{dir}/{name}")));
    all.into_iter().flatten().filter(|name| name.contains(&format!("/{topic}-0"))).collect()
}

fn set(client: &mut Client, name: &str, value: &str) {
    let config =
        AlterableConfig { name: name.to_owned(), config_operation: 0, value: Some(value.to_owned()) };
    let resource =
        AlterConfigsResource { resource_type: 4, resource_name: "1".to_owned(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    assert_eq!(code(client.call(1, &request).responses.remove(0).error_code), ErrorCode::None);
}

#[test]
fn a_partition_moves_with_its_records_its_start_and_its_producers_and_stays_where_it_is() {
    let disk = SimDisk::new(1);
    let mut node = two(&disk);
    let mut client = node.client();
    client.create("t", &[("internal.segment.bytes", "2000")]);
    let id = client.producer_id();
    for sequence in 0..40 {
        client.append("t", from_producer(id, 0, sequence, &[&"x".repeat(100)]));
    }
    client.append("t", batch(&["a", "b", "c"]));
    assert_eq!(client.delete_records("t", 41).low_watermark, 41, "within a batch");
    client.append("t", from_producer(id, 0, 40, &["last"]));
    let all = client.all("t");
    assert_eq!(all, ["a", "b", "c", "last"], "of which the first is only in the batch");

    let first = home(&node, "t");
    let second = moved(&node, &mut client, "t");
    assert_eq!(client.all("t"), all);
    assert_eq!(client.offset("t", EARLIEST).offset, 41);
    assert_eq!(client.append("t", from_producer(id, 0, 40, &["last"])), 43, "it came before the move");
    assert_eq!(client.append("t", from_producer(id, 0, 41, &["after"])), 44);
    let there = places(&mut client, "t");
    assert_eq!(there.iter().map(|place| (&*place.0, place.3)).collect::<Vec<_>>(), [(second, false)]);
    drop(client);

    // Once without a word, and once in order.
    node.kill();
    disk.power_cut(PowerCut::Strict);
    node.restart();
    for _ in 0..2 {
        assert_eq!((home(&node, "t"), named(&node, "t")), (second.to_owned(), second.to_owned()));
        let mut client = node.client();
        assert_eq!(client.all("t"), ["a", "b", "c", "last", "after"]);
        assert_eq!(client.offset("t", EARLIEST).offset, 41);
        assert_eq!(client.append("t", from_producer(id, 0, 41, &["after"])), 44);
        drop(client);
        node.stop();
        assert_eq!(folders(&disk, "t"), [format!("{second}/t-0")]);
        node.restart();
    }
    let mut client = node.client();
    assert_eq!(moved(&node, &mut client, "t"), first, "and back");
    assert_eq!(client.append("t", from_producer(id, 0, 42, &["back"])), 45);
}

#[test]
fn a_partition_moves_while_it_is_written_and_read() {
    let disk = SimDisk::new(2);
    let node = two(&disk);
    let mut client = node.client();
    client.create("t", &[]);
    let mut written = 0;
    for round in 0..4 {
        let to = other(&home(&node, "t"));
        assert_eq!(alter(&mut client, "t", to), ErrorCode::None);
        let begun = written;
        while home(&node, "t") != to || written < begun + 20 {
            assert_eq!(client.append("t", batch(&[&written.to_string()])), written, "round {round}");
            written += 1;
            assert_eq!(client.offset("t", LATEST).offset, written);
        }
        arrived(&node, &mut client, "t", to);
    }
    let expected: Vec<String> = (0..written).map(|value| value.to_string()).collect();
    assert_eq!(client.all("t"), expected);
}

#[test]
fn a_partition_without_records_moves_as_well() {
    let disk = SimDisk::new(3);
    let mut node = two(&disk);
    let mut client = node.client();
    client.create("t", &[]);
    let to = moved(&node, &mut client, "t");
    assert_eq!(client.append("t", batch(&["a"])), 0);
    drop(client);
    node.kill();
    disk.power_cut(PowerCut::Strict);
    node.restart();
    assert_eq!((node.client().all("t"), home(&node, "t").as_str()), (vec!["a".to_owned()], to));
}

#[test]
fn what_cannot_move_is_told_as_kafka_tells_it() {
    let disk = SimDisk::new(4);
    let node = two(&disk);
    let mut client = node.client();
    client.create("t", &[]);
    let here = home(&node, "t");
    assert_eq!(alter(&mut client, "t", &here), ErrorCode::None, "it is there");
    assert!(node.node().moves.all().is_empty());
    assert_eq!(alter(&mut client, "t", "/c"), ErrorCode::LogDirNotFound);
    assert_eq!(alter(&mut client, "t", "a"), ErrorCode::LogDirNotFound, "a whole path is wanted");
    assert_eq!(alter(&mut client, "nowhere", other(&here)), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(alter(&mut client, &"t".repeat(240), other(&here)), ErrorCode::InvalidTopicException);
    set(&mut client, "cordoned.log.dirs", "*");
    assert_eq!(alter(&mut client, "t", other(&here)), ErrorCode::InvalidReplicaAssignment);
    set(&mut client, "cordoned.log.dirs", "");
    client.create("u", &[]);
    disk.fail(Fault::new(Op::Write, When::Next).on("/b/riverrun.journal"));
    let there = if here == "/b" { "t" } else { "u" };
    assert_eq!(code(client.produce(there, batch(&["a"])).error_code), ErrorCode::KafkaStorageError);
    for topic in ["t", "u"] {
        assert_eq!(alter(&mut client, topic, "/b"), ErrorCode::KafkaStorageError);
    }
    assert_eq!(alter(&mut client, there, "/a"), ErrorCode::KafkaStorageError);
}

#[test]
fn a_topic_of_which_no_partition_is_to_move_is_not_answered() {
    let node = two(&SimDisk::new(4));
    let mut client = node.client();
    let topics = vec![AlterReplicaLogDirTopic { name: "t".to_owned(), partitions: Vec::new() }];
    let dirs = vec![AlterReplicaLogDir { path: "/a".to_owned(), topics }];
    assert_eq!(client.call(2, &AlterReplicaLogDirsRequest { dirs }).results, []);
}

#[test]
fn a_topic_is_created_in_the_directory_that_was_asked_for_before() {
    let disk = SimDisk::new(5);
    let node = two(&disk);
    let mut client = node.client();
    for topic in ["t", "u", "v"] {
        assert_eq!(alter(&mut client, topic, "/b"), ErrorCode::UnknownTopicOrPartition);
        client.create(topic, &[]);
        assert_eq!((home(&node, topic), named(&node, topic)), ("/b".to_owned(), "/b".to_owned()));
    }
}

#[test]
fn a_move_is_throttled_and_shown_and_can_be_taken_back() {
    let disk = SimDisk::new(6);
    let node = two(&disk);
    let mut client = node.client();
    client.create("t", &[]);
    for _ in 0..30 {
        client.append("t", batch(&[&"x".repeat(100_000)]));
    }
    set(&mut client, "replica.alter.log.dirs.io.max.bytes.per.second", "100000");
    let here = home(&node, "t");
    let to = other(&here);
    assert_eq!(alter(&mut client, "t", to), ErrorCode::None);
    let begun = |client: &mut Client| {
        let places = places(client, "t");
        places.iter().any(|place| place.3 && place.1 > 0 && place.2 > 0)
    };
    assert!((0..100_000).any(|_| begun(&mut client)), "it is on its way");
    let told = places(&mut client, "t");
    assert_eq!(told.iter().filter(|place| place.3).map(|place| &*place.0).collect::<Vec<_>>(), [to]);
    assert_eq!(told.iter().filter(|place| !place.3).map(|place| &*place.0).collect::<Vec<_>>(), [&*here]);
    assert_eq!(client.append("t", batch(&["meanwhile"])), 30);
    assert_eq!(alter(&mut client, "t", &here), ErrorCode::None);
    assert_eq!(places(&mut client, "t").len(), 1);
    let gone = |client: &mut Client| {
        client.offset("t", LATEST);
        folders(&disk, "t") == [format!("{here}/t-0")]
    };
    assert!((0..100_000).any(|_| gone(&mut client)), "{:?}", folders(&disk, "t"));
    assert_eq!((home(&node, "t"), named(&node, "t")), (here.clone(), here));
}

#[test]
fn a_move_at_a_rate_of_nothing_crawls_until_there_is_one() {
    let disk = SimDisk::new(8);
    let settings = [&TWO[..], &["alter.log.dirs.replication.quota.window.num=3600"]].concat();
    let node = TestNode::start_on_with(&disk, &settings);
    let mut client = node.client();
    client.create("t", &[]);
    for _ in 0..30 {
        client.append("t", batch(&[&"x".repeat(100_000)]));
    }
    set(&mut client, "replica.alter.log.dirs.io.max.bytes.per.second", "0");
    let to = other(&home(&node, "t"));
    assert_eq!(alter(&mut client, "t", to), ErrorCode::None);
    let copied = |client: &mut Client| {
        places(client, "t").iter().find(|place| place.3 && place.1 > 0).map(|place| place.1)
    };
    let first = (0..100_000).find_map(|_| copied(&mut client)).expect("a little is copied at once");
    assert!(first <= 1 << 20, "{first}");
    for _ in 0..200 {
        assert_eq!(copied(&mut client), Some(first), "and then nothing for an hour");
    }
    set(&mut client, "replica.alter.log.dirs.io.max.bytes.per.second", "1000000000");
    arrived(&node, &mut client, "t", to);
}

#[test]
fn a_topic_that_is_deleted_on_its_way_leaves_nothing() {
    let disk = SimDisk::new(7);
    let node = two(&disk);
    let mut client = node.client();
    client.create("t", &[]);
    client.create("u", &[]);
    for _ in 0..10 {
        client.append("t", batch(&[&"x".repeat(200_000)]));
    }
    set(&mut client, "replica.alter.log.dirs.io.max.bytes.per.second", "1000000");
    let to = other(&home(&node, "t"));
    assert_eq!(alter(&mut client, "t", to), ErrorCode::None);
    client.delete("t");
    let gone = |client: &mut Client| {
        client.offset("u", LATEST);
        folders(&disk, "t").is_empty() && node.node().moves.all().is_empty()
    };
    assert!((0..200_000).any(|_| gone(&mut client)), "{:?}", folders(&disk, "t"));
}

#[test]
fn a_target_that_fails_leaves_the_partition_where_it_is() {
    let disk = SimDisk::new(8);
    let node = two(&disk);
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a"]));
    let here = home(&node, "t");
    disk.fail(Fault::new(Op::Write, When::Every(1)).on(&format!("{}/t-0.", other(&here))));
    assert_eq!(alter(&mut client, "t", other(&here)), ErrorCode::None);
    let ended = |client: &mut Client| {
        client.offset("t", LATEST);
        node.node().moves.all().is_empty()
    };
    assert!((0..100_000).any(|_| ended(&mut client)));
    assert_eq!((home(&node, "t"), client.all("t")), (here, vec!["a".to_owned()]));
    assert_eq!(client.append("t", batch(&["b"])), 1);
    assert_eq!(node.node().dirs.offline_count(), 1, "its disk is to blame");
}

/// A node with a topic that begins to move and whose disk stops at a change. Returns what was acknowledged, and whether the
/// disk stopped at all.
fn crashed(disk: &SimDisk, at: u64) -> (TestNode, Vec<String>, bool) {
    let mut node = two(disk);
    let mut client = node.client();
    client.create("t", &[]);
    let id = client.producer_id();
    let mut acknowledged = Vec::new();
    for sequence in 0..3 {
        client.append("t", from_producer(id, 0, sequence, &[&format!("before-{sequence}")]));
        acknowledged.push(format!("before-{sequence}"));
    }
    let to = other(&home(&node, "t"));
    disk.halt_after(at);
    if alter(&mut client, "t", to) == ErrorCode::None {
        for sequence in 3..200 {
            let value = format!("during-{sequence}");
            let told = client.produce("t", from_producer(id, 0, sequence, &[&value]));
            if told.error_code != 0 {
                break;
            }
            acknowledged.push(value);
            if home(&node, "t") == to && sequence > 20 {
                break;
            }
        }
    }
    let halted = disk.is_halted();
    drop(client);
    node.kill();
    (node, acknowledged, halted)
}

/// What can be read begins with all that was acknowledged.
fn has_all(client: &mut Client, acknowledged: &[String], at: u64) {
    let told = client.fetch("t", 0).error_code;
    assert_eq!(code(told), ErrorCode::None, "halted at {at}");
    let all = client.all("t");
    assert!(all.starts_with(acknowledged), "halted at {at}: {all:?} lacks some of {acknowledged:?}");
    assert!(all.len() <= acknowledged.len() + 1, "halted at {at}: {all:?}");
}

#[test]
fn a_crash_at_any_change_of_a_move_loses_nothing_and_the_move_ends_afterwards() {
    for at in 0..400 {
        let disk = SimDisk::new(at);
        let (mut node, acknowledged, halted) = crashed(&disk, at);
        let cut = if at % 2 == 0 { PowerCut::Strict } else { PowerCut::Chance(at) };
        disk.power_cut(cut);
        node.restart();
        let mut client = node.client();
        has_all(&mut client, &acknowledged, at);
        let end = client.append("t", batch(&["after"]));
        let still = |client: &mut Client| {
            client.offset("t", LATEST);
            !node.node().moves.all().is_empty()
        };
        assert!((0..100_000).any(|_| !still(&mut client)), "halted at {at}");
        assert_eq!(home(&node, "t"), named(&node, "t"), "halted at {at}");
        assert_eq!(client.append("t", batch(&["later"])), end + 1, "halted at {at}");
        drop(client);
        node.kill();
        disk.power_cut(PowerCut::Strict);
        node.restart();
        let all = node.client().all("t");
        assert!(all.ends_with(&["after".to_owned(), "later".to_owned()]), "halted at {at}: {all:?}");
        if !halted {
            assert!(at > 40, "the move has more changes than {at}");
            return;
        }
    }
    panic!("it always halts");
}

#[test]
fn a_directory_that_is_lost_in_a_crash_of_a_move_hides_records_and_never_replaces_them() {
    let (mut served, mut refused) = (0, 0);
    for at in 0..400 {
        {
            let disk = SimDisk::new(at);
            let (mut node, acknowledged, halted) = crashed(&disk, at);
            disk.power_cut(PowerCut::Strict);
            // Only a directory without the metadata can be lost.
            for op in [Op::Open, Op::Write, Op::Sync, Op::SyncDir, Op::Rename, Op::CreateDir] {
                disk.fail(Fault::new(op, When::Every(1)).on("/b"));
            }
            node.restart();
            let mut client = node.client();
            let told = client.produce("t", batch(&["alone"]));
            let mut expected = acknowledged.clone();
            if told.error_code == 0 {
                expected = client.all("t");
                assert!(expected.starts_with(&acknowledged), "halted at {at}: {expected:?}");
                assert_eq!(expected.last().map(String::as_str), Some("alone"));
                served += 1;
            } else {
                assert_eq!(code(told.error_code), ErrorCode::KafkaStorageError, "halted at {at}");
                refused += 1;
            }
            drop(client);
            node.kill();
            disk.power_cut(PowerCut::Strict);
            disk.clear_faults();
            node.restart();
            has_all(&mut node.client(), &expected, at);
            if !halted {
                assert!(served > 0 && refused > 0, "{served} {refused}");
                return;
            }
        }
    }
    panic!("it always halts");
}

#[test]
fn a_copy_alone_is_never_taken_for_the_log() {
    let disk = SimDisk::new(9);
    let mut node = two(&disk);
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a"]));
    let here = home(&node, "t");
    drop(client);
    node.stop();
    let copy = format!("{}/t-0.{:032x}-future", other(&here), 7);
    let original = format!("{here}/t-0");
    disk.rename(std::path::Path::new(&original), std::path::Path::new(&copy)).expect("it is there");
    node.restart();
    let mut client = node.client();
    assert_eq!(code(client.produce("t", batch(&["b"])).error_code), ErrorCode::KafkaStorageError);
    drop(client);
    node.stop();
    assert_eq!(folders(&disk, "t"), [copy], "nobody but an operator touches it");
}
