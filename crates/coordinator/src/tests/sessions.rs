use super::*;

#[test]
fn a_heartbeat_keeps_a_member_and_silence_ends_it() {
    let mut world = stable(&["a", "b"]);
    assert_eq!(world.pass(9), [] as [&str; 0]);
    assert_eq!(world.heartbeat("a", 5), ErrorCode::None);
    assert_eq!(world.pass(9), [] as [&str; 0]);
    assert_eq!(world.state(), "PreparingRebalance [a]");
}

#[test]
fn a_heartbeat_that_does_not_fit_is_refused() {
    let beat = |group_id, member_id, generation, instance_id| {
        let world = &mut stable(&["a/i", "b"]);
        let request = HeartbeatRequest { group_id, generation, member_id, instance_id };
        world.shard.on_heartbeat(world.now(), &request)
    };
    assert_eq!(beat("g", "a", 5, Some("i")), ErrorCode::None);
    assert_eq!(beat("g", "stranger", 5, None), ErrorCode::UnknownMemberId);
    assert_eq!(beat("g", "a", 4, None), ErrorCode::IllegalGeneration);
    assert_eq!(beat("g", "b", 5, Some("i")), ErrorCode::FencedInstanceId);
    assert_eq!(beat("g", "a", 5, Some("other")), ErrorCode::UnknownMemberId);
    assert_eq!(beat("other", "a", 5, None), ErrorCode::UnknownMemberId);
    assert_eq!(beat("", "a", 5, None), ErrorCode::InvalidGroupId);
}

#[test]
fn the_last_member_that_ends_leaves_an_empty_group() {
    let mut world = stable(&["a"]);
    assert_eq!(world.pass(10), ["log: g generation 6 - leader - []"]);
    assert_eq!(world.state(), "Empty []");
}

#[test]
fn a_known_member_that_waits_for_the_others_need_not_send_heartbeats() {
    let mut world = stable(&["a", "b"]);
    let _ = world.join(joining("a"));
    for _ in 0..3 {
        let _ = world.pass(8);
        assert_eq!(world.heartbeat("b", 5), ErrorCode::RebalanceInProgress);
    }
    assert_eq!(world.state(), "PreparingRebalance [a b]");
    // With the answer its clock starts again.
    assert_eq!(world.join(joining("b")).len(), 2);
    assert_eq!(world.pass(8), [] as [&str; 0]);
    assert_eq!(world.heartbeat("b", 6), ErrorCode::None);
    assert_eq!(world.pass(3), [] as [&str; 0]);
    assert_eq!(world.state(), "PreparingRebalance [b]");
}

#[test]
fn a_new_member_is_waited_for_five_minutes_and_then_forgotten() {
    let mut world = stable(&["a"]);
    let _ = world.join(JoinRequest { rebalance_timeout_ms: 900_000, ..new_member() });
    for _ in 0..37 {
        assert_eq!(world.pass(8), [] as [&str; 0]);
        assert_eq!(world.heartbeat("a", 5), ErrorCode::RebalanceInProgress);
    }
    assert_eq!(world.pass(4), ["#1 join UNKNOWN_MEMBER_ID"]);
    assert_eq!(world.state(), "PreparingRebalance [a]");
}

#[test]
fn an_id_that_is_not_used_within_the_session_timeout_is_forgotten() {
    let mut world = stable(&["a"]);
    let _ = world.join(JoinRequest { session_timeout_ms: 7_000, ..joining("") });
    assert_eq!(world.pass(7), [] as [&str; 0]);
    assert_eq!(world.join(joining(&id(1))), [format!("#2 join UNKNOWN_MEMBER_ID {}", id(1))]);
}

#[test]
fn an_unused_id_that_is_forgotten_lets_the_waiting_go_on() {
    let mut world = stable(&["a"]);
    let _ = world.join(JoinRequest { session_timeout_ms: 7_000, ..joining("") });
    assert_eq!(world.join(joining("a")), [] as [&str; 0]);
    assert_eq!(world.pass(7), ["#2 join a: generation 6 range leader a [a]"]);
}

#[test]
fn a_member_that_ends_while_the_assignment_is_awaited_makes_the_others_join_again() {
    let mut world = stable(&["a", "b"]);
    let _ = world.join(joining("a"));
    let _ = world.join(joining("b"));
    let _ = world.sync(syncing("b", 6));
    assert_eq!(world.pass(10), ["#3 sync REBALANCE_IN_PROGRESS"]);
    assert_eq!(world.state(), "PreparingRebalance [b]");
}

#[test]
fn a_commit_is_a_sign_of_life() {
    let mut world = stable(&["a"]);
    let _ = world.pass(9);
    let commit = OffsetCommitRequest { member_id: "a", generation: 5, ..committing() };
    assert_eq!(world.commit_offset(commit), ["log: g t-0 at 7", "#1 commit t-0=NONE"]);
    assert_eq!(world.pass(9), [] as [&str; 0]);
    assert_eq!(world.state(), "Stable [a]");
}

#[test]
fn without_members_there_is_no_deadline_but_the_one_of_the_offsets() {
    let world = World::new();
    assert_eq!(world.shard.next_deadline(), None);
    let world = world.loaded();
    assert_eq!(world.shard.next_deadline(), Some(Instant::from_start(Duration::from_secs(600))));
}

#[test]
fn when_another_node_takes_over_everybody_who_waits_is_sent_there() {
    let mut world = stable(&["a", "b"]);
    let _ = world.join(joining("a"));
    let token = world.token();
    let commit = world.shard.on_offset_commit(
        world.now(),
        &OffsetCommitRequest { group_id: "h", ..committing() },
        token,
    );
    assert_eq!(show(&commit), ["log: h t-0 at 7"]);
    let effects = world.shard.unload(world.now());
    assert_eq!(show(&effects), ["#2 commit t-0=NOT_COORDINATOR", "#1 join NOT_COORDINATOR a"]);
    assert_eq!(world.state(), "Dead []");
    assert_eq!(world.shard.next_deadline(), None);
    assert_eq!(world.fail(&commit.appends[0], ErrorCode::NotLeaderOrFollower), [] as [&str; 0]);
}

#[test]
fn a_member_is_new_until_its_first_generation() {
    let mut world = World::new();
    let _ = world.join(new_member());
    let _ = world.join(new_member());
    assert_eq!(world.pass(6).len(), 2);
    // In the next rebalance it waits for longer than its session, as every known member may.
    assert_eq!(
        world.join(JoinRequest { protocols: vec![RANGE, STICKY], ..joining(&id(1)) }),
        [] as [&str; 0]
    );
    for _ in 0..3 {
        assert_eq!(world.pass(8), [] as [&str; 0]);
        assert_eq!(world.heartbeat(&id(2), 1), ErrorCode::RebalanceInProgress);
    }
    assert_eq!(world.state(), format!("PreparingRebalance [{} {}]", id(1), id(2)));
}
