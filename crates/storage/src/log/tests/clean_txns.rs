//! Compaction of transactions: what was aborted goes, and nobody sees what never was.

use kernel::{Offset, ProducerEpoch, ProducerId, Timestamp};
use wire::batch::BatchBuilder;

use super::clean::{compacted, headers, left, put};
use crate::Origin;
use crate::testing::{Bench, EPOCH, TOOLS, clean, judged, keyed_in, marker};

/// Appends a batch of one record within a transaction.
fn within(bench: &mut Bench, producer: i64, sequence: i32, key: &str, value: &str) {
    let builder =
        BatchBuilder::new().producer(ProducerId(producer), ProducerEpoch(0), sequence).transactional();
    bench.append(&keyed_in(builder, &[(key, Some(value))]));
}

fn end(bench: &mut Bench, producer: i64, committed: bool) {
    let origin = Origin::Coordinator { transaction_version: 0 };
    bench.log.append(Timestamp(0), &[judged(&marker(producer, 0, committed))], EPOCH, origin).unwrap();
}

fn roll(bench: &mut Bench) {
    bench.log.roll(Timestamp(0)).unwrap();
}

fn shape(bench: &mut Bench) -> Vec<(i64, bool, i32)> {
    headers(bench).iter().map(|one| (one.base_offset().0, one.is_control(), one.record_count())).collect()
}

#[test]
fn aborted_records_go_and_supersede_nothing() {
    let mut bench = Bench::new(compacted(100));
    put(&mut bench, &[("a", Some("1")), ("b", Some("1"))]);
    within(&mut bench, 7, 0, "a", "aborted");
    within(&mut bench, 8, 0, "b", "2");
    within(&mut bench, 7, 1, "c", "aborted");
    end(&mut bench, 7, false);
    end(&mut bench, 8, true);
    within(&mut bench, 7, 2, "d", "3");
    end(&mut bench, 7, true);
    put(&mut bench, &[("z", Some("1"))]);
    roll(&mut bench);
    let expected = [(0, "a=1"), (3, "b=2"), (7, "d=3"), (9, "z=1")].map(|(at, one)| (at, one.to_owned()));
    clean(&mut bench.log, 0, TOOLS).unwrap();
    assert_eq!(left(&mut bench), expected);
    bench.crash();
    assert_eq!(left(&mut bench), expected);
    let kept = [
        (0, false, 1),
        (3, false, 1),
        (5, true, 1),
        (6, true, 1),
        (7, false, 1),
        (8, true, 1),
        (9, false, 1),
    ];
    assert_eq!(shape(&mut bench), kept, "the markers stay");
}

#[test]
fn a_marker_goes_once_its_transaction_is_gone_and_readers_had_time() {
    let mut bench = Bench::new(compacted(100));
    within(&mut bench, 7, 0, "a", "aborted");
    end(&mut bench, 7, false);
    within(&mut bench, 8, 0, "b", "1");
    end(&mut bench, 8, true);
    put(&mut bench, &[("b", Some("2")), ("z", Some("1"))]);
    roll(&mut bench);
    // Nobody remembers the producers: no batch stays for their sake.
    bench.log.expire_producers(Timestamp(i64::MAX));
    let mut pass = |now: i64| {
        clean(&mut bench.log, now, TOOLS).unwrap();
        let horizons: Vec<_> =
            headers(&mut bench).iter().map(|one| one.delete_horizon().map(|at| at.0)).collect();
        (shape(&mut bench), horizons)
    };
    let rest = [(4, false, 1), (5, false, 1)];
    let markers = [[(1, true, 1), (3, true, 1)].as_slice(), &rest].concat();
    assert_eq!(pass(0), (markers.clone(), vec![None; 4]), "this pass still saw their records");
    assert_eq!(pass(10), (markers.clone(), vec![Some(1010), Some(1010), None, None]));
    assert_eq!(pass(1009).0, markers);
    assert_eq!(pass(1010).0, rest);
}

