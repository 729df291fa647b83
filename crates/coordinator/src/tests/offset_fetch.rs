use super::*;

fn fetching(topics: Option<Vec<FetchTopic<'static>>>) -> OffsetFetchRequest<'static> {
    OffsetFetchRequest { group_id: "g", member_id: None, member_epoch: -1, topics, require_stable: false }
}

fn fetch(world: &World, request: &OffsetFetchRequest<'_>) -> Vec<String> {
    let reply = world.shard.fetch_offsets(request);
    assert_eq!(reply.error, ErrorCode::None);
    let topics = reply.topics.iter();
    let shown = topics.flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(|partition| format!("{}-{}={}", topic.name, partition.partition, show_fetched(partition)))
    });
    shown.collect()
}

fn topic(name: &'static str, partitions: &[i32]) -> FetchTopic<'static> {
    FetchTopic { name, topic_id: Uuid::ZERO, partitions: partitions.to_vec() }
}

fn world() -> World {
    let mut world = World::new();
    world.replay(&offset_stored("u", 1, 11, 0));
    world.replay(&offset_stored("t", 2, 22, 0));
    world.replay(&offset_stored("t", 0, 20, 0));
    world.loaded()
}

#[test]
fn a_client_gets_what_it_asks_for_in_its_order_and_minus_one_where_there_is_nothing() {
    let request = fetching(Some(vec![topic("u", &[1, 0]), topic("t", &[2]), topic("v", &[0])]));
    assert_eq!(fetch(&world(), &request), ["u-1=11", "u-0=-1", "t-2=22", "v-0=-1"]);
}

#[test]
fn a_client_that_names_no_topics_gets_everything() {
    assert_eq!(fetch(&world(), &fetching(None)), ["t-0=20", "t-2=22", "u-1=11"]);
}

#[test]
fn a_group_that_does_not_exist_has_no_offsets() {
    let world = World::new();
    assert_eq!(fetch(&world, &fetching(None)), [] as [&str; 0]);
    assert_eq!(fetch(&world, &fetching(Some(vec![topic("t", &[0])]))), ["t-0=-1"]);
}

#[test]
fn leader_epoch_and_metadata_come_back_as_they_were_committed() {
    let mut world = World::new();
    let commit = CommitPartition { partition: 0, offset: 1, leader_epoch: 4, metadata: Some("note") };
    let topics = vec![CommitTopic { name: "t", topic_id: Uuid::ZERO, partitions: vec![commit] }];
    let _ = world.commit_offset(OffsetCommitRequest { topics, ..committing() });
    let reply = world.shard.fetch_offsets(&fetching(None));
    let partition = &reply.topics[0].partitions[0];
    assert_eq!((partition.leader_epoch, &*partition.metadata), (4, "note"));
    let reply = world.shard.fetch_offsets(&fetching(Some(vec![topic("t", &[1])])));
    let partition = &reply.topics[0].partitions[0];
    assert_eq!((partition.leader_epoch, &*partition.metadata), (-1, ""));
}

#[test]
fn the_offset_of_an_earlier_topic_of_the_same_name_is_not_the_one_asked_for() {
    let mut world = World::new();
    let topics = vec![CommitTopic { topic_id: Uuid::from_bytes([1; 16]), ..commit_topic("t", 0, 7) }];
    let _ = world.commit_offset(OffsetCommitRequest { topics, ..committing() });
    let asked = |topic_id| fetching(Some(vec![FetchTopic { topic_id, ..topic("t", &[0]) }]));
    assert_eq!(fetch(&world, &asked(Uuid::from_bytes([1; 16]))), ["t-0=7"]);
    assert_eq!(fetch(&world, &asked(Uuid::ZERO)), ["t-0=7"]);
    assert_eq!(fetch(&world, &asked(Uuid::from_bytes([2; 16]))), ["t-0=-1"]);
}

#[test]
fn who_requires_stable_offsets_does_not_get_one_that_is_being_replaced() {
    let mut world = world();
    let effects = world.shard.on_offset_commit(world.now(), &committing(), Token(1));
    let request = fetching(Some(vec![topic("t", &[0, 2])]));
    assert_eq!(fetch(&world, &request), ["t-0=20", "t-2=22"]);
    let stable = OffsetFetchRequest { require_stable: true, ..request };
    assert_eq!(fetch(&world, &stable), ["t-0=UNSTABLE_OFFSET_COMMIT", "t-2=22"]);
    let _ = world.store(&effects.appends[0]);
    assert_eq!(fetch(&world, &stable), ["t-0=7", "t-2=22"]);
}
