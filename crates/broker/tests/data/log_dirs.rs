//! Several log directories, one of which fails: at the start, and while the node runs.

use std::collections::BTreeMap;

use kernel::ErrorCode;
use sim::{Fault, Op, PowerCut, SimDisk, When};
use wire::messages::describe_log_dirs_request::DescribeLogDirsRequest;

use crate::client::{LATEST, batch, code, fetch_request, values};
use crate::support::{Client, TestNode};

const TWO: [&str; 2] = ["log.dirs=/a,/b", "metadata.log.dir=/a"];
const STORAGE: ErrorCode = ErrorCode::KafkaStorageError;

/// A node with a topic in each of its two directories, `t` in the first and `u` in the second, with a record in each.
fn two(disk: &SimDisk) -> TestNode {
    let node = TestNode::start_on_with(disk, &TWO);
    let mut client = node.client();
    for topic in ["t", "u"] {
        client.create(topic, &[]);
        client.append(topic, batch(&["a"]));
    }
    assert_eq!((home(&node, "t"), home(&node, "u")), ("/a".to_owned(), "/b".to_owned()));
    node
}

fn home(node: &TestNode, topic: &str) -> String {
    let partition = node.node().hosted.partition(topic, 0).expect("it is open");
    partition.home().path.display().to_string()
}

fn lose(disk: &SimDisk, dir: &str) {
    for op in [Op::Open, Op::Read, Op::Write, Op::SetLen, Op::Sync, Op::SyncDir, Op::Rename, Op::CreateDir] {
        disk.fail(Fault::new(op, When::Every(1)).on(dir));
    }
}

/// What is told of each directory: an error, and its partitions.
fn told(client: &mut Client) -> BTreeMap<String, (ErrorCode, usize)> {
    let dirs = client.call(4, &DescribeLogDirsRequest { topics: None }).results.into_iter();
    let dirs = dirs.map(|dir| {
        let partitions = dir.topics.iter().map(|topic| topic.partitions.len()).sum();
        (dir.log_dir, (code(dir.error_code), partitions))
    });
    dirs.collect()
}

fn dirs(first: (ErrorCode, usize), second: (ErrorCode, usize)) -> BTreeMap<String, (ErrorCode, usize)> {
    BTreeMap::from([("/a".to_owned(), first), ("/b".to_owned(), second)])
}

/// The error, leader and offline replicas of a topic's partition.
fn state(client: &mut Client, topic: &str) -> (ErrorCode, i32, Vec<i32>) {
    let topic = wire::messages::metadata_request::MetadataRequestTopic {
        name: Some(topic.to_owned()),
        ..Default::default()
    };
    let request =
        wire::messages::metadata_request::MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    let told = client.call(12, &request).topics.remove(0).partitions.remove(0);
    (code(told.error_code), told.leader_id, told.offline_replicas)
}

fn is_lost(client: &mut Client, topic: &str) {
    assert_eq!(code(client.produce(topic, batch(&["b"])).error_code), STORAGE);
    assert_eq!(code(client.fetch(topic, 0).error_code), STORAGE);
    assert_eq!(code(client.offset(topic, LATEST).error_code), STORAGE);
    assert_eq!(state(client, topic), (ErrorCode::LeaderNotAvailable, -1, vec![1]));
}

