//! The records of `__consumer_offsets`, as a shard reads them when it is loaded.

use std::time::Duration;

use bytes::Bytes;
use coordinator::record::{Change, CommittedOffset, StoredGroup, StoredMember};
use coordinator::{GroupConfig, GroupShard};
use kernel::{Instant, Now, Offset, ProducerId, Timestamp, Uuid};

use super::Target;
use crate::bound::{FREE_BYTES, within};
use crate::input::{Input, Output};

pub const OFFSETS_TOPIC: Target = Target {
    name: "offsets-topic",
    what: "records of __consumer_offsets: each read and written again, and the replay of all of them into a shard",
    run: run_offsets_topic,
    seeds: seeds_offsets_topic,
    len_max: 1024,
    micros: 40,
};

/// What a shard may hold for each byte of its log: names are kept as keys of several maps.
const SHARD_PER_BYTE: usize = 256;

const NOW: Now =
    Now { wall: Timestamp(1_700_000_000_000), mono: Instant::from_start(Duration::from_secs(10)) };

/// Records: whose (0 for nobody's transaction), whether there is a value, key and value.
fn run_offsets_topic(input: &[u8]) {
    let may = SHARD_PER_BYTE * input.len() + FREE_BYTES;
    within(may, || replay(Input::new(input)));
}

fn replay(mut input: Input<'_>) {
    let mut shard = GroupShard::new(GroupConfig::default());
    let mut at = 0;
    while !input.is_empty() {
        let flags = input.byte();
        let producer = ProducerId(if flags & 2 == 0 { -1 } else { i64::from(flags >> 4) });
        let key = input.part();
        let value = if flags & 1 == 0 { Some(input.part()) } else { None };
        if flags & 4 != 0 {
            shard.transaction_ended(producer, flags & 8 != 0);
        }
        let decoded = Change::decode(key, value);
        let replayed = shard.replay(Offset(at), producer, key, value);
        assert_eq!(decoded.is_ok(), replayed.is_ok(), "what can be read can be replayed");
        if let Ok(Some(change)) = decoded {
            check_again(&change);
        }
        at += 1;
    }
    let effects = shard.loaded(NOW);
    drop(effects);
    drop(shard.unload(NOW));
}

/// What was read is written so that it is read as the same.
fn check_again(change: &Change) {
    if matches!(change, Change::ForeignStored { .. } | Change::ForeignRemoved { .. }) {
        return;
    }
    let record = change.encode().expect("what was read can be written");
    let again = Change::decode(&record.key, record.value.as_deref()).expect("what was written can be read");
    let again = again.expect("its type is known");
    let second = again.encode().expect("what was read can be written");
    assert!(record.key == second.key && record.value == second.value, "{change:?} was written as {again:?}");
}

fn seeds_offsets_topic() -> Vec<Vec<u8>> {
    let offset = |expire_timestamp| CommittedOffset {
        offset: 42,
        leader_epoch: Some(3),
        metadata: "m".into(),
        commit_timestamp: NOW.wall,
        expire_timestamp,
        topic_id: Uuid::ZERO,
    };
    let member = StoredMember {
        member_id: "member".into(),
        instance_id: Some("instance".into()),
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: 300_000,
        session_timeout_ms: 10_000,
        subscription: Bytes::from_static(&[0, 1, 0, 0, 0, 1, 0, 1, b't', 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
        assignment: Bytes::from_static(&[0, 0]),
    };
    let stored = StoredGroup {
        protocol_type: "consumer".into(),
        generation: 4,
        protocol: Some("range".into()),
        leader: Some("member".into()),
        state_timestamp: Some(NOW.wall),
        members: vec![member],
    };
    let (group, topic) = (|| "g".into(), || "t".into());
    let changes = [
        Change::OffsetStored { group: group(), topic: topic(), partition: 0, offset: offset(None) },
        Change::OffsetStored { group: group(), topic: topic(), partition: 1, offset: offset(Some(NOW.wall)) },
        Change::GroupStored { group: group(), stored },
        Change::OffsetRemoved { group: group(), topic: topic(), partition: 0 },
        Change::GroupStored { group: "empty".into(), stored: StoredGroup::default() },
        Change::GroupRemoved { group: group() },
    ];
    let mut all = Output::default();
    let mut seeds = Vec::new();
    for change in &changes {
        let record = change.encode().expect("it can be written");
        let head = [u8::from(record.value.is_none())];
        let put = |out: Output| match &record.value {
            Some(value) => out.bytes(&head).part(&record.key).part(value),
            None => out.bytes(&head).part(&record.key),
        };
        seeds.push(put(Output::default()).0);
        all = put(all);
    }
    seeds.push(all.0);
    // Keys of groups of other types: their number, and the longest of them are four strings and a number.
    for kind in 0..=30_u8 {
        let key = [&[0, kind][..], b"\0\x01g\0\x01m\0\x01x\0\x01y\0\0\0\0"].concat();
        seeds.push(Output::default().bytes(&[0]).part(&key).part(&[0; 40]).0);
        seeds.push(Output::default().bytes(&[1]).part(&key).0);
    }
    seeds
}
