//! Partitions that nobody uses: what they cost, and that nothing of them is forgotten.

use crate::client::{EARLIEST, LATEST, batch};
use crate::support::TestNode;

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
