//! How the leader of a group divides partitions.

use std::collections::BTreeMap;

use kernel::TopicPartition;

use super::sticky::sticky;
use crate::config::Assignor;

/// A member and the topics it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    pub member: String,
    /// A static member is placed by this name, so that it keeps its place under another member id.
    pub instance: Option<String>,
    pub topics: Vec<String>,
    /// What the member reads, and will go on reading if it may.
    pub owned: Vec<TopicPartition>,
    /// The generation in which it got that; -1 if it got nothing yet.
    pub generation: i32,
}

impl Wish {
    pub fn wants(&self, topic: &str) -> bool {
        self.topics.iter().any(|wanted| wanted == topic)
    }
}

/// What each member gets. `partitions` says how many partitions each topic has; those without any are left out.
pub(super) fn assign(
    assignor: Assignor,
    wishes: &[Wish],
    partitions: &BTreeMap<String, i32>,
) -> BTreeMap<String, Vec<TopicPartition>> {
    let mut members: Vec<&Wish> = wishes.iter().collect();
    // Static members come first, by their names; the others by their ids.
    members.sort_by_key(|wish| (wish.instance.is_none(), wish.instance.clone(), wish.member.clone()));
    let mut shares: BTreeMap<String, Vec<TopicPartition>> =
        members.iter().map(|wish| (wish.member.clone(), Vec::new())).collect();
    match assignor {
        Assignor::Range => range(&members, partitions, &mut shares),
        Assignor::RoundRobin => round_robin(&members, partitions, &mut shares),
        Assignor::CooperativeSticky => sticky(&members, partitions, &mut shares),
    }
    shares
}

pub(super) type Shares = BTreeMap<String, Vec<TopicPartition>>;

/// Each topic's partitions in runs as equal as can be; the first members get the longer ones.
fn range(members: &[&Wish], partitions: &BTreeMap<String, i32>, shares: &mut Shares) {
    for (topic, count) in partitions {
        let takers: Vec<&&Wish> = members.iter().filter(|wish| wish.wants(topic)).collect();
        let Ok(takers_count) = i32::try_from(takers.len()) else {
            continue;
        };
        let mut next = 0;
        for (place, wish) in (0..).zip(takers) {
            let run = count / takers_count + i32::from(place < count % takers_count);
            let share = shares.entry(wish.member.clone()).or_default();
            share.extend((next..next + run).map(|partition| TopicPartition::new(topic.as_str(), partition)));
            next += run;
        }
    }
}

/// All partitions of all topics dealt out in turn, passing over who does not want the topic.
fn round_robin(members: &[&Wish], partitions: &BTreeMap<String, i32>, shares: &mut Shares) {
    let mut turns = members.iter().cycle();
    for (topic, count) in partitions {
        if !members.iter().any(|wish| wish.wants(topic)) {
            continue;
        }
        for partition in 0..*count {
            if let Some(wish) = turns.find(|wish| wish.wants(topic)) {
                let share = shares.entry(wish.member.clone()).or_default();
                share.push(TopicPartition::new(topic.as_str(), partition));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(member: &str, topics: &[&str]) -> Wish {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        Wish { member: member.to_owned(), instance: None, topics, owned: Vec::new(), generation: -1 }
    }

    #[track_caller]
    fn check(assignor: Assignor, wishes: &[Wish], topics: &[(&str, i32)], expected: &[(&str, &str)]) {
        let partitions = topics.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect();
        let shares = assign(assignor, wishes, &partitions);
        let text =
            |share: &Vec<TopicPartition>| share.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let shares: Vec<_> = shares.iter().map(|(member, share)| (member.as_str(), text(share))).collect();
        let expected: Vec<_> =
            expected.iter().map(|(member, share)| (*member, (*share).to_owned())).collect();
        assert_eq!(shares, expected);
    }

    #[test]
    fn range_gives_runs_of_each_topic_and_the_rest_to_the_first() {
        let wishes = [wish("b", &["t", "u"]), wish("a", &["t", "u"])];
        check(Assignor::Range, &wishes, &[("t", 3), ("u", 3)], &[("a", "t-0 t-1 u-0 u-1"), ("b", "t-2 u-2")]);
    }

    #[test]
    fn range_gives_a_topic_to_those_who_want_it() {
        let wishes = [wish("a", &["t"]), wish("b", &["u"]), wish("c", &["t", "u"])];
        check(Assignor::Range, &wishes, &[("t", 2), ("u", 1)], &[("a", "t-0"), ("b", "u-0"), ("c", "t-1")]);
    }

    #[test]
    fn more_members_than_partitions_leave_some_without() {
        let wishes = [wish("a", &["t"]), wish("b", &["t"]), wish("c", &["t"])];
        check(Assignor::Range, &wishes, &[("t", 2)], &[("a", "t-0"), ("b", "t-1"), ("c", "")]);
    }

    #[test]
    fn round_robin_deals_across_topics() {
        let wishes = [wish("a", &["t", "u"]), wish("b", &["t", "u"])];
        check(
            Assignor::RoundRobin,
            &wishes,
            &[("t", 3), ("u", 3)],
            &[("a", "t-0 t-2 u-1"), ("b", "t-1 u-0 u-2")],
        );
    }

    #[test]
    fn round_robin_passes_over_who_does_not_want_a_topic() {
        let wishes = [wish("a", &["t"]), wish("b", &["t", "u"]), wish("c", &["t", "u"])];
        check(
            Assignor::RoundRobin,
            &wishes,
            &[("t", 1), ("u", 2), ("unwanted", 5)],
            &[("a", "t-0"), ("b", "u-0"), ("c", "u-1")],
        );
    }

    #[test]
    fn static_members_keep_their_place_under_another_id() {
        let named =
            |member: &str, name: &str| Wish { instance: Some(name.to_owned()), ..wish(member, &["t"]) };
        let wishes = [wish("a", &["t"]), named("z", "1"), named("y", "2")];
        check(Assignor::Range, &wishes, &[("t", 3)], &[("a", "t-2"), ("y", "t-1"), ("z", "t-0")]);
    }

    #[test]
    fn topics_without_partitions_are_left_out() {
        check(Assignor::RoundRobin, &[wish("a", &["t"])], &[("t", 0)], &[("a", "")]);
    }
}
