//! Partitions that nobody uses: what they cost, and that nothing of them is forgotten.

use std::path::Path;

use sim::{Fault, Op, PowerCut, SimDisk, When};
use wire::messages::list_offsets_request::ListOffsetsPartition;
use wire::messages::produce_request::PartitionProduceData;
use wire::primitive::Records;

use crate::client::{
    EARLIEST, LATEST, PRODUCE, batch, create_request, from_producer, list_offsets_request, produce_request,
};
use crate::support::{Client, TestNode};

/// More than `log.shutdown.single.syncs.max`, so that a stop syncs the directory as a whole.
const MANY: i32 = 148;

const MARK: &str = "/data/.kafka_cleanshutdown";

/// A topic with a record in each of many partitions.
fn fill(client: &mut Client) {
    let mut request = create_request("many", &[]);
    request.topics[0].num_partitions = MANY;
    assert_eq!(client.call(7, &request).topics[0].error_code, 0);
    let mut request = produce_request("many", -1, batch(&["a"]));
    request.topic_data[0].partition_data = (0..MANY)
        .map(|index| PartitionProduceData { index, records: Records::Bytes(batch(&["a"])) })
        .collect();
    let answers = client.call(PRODUCE, &request).responses.remove(0).partition_responses;
    assert!(answers.len() == MANY as usize && answers.iter().all(|answer| answer.error_code == 0));
}

/// Where each of them ends.
fn ends(client: &mut Client) -> Vec<i64> {
    let mut request = list_offsets_request("many", LATEST);
    request.topics[0].partitions = (0..MANY)
        .map(|partition_index| ListOffsetsPartition {
            partition_index,
            timestamp: LATEST,
            ..ListOffsetsPartition::default()
        })
        .collect();
    client.call(11, &request).topics[0].partitions.iter().map(|one| one.offset).collect()
}

#[test]
fn a_stop_with_many_unsynced_logs_makes_all_durable_before_it_is_called_clean() {
    let disk = SimDisk::new(1);
    let mut node = TestNode::start_on(&disk);
    let mut client = node.client();
    fill(&mut client);
    client.create("p", &[]);
    let id = client.producer_id();
    client.append("p", from_producer(id, 0, 0, &["a"]));
    node.stop();
    disk.power_cut(PowerCut::Strict);
    assert!(disk.port().exists(Path::new(MARK)));
    node.restart();
    let mut client = node.client();
    assert_eq!(node.node().awake.open(), 0, "nothing needs to be looked at");
    assert_eq!(ends(&mut client), vec![1; MANY as usize]);
    assert_eq!(client.all("many"), ["a"]);
    assert_eq!(client.append("p", from_producer(id, 0, 0, &["a"])), 0, "the producer is known");
    assert_eq!(client.append("many", batch(&["b"])), 1);
}

#[test]
fn a_stop_whose_sync_of_all_logs_fails_is_not_called_clean_and_loses_nothing() {
    let disk = SimDisk::new(1);
    let mut node = TestNode::start_on(&disk);
    fill(&mut node.client());
    disk.fail(Fault::new(Op::Sync, When::Every(1)).on("many-7/"));
    node.stop();
    disk.clear_faults();
    disk.power_cut(PowerCut::Strict);
    assert!(!disk.port().exists(Path::new(MARK)));
    node.restart();
    let mut client = node.client();
    assert_eq!(ends(&mut client), vec![1; MANY as usize]);
    assert_eq!(client.all("many"), ["a"]);
}

#[test]
fn a_stop_with_many_unsynced_logs_can_be_cut_anywhere() {
    for cut in [0, 1, 40, 200, 500, 900, 1_400] {
        let disk = SimDisk::new(cut);
        let mut node = TestNode::start_on(&disk);
        fill(&mut node.client());
        disk.halt_after(cut);
        node.halt();
        let how = if cut == 0 { PowerCut::Strict } else { PowerCut::Chance(cut) };
        disk.power_cut(how);
        node.restart();
        assert_eq!(ends(&mut node.client()), vec![1; MANY as usize], "after {cut} changes");
    }
}

#[test]
fn a_partition_has_no_files_until_its_first_record() {
    let mut node = TestNode::start("unwritten");
    let mut client = node.client();
    client.create("t", &[]);
    assert_eq!((client.offset("t", LATEST).offset, client.offset("t", EARLIEST).offset), (0, 0));
    assert_eq!(client.fetch("t", 0).high_watermark, 0);
    client.create("u", &[]);
    let folder = node.dir().join("u-0");
    assert!(!folder.exists());
    node.stop();
    node.restart();
    assert!(!folder.exists());
    assert_eq!(node.client().append("u", batch(&["first"])), 0);
    assert!(folder.exists());
    node.kill();
    node.restart();
    assert_eq!(node.client().all("u"), ["first"]);
}