#[test]
fn a_start_goes_on_without_a_directory_that_cannot_be_used_and_makes_nothing_in_its_place() {
    let disk = SimDisk::new(1);
    let mut node = two(&disk);
    let mut client = node.client();
    client.create("unwritten", &[]);
    client.create("unwritten-too", &[]);
    drop(client);
    let second = ["unwritten", "unwritten-too"].map(|topic| home(&node, topic) == "/b");
    assert!(second.contains(&true), "one of them is there");
    node.stop();
    lose(&disk, "/b");
    node.restart();
    assert_eq!(node.node().dirs.offline_count(), 1);
    let mut client = node.client();
    assert_eq!(client.append("t", batch(&["b"])), 1);
    is_lost(&mut client, "u");
    for (topic, lost) in ["unwritten", "unwritten-too"].into_iter().zip(second) {
        let expected = if lost { STORAGE } else { ErrorCode::None };
        assert_eq!(code(client.produce(topic, batch(&["a"])).error_code), expected, "{topic}");
    }
    assert_eq!(told(&mut client), dirs((ErrorCode::None, 2), (STORAGE, 0)));
    client.create("new", &[]);
    assert_eq!(client.append("new", batch(&["a"])), 0);
    assert_eq!(home(&node, "new"), "/a");
    drop(client);
    node.stop();
    disk.clear_faults();
    node.restart();
    let mut client = node.client();
    assert_eq!((client.all("t").len(), client.all("u").len()), (2, 1));
    assert_eq!(client.append("u", batch(&["b"])), 1);
    assert_eq!(told(&mut client), dirs((ErrorCode::None, 3), (ErrorCode::None, 2)));
    assert_eq!(node.node().dirs.offline_count(), 0);
}

#[test]
fn what_was_only_in_the_journal_of_a_lost_directory_is_there_once_it_comes_back() {
    let disk = SimDisk::new(2);
    let mut node = two(&disk);
    node.kill();
    disk.power_cut(PowerCut::Strict);
    lose(&disk, "/b");
    node.restart();
    let mut client = node.client();
    assert_eq!(client.all("t"), ["a"]);
    is_lost(&mut client, "u");
    drop(client);
    node.kill();
    disk.power_cut(PowerCut::Strict);
    disk.clear_faults();
    node.restart();
    assert_eq!(
        (node.client().all("t"), node.client().all("u")),
        (vec!["a".to_owned()], vec!["a".to_owned()])
    );
}

#[test]
fn a_directory_that_fails_while_its_journal_is_replayed_is_not_read_either() {
    let disk = SimDisk::new(11);
    let mut node = two(&disk);
    let mut client = node.client();
    client.append("u", batch(&["b"]));
    drop(client);
    node.kill();
    disk.power_cut(PowerCut::Strict);
    // What the journal has cannot be brought into the log.
    disk.fail(Fault::new(Op::Write, When::Every(1)).on("/b/u-0/00000000000000000000.log"));
    node.restart();
    let mut client = node.client();
    is_lost(&mut client, "u");
    assert_eq!(told(&mut client)["/b"].0, STORAGE);
    assert_eq!(client.append("t", batch(&["b"])), 1);
    drop(client);
    node.kill();
    disk.power_cut(PowerCut::Strict);
    disk.clear_faults();
    node.restart();
    assert_eq!(node.client().all("u"), ["a", "b"]);
}

#[test]
fn partitions_of_a_directory_that_is_not_configured_any_more_are_not_begun_anew() {
    let disk = SimDisk::new(3);
    let mut node = two(&disk);
    node.stop();
    node.set("log.dirs=/a,/c");
    // The directory counts as gone at the first start only; what is known of the partition counts at each.
    for _ in 0..2 {
        node.restart();
        let mut client = node.client();
        is_lost(&mut client, "u");
        client.append("t", batch(&["b"]));
        drop(client);
        node.stop();
    }
    node.set("log.dirs=/a,/c,/b");
    node.restart();
    assert_eq!(node.client().all("u"), ["a"]);
}

#[test]
fn a_topic_of_a_lost_directory_can_be_deleted_and_created_anew() {
    let disk = SimDisk::new(4);
    let mut node = two(&disk);
    node.stop();
    lose(&disk, "/b");
    node.restart();
    let mut client = node.client();
    client.delete("u");
    client.create("u", &[]);
    assert_eq!(client.append("u", batch(&["new"])), 0);
    drop(client);
    node.stop();
    disk.clear_faults();
    node.restart();
    assert_eq!(node.client().all("u"), ["new"], "the old files are of another topic");
}

#[test]
fn a_node_does_not_start_without_its_metadata_or_without_any_directory() {
    let disk = SimDisk::new(5);
    let mut node = two(&disk);
    node.stop();
    lose(&disk, "/a");
    let why = node.try_restart().expect_err("the metadata is there").to_string();
    assert!(why.contains("metadata log") && why.contains("/a"), "{why}");
    lose(&disk, "/b");
    let why = node.try_restart().expect_err("nothing is left").to_string();
    assert!(why.contains("/a") && why.contains("/b"), "{why}");
    disk.clear_faults();
    node.restart();
    assert_eq!((node.client().all("t").len(), node.client().all("u").len()), (1, 1));
}

