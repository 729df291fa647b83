//! Long lives of a compacted log by chance, compared with a map of what readers should find.

use kernel::{Offset, ProducerEpoch, ProducerId, Timestamp};
use sim::PowerCut;
use wire::batch::BatchBuilder;
use wire::compress::{Codec, Compression};

use super::clean::compacted;
use crate::testing::{Bench, EPOCH, TOOLS, clean, committed, judged, keyed_in, latest, marker};
use crate::{CleanerTools, LogConfig, OpenParams, Origin};

/// A small generator: the same numbers for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What was written at an offset.
struct Written {
    /// Nothing for a marker.
    record: Option<(String, Option<String>)>,
    /// The producer, if it is within a transaction.
    txn: Option<i64>,
    /// Where that ended, and whether it was committed.
    ended: Option<(usize, bool)>,
}

impl Written {
    /// What readers of committed records should see, if it is before the last stable offset.
    fn visible(&self) -> Option<&(String, Option<String>)> {
        self.record
            .as_ref()
            .filter(|_| self.txn.is_none() || self.ended.is_some_and(|(_, committed)| committed))
    }
}

struct Life {
    bench: Bench,
    chance: Chance,
    /// By offset.
    written: Vec<Written>,
    /// Where each producer is in its sequence, and whether it has a transaction open.
    producers: [(i32, bool); 3],
    cleaned_to: i64,
}

impl Life {
    fn append(&mut self) {
        let codec = Codec::ALL[self.chance.below(5) as usize];
        let mut builder = BatchBuilder::new().compression(Compression::of(codec));
        let who = self.chance.below(5) as usize;
        let count = 1 + self.chance.below(6);
        let mut of_txn = None;
        if let Some((sequence, open)) = self.producers.get_mut(who) {
            builder = builder.producer(ProducerId(who as i64), ProducerEpoch(0), *sequence);
            *sequence += count as i32;
            // The last one writes outside of transactions.
            if who < 2 {
                (builder, *open, of_txn) = (builder.transactional(), true, Some(who as i64));
            }
        }
        let records: Vec<(String, Option<String>)> = (0..count)
            .map(|_| {
                let key = format!("k{}", self.chance.below(24));
                let value = (self.chance.below(4) > 0).then(|| format!("v{}", self.chance.below(1 << 30)));
                (key, value)
            })
            .collect();
        let lent: Vec<_> = records.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        let batch = keyed_in(builder, &lent);
        self.bench.append(&batch);
        self.sync_if_nearly_full();
        let written = |record| Written { record: Some(record), txn: of_txn, ended: None };
        self.written.extend(records.into_iter().map(written));
    }

    /// Without a sync before a new segment begins, a power cut could lose the end of the old one and spare the new one.
    fn sync_if_nearly_full(&mut self) {
        let active = self.bench.log.segments.last().map_or(0, |active| active.size);
        if active + 500 > u64::from(self.bench.log.config.segment_bytes) {
            self.bench.log.flush(Timestamp(self.bench.now)).unwrap();
        }
    }

    fn end_txn(&mut self) {
        let who = self.chance.below(2) as usize;
        if !std::mem::take(&mut self.producers[who].1) {
            return;
        }
        let committed = self.chance.below(2) == 0;
        let batch = judged(&marker(who as i64, 0, committed));
        let origin = Origin::Coordinator { transaction_version: 0 };
        self.bench.log.append(Timestamp(self.bench.now), &[batch], EPOCH, origin).unwrap();
        self.sync_if_nearly_full();
        let marker = self.written.len();
        for written in self.written.iter_mut().filter(|one| one.txn == Some(who as i64)) {
            written.ended.get_or_insert((marker, committed));
        }
        self.written.push(Written { record: None, txn: None, ended: None });
    }

