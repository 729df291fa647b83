use super::*;

#[test]
fn a_commit_is_answered_and_seen_once_it_is_stored() {
    let mut world = World::new();
    let effects = world.shard.on_offset_commit(world.now(), &committing(), Token(1));
    assert_eq!(show(&effects), ["log: g t-0 at 7"]);
    assert_eq!(fetched(&world, "t", 0), "-1");
    assert_eq!(show(&world.store(&effects.appends[0])), ["#1 commit t-0=NONE"]);
    assert_eq!(fetched(&world, "t", 0), "7");
    assert_eq!(world.state(), "Empty []", "a group comes into being with its offsets");
}

#[test]
fn everything_that_was_committed_is_stored() {
    let mut world = World::new();
    let topic_id = Uuid::from_bytes([7; 16]);
    let commit = CommitPartition { partition: 3, offset: 42, leader_epoch: 9, metadata: Some("note") };
    let topics = vec![CommitTopic { name: "t", topic_id, partitions: vec![commit] }];
    let request = OffsetCommitRequest { topics, ..committing() };
    let effects = world.shard.on_offset_commit(world.now(), &request, Token(1));
    let offset = CommittedOffset {
        offset: 42,
        leader_epoch: Some(9),
        metadata: "note".into(),
        commit_timestamp: Timestamp(START_MS),
        expire_timestamp: None,
        topic_id,
    };
    let change = Change::OffsetStored { group: "g".into(), topic: "t".into(), partition: 3, offset };
    assert_eq!(effects.appends[0].changes, [change]);
}

#[test]
fn a_client_of_old_chooses_when_its_offset_expires() {
    let mut world = World::new();
    let request = OffsetCommitRequest { version: 4, retention_time_ms: 5_000, ..committing() };
    let effects = world.shard.on_offset_commit(world.now(), &request, Token(1));
    let expires = match &effects.appends[0].changes[0] {
        Change::OffsetStored { offset, .. } => offset.expire_timestamp,
        other => panic!("{other:?}"),
    };
    assert_eq!(expires, Some(Timestamp(START_MS + 5_000)));
}

#[test]
fn the_order_and_the_topics_of_the_request_are_those_of_the_answer() {
    let mut world = World::new();
    let topics = vec![commit_topic("u", 1, 1), commit_topic("t", 0, 2)];
    let shown = world.commit_offset(OffsetCommitRequest { topics, ..committing() });
    assert_eq!(shown, ["log: g u-1 at 1", "log: g t-0 at 2", "#1 commit u-1=NONE t-0=NONE"]);
}

#[test]
fn metadata_that_is_too_long_is_refused_for_its_partition_alone() {
    let mut world = World::with(|config| config.offset_metadata_max = 3);
    let commit = |partition, metadata| CommitPartition { partition, offset: 1, leader_epoch: -1, metadata };
    let partitions =
        vec![commit(0, Some("abc")), commit(1, Some("abcd")), commit(2, Some("äöü")), commit(3, None)];
    let topics = vec![CommitTopic { name: "t", topic_id: Uuid::ZERO, partitions }];
    let shown = world.commit_offset(OffsetCommitRequest { topics, ..committing() });
    assert_eq!(shown[3], "#1 commit t-0=NONE t-1=OFFSET_METADATA_TOO_LARGE t-2=NONE t-3=NONE");
    assert_eq!(fetched(&world, "t", 1), "-1");
}

#[test]
fn when_nothing_is_to_be_stored_the_answer_is_immediate() {
    let mut world = World::with(|config| config.offset_metadata_max = 0);
    let commit = CommitPartition { partition: 0, offset: 1, leader_epoch: -1, metadata: Some("a") };
    let topics = vec![CommitTopic { name: "t", topic_id: Uuid::ZERO, partitions: vec![commit] }];
    let shown = world.commit_offset(OffsetCommitRequest { topics, ..committing() });
    assert_eq!(shown, ["#1 commit t-0=OFFSET_METADATA_TOO_LARGE"]);
    assert_eq!(world.state(), "Dead []");
}

fn refused(world: &mut World, request: OffsetCommitRequest<'_>) -> String {
    let shown = world.commit_offset(request);
    shown
        .first()
        .and_then(|line| line.split_once("t-0="))
        .map(|(_, error)| error.to_owned())
        .unwrap_or_default()
}

#[test]
fn a_member_commits_in_its_generation() {
    let member = |member_id, generation| OffsetCommitRequest { member_id, generation, ..committing() };
    let world = || stable(&["a/i", "b"]);
    assert_eq!(world().commit_offset(member("b", 5)), ["log: g t-0 at 7", "#1 commit t-0=NONE"]);
    assert_eq!(refused(&mut world(), member("b", 4)), "ILLEGAL_GENERATION");
    assert_eq!(refused(&mut world(), member("stranger", 5)), "UNKNOWN_MEMBER_ID");
    let fenced = OffsetCommitRequest { instance_id: Some("i"), ..member("b", 5) };
    assert_eq!(refused(&mut world(), fenced), "FENCED_INSTANCE_ID");
    assert_eq!(refused(&mut world(), member("", -1)), "UNKNOWN_MEMBER_ID", "the group has members");
    assert_eq!(refused(&mut world(), member("b", -1)), "ILLEGAL_GENERATION");
}

#[test]
fn a_member_may_commit_until_it_joins_again() {
    let mut world = stable(&["a", "b"]);
    let _ = world.join(joining("a"));
    let member = OffsetCommitRequest { member_id: "b", generation: 5, ..committing() };
    assert_eq!(world.commit_offset(member), ["log: g t-0 at 7", "#2 commit t-0=NONE"]);
}

#[test]
fn a_member_without_an_assignment_has_nothing_to_commit() {
    let mut world = stable(&["a"]);
    let _ = world.join(joining("a"));
    assert_eq!(world.state(), "CompletingRebalance [a]");
    let member = OffsetCommitRequest { member_id: "a", generation: 6, ..committing() };
    assert_eq!(refused(&mut world, member), "REBALANCE_IN_PROGRESS");
}

#[test]
fn a_generation_of_a_group_that_does_not_exist_is_refused_as_the_client_understands_it() {
    let member = OffsetCommitRequest { member_id: "a", generation: 1, ..committing() };
    assert_eq!(refused(&mut World::new(), member.clone()), "GROUP_ID_NOT_FOUND");
    let old = OffsetCommitRequest { version: 8, ..member };
    assert_eq!(refused(&mut World::new(), old), "ILLEGAL_GENERATION");
}

#[test]
fn anybody_may_commit_to_a_group_without_members() {
    let mut world = World::new();
    world.replay(&Change::GroupStored { group: "g".into(), stored: stored_group(&[]) });
    assert_eq!(world.loaded().commit_offset(committing()), ["log: g t-0 at 7", "#1 commit t-0=NONE"]);
}

#[test]
fn the_empty_name_is_a_group_like_any_to_commit_to() {
    let mut world = World::new();
    let request = OffsetCommitRequest { group_id: "", ..committing() };
    assert_eq!(world.commit_offset(request), ["log:  t-0 at 7", "#1 commit t-0=NONE"]);
}