#[test]
fn a_marker_is_not_superseded_by_a_record_whose_key_looks_like_its_own() {
    let mut bench = Bench::new(compacted(100));
    within(&mut bench, 7, 0, "a", "aborted");
    end(&mut bench, 7, false);
    within(&mut bench, 7, 1, "b", "1");
    end(&mut bench, 7, true);
    // The keys of an abort and of a commit.
    put(&mut bench, &[("\0\0\0\0", Some("1")), ("\0\0\0\u{1}", Some("1")), ("z", Some("1"))]);
    roll(&mut bench);
    for now in [0, 10] {
        clean(&mut bench.log, now, TOOLS).unwrap();
        let markers: Vec<_> = shape(&mut bench).into_iter().filter(|one| one.1).map(|one| one.0).collect();
        assert_eq!(markers, [1, 3]);
        assert_eq!(left(&mut bench).len(), 4);
    }
}

#[test]
fn nothing_from_an_open_transaction_on_is_cleaned() {
    let mut bench = Bench::new(compacted(1));
    put(&mut bench, &[("a", Some("1")), ("a", Some("2"))]);
    within(&mut bench, 7, 0, "a", "open");
    put(&mut bench, &[("a", Some("4")), ("b", Some("1"))]);
    let end_offset = bench.log.end_offset();
    let range = bench.log.cleanable(Timestamp(0), end_offset).unwrap();
    assert_eq!(range.first_uncleanable, Offset(2));
    clean(&mut bench.log, 0, TOOLS).unwrap();
    assert_eq!(left(&mut bench), [(1, "a=2".to_owned())]);
    end(&mut bench, 7, false);
    roll(&mut bench);
    clean(&mut bench.log, 0, TOOLS).unwrap();
    assert_eq!(left(&mut bench), [(3, "a=4".to_owned()), (4, "b=1".to_owned())]);
}

#[test]
fn a_transaction_over_many_segments_is_judged_by_the_marker_in_the_last() {
    for committed in [false, true] {
        let mut bench = Bench::new(compacted(1));
        put(&mut bench, &[("a", Some("before"))]);
        for number in 0..5 {
            within(&mut bench, 7, number * 2, &format!("k{number}"), "t");
            within(&mut bench, 7, number * 2 + 1, "a", &number.to_string());
        }
        end(&mut bench, 7, committed);
        put(&mut bench, &[("z", Some("1"))]);
        roll(&mut bench);
        for now in [0, 1, 5000] {
            clean(&mut bench.log, now, TOOLS).unwrap();
            bench.log.note_cleaned(Offset(0));
            let found = left(&mut bench);
            match committed {
                true => assert_eq!((found.len(), found[5].1.as_str()), (7, "a=4")),
                false => assert_eq!(found, [(0, "a=before".to_owned()), (12, "z=1".to_owned())]),
            }
        }
    }
}

#[test]
fn the_last_batch_of_a_producer_stays_empty_though_it_was_aborted() {
    let mut bench = Bench::new(compacted(100));
    within(&mut bench, 7, 0, "a", "aborted");
    within(&mut bench, 7, 1, "a", "aborted");
    end(&mut bench, 7, false);
    put(&mut bench, &[("z", Some("1"))]);
    roll(&mut bench);
    for now in [0, 5000, 10_000] {
        clean(&mut bench.log, now, TOOLS).unwrap();
        assert_eq!(shape(&mut bench), [(1, false, 0), (2, true, 1), (3, false, 1)], "at {now}");
        assert_eq!(left(&mut bench), [(3, "z=1".to_owned())]);
    }
    bench.crash();
    let builder = BatchBuilder::new().producer(ProducerId(7), ProducerEpoch(0), 2).transactional();
    assert!(!bench.append(&keyed_in(builder, &[("a", Some("next"))])).duplicate);
    assert_eq!(left(&mut bench), [(3, "z=1".to_owned())], "its new transaction is open");
}
