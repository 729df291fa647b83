//! Long lives of a log by chance, compared with a list of what it should have.

use kernel::{Offset, Timestamp};

use crate::testing::{Bench, EPOCH, judged, records, small_segments};
use crate::{LogConfig, OffsetQuery, Origin};

/// A small generator: the same numbers for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What the log should have: timestamp, value and offset of the first and last record of its batch.
struct Record {
    timestamp: i64,
    value: String,
    batch: (i64, i64),
}

struct Model {
    records: Vec<Record>,
    start: i64,
}

fn append(bench: &mut Bench, model: &mut Model, chance: &mut Chance) {
    let end = model.records.len() as i64;
    let count = 1 + chance.below(5) as i64;
    let new: Vec<(i64, String)> = (0..count)
        .map(|i| {
            let late = chance.below(30) as i64;
            (end * 10 - late, format!("{} {}", end + i, "x".repeat(chance.below(60) as usize)))
        })
        .collect();
    let batch: Vec<(i64, &str)> = new.iter().map(|(timestamp, value)| (*timestamp, value.as_str())).collect();
    let info = bench.log.append(Timestamp(0), &[judged(&records(&batch))], EPOCH, Origin::Client).unwrap();
    assert_eq!((info.base_offset.0, info.last_offset.0), (end, end + count - 1));
    model.records.extend(new.into_iter().map(|(timestamp, value)| Record {
        timestamp,
        value,
        batch: (end, end + count - 1),
    }));
}

fn step(bench: &mut Bench, model: &mut Model, chance: &mut Chance) {
    let end = model.records.len() as i64;
    match chance.below(40) {
        0 => bench.crash(),
        1 => bench.restart(),
        2 => bench.log.flush(Timestamp(0)).unwrap(),
        3 => bench.log.release().unwrap(),
        4 => bench.log.roll(Timestamp(0)).unwrap(),
        5 => {
            let to = model.start + chance.below((end - model.start + 1) as u64) as i64;
            bench.log.truncate_to(Offset(to), Timestamp(0)).unwrap();
            if let Some(record) = model.records.get(to as usize) {
                model.records.truncate(record.batch.0 as usize);
            }
            model.start = model.start.min(model.records.len() as i64);
        }
        6 => {
            let to = model.start + chance.below((end - model.start + 1) as u64) as i64;
            model.start = bench.log.delete_records(Offset(to), Offset(end)).unwrap().0;
        }
        7 => {
            bench.log.apply_retention(Timestamp(0), Offset(end)).unwrap();
            model.start = bench.log.start_offset().0;
        }
        _ => append(bench, model, chance),
    }
}

fn compare(bench: &mut Bench, model: &Model, chance: &mut Chance) {
    let end = model.records.len() as i64;
    assert_eq!((bench.log.start_offset().0, bench.log.end_offset().0), (model.start, end));
    let from = model.start + chance.below((end - model.start + 1) as u64) as i64;
    let upper = from + chance.below((end - from + 1) as u64) as i64;
    let max = chance.below(800) as u32;
    let read = bench.log.read(Offset(from), max, Offset(upper), true).unwrap();
    // The batch that has the offset is given if it ends below the bound, and otherwise nothing.
    match model.records.get(from as usize).filter(|record| record.batch.1 < upper) {
        Some(record) => {
            let bytes = read.span.expect("something is read").read().unwrap();
            let first = wire::batch::BatchHeader::read(&bytes).unwrap();
            assert_eq!((first.base_offset().0, first.last_offset().0), record.batch);
            let more = wire::batch::BatchView::iter(&bytes).map(|batch| batch.unwrap().last_offset().0);
            assert!(more.last().is_some_and(|last| last < read.upper.0) && read.upper.0 <= upper);
            assert!(bytes.len() <= max as usize || bytes.len() == first.batch_len());
        }
        None => assert!(read.is_empty()),
    }
    let time = chance.below(end.unsigned_abs() * 10 + 10) as i64;
    let found = bench.log.list_offset(OffsetQuery::At(Timestamp(time))).unwrap();
    let kept = model.records.iter().enumerate().skip(model.start as usize);
    let expected = kept.clone().find(|(_, record)| record.timestamp >= time).map(|(offset, _)| offset as i64);
    assert_eq!(found.map(|found| found.offset.0), expected, "at time {time}");
    if chance.below(20) == 0 {
        let values = bench.values(model.start);
        let expected: Vec<_> = kept.map(|(offset, record)| (offset as i64, record.value.clone())).collect();
        assert_eq!(values, expected);
    }
}

#[test]
fn a_log_has_what_was_put_into_it_whatever_happens() {
    for seed in 0..24 {
        let mut chance = Chance(seed);
        let interval = [1, 100, 300, 4096][chance.below(4) as usize];
        let config =
            LogConfig { index_interval_bytes: interval, retention_bytes: 4000, ..small_segments(12) };
        let mut bench = Bench::new(config);
        let mut model = Model { records: Vec::new(), start: 0 };
        for _ in 0..300 {
            step(&mut bench, &mut model, &mut chance);
            compare(&mut bench, &model, &mut chance);
        }
    }
}