#[test]
fn a_directory_that_cannot_be_used_never_hides_which_cluster_it_is_of() {
    let disk = SimDisk::new(6);
    let mut node = TestNode::start_on_with(&disk, &["log.dirs=/b"]);
    node.stop();
    lose(&disk, "/b");
    node.set("log.dirs=/a,/b");
    node.set("metadata.log.dir=/a");
    let why = node.try_restart().expect_err("the first is new").to_string();
    assert!(why.contains("which cluster"), "{why}");
}

#[test]
fn a_directory_whose_journal_fails_goes_offline_and_the_others_go_on() {
    let disk = SimDisk::new(7);
    let mut node = two(&disk);
    let mut client = node.client();
    disk.fail(Fault::new(Op::Write, When::Next).on("/b/riverrun.journal"));
    assert_eq!(code(client.produce("u", batch(&["b"])).error_code), STORAGE);
    offline_but_read(&node, &mut client);
    drop(client);
    cut_power_and_look(&mut node, &disk);
}

/// Creates two topics, one in each directory. Returns the one that is not in the first.
fn topic_beside(node: &TestNode, client: &mut Client) -> &'static str {
    client.create("w", &[]);
    client.create("x", &[]);
    if home(node, "w") == "/b" { "w" } else { "x" }
}

#[test]
fn a_directory_whose_segments_cannot_be_written_or_read_goes_offline_and_the_others_go_on() {
    for (op, seed) in [(Op::Write, 8), (Op::Read, 9)] {
        let disk = SimDisk::new(seed);
        let mut node = two(&disk);
        let mut client = node.client();
        let beside = topic_beside(&node, &mut client);
        client.append(beside, batch(&["a"]));
        if op == Op::Read {
            drop(client);
            node.stop();
            node.restart();
            client = node.client();
            // It is open from here on; one that cannot be opened is offline alone.
            client.offset(beside, 1000);
            disk.fail(Fault::new(op, When::Every(1)).on(&format!("/b/{beside}-0/00000000000000000000.log")));
            assert_eq!(code(client.fetch(beside, 0).error_code), STORAGE);
        } else {
            disk.fail(Fault::new(op, When::Next).on(&format!("/b/{beside}-0/")));
            assert_eq!(code(client.produce(beside, batch(&["b"])).error_code), STORAGE);
        }
        client.delete(beside);
        offline_but_read(&node, &mut client);
        drop(client);
        cut_power_and_look(&mut node, &disk);
    }
}

#[test]
fn a_directory_that_fails_while_records_are_sent_or_looked_for_goes_offline() {
    for (what, seed) in [("sent", 21), ("looked for", 22)] {
        let disk = SimDisk::new(seed);
        let mut node = two(&disk);
        let mut client = node.client();
        let beside = topic_beside(&node, &mut client);
        client.append(beside, batch(&["a"]));
        assert_eq!(values(&client.fetch(beside, 0)), ["a"]);
        disk.fail(Fault::new(Op::Read, When::Every(1)).on(&format!("/b/{beside}-0/")));
        if what == "sent" {
            // Nothing is read before the answer has begun: what was just written is sound.
            let sent = client.send(12, &fetch_request(beside, 0));
            assert!(client.try_receive(sent).is_none(), "the connection ends within the answer");
            client = node.client();
            assert_eq!(code(client.fetch(beside, 0).error_code), STORAGE, "from then on it is said");
        } else {
            assert_eq!(code(client.offset(beside, 1_000).error_code), STORAGE);
        }
        client.delete(beside);
        offline_but_read(&node, &mut client);
        drop(client);
        cut_power_and_look(&mut node, &disk);
    }
}