#[test]
fn a_clean_start_opens_no_log_until_somebody_uses_it() {
    let mut node = TestNode::start("asleep");
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a", "b"]));
    node.stop();
    node.restart();
    assert_eq!(node.node().awake.open(), 0);
    let mut client = node.client();
    assert_eq!(client.offset("t", LATEST).offset, 2);
    assert_eq!(client.fetch("t", 2).high_watermark, 2);
    assert_eq!(node.node().awake.open(), 0, "who has read all wakes nothing");
    assert_eq!(client.all("t"), ["a", "b"]);
    assert_eq!(client.append("t", batch(&["c"])), 2);
    assert_eq!(node.node().awake.open(), 1);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "it changes files behind the node's back")]
fn files_that_changed_while_the_node_was_down_count_more_than_what_was_remembered() {
    let mut node = TestNode::start("changed");
    let mut client = node.client();
    client.create("gone", &[]);
    client.create("kept", &[]);
    client.append("gone", batch(&["a"]));
    client.append("kept", batch(&["a"]));
    node.stop();
    std::fs::remove_dir_all(node.dir().join("gone-0")).unwrap();
    let mark = node.dir().join(".kafka_cleanshutdown");
    node.restart();
    let mut client = node.client();
    assert_eq!(client.all("kept"), ["a"]);
    assert_eq!(client.append("gone", batch(&["b"])), 0, "its records are gone with its folder");
    node.stop();
    // As another process leaves it that has used the directory in between.
    std::fs::write(&mark, "{\"version\":0,\"brokerEpoch\":99999}").unwrap();
    node.restart();
    assert_eq!(node.client().all("gone"), ["b"]);
}

#[test]
fn after_a_crash_a_log_is_opened_once_somebody_uses_it_or_the_journal_has_something_for_it() {
    let mut node = TestNode::start("asleep-after-crash");
    let mut client = node.client();
    for topic in ["used", "idle", "unread"] {
        client.create(topic, &[]);
        client.append(topic, batch(&["a"]));
    }
    node.stop();
    node.restart();
    node.client().append("used", batch(&["b"]));
    node.kill();
    node.restart();
    assert_eq!(node.node().awake.open(), 1, "only the journal's");
    let mut client = node.client();
    assert_eq!(client.offset("idle", LATEST).offset, 1);
    assert_eq!(client.all("idle"), ["a"]);
    assert_eq!(client.all("used"), ["a", "b"]);
    // A second crash, before anybody has looked at the third.
    node.kill();
    node.restart();
    assert_eq!(node.client().all("unread"), ["a"]);
    node.stop();
    node.restart();
    assert_eq!(node.client().all("unread"), ["a"]);
}

#[test]
fn what_no_journal_has_is_found_after_a_kill() {
    let mut node = TestNode::start("relaxed-after-kill");
    let mut client = node.client();
    client.create("t", &[("write.caching", "true")]);
    client.append("t", batch(&["a", "b"]));
    node.kill();
    node.restart();
    let mut client = node.client();
    assert_eq!(client.offset("t", LATEST).offset, 2);
    assert_eq!(client.append("t", batch(&["c"])), 2);
    assert_eq!(client.all("t"), ["a", "b", "c"]);
}

#[test]
fn the_folder_of_an_earlier_topic_of_the_same_name_is_set_aside_when_its_log_wakes() {
    let mut node = TestNode::start("former-topic");
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["old"]));
    let folder = node.dir().join("t-0");
    let former = crate::recovery::files::read(&folder.join("partition.metadata"));
    node.kill();
    let text = String::from_utf8(former).expect("text");
    let (before, _) = text.split_once("topic_id: ").expect("names the topic");
    let other = format!("{before}topic_id: P5l3TKHXRaGHCb9YWnKPGw");
    crate::recovery::files::write(&folder.join("partition.metadata"), other.as_bytes());
    node.restart();
    assert_eq!(node.client().all("t"), ["old"], "what the journal has for this one");
    let names = crate::recovery::files::names(node.dir());
    assert!(names.iter().any(|name| name.starts_with("t-0.") && name.ends_with("-stray")), "{names:?}");
}
