//! The sticky way to divide partitions: as even as can be, and everybody keeps what they have where that is no obstacle.
//!
//! Members are cooperative: nobody gives anything up before it is known who gets it. So what changes hands is given to
//! nobody at first; who has lost it joins again, and then it is free (KIP-429).

use std::collections::{BTreeMap, BTreeSet};

use kernel::TopicPartition;

use super::assign::{Shares, Wish};

/// What each of `members` gets, who stand in the order in which they come first.
pub(super) fn sticky(members: &[&Wish], partitions: &BTreeMap<String, i32>, shares: &mut Shares) {
    let claims = Claims::of(members, partitions);
    let mut table = Table::new(members);
    for (name, owner) in &claims.owners {
        table.give(name.clone(), *owner);
    }
    table.deal(free(members, partitions, &claims.owners));
    table.even_out(&claims.owners);
    for (place, share) in table.shares.into_iter().enumerate() {
        let Some(wish) = members.get(place) else {
            continue;
        };
        let kept = share.into_iter().filter(|name| claims.lets_have(name, place));
        shares.entry(wish.member.clone()).or_default().extend(kept);
    }
}

/// Who says that they have what.
struct Claims {
    /// The places of all who claim a partition, whoever is believed.
    claimants: BTreeMap<TopicPartition, BTreeSet<usize>>,
    /// Who is believed. Of two claims the one from the newer generation counts; of two from the same, neither.
    owners: BTreeMap<TopicPartition, usize>,
    disputed: BTreeSet<TopicPartition>,
}

impl Claims {
    fn of(members: &[&Wish], partitions: &BTreeMap<String, i32>) -> Claims {
        let mut claims =
            Claims { claimants: BTreeMap::new(), owners: BTreeMap::new(), disputed: BTreeSet::new() };
        let mut newest: BTreeMap<TopicPartition, (i32, usize)> = BTreeMap::new();
        for (place, wish) in members.iter().enumerate() {
            for name in &wish.owned {
                let there =
                    partitions.get(&*name.topic).is_some_and(|count| (0..*count).contains(&name.partition));
                if !there {
                    continue;
                }
                claims.claimants.entry(name.clone()).or_default().insert(place);
                match newest.get(name) {
                    Some((generation, _)) if *generation > wish.generation => {}
                    Some((generation, other)) if *generation == wish.generation && *other != place => {
                        claims.disputed.insert(name.clone());
                    }
                    _ => {
                        claims.disputed.remove(name);
                        newest.insert(name.clone(), (wish.generation, place));
                    }
                }
            }
        }
        for (name, (_, place)) in newest {
            let wanted = members.get(place).is_some_and(|wish| wish.wants(&name.topic));
            if wanted && !claims.disputed.contains(&name) {
                claims.owners.insert(name, place);
            }
        }
        claims
    }

    /// Whether the member can have the partition now: not while another one still reads it.
    fn lets_have(&self, name: &TopicPartition, place: usize) -> bool {
        match self.claimants.get(name) {
            None => true,
            Some(claimants) => claimants.contains(&place) && !self.disputed.contains(name),
        }
    }
}

/// All partitions that somebody wants and nobody has.
fn free(
    members: &[&Wish],
    partitions: &BTreeMap<String, i32>,
    owners: &BTreeMap<TopicPartition, usize>,
) -> Vec<TopicPartition> {
    let takers = |topic: &str| members.iter().filter(|wish| wish.wants(topic)).count();
    let mut topics: Vec<(usize, &String, i32)> =
        partitions.iter().map(|(topic, count)| (takers(topic), topic, *count)).collect();
    // Where few can take them, the choice is small: those first.
    topics.sort();
    topics
        .into_iter()
        .filter(|(takers, _, _)| *takers > 0)
        .flat_map(|(_, topic, count)| {
            (0..count).map(|partition| TopicPartition::new(topic.as_str(), partition))
        })
        .filter(|name| !owners.contains_key(name))
        .collect()
}

