//! Where the replicas of new partitions go.
//!
//! Leaders and replicas are spread evenly over the brokers, and the replicas of one partition over as many racks as
//! there are. Only a broker that is active leads; a fenced one takes a replica only where its rack offers no other,
//! as it is expected to come back.

use std::collections::BTreeMap;

use kernel::{ErrorCode, NodeId, Uuid};

use super::Refusal;
use crate::image::{Broker, Image, Partition};

/// Places the replicas of `count` partitions, the first of which has the index `first`.
///
/// `topic` is a random number that decides between equals, so that not every topic begins with the same broker.
/// `existing` are the topic's partitions so far.
pub(super) fn place<'a>(
    image: &Image,
    topic: Uuid,
    existing: impl Iterator<Item = &'a Partition>,
    first: i32,
    count: i32,
    replication_factor: i16,
) -> Result<Vec<Vec<NodeId>>, Refusal> {
    let mut candidates: Vec<Candidate> = image
        .brokers
        .iter()
        .filter(|broker| broker.takes_new_replicas())
        .map(|b| Candidate::new(b))
        .collect();
    check(&candidates, replication_factor)?;
    let replicas = usize::try_from(replication_factor).unwrap_or(0);
    for partition in existing {
        let (leader, held) = (partition.replicas.first(), &partition.replicas);
        for candidate in candidates.iter_mut().filter(|candidate| held.contains(&candidate.id)) {
            candidate.load.replicas += 1;
            candidate.load.leaders += u32::from(leader == Some(&candidate.id));
        }
    }
    (first..first.saturating_add(count))
        .map(|index| place_one(&mut candidates, replicas, seed(topic, index)))
        .map(|placed| placed.ok_or_else(|| invalid("too few brokers take new replicas.")))
        .collect()
}

/// A broker as far as placement is concerned.
struct Candidate<'a> {
    id: NodeId,
    rack: Option<&'a str>,
    active: bool,
    load: Load,
}

#[derive(Default)]
struct Load {
    leaders: u32,
    replicas: u32,
}

impl<'a> Candidate<'a> {
    fn new(broker: &'a Broker) -> Self {
        Self { id: broker.id, rack: broker.rack.as_deref(), active: broker.active(), load: Load::default() }
    }
}

fn check(candidates: &[Candidate<'_>], replication_factor: i16) -> Result<(), Refusal> {
    if replication_factor <= 0 {
        return Err(invalid("the replication factor has to be positive."));
    }
    if !candidates.iter().any(|candidate| candidate.active) {
        return Err(invalid("all brokers are fenced, shutting down or have only cordoned log directories."));
    }
    if usize::try_from(replication_factor).is_ok_and(|wanted| wanted > candidates.len()) {
        return Err(invalid(&format!(
            "replication factor {replication_factor} is larger than the number of brokers that take new replicas, \
             {}.",
            candidates.len()
        )));
    }
    Ok(())
}

fn invalid(reason: &str) -> Refusal {
    Refusal::new(ErrorCode::InvalidReplicationFactor, format!("The replicas cannot be placed: {reason}"))
}

fn place_one(candidates: &mut [Candidate<'_>], replicas: usize, seed: u64) -> Option<Vec<NodeId>> {
    let leader = candidates
        .iter_mut()
        .filter(|candidate| candidate.active)
        .min_by_key(|c| (c.load.leaders, c.load.replicas, chance(seed, c.id)))?;
    leader.load.leaders += 1;
    leader.load.replicas += 1;
    let mut placed = vec![leader.id];
    let mut racks_used: BTreeMap<Option<&str>, u32> = BTreeMap::from([(leader.rack, 1)]);
    while placed.len() < replicas {
        let follower =
            candidates.iter_mut().filter(|candidate| !placed.contains(&candidate.id)).min_by_key(|c| {
                let rack_uses = racks_used.get(&c.rack).copied().unwrap_or(0);
                (rack_uses, !c.active, c.load.replicas, chance(seed, c.id))
            })?;
        follower.load.replicas += 1;
        placed.push(follower.id);
        *racks_used.entry(follower.rack).or_default() += 1;
    }
    Some(placed)
}

fn seed(topic: Uuid, index: i32) -> u64 {
    let number = u128::from_be_bytes(*topic.as_bytes());
    mix((number ^ (number >> 64)) as u64 ^ u64::from(index.unsigned_abs()))
}

/// A number that decides between brokers that are equally good.
fn chance(seed: u64, broker: NodeId) -> u64 {
    mix(seed ^ (u64::from(broker.0.unsigned_abs()) << 32))
}

/// The finalizer of splitmix64: every bit of the result depends on every bit of the argument.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::controller::testing;

    fn placed(image: &Image, count: i32, replication_factor: i16) -> Vec<Vec<NodeId>> {
        place(image, testing::uuid(7), std::iter::empty(), 0, count, replication_factor)
            .expect("brokers suffice")
    }

    #[test]
    fn leaders_and_replicas_are_even_and_a_partition_spans_all_racks() {
        let racks = [(1, "a"), (2, "a"), (3, "b"), (4, "b"), (5, "c"), (6, "c")];
        let image = testing::cluster(racks.map(|(id, rack)| testing::broker(id).rack(rack)));
        let partitions = placed(&image, 60, 3);
        for id in 1..=6 {
            let led = partitions.iter().filter(|replicas| replicas[0] == NodeId(id)).count();
            let held = partitions.iter().filter(|replicas| replicas.contains(&NodeId(id))).count();
            assert_eq!((led, held), (10, 30), "broker {id}");
        }
        for replicas in &partitions {
            let racks: BTreeSet<&str> = replicas.iter().map(|id| racks[id.0 as usize - 1].1).collect();
            assert_eq!(racks.len(), 3, "{replicas:?}");
        }
    }

    #[test]
    fn a_fenced_broker_follows_only_where_it_has_to_and_never_leads() {
        let image = testing::cluster([testing::broker(1), testing::broker(2), testing::broker(3).fenced()]);
        assert!(placed(&image, 20, 2).iter().all(|replicas| !replicas.contains(&NodeId(3))));
        assert!(placed(&image, 20, 3).iter().all(|replicas| replicas[2] == NodeId(3)));
    }

    #[test]
    fn more_replicas_than_brokers_are_refused() {
        let image = testing::cluster([testing::broker(1)]);
        let refused = place(&image, testing::uuid(7), std::iter::empty(), 0, 1, 2).unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidReplicationFactor);
        let image = testing::cluster([testing::broker(1).fenced()]);
        let refused = place(&image, testing::uuid(7), std::iter::empty(), 0, 1, 1).unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidReplicationFactor);
    }

    #[test]
    fn partitions_added_later_even_out_what_is_there() {
        let image = testing::cluster([testing::broker(1), testing::broker(2)]);
        let there = [1, 1].map(|id| Partition::new(vec![NodeId(id)], vec![], vec![NodeId(id)]));
        let added = place(&image, testing::uuid(7), there.iter(), 2, 2, 1).expect("brokers suffice");
        assert_eq!(added, [[NodeId(2)], [NodeId(2)]]);
    }
}