/// The second directory of [`two`] is offline, which everybody is told who asks.
fn offline_but_read(node: &TestNode, client: &mut Client) {
    assert_eq!(code(client.produce("u", batch(&["b"])).error_code), STORAGE, "until it is opened again");
    assert_eq!(code(client.delete_records("u", 1).error_code), STORAGE);
    assert_eq!(values(&client.fetch("u", 0)), ["a"], "what was acknowledged can be read");
    assert_eq!(client.append("t", batch(&["b"])), 1);
    assert_eq!(state(client, "u"), (ErrorCode::None, 1, vec![1]));
    assert_eq!(state(client, "t"), (ErrorCode::None, 1, vec![]));
    assert_eq!(told(client)["/b"], (STORAGE, 0));
    assert_eq!(node.node().dirs.offline_count(), 1);
    let before = told(client)["/a"].1;
    for topic in ["y", "z"] {
        client.create(topic, &[]);
        assert_eq!(client.append(topic, batch(&["a"])), 0);
    }
    assert_eq!(told(client)["/a"], (ErrorCode::None, before + 2));
    let registered = || node.node().image().broker(node.node().id).expect("it is registered").log_dirs.len();
    while registered() == 2 {
        client.offset("t", LATEST);
    }
    assert_eq!(registered(), 1);
}

fn cut_power_and_look(node: &mut TestNode, disk: &SimDisk) {
    node.kill();
    disk.power_cut(PowerCut::Strict);
    node.restart();
    let mut client = node.client();
    assert_eq!(
        (client.all("t"), client.all("u")),
        (vec!["a".to_owned(), "b".to_owned()], vec!["a".to_owned()])
    );
    assert_eq!(client.append("u", batch(&["b"])), 1);
    assert_eq!(state(&mut client, "u"), (ErrorCode::None, 1, vec![]));
    assert_eq!(node.node().dirs.offline_count(), 0);
}

#[test]
fn a_clean_stop_beside_a_failed_directory_leaves_only_that_one_to_be_verified() {
    let disk = SimDisk::new(10);
    let mut node = two(&disk);
    let mut client = node.client();
    disk.fail(Fault::new(Op::Write, When::Next).on("/b/riverrun.journal"));
    assert_eq!(code(client.produce("u", batch(&["b"])).error_code), STORAGE);
    drop(client);
    node.stop();
    disk.start_recording();
    node.restart();
    let read = disk.take_recording().into_iter().filter(|done| done.op == Op::Read && done.len > 0);
    let read: Vec<String> = read.map(|done| done.path.display().to_string()).collect();
    assert!(read.iter().any(|path| path.starts_with("/b/u-0/")), "{read:?}");
    assert!(!read.iter().any(|path| path.starts_with("/a/t-0/")), "{read:?}");
    assert_eq!((node.client().all("t").len(), node.client().all("u")[0].clone()), (1, "a".to_owned()));
}

#[expect(clippy::disallowed_methods, reason = "the directory of a test")]
#[test]
fn a_real_directory_that_is_none_any_more_is_done_without() {
    let name = "log-dirs-real";
    let paths = ["a", "b"].map(|dir| TestNode::dir_of(name).join(dir));
    let [first, second] = paths.clone().map(|path| path.display().to_string());
    let settings = [format!("log.dirs={first},{second}"), format!("metadata.log.dir={first}")];
    let mut node = TestNode::start_with(name, &settings.each_ref().map(String::as_str));
    let mut client = node.client();
    for topic in ["t", "u"] {
        client.create(topic, &[]);
        client.append(topic, batch(&["a"]));
    }
    drop(client);
    node.stop();
    let away = TestNode::dir_of(name).join("away");
    std::fs::rename(&paths[1], &away).expect("it is there");
    std::fs::write(&paths[1], "not a directory").expect("it can be written");
    node.restart();
    let mut client = node.client();
    is_lost(&mut client, "u");
    assert_eq!(client.append("t", batch(&["b"])), 1);
    drop(client);
    node.stop();
    std::fs::remove_file(&paths[1]).expect("it is there");
    std::fs::rename(&away, &paths[1]).expect("it is there");
    node.restart();
    assert_eq!((node.client().all("t").len(), node.client().all("u").len()), (2, 1));
}
