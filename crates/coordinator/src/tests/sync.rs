use super::*;

/// Both members of "g" are in generation 6, without an assignment.
fn completing() -> World {
    let mut world = stable(&["a", "b"]);
    let _ = world.join(joining("a"));
    let _ = world.join(joining("b"));
    assert_eq!(world.state(), "CompletingRebalance [a b]");
    world
}

fn assigning(generation: i32) -> SyncRequest<'static> {
    SyncRequest { assignments: vec![("a", b"left"), ("b", b"right")], ..syncing("a", generation) }
}

#[test]
fn everybody_gets_its_assignment_once_the_leaders_is_stored() {
    let mut world = completing();
    assert_eq!(world.sync(syncing("b", 6)), [] as [&str; 0]);
    let effects = world.sync_only(assigning(6));
    assert_eq!(show(&effects), [r#"log: g generation 6 range leader a [a="left" b="right"]"#]);
    assert_eq!(world.state(), "CompletingRebalance [a b]", "not before it is stored");
    let stored = world.store(&effects.appends[0]);
    assert_eq!(show(&stored), [r#"#4 sync consumer range "left""#, r#"#3 sync consumer range "right""#]);
    assert_eq!(world.state(), "Stable [a b]");
}

#[test]
fn a_member_that_asks_when_the_group_is_stable_is_answered_at_once() {
    let mut world = completing();
    let _ = world.sync(assigning(6));
    assert_eq!(world.sync(syncing("b", 6)), [r#"#4 sync consumer range "right""#]);
}

#[test]
fn who_is_not_assigned_to_has_an_empty_assignment() {
    let mut world = completing();
    let _ = world.sync(syncing("b", 6));
    let partial = SyncRequest { assignments: vec![("a", b"all"), ("stranger", b"?")], ..syncing("a", 6) };
    assert_eq!(
        world.sync(partial),
        [
            r#"log: g generation 6 range leader a [a="all" b=""]"#,
            r#"#4 sync consumer range "all""#,
            r#"#3 sync consumer range """#,
        ]
    );
}

#[test]
fn a_sync_that_does_not_fit_is_refused() {
    let stale = SyncRequest { generation: 4, ..syncing("b", 6) };
    let cases = [
        (syncing("stranger", 6), "UNKNOWN_MEMBER_ID"),
        (stale, "ILLEGAL_GENERATION"),
        (SyncRequest { protocol_type: Some("connect"), ..syncing("b", 6) }, "INCONSISTENT_GROUP_PROTOCOL"),
        (SyncRequest { protocol: Some("sticky"), ..syncing("b", 6) }, "INCONSISTENT_GROUP_PROTOCOL"),
        (SyncRequest { instance_id: Some("i"), ..syncing("b", 6) }, "UNKNOWN_MEMBER_ID"),
        (SyncRequest { group_id: "other", ..syncing("b", 6) }, "UNKNOWN_MEMBER_ID"),
        (SyncRequest { group_id: "", ..syncing("b", 6) }, "INVALID_GROUP_ID"),
    ];
    for (request, refusal) in cases {
        assert_eq!(completing().sync(request.clone()), [format!("#3 sync {refusal}")], "{request:?}");
    }
    let named = SyncRequest { protocol_type: Some("consumer"), protocol: Some("range"), ..syncing("b", 6) };
    assert_eq!(completing().sync(named), [] as [&str; 0]);
}

#[test]
fn while_a_rebalance_is_prepared_a_sync_calls_the_member_to_join() {
    let mut world = stable(&["a", "b"]);
    let _ = world.join(joining("a"));
    assert_eq!(world.sync(syncing("b", 5)), ["#2 sync REBALANCE_IN_PROGRESS"]);
}

#[test]
fn nobody_is_known_in_an_empty_group() {
    let mut world = World::new();
    world.replay(&Change::GroupStored { group: "g".into(), stored: stored_group(&[]) });
    assert_eq!(world.loaded().sync(syncing("a", 5)), ["#1 sync UNKNOWN_MEMBER_ID"]);
}

#[test]
fn a_sync_that_is_repeated_takes_the_place_of_the_one_that_waits() {
    let mut world = completing();
    let _ = world.sync(syncing("b", 6));
    assert_eq!(world.sync(syncing("b", 6)), ["#3 sync REBALANCE_IN_PROGRESS"]);
}

#[test]
fn a_leader_that_repeats_itself_stores_one_assignment() {
    let mut world = completing();
    let first = world.sync_only(assigning(6));
    let second = world.sync_only(SyncRequest { assignments: vec![("a", b"other")], ..syncing("a", 6) });
    assert_eq!(show(&second), ["#3 sync REBALANCE_IN_PROGRESS"], "the first request's connection is gone");
    assert_eq!(show(&world.store(&first.appends[0])), [r#"#4 sync consumer range "left""#]);
}

#[test]
fn an_assignment_that_is_stored_after_the_group_went_on_is_nobodys() {
    let mut world = completing();
    let effects = world.sync_only(assigning(6));
    let changed = JoinRequest { protocols: vec![RANGE, STICKY], ..joining("b") };
    assert_eq!(world.join(changed), ["#3 sync REBALANCE_IN_PROGRESS"]);
    assert_eq!(show(&world.store(&effects.appends[0])), [] as [&str; 0]);
    assert_eq!(world.state(), "PreparingRebalance [a b]");
}

#[test]
fn members_that_never_ask_for_their_assignment_are_removed_after_the_rebalance_timeout() {
    let mut world = completing();
    let _ = world.sync(assigning(6));
    for _ in 0..7 {
        assert_eq!(world.pass(8), [] as [&str; 0]);
        assert_eq!(world.heartbeat("a", 6), ErrorCode::None);
        assert_eq!(world.heartbeat("b", 6), ErrorCode::None);
    }
    assert_eq!(world.pass(4), [] as [&str; 0]);
    assert_eq!(world.state(), "PreparingRebalance [a]");
}

#[test]
fn when_all_have_asked_nobody_is_removed() {
    let mut world = completing();
    let _ = world.sync(assigning(6));
    let _ = world.sync(syncing("b", 6));
    for _ in 0..10 {
        assert_eq!(world.pass(8), [] as [&str; 0]);
        assert_eq!(world.heartbeat("a", 6), ErrorCode::None);
        assert_eq!(world.heartbeat("b", 6), ErrorCode::None);
    }
    assert_eq!(world.state(), "Stable [a b]");
}

#[test]
fn a_leader_that_brings_no_assignment_in_time_is_removed_and_the_others_join_again() {
    let mut world = completing();
    let _ = world.sync(syncing("b", 6));
    for _ in 0..7 {
        assert_eq!(world.pass(8), [] as [&str; 0]);
        assert_eq!(world.heartbeat("a", 6), ErrorCode::None);
    }
    assert_eq!(world.pass(4), ["#3 sync REBALANCE_IN_PROGRESS"]);
    assert_eq!(world.state(), "PreparingRebalance [b]");
}
