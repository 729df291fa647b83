use super::*;

#[test]
fn a_replayed_group_is_stable_and_its_members_clocks_start_when_it_is_loaded() {
    let mut world = stable(&["a", "b"]);
    assert_eq!(world.state(), "Stable [a b]");
    assert_eq!(world.heartbeat("a", 5), ErrorCode::None);
    assert_eq!(world.pass(10), ["log: g generation 6 - leader - []"]);
}

#[test]
fn a_later_record_of_a_group_takes_the_place_of_the_earlier() {
    let mut world = World::new();
    world.replay(&Change::GroupStored { group: "g".into(), stored: stored_group(&["a"]) });
    world.replay(&Change::GroupStored { group: "g".into(), stored: stored_group(&["b"]) });
    assert_eq!(world.state(), "Stable [b]");
    world.replay(&Change::GroupRemoved { group: "g".into() });
    assert_eq!(world.state(), "Dead []");
}

#[test]
fn a_group_that_is_too_large_now_rebalances_when_it_is_loaded() {
    let world = stable_with(&["a", "b"], |config| config.group_size_max = 1);
    assert_eq!(world.state(), "PreparingRebalance [a b]");
}

#[test]
fn a_record_whose_leader_is_no_member_gets_one_that_is() {
    let mut world = World::new();
    let stored = StoredGroup { leader: Some("gone".into()), ..stored_group(&["a", "b"]) };
    world.replay(&Change::GroupStored { group: "g".into(), stored });
    let mut world = world.loaded();
    assert_eq!(world.join(joining("b")), ["#1 join b: generation 5 range leader a []"]);
}

#[test]
fn records_of_a_group_come_back_as_they_were_written() {
    let stored = stored_group(&["a/i", "b"]);
    let changes = [
        Change::GroupStored { group: "g".into(), stored },
        Change::GroupStored { group: "g".into(), stored: StoredGroup::default() },
        Change::GroupRemoved { group: "g".into() },
        Change::OffsetRemoved { group: "g".into(), topic: "t".into(), partition: 3 },
        offset_stored("t", 0, 7, START_MS),
    ];
    for change in changes {
        let record = change.encode().expect("it is small");
        assert_eq!(Change::decode(&record.key, record.value.as_deref()), Ok(Some(change)));
    }
}

/// The bytes are what Kafka 4.4's serializer makes of the same values: types and versions first, then the fields.
#[test]
fn an_offset_is_written_as_kafka_writes_it() {
    let offset = CommittedOffset {
        offset: 42,
        leader_epoch: Some(9),
        metadata: "m".into(),
        commit_timestamp: Timestamp(258),
        expire_timestamp: None,
        topic_id: Uuid::from_bytes([7; 16]),
    };
    let change =
        Change::OffsetStored { group: "g".into(), topic: "t".into(), partition: 3, offset: offset.clone() };
    let record = change.encode().expect("it is small");
    assert_eq!(&record.key[..], b"\x00\x01\x00\x01g\x00\x01t\x00\x00\x00\x03");
    let value: &[u8] = b"\x00\x04\
        \x00\x00\x00\x00\x00\x00\x00\x2a\x00\x00\x00\x09\x02m\x00\x00\x00\x00\x00\x00\x01\x02\
        \x01\x00\x10\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07";
    assert_eq!(record.value.as_deref(), Some(value));

    let expiring = CommittedOffset { expire_timestamp: Some(Timestamp(259)), ..offset };
    let change =
        Change::OffsetStored { group: "g".into(), topic: "t".into(), partition: 3, offset: expiring };
    let value: &[u8] = b"\x00\x01\
        \x00\x00\x00\x00\x00\x00\x00\x2a\x00\x01m\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x00\x00\x01\x03";
    assert_eq!(change.encode().expect("it is small").value.as_deref(), Some(value));
}

#[test]
fn a_group_is_written_as_kafka_writes_it() {
    let member = StoredMember {
        member_id: "m".into(),
        instance_id: None,
        client_id: "c".into(),
        client_host: "/h".into(),
        rebalance_timeout_ms: 2,
        session_timeout_ms: 3,
        subscription: Bytes::from_static(b"s"),
        assignment: Bytes::from_static(b"as"),
    };
    let stored = StoredGroup {
        protocol_type: "consumer".into(),
        generation: 1,
        protocol: Some("range".into()),
        leader: Some("m".into()),
        state_timestamp: Some(Timestamp(5)),
        members: vec![member],
    };
    let record = Change::GroupStored { group: "g".into(), stored }.encode().expect("it is small");
    assert_eq!(&record.key[..], b"\x00\x02\x00\x01g");
    let value: &[u8] = b"\x00\x03\x00\x08consumer\x00\x00\x00\x01\x00\x05range\x00\x01m\
        \x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x01\
        \x00\x01m\xff\xff\x00\x01c\x00\x02/h\x00\x00\x00\x02\x00\x00\x00\x03\
        \x00\x00\x00\x01s\x00\x00\x00\x02as";
    assert_eq!(record.value.as_deref(), Some(value));
}

