//! Finding the coordinator.

use kernel::ErrorCode;
use wire::messages::find_coordinator_request::FindCoordinatorRequest;

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
