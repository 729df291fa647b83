//! Finding the coordinator.

use kernel::{ErrorCode, Uuid};
use sim::{Completions, Fault, Op, SimDisk, When};
use wire::messages::find_coordinator_request::FindCoordinatorRequest;
use wire::messages::offset_commit_response::OffsetCommitResponse;

use crate::offsets::{commit, commit_of};
use crate::support::TestNode;

#[test]
fn the_first_question_creates_the_topic_and_is_answered_at_once() {
    let node = TestNode::start("coordinator-found");
    let mut client = node.client();
    let port = i32::from(node.address().port());
    for version in 0..=3 {
        let found = client.call(version, &FindCoordinatorRequest { key: "g".into(), ..Default::default() });
        assert_eq!((found.error_code, found.node_id), (0, 1), "version {version}");
        assert_eq!((&*found.host, found.port), ("127.0.0.1", port), "version {version}");
    }
    for version in 4..=6 {
        let coordinator_keys = vec!["g".into(), "".into(), "other".into()];
        let found = client.call(version, &FindCoordinatorRequest { coordinator_keys, ..Default::default() });
        let keys: Vec<_> = found.coordinators.iter().map(|one| &*one.key).collect();
        assert_eq!(keys, ["g", "", "other"], "version {version}");
        for one in &found.coordinators {
            assert_eq!((one.error_code, one.node_id, &*one.host, one.port), (0, 1, "127.0.0.1", port));
        }
    }
    assert_eq!(client.topics(&["__consumer_offsets"]).topics[0].partitions.len(), 4);
}

#[test]
fn what_is_not_coordinated_here_is_refused_for_good() {
    let node = TestNode::start("coordinator-refused");
    let mut client = node.client();
    let mut code = |version: i16, key_type: i8| {
        let request = FindCoordinatorRequest { key: "k".into(), key_type, ..Default::default() };
        if version < 4 {
            return client.call(version, &request).error_code;
        }
        let request =
            FindCoordinatorRequest { coordinator_keys: vec!["k".into()], key: String::new(), ..request };
        client.call(version, &request).coordinators[0].error_code
    };
    for version in 1..=6 {
        assert_eq!(code(version, 1), ErrorCode::UnsupportedVersion.code(), "version {version}");
        let share = if version < 6 { ErrorCode::InvalidRequest } else { ErrorCode::UnsupportedVersion };
        assert_eq!(code(version, 2), share.code(), "version {version}");
        assert_eq!(code(version, 3), ErrorCode::InvalidRequest.code(), "version {version}");
    }
    assert_eq!(client.topics(&[]).topics.len(), 0, "nothing is created for it");
}

#[test]
fn a_disk_that_fails_under_a_coordinator_answers_all_who_wait_for_it() {
    let disk = SimDisk::new(1);
    let node = TestNode::start_on_with(&disk, &["offsets.topic.num.partitions=1"]);
    node.client().topics(&["__consumer_offsets", "t"]);
    assert_eq!(commit(&mut node.client(), "g", "t", &[(0, 1)]), [(0, 0)]);
    disk.set_completions(Completions::Queued);
    let offsets = node.node().hosted.partition("__consumer_offsets", 0).expect("it was created");
    let mut waiting = Vec::new();
    for offset in 2..4 {
        // One is on its way to the disk, the other one waits for the next write.
        let end = offsets.log().end_offset();
        let mut client = node.client();
        let sent = client.send(8, &commit_of("g", "t", Uuid::ZERO, &[(0, offset)]));
        waiting.push((client, sent));
        while offsets.log().end_offset() == end || disk.pending_completions() == 0 {
            node.client().topics(&[]);
        }
    }
    // The next append finds the disk failing, which answers who waits, while the coordinator is at work.
    disk.fail(Fault::new(Op::Write, When::Every(1)).on("__consumer_offsets-0"));
    let mut other = node.client();
    let refused = other.send(8, &commit_of("other", "t", Uuid::ZERO, &[(0, 1)]));
    while offsets.home().is_online() {
        node.client().topics(&[]);
    }
    disk.set_completions(Completions::Immediate);
    disk.run_completions();
    let code = |answer: OffsetCommitResponse| answer.topics[0].partitions[0].error_code;
    let codes: Vec<i16> = waiting.into_iter().map(|(mut client, sent)| code(client.receive(sent))).collect();
    assert!(codes[1] != 0 && code(other.receive(refused)) != 0, "neither is durable: {codes:?}");
}
