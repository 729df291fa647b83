use super::*;

#[test]
fn an_assignment_that_cannot_be_stored_calls_everybody_to_join_again() {
    let mut world = stable(&["a", "b"]);
    let _ = world.join(joining("a"));
    let _ = world.join(joining("b"));
    let _ = world.sync(syncing("b", 6));
    let effects = world.sync_only(SyncRequest { assignments: vec![("a", b"x")], ..syncing("a", 6) });
    assert_eq!(
        world.fail(&effects.appends[0], ErrorCode::NotEnoughReplicas),
        ["#4 sync COORDINATOR_NOT_AVAILABLE", "#3 sync COORDINATOR_NOT_AVAILABLE"]
    );
    assert_eq!(world.state(), "PreparingRebalance [a b]");
}

#[test]
fn offsets_that_cannot_be_stored_are_as_they_were() {
    let mut world = World::new();
    let _ = world.commit_offset(committing());
    let request = OffsetCommitRequest { topics: vec![commit_topic("t", 0, 9)], ..committing() };
    let effects = world.shard.on_offset_commit(world.now(), &request, Token(2));
    assert_eq!(
        world.fail(&effects.appends[0], ErrorCode::KafkaStorageError),
        ["#2 commit t-0=NOT_COORDINATOR"]
    );
    assert_eq!(fetched(&world, "t", 0), "7");
}

#[test]
fn the_codes_of_the_log_are_translated_for_the_client() {
    let cases = [
        (ErrorCode::UnknownTopicOrPartition, "COORDINATOR_NOT_AVAILABLE"),
        (ErrorCode::NotEnoughReplicas, "COORDINATOR_NOT_AVAILABLE"),
        (ErrorCode::RequestTimedOut, "COORDINATOR_NOT_AVAILABLE"),
        (ErrorCode::NotLeaderOrFollower, "NOT_COORDINATOR"),
        (ErrorCode::KafkaStorageError, "NOT_COORDINATOR"),
        (ErrorCode::MessageTooLarge, "UNKNOWN_SERVER_ERROR"),
        (ErrorCode::RecordListTooLarge, "UNKNOWN_SERVER_ERROR"),
        (ErrorCode::InvalidRecord, "UNKNOWN_SERVER_ERROR"),
        (ErrorCode::NotCoordinator, "NOT_COORDINATOR"),
    ];
    for (error, code) in cases {
        let mut world = World::new();
        let effects = world.shard.on_offset_commit(world.now(), &committing(), Token(1));
        assert_eq!(world.fail(&effects.appends[0], error), [format!("#1 commit t-0={code}")]);
    }
}

#[test]
fn a_group_whose_first_record_cannot_be_stored_has_never_existed() {
    let mut world = World::new();
    let effects = world.join_only(new_member());
    assert_eq!(
        world.fail(&effects.appends[0], ErrorCode::NotEnoughReplicas),
        ["#1 join COORDINATOR_NOT_AVAILABLE"]
    );
    assert_eq!(world.state(), "Dead []");
    assert_eq!(world.shard.next_deadline(), None);
}

#[test]
fn a_group_that_cannot_be_removed_is_as_it_was() {
    let mut world = World::new();
    let _ = world.commit_offset(committing());
    let effects = world.shard.on_delete_groups(world.now(), &["g"], Token(2));
    assert_eq!(
        world.fail(&effects.appends[0], ErrorCode::RequestTimedOut),
        ["#2 delete groups g=COORDINATOR_NOT_AVAILABLE"]
    );
    assert_eq!(world.state(), "Empty []");
    assert_eq!(fetched(&world, "t", 0), "7");
}

#[test]
fn a_group_that_is_empty_is_empty_even_if_that_cannot_be_stored() {
    let mut world = stable(&["a"]);
    let request =
        LeaveRequest { group_id: "g", members: vec![LeavingMember { member_id: "a", instance_id: None }] };
    let effects = world.shard.on_leave(world.now(), &request, Token(1));
    assert_eq!(
        world.fail(&effects.appends[0], ErrorCode::NotLeaderOrFollower),
        ["#1 leave NOT_COORDINATOR:"]
    );
    assert_eq!(world.state(), "Empty []");
}

#[test]
fn offsets_that_cannot_be_removed_are_kept() {
    let mut world = World::new();
    let _ = world.commit_offset(committing());
    let request = OffsetDeleteRequest { group_id: "g", topics: vec![("t", vec![0])] };
    let effects = world.shard.on_offset_delete(world.now(), &request, Token(2));
    assert_eq!(
        world.fail(&effects.appends[0], ErrorCode::RequestTimedOut),
        ["#2 delete COORDINATOR_NOT_AVAILABLE:"]
    );
    assert_eq!(fetched(&world, "t", 0), "7");
}

#[test]
fn the_outcome_of_an_append_counts_once() {
    let mut world = World::new();
    let effects = world.shard.on_offset_commit(world.now(), &committing(), Token(1));
    assert_eq!(world.fail(&effects.appends[0], ErrorCode::RequestTimedOut).len(), 1);
    assert_eq!(show(&world.store(&effects.appends[0])), [] as [&str; 0]);
    assert_eq!(fetched(&world, "t", 0), "-1");
}

#[test]
fn a_record_that_cannot_be_written_is_an_append_that_fails() {
    let topic = "x".repeat(40_000);
    let append = Append {
        id: crate::AppendId(0),
        changes: vec![Change::OffsetRemoved { group: "g".into(), topic: topic.into(), partition: 0 }],
        transaction: None,
    };
    assert_eq!(append.encode(), Err(ErrorCode::InvalidRecord));
}

#[test]
fn outcomes_take_effect_in_the_order_of_their_appends() {
    let mut world = World::new();
    let commit = |world: &mut World, offset| {
        let topics = vec![commit_topic("t", 0, offset)];
        let token = world.token();
        world.shard.on_offset_commit(world.now(), &OffsetCommitRequest { topics, ..committing() }, token)
    };
    let (first, second, third) = (commit(&mut world, 1), commit(&mut world, 2), commit(&mut world, 3));
    // The third is refused at once, and the second becomes known before the first.
    assert_eq!(world.fail(&third.appends[0], ErrorCode::MessageTooLarge), [] as [&str; 0]);
    assert_eq!(show(&world.store(&second.appends[0])), [] as [&str; 0]);
    assert_eq!(fetched(&world, "t", 0), "-1");
    assert_eq!(
        show(&world.store(&first.appends[0])),
        ["#1 commit t-0=NONE", "#2 commit t-0=NONE", "#3 commit t-0=UNKNOWN_SERVER_ERROR"]
    );
    assert_eq!(fetched(&world, "t", 0), "2");
}

#[test]
fn an_outcome_from_before_the_groups_moved_away_is_not_taken_for_another() {
    let mut world = World::new();
    let before = world.shard.on_offset_commit(world.now(), &committing(), Token(1));
    let _ = world.shard.unload(world.now());
    let after = world.shard.on_offset_commit(world.now(), &committing(), Token(2));
    assert_eq!(show(&world.store(&before.appends[0])), [] as [&str; 0]);
    assert_eq!(show(&world.store(&after.appends[0])), ["#2 commit t-0=NONE"]);
}
