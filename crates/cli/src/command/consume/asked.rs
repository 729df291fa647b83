//! The partitions that are to be read, and those that are left out as nobody can be asked about them.

use client::TopicPartition;
use client::metadata::Topic;

use super::Consume;
use crate::command::place::partitions_of;
use crate::command::{Failure, Session, session};
use crate::print::note;

/// The partitions that were asked for.
pub struct Asked {
    pub partitions: Vec<TopicPartition>,
    /// Those without a leader, where leaders are asked first: they may be away for long, and the others need not wait.
    pub left_out: Vec<TopicPartition>,
}

pub fn asked(consume: &Consume, topics: &[Topic]) -> Result<Asked, Failure> {
    let (mut partitions, mut left_out) = (Vec::new(), Vec::new());
    for topic in topics {
        for name in partitions_of(topic, consume.partition)? {
            let led =
                topic.partitions.get(&name.partition).is_some_and(|partition| partition.leader.is_some());
            let one = if led || !consume.asks_for_offsets() { &mut partitions } else { &mut left_out };
            one.push(name);
        }
    }
    let asked = Asked { partitions, left_out };
    tell_of(&asked.left_out);
    Ok(asked)
}

fn tell_of(left_out: &[TopicPartition]) {
    if !left_out.is_empty() {
        note(&format!("{}: `riverrun cluster health` shows why", without_leader(left_out)));
    }
}

impl Asked {
    /// Leaves those out that have lost their leader since, or whose leader cannot be reached though others can, for whoever
    /// asked leaders and failed. Whether there are any.
    pub fn leave_out_lost(&mut self, consume: &Consume, session: &Session) -> bool {
        let metadata = session.client.metadata();
        let unreachable = session.client.unreachable(session::IN_VAIN);
        let is_reached = |leader| !unreachable.iter().any(|(id, _)| *id == leader);
        let is_lost = |name: &TopicPartition| {
            let known = metadata.partition(&name.topic, name.partition);
            let leads = known.is_none_or(|partition| partition.leader.is_some_and(is_reached));
            consume.asks_for_offsets() && !leads
        };
        let all = std::mem::take(&mut self.partitions).into_iter();
        let (lost, led): (Vec<TopicPartition>, Vec<TopicPartition>) = all.partition(is_lost);
        let any = !lost.is_empty();
        // Where nothing is left, what went wrong says more.
        if led.is_empty() {
            self.partitions = lost;
            return false;
        }
        self.partitions = led;
        tell_of(&lost);
        self.left_out.extend(lost);
        self.left_out.sort_unstable();
        any
    }
}

pub fn without_leader(partitions: &[TopicPartition]) -> String {
    let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    let have = if names.len() == 1 { "has" } else { "have" };
    format!("{} {have} no leader that can be reached", names.join(" "))
}
