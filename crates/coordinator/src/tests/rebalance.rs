use super::*;

#[test]
fn each_member_that_starts_prolongs_the_first_wait_up_to_the_rebalance_timeout() {
    let mut world = World::new();
    let short = JoinRequest { rebalance_timeout_ms: 7_000, ..new_member() };
    let _ = world.join(short.clone());
    assert_eq!(world.pass(2), [] as [&str; 0]);
    let _ = world.join(short.clone());
    // Three seconds are over, and prolonged by three, because one has joined meanwhile.
    assert_eq!(world.pass(3), [] as [&str; 0]);
    let _ = world.join(short);
    // Six seconds are over; of the seven only one is left.
    assert_eq!(world.pass(1), [] as [&str; 0]);
    let generation = world.pass(1);
    assert_eq!(generation.len(), 3, "{generation:?}");
    assert_eq!(world.state(), format!("CompletingRebalance [{} {} {}]", id(1), id(2), id(3)));
}

#[test]
fn without_another_member_the_first_wait_is_not_prolonged() {
    let mut world = World::new();
    let _ = world.join(new_member());
    assert_eq!(world.pass(2), [] as [&str; 0]);
    assert_eq!(world.pass(1).len(), 1);
}

#[test]
fn without_an_initial_delay_a_group_begins_with_the_next_timer() {
    let mut world = World::with(|config| config.initial_rebalance_delay = Duration::ZERO);
    let _ = world.join(new_member());
    assert_eq!(world.pass(0), [format!("#1 join {0}: generation 1 range leader {0} [{0}]", id(1))]);
}

#[test]
fn who_does_not_come_in_time_is_left_out() {
    let mut world = stable(&["a", "b"]);
    let _ = world.join(joining("a"));
    for _ in 0..7 {
        assert_eq!(world.pass(8), [] as [&str; 0]);
        assert_eq!(world.heartbeat("b", 5), ErrorCode::RebalanceInProgress);
    }
    assert_eq!(world.pass(4), ["#1 join a: generation 6 range leader a [a]"]);
    assert_eq!(world.heartbeat("b", 6), ErrorCode::UnknownMemberId);
}

#[test]
fn the_time_to_join_is_the_longest_any_member_asks_for() {
    let mut world = stable(&["a", "b"]);
    let patient = JoinRequest { rebalance_timeout_ms: 300_000, ..joining("a") };
    let _ = world.join(patient);
    for _ in 0..37 {
        assert_eq!(world.pass(8), [] as [&str; 0]);
        assert_eq!(world.heartbeat("b", 5), ErrorCode::RebalanceInProgress);
    }
    assert_eq!(world.pass(4), ["#1 join a: generation 6 range leader a [a]"]);
}

#[test]
fn a_leader_that_does_not_come_is_followed_by_a_member_that_does() {
    let mut world = stable(&["a", "b", "c"]);
    let changed = JoinRequest { protocols: vec![RANGE, STICKY], ..joining("c") };
    let _ = world.join(changed.clone());
    let _ = world.join(JoinRequest { member_id: "b", ..changed });
    // The leader's session ends.
    assert_eq!(
        world.pass(10),
        ["#2 join b: generation 6 range leader b [b c]", "#1 join c: generation 6 range leader b []"]
    );
}

#[test]
fn the_protocol_is_what_most_members_prefer_of_what_all_offer() {
    let offers = |protocols: &[&'static str]| {
        let all = protocols.iter().map(|name| JoinProtocol { name, metadata: READS_T });
        JoinRequest { protocols: all.collect(), ..new_member() }
    };
    let mut world = World::new();
    let _ = world.join(offers(&["mine", "range", "sticky"]));
    let _ = world.join(offers(&["sticky", "range"]));
    let _ = world.join(offers(&["sticky", "range", "other"]));
    let generation = world.pass(10);
    assert!(generation[0].contains("generation 1 sticky"), "{generation:?}");
}

#[test]
fn of_two_protocols_that_are_as_much_preferred_the_leaders_wins() {
    let mut world = World::new();
    let _ = world.join(JoinRequest { protocols: vec![STICKY, RANGE], ..new_member() });
    let _ = world.join(JoinRequest { protocols: vec![RANGE, STICKY], ..new_member() });
    let generation = world.pass(10);
    assert!(generation[0].contains("generation 1 sticky"), "{generation:?}");
}

#[test]
fn a_protocol_that_is_offered_twice_has_one_voice() {
    let mut world = World::new();
    let _ = world.join(JoinRequest { protocols: vec![RANGE, RANGE], ..new_member() });
    let _ = world.join(JoinRequest { protocols: vec![RANGE], ..new_member() });
    let generation = world.pass(10);
    assert!(generation[0].contains("generation 1 range"), "{generation:?}");
}

#[test]
fn a_group_whose_only_members_are_static_and_silent_waits_for_their_sessions() {
    let mut world = stable(&["a/i"]);
    let _ = world.join(new_member());
    // The new member gives up, and is forgotten with its parked join.
    assert_eq!(
        world.leave(&[(&id(1), None)]),
        ["#1 join UNKNOWN_MEMBER_ID".to_owned(), format!("#2 leave NONE: {}=NONE", id(1)),]
    );
    assert_eq!(world.state(), "PreparingRebalance [a]");
    assert_eq!(world.pass(9), [] as [&str; 0]);
    assert_eq!(world.pass(1), ["log: g generation 6 - leader - []"]);
    assert_eq!(world.state(), "Empty []");
}

#[test]
fn a_static_member_that_is_restarting_keeps_its_place_in_a_rebalance() {
    let mut world = stable(&["a", "b/i"]);
    let _ = world.join(joining("a"));
    for _ in 0..7 {
        let _ = world.pass(8);
        let alive = HeartbeatRequest { group_id: "g", generation: 5, member_id: "b", instance_id: Some("i") };
        assert_eq!(world.shard.on_heartbeat(world.now(), &alive), ErrorCode::RebalanceInProgress);
    }
    assert_eq!(world.pass(4), ["#1 join a: generation 6 range leader a [a b]"]);
}

#[test]
fn a_wait_that_nobody_ended_goes_on_for_as_long_again() {
    let mut world = stable(&["a/i"]);
    let alive = HeartbeatRequest { group_id: "g", generation: 5, member_id: "a", instance_id: Some("i") };
    let _ = world.join(new_member());
    let _ = world.leave(&[(&id(1), None)]);
    for _ in 0..8 {
        assert_eq!(world.pass(8), [] as [&str; 0]);
        assert_eq!(world.shard.on_heartbeat(world.now(), &alive), ErrorCode::RebalanceInProgress);
    }
    // 64 of 60 seconds have passed. Another member comes, and the static one keeps its place.
    assert_eq!(world.join(new_member()), [] as [&str; 0]);
    for _ in 0..6 {
        assert_eq!(world.pass(9), [] as [&str; 0]);
        assert_eq!(world.shard.on_heartbeat(world.now(), &alive), ErrorCode::RebalanceInProgress);
    }
    assert_eq!(world.pass(2), [format!("#3 join {0}: generation 6 range leader {0} [a {0}]", id(3))]);
}
