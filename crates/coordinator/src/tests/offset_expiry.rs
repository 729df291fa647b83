use super::*;

const DAY_S: u64 = 24 * 60 * 60;

fn with_offsets(stored: Option<StoredGroup>) -> World {
    let mut world = World::new();
    if let Some(stored) = stored {
        world.replay(&Change::GroupStored { group: "g".into(), stored });
    }
    world.replay(&offset_stored("t", 0, 1, START_MS));
    world.replay(&offset_stored("u", 0, 2, START_MS));
    world.loaded()
}

/// Keeps the only member of "g" alive while days pass.
fn pass_days_alive(world: &mut World, days: u64) -> Vec<String> {
    let mut shown = Vec::new();
    for _ in 0..days * DAY_S / 1_000 {
        shown.extend(world.pass(1_000));
        assert_eq!(world.heartbeat("a", 5), ErrorCode::None);
    }
    shown
}

fn patient(stored: StoredGroup) -> StoredGroup {
    let mut stored = stored;
    stored.members.iter_mut().for_each(|member| member.session_timeout_ms = 1_800_000);
    stored
}

#[test]
fn a_group_that_nobody_is_in_loses_its_offsets_a_retention_after_it_became_empty() {
    let mut world = with_offsets(Some(stored_group(&[])));
    assert_eq!(world.pass(7 * DAY_S - 1), [] as [&str; 0]);
    assert_eq!(world.pass(600), ["log: g t-0 removed", "log: g u-0 removed", "log: g removed"]);
    assert_eq!(world.state(), "Dead []");
}

#[test]
fn the_retention_of_a_group_counts_from_when_its_last_member_left() {
    let mut world = with_offsets(Some(stored_group(&["a"])));
    assert_eq!(world.pass(10), ["log: g generation 6 - leader - []"]);
    assert_eq!(world.pass(7 * DAY_S - 1), [] as [&str; 0]);
    assert_eq!(world.pass(601).len(), 3);
}

#[test]
fn offsets_that_were_committed_without_a_group_expire_by_their_commit() {
    let mut world = with_offsets(None);
    let _ = world.pass(3 * DAY_S);
    let _ =
        world.commit_offset(OffsetCommitRequest { topics: vec![commit_topic("u", 0, 3)], ..committing() });
    assert_eq!(world.pass(4 * DAY_S + 600), ["log: g t-0 removed"]);
    assert_eq!(fetched(&world, "u", 0), "3");
    assert_eq!(world.pass(3 * DAY_S), ["log: g u-0 removed", "log: g removed"]);
}

#[test]
fn topics_that_consumers_read_keep_their_offsets_and_others_lose_them() {
    let mut world = with_offsets(Some(patient(stored_group(&["a"]))));
    assert_eq!(pass_days_alive(&mut world, 8), ["log: g u-0 removed"]);
    assert_eq!(fetched(&world, "t", 0), "1");
}

#[test]
fn members_of_another_type_keep_all_their_offsets() {
    let connect = StoredGroup { protocol_type: "connect".into(), ..patient(stored_group(&["a"])) };
    let mut world = with_offsets(Some(connect));
    assert_eq!(pass_days_alive(&mut world, 8), [] as [&str; 0]);
}

#[test]
fn an_offset_whose_client_chose_its_end_expires_then() {
    let mut world = World::new().loaded();
    let request = OffsetCommitRequest { version: 4, retention_time_ms: 60_000, ..committing() };
    let _ = world.commit_offset(request);
    assert_eq!(world.pass(599), [] as [&str; 0]);
    assert_eq!(world.pass(1), ["log: g t-0 removed", "log: g removed"]);
}

#[test]
fn a_group_without_members_and_offsets_is_removed() {
    let mut world = World::new();
    world.replay(&Change::GroupStored { group: "g".into(), stored: stored_group(&[]) });
    assert_eq!(world.loaded().pass(600), ["log: g removed"]);
}

#[test]
fn a_group_that_has_handed_out_an_id_is_kept() {
    let mut world = World::new().loaded();
    let _ = world.pass(595);
    let _ = world.join(joining(""));
    assert_eq!(world.pass(5), [] as [&str; 0]);
    assert_eq!(world.state(), "Empty []");
    assert_eq!(world.pass(600), ["log: g removed"]);
}

#[test]
fn many_tombstones_are_appended_in_parts() {
    let mut world = World::new();
    for partition in 0..2_500 {
        world.replay(&offset_stored("t", partition, 1, 0));
    }
    world.replay(&offset_stored("t", 2_500, 1, START_MS));
    let mut world = world.loaded();
    world.elapsed = Duration::from_secs(7 * DAY_S - 900);
    let effects = world.shard.expire_offsets(world.now());
    let sizes: Vec<usize> = effects.appends.iter().map(|append| append.changes.len()).collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
}
