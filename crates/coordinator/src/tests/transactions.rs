use kernel::ProducerEpoch;

use super::*;

const PRODUCER: ProducerId = ProducerId(11);

fn commit_in_transaction(world: &mut World, request: TxnOffsetCommitRequest<'_>) -> Vec<String> {
    let token = world.token();
    let effects = world.shard.on_txn_offset_commit(world.now(), &request, token);
    for append in &effects.appends {
        assert_eq!(append.transaction, Some((PRODUCER, ProducerEpoch(3))));
    }
    world.commit(effects)
}

fn committing_in_transaction(offset: i64) -> TxnOffsetCommitRequest<'static> {
    TxnOffsetCommitRequest {
        version: 5,
        group_id: "g",
        producer_id: PRODUCER.0,
        producer_epoch: 3,
        generation: -1,
        member_id: "",
        instance_id: None,
        topics: vec![commit_topic("t", 0, offset)],
    }
}

fn fetched_if_stable(world: &World) -> String {
    let topics = Some(vec![FetchTopic { name: "t", topic_id: Uuid::ZERO, partitions: vec![0] }]);
    let request =
        OffsetFetchRequest { group_id: "g", member_id: None, member_epoch: -1, topics, require_stable: true };
    show_fetched(&world.shard.fetch_offsets(&request).topics[0].partitions[0])
}

#[test]
fn an_offset_counts_when_its_transaction_commits() {
    let mut world = World::new();
    assert_eq!(
        commit_in_transaction(&mut world, committing_in_transaction(7)),
        ["log: g t-0 at 7", "#1 commit t-0=NONE"]
    );
    assert_eq!(fetched(&world, "t", 0), "-1");
    assert_eq!(fetched_if_stable(&world), "UNSTABLE_OFFSET_COMMIT");
    world.shard.transaction_ended(PRODUCER, true);
    assert_eq!((fetched(&world, "t", 0), fetched_if_stable(&world)), ("7".into(), "7".into()));
}

#[test]
fn an_offset_of_a_transaction_that_aborts_never_counts() {
    let mut world = World::new();
    let _ = world.commit_offset(committing());
    let _ = commit_in_transaction(&mut world, committing_in_transaction(9));
    world.shard.transaction_ended(PRODUCER, false);
    assert_eq!(fetched_if_stable(&world), "7");
}

#[test]
fn a_commit_that_came_after_the_transactions_is_not_undone_by_it() {
    let mut world = World::new();
    let _ = commit_in_transaction(&mut world, committing_in_transaction(9));
    let _ = world.commit_offset(committing());
    world.shard.transaction_ended(PRODUCER, true);
    assert_eq!(fetched(&world, "t", 0), "7");
}

#[test]
fn the_end_of_a_transaction_that_committed_nothing_changes_nothing() {
    let mut world = World::new();
    let _ = world.commit_offset(committing());
    world.shard.transaction_ended(ProducerId(99), true);
    assert_eq!(fetched(&world, "t", 0), "7");
}

#[test]
fn what_an_open_transaction_is_about_to_commit_does_not_expire() {
    let mut world = World::new();
    world.replay(&offset_stored("t", 0, 1, 0));
    let mut world = world.loaded();
    let _ = commit_in_transaction(&mut world, committing_in_transaction(9));
    assert_eq!(world.pass(8 * 24 * 60 * 60), [] as [&str; 0]);
    world.shard.transaction_ended(PRODUCER, false);
    assert_eq!(world.pass(600), ["log: g t-0 removed", "log: g removed"]);
}

#[test]
fn an_offset_that_is_deleted_is_not_brought_back_by_the_transaction() {
    let mut world = World::new();
    let _ = commit_in_transaction(&mut world, committing_in_transaction(9));
    let request = OffsetDeleteRequest { group_id: "g", topics: vec![("t", vec![0])] };
    let effects = world.shard.on_offset_delete(world.now(), &request, Token(2));
    assert_eq!(world.commit(effects), ["log: g t-0 removed", "#2 delete NONE: t-0=NONE"]);
    world.shard.transaction_ended(PRODUCER, true);
    assert_eq!(fetched_if_stable(&world), "-1");
}

#[test]
fn a_member_commits_in_its_generation_even_before_it_has_its_assignment() {
    let mut world = stable(&["a"]);
    let _ = world.join(joining("a"));
    assert_eq!(world.state(), "CompletingRebalance [a]");
    let member =
        |generation| TxnOffsetCommitRequest { member_id: "a", generation, ..committing_in_transaction(1) };
    assert_eq!(commit_in_transaction(&mut world, member(6))[1], "#2 commit t-0=NONE");
    assert_eq!(commit_in_transaction(&mut world, member(5)), ["#3 commit t-0=ILLEGAL_GENERATION"]);
    // Producers of old say nothing about the group.
    assert_eq!(commit_in_transaction(&mut world, committing_in_transaction(1))[1], "#4 commit t-0=NONE");
}

#[test]
fn a_generation_of_a_group_that_does_not_exist_is_refused_as_the_client_understands_it() {
    let member = TxnOffsetCommitRequest { member_id: "a", generation: 1, ..committing_in_transaction(1) };
    let new = TxnOffsetCommitRequest { version: 6, ..member.clone() };
    assert_eq!(commit_in_transaction(&mut World::new(), new), ["#1 commit t-0=GROUP_ID_NOT_FOUND"]);
    assert_eq!(commit_in_transaction(&mut World::new(), member), ["#1 commit t-0=ILLEGAL_GENERATION"]);
}

#[test]
fn what_is_pending_in_a_topic_that_is_deleted_is_removed_with_it() {
    let mut world = World::new();
    let _ = commit_in_transaction(&mut world, committing_in_transaction(9));
    let effects = world.shard.topics_deleted(world.now(), &[("t", Uuid::from_bytes([1; 16]))]);
    assert_eq!(world.commit(effects), ["log: g t-0 removed"]);
    world.shard.transaction_ended(PRODUCER, true);
    assert_eq!(fetched_if_stable(&world), "-1");
}