/// The shares while they are being made, by the place of their members.
struct Table<'m> {
    members: &'m [&'m Wish],
    shares: Vec<BTreeSet<TopicPartition>>,
    /// How much each has, the least first.
    loads: BTreeSet<(usize, usize)>,
}

impl<'m> Table<'m> {
    fn new(members: &'m [&'m Wish]) -> Table<'m> {
        Table {
            members,
            shares: vec![BTreeSet::new(); members.len()],
            loads: (0..members.len()).map(|place| (0, place)).collect(),
        }
    }

    fn give(&mut self, name: TopicPartition, to: usize) {
        if let Some(share) = self.shares.get_mut(to) {
            self.loads.remove(&(share.len(), to));
            share.insert(name);
            self.loads.insert((share.len(), to));
        }
    }

    fn take(&mut self, name: &TopicPartition, from: usize) {
        if let Some(share) = self.shares.get_mut(from) {
            self.loads.remove(&(share.len(), from));
            share.remove(name);
            self.loads.insert((share.len(), from));
        }
    }

    /// Who has least of those who want the topic.
    fn poorest(&self, topic: &str) -> Option<(usize, usize)> {
        let wants = |place: usize| self.members.get(place).is_some_and(|wish| wish.wants(topic));
        self.loads.iter().copied().find(|(_, place)| wants(*place))
    }

    fn deal(&mut self, names: Vec<TopicPartition>) {
        for name in names {
            if let Some((_, place)) = self.poorest(&name.topic) {
                self.give(name, place);
            }
        }
    }

    /// Moves partitions from who has more to who has less, until no single move makes it more even. Every move brings
    /// two shares nearer to each other, so there is an end.
    fn even_out(&mut self, owners: &BTreeMap<TopicPartition, usize>) {
        loop {
            let richest_first: Vec<(usize, usize)> = self.loads.iter().rev().copied().collect();
            let mut moved = false;
            for (_, from) in richest_first {
                while let Some((name, to)) = self.a_move(from, owners) {
                    self.take(&name, from);
                    self.give(name, to);
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// A partition that is better elsewhere; one that the member does not have yet if there is any.
    fn a_move(
        &self,
        from: usize,
        owners: &BTreeMap<TopicPartition, usize>,
    ) -> Option<(TopicPartition, usize)> {
        let share = self.shares.get(from)?;
        let least = self.loads.first()?.0;
        if share.len() <= least + 1 {
            return None;
        }
        let has_already = |name: &&TopicPartition| owners.get(*name) == Some(&from);
        let (old, new): (Vec<_>, Vec<_>) = share.iter().partition(has_already);
        // From the end, so that a member keeps the first of its partitions.
        new.into_iter().chain(old.into_iter().rev()).find_map(|name| {
            let (load, to) = self.poorest(&name.topic)?;
            (load + 1 < share.len()).then(|| (name.clone(), to))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Assignor;
    use crate::consumer::assign::assign;

    fn names(text: &str) -> Vec<TopicPartition> {
        let name = |text: &str| {
            let (topic, partition) = text.rsplit_once('-').expect("a topic and a partition");
            TopicPartition::new(topic, partition.parse().expect("a number"))
        };
        text.split_whitespace().map(name).collect()
    }

    fn wish(member: &str, topics: &str, owned: &str, generation: i32) -> Wish {
        Wish {
            member: member.to_owned(),
            instance: None,
            topics: topics.split_whitespace().map(str::to_owned).collect(),
            owned: names(owned),
            generation,
        }
    }

    fn divide(wishes: &[Wish], topics: &[(&str, i32)]) -> Shares {
        let partitions = topics.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect();
        assign(Assignor::CooperativeSticky, wishes, &partitions)
    }

    #[track_caller]
    fn check(wishes: &[Wish], topics: &[(&str, i32)], expected: &[(&str, &str)]) {
        let shares = divide(wishes, topics);
        let expected: Shares =
            expected.iter().map(|(member, share)| ((*member).to_owned(), names(share))).collect();
        assert_eq!(shares, expected);
    }

    #[test]
    fn a_new_group_shares_evenly() {
        let wishes = [wish("a", "t u", "", -1), wish("b", "t u", "", -1)];
        check(&wishes, &[("t", 3), ("u", 2)], &[("a", "t-0 t-2 u-1"), ("b", "t-1 u-0")]);
    }

    #[test]
    fn what_changes_hands_is_nobodys_until_it_was_given_up() {
        let first = [wish("a", "t", "t-0 t-1 t-2 t-3", 4), wish("b", "t", "", -1)];
        check(&first, &[("t", 4)], &[("a", "t-0 t-1"), ("b", "")]);
        let second = [wish("a", "t", "t-0 t-1", 5), wish("b", "t", "", 5)];
        check(&second, &[("t", 4)], &[("a", "t-0 t-1"), ("b", "t-2 t-3")]);
    }

    #[test]
    fn who_stays_keeps_what_they_had_when_another_goes() {
        let wishes = [wish("a", "t", "t-0 t-3", 1), wish("c", "t", "t-2 t-5", 1)];
        check(&wishes, &[("t", 6)], &[("a", "t-0 t-1 t-3"), ("c", "t-2 t-4 t-5")]);
    }

    #[test]
    fn a_claim_from_an_older_generation_does_not_count() {
        let wishes = [wish("a", "t", "t-0 t-1", 3), wish("b", "t", "t-0", 5)];
        check(&wishes, &[("t", 2)], &[("a", "t-1"), ("b", "t-0")]);
    }

    #[test]
    fn what_two_claim_in_one_generation_both_give_up_first() {
        let wishes = [wish("a", "t", "t-0", 5), wish("b", "t", "t-0", 5)];
        check(&wishes, &[("t", 2)], &[("a", ""), ("b", "t-1")]);
    }

    #[test]
    fn what_a_member_does_not_want_any_more_goes_to_who_does() {
        let first = [wish("a", "u", "t-0 u-0", 2), wish("b", "t u", "u-1", 2)];
        check(&first, &[("t", 1), ("u", 2)], &[("a", "u-0"), ("b", "u-1")]);
    }

    #[test]
    fn partitions_that_are_gone_are_forgotten() {
        check(&[wish("a", "t", "t-0 t-7 gone-0", 2)], &[("t", 1)], &[("a", "t-0")]);
    }

    #[test]
    fn whatever_members_had_the_outcome_is_complete_even_and_reached_in_two_steps() {
        // A small generator with a seed: what is wanted is many different groups, not chance.
        let mut state = 7_u64;
        let mut below = move |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for round in 0..200 {
            let count = i32::try_from(below(20)).expect("it is small");
            let mut wishes: Vec<Wish> = (0..=below(6)).map(|n| wish(&format!("m{n}"), "t", "", 3)).collect();
            for partition in 0..count {
                let owner = below(wishes.len() as u64 + 2) as usize;
                if let Some(wish) = wishes.get_mut(owner) {
                    wish.owned.push(TopicPartition::new("t", partition));
                }
            }
            let first = divide(&wishes, &[("t", count)]);
            for wish in &mut wishes {
                let kept = wish.owned.iter().filter(|name| first[&wish.member].contains(name)).count();
                let share = count as usize / first.len();
                assert!(kept >= wish.owned.len().min(share), "round {round}: it gave up too much");
                wish.owned.clone_from(&first[&wish.member]);
                wish.generation = 4;
            }
            let second = divide(&wishes, &[("t", count)]);
            let sizes: Vec<usize> = second.values().map(Vec::len).collect();
            assert_eq!(sizes.iter().sum::<usize>(), count as usize, "round {round}: {second:?}");
            assert!(sizes.iter().max() <= sizes.iter().min().map(|least| least + 1).as_ref(), "{sizes:?}");
            for wish in &wishes {
                assert!(wish.owned.iter().all(|name| second[&wish.member].contains(name)), "round {round}");
            }
        }
    }
}