#[test]
fn records_of_old_versions_are_read() {
    // Key type 0 and a value without a leader epoch, as the first coordinators wrote them.
    let key = b"\x00\x00\x00\x01g\x00\x01t\x00\x00\x00\x03";
    let value = b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x2a\x00\x01m\x00\x00\x00\x00\x00\x00\x01\x02";
    let offset = CommittedOffset {
        offset: 42,
        leader_epoch: None,
        metadata: "m".into(),
        commit_timestamp: Timestamp(258),
        expire_timestamp: None,
        topic_id: Uuid::ZERO,
    };
    let change = Change::OffsetStored { group: "g".into(), topic: "t".into(), partition: 3, offset };
    assert_eq!(Change::decode(key, Some(value)), Ok(Some(change)));

    // Version 0 of a group has neither rebalance timeouts nor a timestamp nor instance ids.
    let value = b"\x00\x00\x00\x08consumer\x00\x00\x00\x01\x00\x05range\x00\x01m\x00\x00\x00\x01\
        \x00\x01m\x00\x01c\x00\x02/h\x00\x00\x75\x30\x00\x00\x00\x00\x00\x00\x00\x00";
    let mut world = World::new();
    world.shard.replay(Offset(0), ProducerId::NONE, b"\x00\x02\x00\x01g", Some(value)).expect("it is whole");
    let mut world = world.loaded();
    assert_eq!(world.pass(29), [] as [&str; 0]);
    assert_eq!(world.state(), "Stable [m]");
}

#[test]
fn a_record_of_an_unknown_type_is_skipped() {
    let mut world = World::new();
    for record_type in [9_u8, 18, 24, 99] {
        assert_eq!(
            world.shard.replay(Offset(0), ProducerId::NONE, &[0, record_type, 1, 2], Some(b"?")),
            Ok(())
        );
    }
    assert_eq!(world.shard.list(&[], &[]), []);
}

#[test]
fn a_record_that_cannot_be_read_is_reported_and_changes_nothing() {
    let mut world = stable(&["a"]);
    let group_key: &[u8] = b"\x00\x02\x00\x01g";
    let cases: [(&[u8], Option<&[u8]>); 6] = [
        (b"", None),
        (b"\x00\x01\x00\x01g", None),
        (b"\x00\x05\x00\x01g", Some(b"")),
        (group_key, Some(b"")),
        (group_key, Some(b"\x00\x09")),
        (group_key, Some(b"\x00\x03\x00\x08cons")),
    ];
    for (key, value) in cases {
        assert!(world.shard.replay(Offset(0), ProducerId::NONE, key, value).is_err(), "{key:?} {value:?}");
        assert_eq!(world.state(), "Stable [a]");
    }
}

#[test]
fn a_transaction_in_the_log_counts_from_its_marker_on() {
    let mut world = World::new();
    let record = offset_stored("t", 0, 7, START_MS).encode().expect("it is small");
    world.shard.replay(Offset(4), ProducerId(11), &record.key, record.value.as_deref()).expect("it is whole");
    assert_eq!(fetched(&world, "t", 0), "-1");
    world.shard.transaction_ended(ProducerId(11), true);
    assert_eq!(fetched(&world, "t", 0), "7");
}

#[test]
fn what_is_decided_live_is_what_a_replay_of_its_records_gives() {
    let mut live = World::new().loaded();
    let mut log: Vec<Change> = Vec::new();
    let mut run = |world: &mut World, effects: Effects| {
        let mut todo = vec![effects];
        while let Some(effects) = todo.pop() {
            for append in &effects.appends {
                log.extend(append.changes.iter().cloned());
                todo.push(world.store(append));
            }
        }
    };
    let effects = live.join_only(new_member());
    run(&mut live, effects);
    let _ = live.pass(3);
    let (member, now) = (id(1), live.now());
    let effects = live.sync_only(SyncRequest { assignments: vec![(&member, b"all")], ..syncing(&member, 1) });
    run(&mut live, effects);
    let commit = OffsetCommitRequest { member_id: &member, generation: 1, ..committing() };
    let effects = live.shard.on_offset_commit(now, &commit, Token(9));
    run(&mut live, effects);

    let mut replayed = World::new();
    for change in &log {
        replayed.replay(change);
    }
    assert_eq!(replayed.shard.describe(6, "g"), live.shard.describe(6, "g"));
    assert_eq!(fetched(&replayed, "t", 0), fetched(&live, "t", 0));
}
