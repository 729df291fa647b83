use std::path::Path;
use std::sync::Arc;

use kernel::port::{Block, Disk};
use kernel::{Offset, Uuid};
use sim::disk::{PowerCut, SimDisk};

use super::*;

const TOPIC: Uuid = Uuid::from_bytes([7; 16]);

fn dir() -> &'static Path {
    Path::new("/data")
}

fn disk() -> SimDisk {
    let disk = SimDisk::new(1);
    disk.create_dir_all(dir()).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

/// Entries of one block: their first offset and their length.
type Content = Vec<(i64, usize)>;

fn sealed(content: &Content) -> Sealed {
    let mut blocks = Blocks::begin(Block::with_capacity(0));
    for (offset, len) in content {
        let batch = vec![*offset as u8; *len];
        let (first, second) = batch.split_at(len / 2);
        blocks.add(TOPIC, 3, Offset(*offset), &[first, second]);
    }
    blocks.seal()
}

/// Writes a block as the shell does. The zone that it leaves is returned.
fn write(journal: &mut Journal, content: &Content) -> Option<Option<u64>> {
    let sealed = sealed(content);
    let place = journal.ring.take(sealed.file_len())?;
    journal.file.submit_write(place.position, Arc::new(sealed.finish(&place)), Box::new(|_| {}));
    Some(place.left)
}

fn found(disk: &SimDisk) -> (Vec<(i64, usize)>, Replayed) {
    let mut entries = Vec::new();
    let Some(found) = Found::look(disk, &dir().join(FILE)).unwrap() else {
        return (entries, Replayed::default());
    };
    let replayed = found.replay(|entry| {
        assert_eq!((entry.topic_id, entry.partition), (TOPIC, 3));
        assert!(entry.batch.iter().all(|byte| *byte == entry.base_offset.0 as u8));
        entries.push((entry.base_offset.0, entry.batch.len()));
        Ok(())
    });
    (entries, replayed.unwrap())
}

#[test]
fn what_was_written_is_found_after_a_power_cut() {
    let disk = disk();
    let mut journal = Journal::open(&disk, dir(), 0, 11).unwrap();
    write(&mut journal, &vec![(0, 100), (1, 5000)]).unwrap();
    write(&mut journal, &vec![(2, 1)]).unwrap();
    disk.power_cut(PowerCut::Strict);
    let (entries, replayed) = found(&disk);
    assert_eq!(entries, [(0, 100), (1, 5000), (2, 1)]);
    assert_eq!(replayed, Replayed { blocks: 2, entries: 3, damaged: 0 });
}

#[test]
fn a_journal_that_is_opened_anew_has_nothing() {
    let disk = disk();
    let mut journal = Journal::open(&disk, dir(), 0, 11).unwrap();
    write(&mut journal, &vec![(0, 100)]).unwrap();
    drop(journal);
    Journal::open(&disk, dir(), 0, 12).unwrap();
    assert_eq!(found(&disk).0, []);
    assert!(Found::look(&disk, Path::new("/none")).unwrap().is_none(), "no journal at all");
}

#[test]
fn laps_keep_what_is_needed_and_only_that() {
    let disk = disk();
    let mut journal = Journal::open(&disk, dir(), 0, 11).unwrap();
    let mut written = Vec::new();
    let mut zones = Vec::new();
    for offset in 0..200 {
        let content = vec![(offset, 200_000 + 1000 * offset as usize)];
        let left = loop {
            match write(&mut journal, &content) {
                Some(left) => break left,
                None => {
                    // All of the oldest zone is durable elsewhere.
                    let zone: u64 = zones.remove(0);
                    journal.ring.cleaned(zone);
                }
            }
        };
        zones.extend(left);
        written.push((offset, content[0].1));
        let (entries, replayed) = found(&disk);
        assert_eq!(replayed.damaged, 0);
        assert_eq!(entries, written[written.len() - entries.len()..], "the last ones, without a gap");
        let bytes: usize = entries.iter().map(|(_, len)| len).sum();
        assert!(bytes as u64 <= journal.ring.used(), "{bytes} of {}", journal.ring.used());
    }
    assert!(zones.len() <= 3);
}

#[test]
fn zones_that_are_free_early_wait_for_the_older_ones() {
    let mut ring = Ring::new(0, 1);
    let mut lefts = Vec::new();
    while let Some(place) = ring.take(BLOCK_MAX as u64) {
        lefts.extend(place.left);
    }
    assert_eq!(lefts, [0, 1, 2]);
    ring.cleaned(1);
    assert!(ring.take(PAGE).is_none());
    ring.cleaned(0);
    let place = ring.take(BLOCK_MAX as u64).unwrap();
    assert_eq!((place.left, place.zone, place.position), (Some(3), 4, PAGE));
    assert_eq!(place.tail, 2 * BLOCK_MAX as u64);
}

#[test]
fn a_block_that_was_cut_off_is_left_out_and_hides_no_other() {
    for seed in 0..60 {
        let disk = disk();
        let mut journal = Journal::open(&disk, dir(), 0, 11).unwrap();
        write(&mut journal, &vec![(0, 9000)]).unwrap();
        disk.halt_after(0);
        write(&mut journal, &vec![(1, 9000)]).unwrap();
        disk.power_cut(PowerCut::Chance(seed));
        let (entries, replayed) = found(&disk);
        assert_eq!(replayed.damaged, 0);
        assert!(entries == [(0, 9000)] || entries == [(0, 9000), (1, 9000)], "{entries:?}");
    }
}

#[test]
fn damage_in_the_middle_is_counted_and_the_rest_still_told() {
    let disk = disk();
    let mut journal = Journal::open(&disk, dir(), 0, 11).unwrap();
    for offset in 0..3 {
        write(&mut journal, &vec![(offset, 5000)]).unwrap();
    }
    let file = disk.open(&dir().join(FILE), OpenMode::Write).unwrap();
    file.write_at(PAGE + 2 * PAGE + 300, &[io::IoSlice::new(b"flipped")]).unwrap();
    let (entries, replayed) = found(&disk);
    assert_eq!((entries, replayed.damaged), (vec![(0, 5000), (2, 5000)], 1));
    file.write_at(8, &[io::IoSlice::new(b"flipped")]).unwrap();
    assert!(Found::look(&disk, &dir().join(FILE)).is_err(), "a header that makes no sense is said");
}

#[test]
fn a_journal_that_is_kept_comes_before_the_one_in_use_and_goes_when_it_is_forgotten() {
    let disk = disk();
    let mut journal = Journal::open(&disk, dir(), 0, 11).unwrap();
    write(&mut journal, &vec![(0, 100)]).unwrap();
    drop(journal);
    let kept = Journal::keep(&disk, &dir().join(FILE), 5).unwrap();
    Journal::open(&disk, dir(), 0, 12).unwrap();
    disk.power_cut(PowerCut::Strict);
    assert_eq!(Found::files(&disk, dir()).unwrap(), [kept.clone(), dir().join(FILE)]);
    assert!(Found::look(&disk, &kept).unwrap().is_some());
    assert_eq!(Journal::keep(&disk, &kept, 6).unwrap(), kept, "it has its name already");
    Journal::forget(&disk, &kept).unwrap();
    Journal::forget(&disk, &dir().join(FILE)).unwrap();
    assert_eq!(Found::files(&disk, dir()).unwrap(), [dir().join(FILE)]);
}

#[test]
fn a_power_cut_while_a_journal_is_made_or_gets_another_size_leaves_one_that_can_be_opened() {
    let disk = disk();
    disk.keep_moments();
    for (life, bytes) in [(1, BYTES_MIN), (2, BYTES_MIN), (3, 2 * BYTES_MIN), (4, BYTES_MIN)] {
        Journal::open(&disk, dir(), bytes, life).unwrap();
    }
    let mut states = 0;
    for moment in disk.take_moments() {
        for left in sim::choices(&moment.pending(), &mut sim::Chance::new(1)) {
            let disk = SimDisk::after(&moment, &left, 1, Arc::new(sim::SimClock::new()));
            let found = Found::look(&disk, &dir().join(FILE));
            assert!(found.is_ok(), "{moment:?}, {left:?}: {:?}", found.err());
            states += 1;
        }
    }
    assert!(states > 50, "{states}");
}
