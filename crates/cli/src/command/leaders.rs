//! Tells whoever writes that records wait for a leader: the client goes on trying without a word.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use client::{Producer, TopicPartition};

use super::units;
use crate::print::note;

/// How often it is looked. An election takes no longer where there is another replica.
const LOOK: Duration = Duration::from_secs(3);

/// So many partitions are named.
const NAMED_MAX: usize = 8;

/// Says once of each partition that records wait for its leader, and when that is over.
pub async fn tell_of_leaders(producer: &Producer) -> Infallible {
    let mut told: BTreeSet<TopicPartition> = BTreeSet::new();
    let mut before: BTreeSet<TopicPartition> = BTreeSet::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let now: BTreeSet<TopicPartition> = producer.without_leader().into_iter().collect();
        // At the first look an election may be under way.
        let lasting: BTreeSet<TopicPartition> = now.intersection(&before).cloned().collect();
        let new: Vec<&TopicPartition> = lasting.difference(&told).collect();
        if !new.is_empty() {
            let have = if new.len() == 1 { "has" } else { "have" };
            let patience = units::span(producer.delivery_timeout().as_secs_f64());
            note(&format!(
                "{} {have} no leader: records wait for one, and are given up after {patience} (delivery.timeout.ms)",
                named(&new)
            ));
            note("next: `riverrun cluster health` shows which brokers are down");
        }
        let over: Vec<&TopicPartition> = told.difference(&now).collect();
        if !over.is_empty() {
            note(&format!("no records wait for a leader of {} any more", named(&over)));
        }
        told.retain(|name| now.contains(name));
        told.extend(lasting);
        before = now;
    }
}

fn named(partitions: &[&TopicPartition]) -> String {
    let names: Vec<String> = partitions.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    match partitions.len().saturating_sub(NAMED_MAX) {
        0 => names.join(" "),
        more => format!("{} and {more} more", names.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_partitions_some_are_named() {
        let names: Vec<TopicPartition> = (0..10).map(|number| TopicPartition::new("t", number)).collect();
        let names: Vec<&TopicPartition> = names.iter().collect();
        assert_eq!(named(&names[..2]), "t-0 t-1");
        assert_eq!(named(&names), "t-0 t-1 t-2 t-3 t-4 t-5 t-6 t-7 and 2 more");
    }
}
