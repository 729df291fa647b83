//! Random histories: whatever clients do, whatever becomes of the appends, some things always hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).expect("it is less than the sides")
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())].clone()
    }
}

/// A shard, random clients, and a log that takes its time and sometimes fails.
struct History {
    dice: Dice,
    world: World,
    on_the_way: VecDeque<(crate::AppendId, Result<Offset, ErrorCode>)>,
    log: Vec<(i64, Change)>,
    asked: BTreeSet<Token>,
    answered: BTreeMap<Token, usize>,
    known_ids: Vec<String>,
    trace: Vec<String>,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let group_size_max = dice.pick(&[2, 3, usize::MAX]);
        Self {
            dice,
            world: World::with(|config| config.group_size_max = group_size_max).loaded(),
            on_the_way: VecDeque::new(),
            log: Vec::new(),
            asked: BTreeSet::new(),
            answered: BTreeMap::new(),
            known_ids: vec!["stranger".to_owned()],
            trace: Vec::new(),
        }
    }

    fn token(&mut self) -> Token {
        let token = self.world.token();
        self.asked.insert(token);
        token
    }

    fn take(&mut self, effects: Effects) {
        self.trace.extend(show(&effects));
        for (token, reply) in effects.replies {
            *self.answered.entry(token).or_default() += 1;
            if let Reply::Join(join) = reply {
                self.known_ids.push(join.member_id.to_string());
            }
        }
        for append in effects.appends {
            let outcome = if self.dice.roll(5) == 0 {
                Err(ErrorCode::NotEnoughReplicas)
            } else {
                let base = self.log.len() as i64;
                self.log.extend((base..).zip(append.changes));
                Ok(Offset(base))
            };
            self.on_the_way.push_back((append.id, outcome));
        }
        self.world.shard.check_invariants();
    }

    fn step(&mut self) {
        let group_id = self.dice.pick(&["g", "g", "g", "h"]);
        match self.dice.roll(12) {
            0..=3 => self.join(group_id),
            4..=5 => self.sync(group_id),
            6 => self.leave(group_id),
            7 => self.commit(group_id),
            8 => self.delete(group_id),
            9 => {
                self.world.elapsed += Duration::from_millis(self.dice.roll(15_000) as u64);
                let effects = self.world.shard.on_timer(self.world.now());
                self.take(effects);
            }
            _ => self.settle_one(),
        }
    }

    fn join(&mut self, group_id: &str) {
        let token = self.token();
        let member_id = if self.dice.roll(2) == 0 { String::new() } else { self.dice.pick(&self.known_ids) };
        let mut entropy = [0; 16];
        entropy[8..].copy_from_slice(&token.0.to_be_bytes());
        let request = JoinRequest {
            version: self.dice.pick(&[3, 4, 9]),
            group_id,
            instance_id: self.dice.pick(&[None, None, Some("i"), Some("j")]),
            protocols: self.dice.pick(&[vec![RANGE], vec![RANGE, STICKY], vec![STICKY, RANGE], vec![STICKY]]),
            rebalance_timeout_ms: self.dice.pick(&[1_000, 30_000]),
            entropy,
            ..joining(&member_id)
        };
        let effects = self.world.shard.on_join(self.world.now(), &request, token);
        self.take(effects);
    }

    fn sync(&mut self, group_id: &str) {
        let token = self.token();
        let members = self.world.shard.describe(6, group_id).members;
        let ids: Vec<Arc<str>> = members.iter().map(|member| Arc::clone(&member.member_id)).collect();
        let member_id = if ids.is_empty() { Arc::from("stranger") } else { self.dice.pick(&ids) };
        let generation = self.world.shard.generation(group_id);
        let assignments = ids.iter().map(|id| (&**id, id.as_bytes())).collect();
        let request = SyncRequest { group_id, assignments, ..syncing(&member_id, generation) };
        let effects = self.world.shard.on_sync(self.world.now(), &request, token);
        self.take(effects);
    }

    fn leave(&mut self, group_id: &str) {
        let token = self.token();
        let member_id = self.dice.pick(&self.known_ids);
        let by_instance = self.dice.roll(3) == 0;
        let leaving = LeavingMember {
            member_id: if by_instance { "" } else { &member_id },
            instance_id: by_instance.then_some("i"),
        };
        let request = LeaveRequest { group_id, members: vec![leaving] };
        let effects = self.world.shard.on_leave(self.world.now(), &request, token);
        self.take(effects);
    }

    fn commit(&mut self, group_id: &str) {
        let token = self.token();
        let offset = i64::try_from(token.0).expect("a test is short");
        let partition = self.dice.pick(&[0, 1]);
        let member_id = self.dice.pick(&self.known_ids);
        let outside = self.dice.roll(2) == 0;
        let request = OffsetCommitRequest {
            group_id,
            generation: if outside { -1 } else { self.world.shard.generation(group_id) },
            member_id: if outside { "" } else { &member_id },
            topics: vec![commit_topic("t", partition, offset)],
            ..committing()
        };
        let effects = self.world.shard.on_offset_commit(self.world.now(), &request, token);
        self.take(effects);
    }

    fn delete(&mut self, group_id: &str) {
        let token = self.token();
        let effects = if self.dice.roll(2) == 0 {
            self.world.shard.on_delete_groups(self.world.now(), &[group_id], token)
        } else {
            let request = OffsetDeleteRequest { group_id, topics: vec![("t", vec![0, 1]), ("u", vec![0])] };
            self.world.shard.on_offset_delete(self.world.now(), &request, token)
        };
        self.take(effects);
    }

    fn settle_one(&mut self) {
        if self.on_the_way.is_empty() {
            return;
        }
        // Appends are made in order; what became of one may become known before what became of an earlier one.
        let index = self.dice.roll(self.on_the_way.len().min(2));
        let Some((id, outcome)) = self.on_the_way.remove(index) else {
            return;
        };
        let effects = self.world.shard.on_appended(self.world.now(), id, outcome);
        self.take(effects);
    }

    /// What a shard knows that has only read the log.
    fn replayed(&self) -> World {
        let mut world = World::new();
        for (at, change) in &self.log {
            let record = change.encode().expect("the tests' records are small");
            let replayed =
                world.shard.replay(Offset(*at), ProducerId::NONE, &record.key, record.value.as_deref());
            assert_eq!(replayed, Ok(()));
        }
        world
    }
}

