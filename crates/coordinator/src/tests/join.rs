use kernel::ErrorCode;

use super::*;

#[test]
fn the_first_member_creates_the_group_and_is_sent_back_for_its_id() {
    let mut world = World::new();
    assert_eq!(
        world.join(joining("")),
        [format!("#1 join MEMBER_ID_REQUIRED {}", id(1)), "log: g generation 0 - leader - []".into()]
    );
    assert_eq!(world.state(), "Empty []");
    // It waits for more members to start.
    assert_eq!(world.join(joining(&id(1))), [] as [&str; 0]);
    assert_eq!(world.state(), format!("PreparingRebalance [{}]", id(1)));
    assert_eq!(world.pass(3), [format!("#2 join {0}: generation 1 range leader {0} [{0}]", id(1))]);
    assert_eq!(world.state(), format!("CompletingRebalance [{}]", id(1)));
}

#[test]
fn before_version_4_a_member_gets_its_id_with_its_place() {
    let mut world = World::new();
    assert_eq!(world.join(new_member()), ["log: g generation 0 - leader - []"]);
    assert_eq!(world.pass(3), [format!("#1 join {0}: generation 1 range leader {0} [{0}]", id(1))]);
}

#[test]
fn a_member_id_begins_with_the_client_id_or_the_instance_id() {
    let mut world = World::new();
    let anonymous = JoinRequest { client_id: "", ..joining("") };
    assert_eq!(
        world.join(anonymous).first().map(String::as_str),
        Some("#1 join MEMBER_ID_REQUIRED -00000000-0000-4000-8000-000000000001")
    );
    let mut world = World::new();
    let _ = world.join(JoinRequest { instance_id: Some("i"), ..joining("") });
    assert_eq!(world.state(), "PreparingRebalance [i-00000000-0000-4000-8000-000000000001]");
}

#[test]
fn a_join_that_makes_no_sense_is_refused_whatever_the_group() {
    let cases = [
        (JoinRequest { group_id: "", ..joining("") }, "INVALID_GROUP_ID"),
        (JoinRequest { session_timeout_ms: 5_999, ..joining("") }, "INVALID_SESSION_TIMEOUT"),
        (JoinRequest { session_timeout_ms: 1_800_001, ..joining("") }, "INVALID_SESSION_TIMEOUT"),
        (JoinRequest { session_timeout_ms: -1, ..joining("") }, "INVALID_SESSION_TIMEOUT"),
        (JoinRequest { protocols: vec![], ..joining("") }, "INCONSISTENT_GROUP_PROTOCOL"),
        (JoinRequest { protocol_type: "", ..joining("") }, "INCONSISTENT_GROUP_PROTOCOL"),
        (JoinRequest { protocols: vec![RANGE; 257], ..joining("") }, "INVALID_REQUEST"),
        (joining("stranger"), "UNKNOWN_MEMBER_ID stranger"),
    ];
    for (request, refusal) in cases {
        let mut world = World::new();
        assert_eq!(world.join(request.clone()), [format!("#1 join {refusal}")], "{request:?}");
        assert_eq!(world.state(), "Dead []", "no group comes of {request:?}");
    }
}

#[test]
fn a_member_that_does_not_fit_to_the_others_is_refused() {
    let other_type = JoinRequest { protocol_type: "connect", ..joining("") };
    assert_eq!(stable(&["a"]).join(other_type), ["#1 join INCONSISTENT_GROUP_PROTOCOL"]);
    let other_protocol = JoinRequest { protocols: vec![STICKY], ..joining("") };
    assert_eq!(stable(&["a"]).join(other_protocol), ["#1 join INCONSISTENT_GROUP_PROTOCOL"]);
    let known = JoinRequest { protocols: vec![STICKY], ..joining("a") };
    assert_eq!(stable(&["a", "b"]).join(known), ["#1 join INCONSISTENT_GROUP_PROTOCOL a"]);
}

#[test]
fn an_empty_group_takes_on_another_type() {
    let mut world = World::new();
    world.replay(&Change::GroupStored { group: "g".into(), stored: stored_group(&[]) });
    let mut world = world.loaded();
    let connect = JoinRequest { protocol_type: "connect", ..new_member() };
    assert_eq!(world.join(connect), [] as [&str; 0]);
    assert_eq!(&*world.shard.describe(0, "g").protocol_type, "connect");
}

#[test]
fn a_stranger_to_a_group_is_told_so() {
    assert_eq!(stable(&["a"]).join(joining("stranger")), ["#1 join UNKNOWN_MEMBER_ID stranger"]);
    let mut world = World::new();
    world.replay(&Change::GroupStored { group: "g".into(), stored: stored_group(&[]) });
    assert_eq!(world.loaded().join(joining("a")), ["#1 join UNKNOWN_MEMBER_ID a"]);
}

#[test]
fn a_new_member_of_a_stable_group_makes_it_rebalance() {
    let mut world = stable(&["a", "b"]);
    assert_eq!(world.join(new_member()), [] as [&str; 0]);
    assert_eq!(world.state(), format!("PreparingRebalance [a b {}]", id(1)));
    assert_eq!(world.heartbeat("b", 5), ErrorCode::RebalanceInProgress);
    assert_eq!(world.join(joining("b")), [] as [&str; 0]);
    // The last to come completes it, and the leader stays who it was.
    assert_eq!(
        world.join(joining("a")),
        [
            format!("#3 join a: generation 6 range leader a [a b {}]", id(1)),
            "#2 join b: generation 6 range leader a []".into(),
            format!("#1 join {}: generation 6 range leader a []", id(1)),
        ]
    );
}

