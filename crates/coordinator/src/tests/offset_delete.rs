use super::*;

fn delete(world: &mut World, topics: &[(&'static str, &[i32])]) -> Vec<String> {
    let topics = topics.iter().map(|(name, partitions)| (*name, partitions.to_vec())).collect();
    let request = OffsetDeleteRequest { group_id: "g", topics };
    let token = world.token();
    let effects = world.shard.on_offset_delete(world.now(), &request, token);
    world.commit(effects)
}

fn with_offsets(stored: Option<StoredGroup>) -> World {
    let mut world = World::new();
    if let Some(stored) = stored {
        world.replay(&Change::GroupStored { group: "g".into(), stored });
    }
    world.replay(&offset_stored("t", 0, 1, START_MS));
    world.replay(&offset_stored("u", 0, 2, START_MS));
    world.loaded()
}

#[test]
fn offsets_of_a_group_without_members_are_removed() {
    let mut world = with_offsets(None);
    assert_eq!(
        delete(&mut world, &[("t", &[0, 1]), ("u", &[0])]),
        ["log: g t-0 removed", "log: g u-0 removed", "#1 delete NONE: t-0=NONE t-1=NONE u-0=NONE"]
    );
    assert_eq!(fetched(&world, "t", 0), "-1");
}

#[test]
fn where_there_is_nothing_to_remove_the_answer_is_immediate() {
    let mut world = with_offsets(None);
    assert_eq!(delete(&mut world, &[("v", &[0])]), ["#1 delete NONE: v-0=NONE"]);
}

#[test]
fn offsets_of_a_topic_that_consumers_read_are_kept() {
    let mut world = with_offsets(Some(stored_group(&["a"])));
    assert_eq!(
        delete(&mut world, &[("t", &[0]), ("u", &[0])]),
        ["log: g u-0 removed", "#1 delete NONE: t-0=GROUP_SUBSCRIBED_TO_TOPIC u-0=NONE"]
    );
}

#[test]
fn where_a_subscription_cannot_be_read_all_offsets_are_kept() {
    let mut stored = stored_group(&["a"]);
    stored.members[0].subscription = Bytes::from_static(b"?");
    let mut world = with_offsets(Some(stored));
    assert_eq!(delete(&mut world, &[("u", &[0])]), ["#1 delete NONE: u-0=GROUP_SUBSCRIBED_TO_TOPIC"]);
}

#[test]
fn of_a_group_of_another_type_nothing_is_removed_while_it_has_members() {
    let connect = StoredGroup { protocol_type: "connect".into(), ..stored_group(&["a"]) };
    let mut world = with_offsets(Some(connect));
    assert_eq!(delete(&mut world, &[("t", &[0])]), ["#1 delete NON_EMPTY_GROUP:"]);
}

#[test]
fn there_is_nothing_to_remove_from_a_group_that_does_not_exist() {
    assert_eq!(delete(&mut World::new(), &[("t", &[0])]), ["#1 delete GROUP_ID_NOT_FOUND:"]);
}

#[test]
fn the_offsets_of_a_deleted_topic_are_removed_unless_they_are_of_its_successor() {
    let (old, new) = (Uuid::from_bytes([1; 16]), Uuid::from_bytes([2; 16]));
    let mut world = with_offsets(None);
    for (partition, topic_id) in [(1, old), (2, new)] {
        let topics = vec![CommitTopic { topic_id, ..commit_topic("t", partition, 5) }];
        let _ = world.commit_offset(OffsetCommitRequest { topics, ..committing() });
    }
    let effects = world.shard.topics_deleted(world.now(), &[("t", old), ("v", old)]);
    // Of the first it is not known which topic it was of.
    assert_eq!(world.commit(effects), ["log: g t-0 removed", "log: g t-1 removed"]);
    assert_eq!(fetched(&world, "t", 2), "5");
    assert_eq!(fetched(&world, "u", 0), "2");
}