fn all_offsets(world: &World) -> Vec<String> {
    let groups = ["g", "h"].iter().flat_map(|group_id| {
        let request = OffsetFetchRequest {
            group_id,
            member_id: None,
            member_epoch: -1,
            topics: None,
            require_stable: false,
        };
        let topics = world.shard.fetch_offsets(&request).topics.into_iter();
        topics.flat_map(move |topic| {
            let partitions = topic.partitions.into_iter();
            partitions.map(move |one| format!("{group_id} {}-{}={}", topic.name, one.partition, one.offset))
        })
    });
    groups.collect()
}

#[test]
fn every_request_is_answered_once_and_a_replay_knows_the_same_offsets() {
    for seed in 0..400 {
        let mut history = History::new(seed);
        for _ in 0..150 {
            history.step();
        }
        while !history.on_the_way.is_empty() {
            history.settle_one();
        }
        assert_eq!(all_offsets(&history.replayed()), all_offsets(&history.world), "seed {seed}");
        let effects = history.world.shard.unload(history.world.now());
        history.take(effects);
        let unanswered: Vec<&Token> =
            history.asked.iter().filter(|token| history.answered.get(token) != Some(&1)).collect();
        assert_eq!(unanswered, [] as [&Token; 0], "seed {seed}: {:#?}", history.trace);
        assert_eq!(history.answered.len(), history.asked.len(), "seed {seed}");
    }
}

#[test]
fn equal_histories_have_equal_effects() {
    let trace = |seed| {
        let mut history = History::new(seed);
        for _ in 0..150 {
            history.step();
        }
        history.trace
    };
    for seed in 0..20 {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
}

#[test]
fn a_log_of_random_bytes_is_read_without_harm() {
    let mut dice = Dice(7);
    let mut world = World::new();
    for _ in 0..20_000 {
        let mut bytes = |max| (0..dice.roll(max)).map(|_| dice.roll(256) as u8).collect::<Vec<u8>>();
        let (mut key, value) = (bytes(24), bytes(64));
        if let Some(high) = key.first_mut() {
            *high = 0;
        }
        if let Some(low) = key.get_mut(1) {
            *low %= 26;
        }
        let _ = world.shard.replay(Offset(0), ProducerId::NONE, &key, Some(&value));
        let _ = world.shard.replay(Offset(0), ProducerId::NONE, &key, None);
    }
    let _ = world.loaded().pass(1_000);
}
