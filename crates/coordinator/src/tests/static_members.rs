use super::*;

fn returning(instance_id: &str) -> JoinRequest<'_> {
    JoinRequest { instance_id: Some(instance_id), ..joining("") }
}

/// The id of the static member "i" whose join had the token.
fn new_id(token: u8) -> String {
    format!("i-00000000-0000-4000-8000-0000000000{token:02x}")
}

#[test]
fn a_static_member_needs_no_second_request() {
    let mut world = World::new();
    assert_eq!(world.join(returning("i")), ["log: g generation 0 - leader - []"]);
    assert_eq!(world.state(), format!("PreparingRebalance [{}]", new_id(1)));
}

#[test]
fn a_static_follower_that_is_back_goes_on_without_a_rebalance() {
    let mut world = stable(&["a", "b/i"]);
    let effects = world.join_only(returning("i"));
    let new = new_id(1);
    assert_eq!(show(&effects), [format!(r#"log: g generation 5 range leader a [a="a's" {new}="b's"]"#)]);
    assert_eq!(
        show(&world.store(&effects.appends[0])),
        [format!("#1 join {new}: generation 5 range leader a []")],
        "its new id counts once it is stored"
    );
    assert_eq!(world.state(), format!("Stable [a {new}]"));
    // It has the assignment it had.
    assert_eq!(world.sync(syncing(&new, 5)), [r#"#2 sync consumer range "b's""#]);
    assert_eq!(world.heartbeat("b", 5), ErrorCode::UnknownMemberId);
}

#[test]
fn a_static_leader_that_is_back_is_told_to_leave_the_assignment_as_it_is() {
    let mut world = stable(&["a/i", "b"]);
    let new = new_id(1);
    assert_eq!(
        world.join(returning("i")),
        [
            format!(r#"log: g generation 5 range leader {new} [b="b's" {new}="a's"]"#),
            format!("#1 join {new}: generation 5 range leader {new} [b {new}] skip"),
        ]
    );
}

#[test]
fn before_version_9_a_static_leader_that_is_back_is_told_of_its_former_self() {
    let mut world = stable(&["a/i", "b"]);
    let old = JoinRequest { version: 8, ..returning("i") };
    assert_eq!(world.join(old)[1], format!("#1 join {}: generation 5 range leader a []", new_id(1)));
}

#[test]
fn the_former_self_of_a_static_member_is_fenced() {
    let mut world = stable(&["a", "b/i"]);
    let _ = world.join(returning("i"));
    let old = HeartbeatRequest { group_id: "g", generation: 5, member_id: "b", instance_id: Some("i") };
    assert_eq!(world.shard.on_heartbeat(world.now(), &old), ErrorCode::FencedInstanceId);
    let sync = SyncRequest { instance_id: Some("i"), ..syncing("b", 5) };
    assert_eq!(world.sync(sync), ["#2 sync FENCED_INSTANCE_ID"]);
    let join = JoinRequest { instance_id: Some("i"), ..joining("b") };
    assert_eq!(world.join(join), ["#3 join FENCED_INSTANCE_ID b"]);
}

#[test]
fn a_static_member_that_is_back_with_another_protocol_makes_the_group_rebalance() {
    let mut world = stable(&["a/i"]);
    let changed = JoinRequest { protocols: vec![STICKY, RANGE], ..returning("i") };
    let new = new_id(1);
    // It is the only one, so the next generation is complete.
    assert_eq!(world.join(changed), [format!("#1 join {new}: generation 6 sticky leader {new} [{new}]")]);
}

#[test]
fn while_the_assignment_is_awaited_a_static_member_that_is_back_makes_the_group_rebalance() {
    let mut world = stable(&["a", "b/i"]);
    let _ = world.join(joining("a"));
    let _ = world.join(JoinRequest { instance_id: Some("i"), ..joining("b") });
    let _ = world.sync(SyncRequest { instance_id: Some("i"), ..syncing("b", 6) });
    assert_eq!(world.state(), "CompletingRebalance [a b]");
    assert_eq!(world.join(returning("i")), ["#3 sync FENCED_INSTANCE_ID"]);
    assert_eq!(world.state(), format!("PreparingRebalance [a {}]", new_id(4)));
}

#[test]
fn while_a_rebalance_is_prepared_a_static_member_that_is_back_fences_its_former_self_and_joins() {
    let mut world = stable(&["a", "b/i", "c"]);
    let _ =
        world.join(JoinRequest { instance_id: Some("i"), protocols: vec![RANGE, STICKY], ..joining("b") });
    assert_eq!(world.join(returning("i")), ["#1 join FENCED_INSTANCE_ID b"]);
    let _ = world.join(joining("a"));
    let generation = world.join(joining("c"));
    assert_eq!(generation[0], format!("#3 join a: generation 6 range leader a [a c {}]", new_id(2)));
}

#[test]
fn a_static_member_that_joins_with_its_id_is_a_member_like_any() {
    let mut world = stable(&["a", "b/i"]);
    let join = JoinRequest { instance_id: Some("i"), ..joining("b") };
    assert_eq!(world.join(join), ["#1 join b: generation 5 range leader a []"]);
    let wrong = JoinRequest { instance_id: Some("i"), ..joining("a") };
    assert_eq!(world.join(wrong), ["#2 join FENCED_INSTANCE_ID a"]);
    let unknown = JoinRequest { instance_id: Some("j"), ..joining("b") };
    assert_eq!(world.join(unknown), ["#3 join UNKNOWN_MEMBER_ID b"]);
}

#[test]
fn a_static_member_that_stays_away_goes_with_its_session() {
    let mut world = stable(&["a/i"]);
    assert_eq!(world.pass(10), ["log: g generation 6 - leader - []"]);
}

#[test]
fn a_static_member_whose_new_id_cannot_be_stored_is_who_it_was() {
    let mut world = stable(&["a/i", "b"]);
    let effects = world.join_only(returning("i"));
    assert_eq!(
        world.fail(&effects.appends[0], ErrorCode::NotEnoughReplicas),
        ["#1 join COORDINATOR_NOT_AVAILABLE"]
    );
    assert_eq!(world.state(), "Stable [a b]");
    let old = HeartbeatRequest { group_id: "g", generation: 5, member_id: "a", instance_id: Some("i") };
    assert_eq!(world.shard.on_heartbeat(world.now(), &old), ErrorCode::None);
    assert_eq!(world.join(joining("b")), ["#2 join b: generation 5 range leader a []"]);
}

#[test]
fn a_rebalance_that_begins_before_the_new_id_is_stored_answers_the_member_with_everybody() {
    let mut world = stable(&["a", "b/i"]);
    let effects = world.join_only(returning("i"));
    let changed = JoinRequest { protocols: vec![RANGE, STICKY], ..joining("a") };
    let generation = world.join(changed);
    let new = new_id(1);
    assert_eq!(
        generation,
        [
            format!("#2 join a: generation 6 range leader a [a {new}]"),
            format!("#1 join {new}: generation 6 range leader a []"),
        ]
    );
    assert_eq!(show(&world.store(&effects.appends[0])), [] as [&str; 0]);
}

#[test]
fn a_static_member_that_is_back_before_it_asked_for_its_assignment_still_has_to_ask() {
    let mut world = stable(&["a", "b/i"]);
    let _ = world.join(joining("a"));
    let _ = world.join(JoinRequest { instance_id: Some("i"), ..joining("b") });
    let _ = world.sync(SyncRequest { assignments: vec![("b", b"all")], ..syncing("a", 6) });
    assert_eq!(world.state(), "Stable [a b]");
    let _ = world.join(returning("i"));
    let new = new_id(4);
    assert_eq!(world.sync(syncing(&new, 6)), [r#"#5 sync consumer range "all""#]);
    for _ in 0..10 {
        assert_eq!(world.pass(8), [] as [&str; 0]);
        assert_eq!(world.heartbeat("a", 6), ErrorCode::None);
        assert_eq!(world.heartbeat(&new, 6), ErrorCode::None);
    }
    assert_eq!(world.state(), format!("Stable [a {new}]"));
}
