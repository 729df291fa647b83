use super::*;

/// A key of the offsets topic: its type, the group, and a member for the types that have one.
fn key(record_type: u8, group: &str, member: Option<&str>) -> Vec<u8> {
    let mut key = vec![0, record_type];
    for text in [Some(group), member].into_iter().flatten() {
        key.extend([0, u8::try_from(text.len()).expect("a test's names are short")]);
        key.extend(text.as_bytes());
    }
    key
}

fn replay(world: &mut World, key: &[u8], value: Option<&[u8]>) {
    world.shard.replay(Offset(0), ProducerId::NONE, key, value).expect("the key is whole");
}

/// A group of the new consumer protocol as a broker of Kafka has left it.
fn consumer_group(members: &[&str]) -> World {
    let mut world = World::new();
    for member in members {
        replay(&mut world, &key(5, "g", Some(member)), Some(b"\0\0"));
    }
    replay(&mut world, &key(3, "g", None), Some(b"\0\0"));
    replay(&mut world, &key(6, "g", None), Some(b"\0\0"));
    world.loaded()
}

fn listed(world: &World) -> Vec<String> {
    let groups = world.shard.list(&[], &[]).into_iter();
    groups.map(|group| format!("{} {} {}", group.group_type, group.protocol_type, group.state)).collect()
}

#[test]
fn groups_of_other_types_are_listed_as_what_they_are() {
    assert_eq!(listed(&consumer_group(&["a"])), ["consumer consumer Stable"]);
    assert_eq!(listed(&consumer_group(&[])), ["consumer consumer Empty"]);
    let mut world = World::new();
    replay(&mut world, &key(11, "g", None), Some(b"\0\0"));
    assert_eq!(listed(&world), ["share share Empty"]);
    let mut world = World::new();
    replay(&mut world, &key(17, "g", None), Some(b"\0\0"));
    replay(&mut world, &key(19, "g", Some("a")), Some(b"\0\0"));
    assert_eq!(listed(&world), ["streams streams Stable"]);
}

#[test]
fn a_classic_member_does_not_fit_into_a_group_of_another_type() {
    assert_eq!(consumer_group(&["a"]).join(joining("")), ["#1 join INCONSISTENT_GROUP_PROTOCOL"]);
    let mut share = World::new();
    replay(&mut share, &key(11, "g", None), Some(b"\0\0"));
    assert_eq!(share.join(joining("")), ["#1 join INCONSISTENT_GROUP_PROTOCOL"]);
}

#[test]
fn a_classic_member_takes_over_an_empty_group_of_consumers() {
    let mut world = consumer_group(&[]);
    assert_eq!(
        world.join(joining("")),
        [
            format!("#1 join MEMBER_ID_REQUIRED {}", id(1)),
            "log: g record of type 6 removed".into(),
            "log: g record of type 3 removed".into(),
            "log: g generation 0 - leader - []".into(),
        ]
    );
    assert_eq!(listed(&world), ["classic  Empty"]);
}

#[test]
fn a_take_over_that_cannot_be_stored_has_not_happened() {
    let mut world = consumer_group(&[]);
    let effects = world.join_only(joining(""));
    assert_eq!(world.fail(&effects.appends[0], ErrorCode::RequestTimedOut), [] as [&str; 0]);
    assert_eq!(listed(&world), ["consumer consumer Empty"]);
}

#[test]
fn members_of_other_types_are_unknown_to_the_classic_requests() {
    let mut world = consumer_group(&["a"]);
    assert_eq!(world.heartbeat("a", 1), ErrorCode::UnknownMemberId);
    assert_eq!(world.sync(syncing("a", 1)), ["#1 sync UNKNOWN_MEMBER_ID"]);
    assert_eq!(world.leave(&[("a", None)]), ["#2 leave NONE: a=UNKNOWN_MEMBER_ID"]);
    assert_eq!(world.commit_offset(committing()), ["#3 commit t-0=UNKNOWN_MEMBER_ID"]);
    let group = world.shard.describe(6, "g");
    assert_eq!((group.error, group.state), (ErrorCode::GroupIdNotFound, "Dead"));
    assert_eq!(group.error_message.as_deref(), Some("Group g is not a classic group."));
}

#[test]
fn an_empty_group_of_another_type_is_deleted_with_its_records_and_offsets() {
    let mut world = consumer_group(&[]);
    let _ = world.commit_offset(committing());
    let effects = world.shard.on_delete_groups(world.now(), &["g"], Token(2));
    assert_eq!(
        world.commit(effects),
        [
            "log: g t-0 removed",
            "log: g record of type 6 removed",
            "log: g record of type 3 removed",
            "#2 delete groups g=NONE",
        ]
    );
    assert_eq!(listed(&world), [] as [&str; 0]);
    let mut world = consumer_group(&["a"]);
    let effects = world.shard.on_delete_groups(world.now(), &["g"], Token(1));
    assert_eq!(world.commit(effects), ["#1 delete groups g=NON_EMPTY_GROUP"]);
}

#[test]
fn a_group_whose_records_are_all_removed_is_gone_and_its_offsets_stay() {
    let mut world = consumer_group(&["a"]);
    world.replay(&offset_stored("t", 0, 7, START_MS));
    for key in [key(5, "g", Some("a")), key(6, "g", None), key(3, "g", None)] {
        replay(&mut world, &key, None);
    }
    assert_eq!(listed(&world), ["classic  Empty"]);
    assert_eq!(fetched(&world, "t", 0), "7");
}

#[test]
fn members_of_other_types_that_stay_silent_are_removed_and_make_room() {
    let mut world = World::new();
    for record_type in [5, 7, 8] {
        replay(&mut world, &key(record_type, "g", Some("a")), Some(b"\0\0"));
    }
    for record_type in [3, 6] {
        replay(&mut world, &key(record_type, "g", None), Some(b"\0\0"));
    }
    world.replay(&offset_stored("t", 0, 7, START_MS));
    let mut world = world.loaded();
    assert_eq!(world.pass(44), [] as [&str; 0]);
    assert_eq!(
        world.pass(1),
        [
            "log: g record of type 8 removed",
            "log: g record of type 7 removed",
            "log: g record of type 5 removed",
        ]
    );
    assert_eq!(listed(&world), ["consumer consumer Empty"]);
    assert_eq!(fetched(&world, "t", 0), "7");
    assert_eq!(world.pass(100), [] as [&str; 0]);
    assert_eq!(
        world.join(joining("")).first().map(String::as_str),
        Some(&*format!("#1 join MEMBER_ID_REQUIRED {}", id(1)))
    );
}

#[test]
fn silent_members_whose_removal_cannot_be_stored_are_removed_later() {
    let mut world = consumer_group(&["a"]);
    world.pass(44);
    let now = Now { mono: world.now().mono + Duration::from_secs(1), ..world.now() };
    let effects = world.shard.on_timer(now);
    world.fail(&effects.appends[0], ErrorCode::RequestTimedOut);
    assert_eq!(listed(&world), ["consumer consumer Stable"]);
    world.pass(50);
    assert_eq!(listed(&world), ["consumer consumer Empty"]);
}