#[test]
fn a_follower_that_has_nothing_new_to_say_is_told_the_generation() {
    let mut world = stable(&["a", "b"]);
    assert_eq!(world.join(joining("b")), ["#1 join b: generation 5 range leader a []"]);
    assert_eq!(world.state(), "Stable [a b]");
}

#[test]
fn a_leader_that_joins_again_makes_the_group_rebalance() {
    let mut world = stable(&["a", "b"]);
    assert_eq!(world.join(joining("a")), [] as [&str; 0]);
    assert_eq!(world.state(), "PreparingRebalance [a b]");
}

#[test]
fn a_follower_with_other_metadata_makes_the_group_rebalance() {
    let mut world = stable(&["a", "b"]);
    let changed = JoinRequest { protocols: vec![RANGE, STICKY], ..joining("b") };
    assert_eq!(world.join(changed), [] as [&str; 0]);
    assert_eq!(world.state(), "PreparingRebalance [a b]");
}

/// Brings the group of one member into its next generation, in which nobody has the assignment yet.
fn completing() -> World {
    let mut world = stable(&["a", "b"]);
    let _ = world.join(joining("b"));
    let _ = world.join(joining("a"));
    let _ = world.join(joining("b"));
    assert_eq!(world.state(), "CompletingRebalance [a b]");
    world
}

#[test]
fn a_member_that_missed_the_answer_gets_it_again() {
    let mut world = completing();
    assert_eq!(world.join(joining("a")), ["#4 join a: generation 6 range leader a [a b]"]);
    assert_eq!(world.join(joining("b")), ["#5 join b: generation 6 range leader a []"]);
    assert_eq!(world.state(), "CompletingRebalance [a b]");
}

#[test]
fn a_member_that_changes_before_the_assignment_makes_the_group_rebalance_again() {
    let mut world = completing();
    assert_eq!(world.sync(syncing("b", 6)), [] as [&str; 0]);
    let changed = JoinRequest { protocols: vec![RANGE, STICKY], ..joining("a") };
    assert_eq!(world.join(changed), ["#4 sync REBALANCE_IN_PROGRESS"]);
    assert_eq!(world.state(), "PreparingRebalance [a b]");
}

#[test]
fn a_join_that_is_repeated_takes_the_place_of_the_one_that_waits() {
    let mut world = stable(&["a", "b"]);
    let _ = world.join(joining("a"));
    assert_eq!(world.join(joining("a")), ["#1 join REBALANCE_IN_PROGRESS a"]);
    assert_eq!(
        world.join(joining("b")),
        ["#2 join a: generation 6 range leader a [a b]", "#3 join b: generation 6 range leader a []"]
    );
}

#[test]
fn an_id_that_was_handed_out_belongs_to_a_dynamic_member() {
    let mut world = stable(&["a"]);
    let _ = world.join(joining(""));
    let id = id(1);
    let request = JoinRequest { instance_id: Some("i"), ..joining(&id) };
    assert_eq!(world.join(request), [format!("#2 join UNKNOWN_MEMBER_ID {id}")]);
}

#[test]
fn a_member_that_has_an_id_and_has_not_come_back_is_waited_for() {
    let mut world = stable(&["a"]);
    assert_eq!(world.join(joining("")), [format!("#1 join MEMBER_ID_REQUIRED {}", id(1))]);
    assert_eq!(world.state(), "Stable [a]", "nobody is disturbed before it comes");
    let _ = world.join(joining("a"));
    assert_eq!(world.state(), "PreparingRebalance [a]");
    let both = [
        format!("#2 join a: generation 6 range leader a [a {}]", id(1)),
        format!("#3 join {}: generation 6 range leader a []", id(1)),
    ];
    assert_eq!(world.join(joining(&id(1))), both);
}

#[test]
fn a_full_group_takes_no_new_member() {
    let mut world = stable_with(&["a", "b"], |config| config.group_size_max = 2);
    assert_eq!(world.join(joining("")), ["#1 join GROUP_MAX_SIZE_REACHED"]);
    assert_eq!(world.join(joining("b")), ["#2 join b: generation 5 range leader a []"]);
}

#[test]
fn while_a_rebalance_is_prepared_the_first_to_come_are_the_ones_that_stay() {
    let mut world = stable_with(&["a", "b"], |config| config.group_size_max = 2);
    let _ = world.join(joining("a"));
    assert_eq!(world.join(new_member()), [] as [&str; 0]);
    assert_eq!(world.join(joining("b")), ["#3 join GROUP_MAX_SIZE_REACHED"]);
    assert_eq!(world.state(), format!("PreparingRebalance [a {}]", id(2)));
}

#[test]
fn in_version_0_the_session_timeout_is_the_time_to_join_as_well() {
    let mut world = stable(&["a"]);
    let old =
        JoinRequest { version: 0, rebalance_timeout_ms: -1, session_timeout_ms: 20_000, ..joining("a") };
    let _ = world.join(old);
    let stored = world.sync(SyncRequest { assignments: vec![("a", b"x")], ..syncing("a", 6) });
    assert_eq!(stored, ["log: g generation 6 range leader a [a=\"x\"]", "#2 sync consumer range \"x\""]);
    let _ = world.join(new_member());
    // Its session ends before its time to join, so it sends heartbeats.
    assert_eq!(world.pass(15), [] as [&str; 0]);
    assert_eq!(world.heartbeat("a", 6), ErrorCode::RebalanceInProgress);
    assert_eq!(world.pass(15), [] as [&str; 0]);
    assert_eq!(world.heartbeat("a", 6), ErrorCode::RebalanceInProgress);
}