    fn clean(&mut self) {
        let map_bytes = if self.chance.below(3) == 0 { 24 * 20 } else { 1 << 20 };
        let io_bytes = 64 << self.chance.below(8);
        let tools = CleanerTools { map_bytes, io_bytes, ..TOOLS };
        clean(&mut self.bench.log, self.bench.now, tools).unwrap();
        // The checkpoint is not always written in time.
        if self.chance.below(3) > 0 {
            self.cleaned_to = self.bench.log.cleaned_to().0;
        }
    }

    fn power_cut(&mut self) {
        let params = OpenParams { recovery_point: self.bench.log.recovery_point(), ..OpenParams::default() };
        let seed = self.chance.below(1 << 20);
        self.bench.disk.power_cut(if seed.is_multiple_of(3) {
            PowerCut::Strict
        } else {
            PowerCut::Chance(seed)
        });
        self.bench.reopen(params);
        self.bench.log.note_cleaned(Offset(self.cleaned_to));
        let end = self.bench.log.end_offset().0 as usize;
        self.written.truncate(end);
        for written in &mut self.written {
            written.ended = written.ended.filter(|(marker, _)| *marker < end);
        }
        self.resume();
    }

    /// What is lost with the tail may be the end of a transaction: each producer begins anew where the log knows it.
    fn resume(&mut self) {
        let known: Vec<_> = self.bench.log.producers().collect();
        for (who, state) in self.producers.iter_mut().enumerate() {
            let found = known.iter().find(|one| one.producer_id.0 == who as i64);
            *state = (
                found.map_or(0, |one| one.last_sequence + 1),
                found.is_some_and(|one| one.txn_start.is_some()),
            );
        }
    }

    fn step(&mut self) {
        self.bench.now += 1;
        match self.chance.below(60) {
            0 => self.power_cut(),
            1 => {
                self.bench.crash();
                self.bench.log.note_cleaned(Offset(self.cleaned_to));
            }
            2 => {
                self.bench.restart();
                self.bench.log.note_cleaned(Offset(self.cleaned_to));
            }
            3 => {
                self.bench.log.flush(Timestamp(self.bench.now)).unwrap();
                self.bench.log.roll(Timestamp(self.bench.now)).unwrap();
            }
            4 | 5 => self.clean(),
            6..10 => self.end_txn(),
            10 => self.bench.log.flush(Timestamp(self.bench.now)).unwrap(),
            _ => self.append(),
        }
    }

    fn compare(&mut self, what: &str) {
        let end = self.bench.log.end_offset();
        assert_eq!(end.0 as usize, self.written.len(), "{what}");
        let stable = self.bench.log.last_stable_offset(end).0 as usize;
        let seen = committed(&mut self.bench.log);
        let all = self.written.iter().take(stable).filter_map(Written::visible);
        let model = latest(all.map(|(key, value)| (key.as_str(), value.as_deref())));
        let found = latest(seen.iter().map(|(_, key, value)| (key.as_str(), value.as_deref())));
        assert_eq!(found, model, "{what}");
        for (offset, key, value) in seen {
            assert_eq!(
                self.written[offset as usize].visible(),
                Some(&(key, value)),
                "{what}: offset {offset}"
            );
        }
    }
}

#[test]
fn readers_find_the_last_value_of_each_key_whatever_happens() {
    for seed in 0..16 {
        let mut chance = Chance(seed);
        let delete_retention_ms = [0, 30, 100_000][chance.below(3) as usize];
        let segments = 3 + chance.below(12) as u32;
        let config =
            LogConfig { delete_retention_ms, segment_bytes: 1700 + 200 * segments, ..compacted(segments) };
        let mut life = Life {
            bench: Bench::new(config),
            chance,
            written: Vec::new(),
            producers: [(0, false); 3],
            cleaned_to: 0,
        };
        for step in 0..400 {
            life.step();
            if step % 7 == 0 {
                life.compare(&format!("seed {seed}, step {step}"));
            }
        }
        life.compare(&format!("seed {seed}, at the end"));
    }
}
