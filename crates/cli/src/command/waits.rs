//! Tells whoever writes that records wait, and for what: the client goes on trying without a word.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use client::{Producer, TopicPartition};

use super::ask::listed;
use super::failure::WHO_IS_THERE;
use super::units;
use crate::print::note;

/// How often it is looked. An election takes no longer where there is another replica.
const LOOK: Duration = Duration::from_secs(3);

/// How long an acknowledgement may take until that is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says once of each partition that records wait for its leader, or else that they wait for an answer, and when that is over.
pub async fn tell_of_waits(producer: &Producer) -> Infallible {
    let given_up = units::span(producer.delivery_timeout().as_secs_f64());
    let given_up = format!("are given up after {given_up} (delivery.timeout.ms)");
    let mut told: BTreeSet<TopicPartition> = BTreeSet::new();
    let mut before: BTreeSet<TopicPartition> = BTreeSet::new();
    let mut unanswered = false;
    loop {
        tokio::time::sleep(LOOK).await;
        let now: BTreeSet<TopicPartition> = producer.without_leader().into_iter().collect();
        // At the first look an election may be under way.
        let lasting: BTreeSet<TopicPartition> = now.intersection(&before).cloned().collect();
        let new: Vec<&TopicPartition> = lasting.difference(&told).collect();
        if !new.is_empty() {
            let have = if new.len() == 1 { "has" } else { "have" };
            note(&format!(
                "{} {have} no leader: records wait for one, and {given_up}",
                listed(new.iter().map(ToString::to_string))
            ));
            note("next: `riverrun cluster health` shows which brokers are down");
        }
        let over: Vec<&TopicPartition> = told.difference(&now).collect();
        if !over.is_empty() {
            note(&format!(
                "no records wait for a leader of {} any more",
                listed(over.iter().map(ToString::to_string))
            ));
        }
        told.retain(|name| now.contains(name));
        told.extend(lasting);
        before = now;
        let waited = producer.longest_wait().filter(|waited| *waited >= PATIENCE && before.is_empty());
        match waited {
            Some(waited) if !unanswered => {
                let waited = units::span(waited.as_secs_f64());
                note(&format!("records wait for an acknowledgement for {waited}, and {given_up}"));
                note(&format!("next: {WHO_IS_THERE}"));
            }
            None if unanswered && before.is_empty() => note("no record waits for so long any more"),
            _ => {}
        }
        unanswered = waited.is_some() || (unanswered && !before.is_empty());
    }
}
