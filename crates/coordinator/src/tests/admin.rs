use super::*;

fn delete(world: &mut World, groups: &[&str]) -> Vec<String> {
    let token = world.token();
    let effects = world.shard.on_delete_groups(world.now(), groups, token);
    world.commit(effects)
}

fn three_groups() -> World {
    let mut world = World::new();
    world.replay(&Change::GroupStored { group: "stable".into(), stored: stored_group(&["a"]) });
    world.replay(&Change::GroupStored { group: "empty".into(), stored: stored_group(&[]) });
    world.replay(&offset_stored("t", 0, 1, START_MS));
    world.loaded()
}

fn list(world: &World, states: &[&str], types: &[&str]) -> Vec<String> {
    let groups = world.shard.list(states, types).into_iter();
    groups
        .map(|group| {
            format!("{} {:?} {} {}", group.group_id, group.protocol_type, group.state, group.group_type)
        })
        .collect()
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let world = three_groups();
    let all =
        [r#"empty "consumer" Empty classic"#, r#"g "" Empty classic"#, r#"stable "consumer" Stable classic"#];
    assert_eq!(list(&world, &[], &[]), all);
    assert_eq!(world.shard.states().collect::<Vec<_>>(), ["Empty", "Empty", "Stable"]);
    assert_eq!(list(&world, &["empty", "Dead"], &[]), all[..2]);
    assert_eq!(list(&world, &[" STABLE "], &["Classic"]), all[2..]);
    assert_eq!(list(&world, &[], &["consumer"]), [] as [&str; 0]);
    assert_eq!(list(&world, &["nonsense"], &[]), [] as [&str; 0]);
    assert_eq!(list(&world, &[], &["nonsense"]), [] as [&str; 0]);
}

#[test]
fn a_stable_group_is_described_in_full() {
    let group = stable(&["a/i"]).shard.describe(6, "g");
    assert_eq!((group.error, group.state), (ErrorCode::None, "Stable"));
    assert_eq!((&*group.protocol_type, &*group.protocol), ("consumer", "range"));
    let member = &group.members[0];
    assert_eq!((&*member.member_id, member.instance_id.as_deref()), ("a", Some("i")));
    assert_eq!((&*member.client_id, &*member.client_host), ("client", "/127.0.0.1"));
    assert_eq!((&member.metadata[..], &member.assignment[..]), (READS_T, &b"a's"[..]));
}

#[test]
fn a_group_that_is_not_stable_shows_neither_its_protocol_nor_metadata() {
    let mut world = stable(&["a", "b"]);
    let _ = world.join(joining("a"));
    let group = world.shard.describe(6, "g");
    assert_eq!((group.state, &*group.protocol), ("PreparingRebalance", ""));
    assert_eq!((&group.members[0].metadata[..], &group.members[0].assignment[..]), (&b""[..], &b"a's"[..]));
}

#[test]
fn a_group_that_does_not_exist_is_dead_and_from_version_6_an_error() {
    let world = World::new();
    let old = world.shard.describe(5, "g");
    assert_eq!((old.error, old.state, old.error_message), (ErrorCode::None, "Dead", None));
    let new = world.shard.describe(6, "g");
    assert_eq!((new.error, new.state), (ErrorCode::GroupIdNotFound, "Dead"));
    assert_eq!(new.error_message.as_deref(), Some("Group g not found."));
}

#[test]
fn groups_without_members_are_deleted_with_their_offsets() {
    let mut world = three_groups();
    assert_eq!(
        delete(&mut world, &["g", "stable", "nowhere", "empty"]),
        [
            "log: g t-0 removed",
            "log: g removed",
            "log: empty removed",
            "#1 delete groups g=NONE stable=NON_EMPTY_GROUP nowhere=GROUP_ID_NOT_FOUND empty=NONE",
        ]
    );
    assert_eq!(list(&world, &[], &[]), [r#"stable "consumer" Stable classic"#]);
    assert_eq!(fetched(&world, "t", 0), "-1");
}

#[test]
fn a_group_that_is_being_deleted_lets_nobody_in_until_it_is_gone() {
    let mut world = three_groups();
    let effects = world.shard.on_delete_groups(world.now(), &["g"], Token(1));
    world.tokens = 1;
    assert_eq!(world.join(joining("")), ["#2 join COORDINATOR_NOT_AVAILABLE"]);
    assert_eq!(world.commit_offset(committing()), ["#3 commit t-0=COORDINATOR_NOT_AVAILABLE"]);
    assert_eq!(delete(&mut world, &["g"]), ["#4 delete groups g=GROUP_ID_NOT_FOUND"]);
    assert_eq!(fetched(&world, "t", 0), "-1");
    assert_eq!(show(&world.store(&effects.appends[0])), ["#1 delete groups g=NONE"]);
    assert_eq!(world.join(joining(""))[0], format!("#5 join MEMBER_ID_REQUIRED {}", id(5)));
}

#[test]
fn a_commit_that_overlaps_with_the_deletion_outlives_it() {
    let mut world = World::new().loaded();
    let _ = world.commit_offset(committing());
    let commit = OffsetCommitRequest { topics: vec![commit_topic("u", 0, 3)], ..committing() };
    let commit = world.shard.on_offset_commit(world.now(), &commit, Token(2));
    let deletion = world.shard.on_delete_groups(world.now(), &["g"], Token(3));
    assert_eq!(show(&world.store(&commit.appends[0])), ["#2 commit u-0=NONE"]);
    assert_eq!(show(&world.store(&deletion.appends[0])), ["#3 delete groups g=NONE"]);
    assert_eq!((fetched(&world, "t", 0), fetched(&world, "u", 0)), ("-1".into(), "3".into()));
    assert_eq!(world.state(), "Empty []");
}
