//! One test for each line of what the disk says about itself.

use std::io::{ErrorKind, IoSlice};
use std::time::Duration;

use super::*;

/// A disk with the durable folder `/d`.
fn disk() -> SimDisk {
    let disk = SimDisk::new(1);
    disk.create_dir_all(&p("/d")).unwrap();
    disk.sync_dir(&p("/")).unwrap();
    disk
}

fn p(path: &str) -> PathBuf {
    PathBuf::from(path)
}

fn create(disk: &SimDisk, path: &str) -> Arc<dyn DiskFile> {
    disk.open(&p(path), OpenMode::Create).unwrap()
}

fn write(file: &Arc<dyn DiskFile>, position: u64, bytes: &[u8]) -> io::Result<()> {
    file.write_at(position, &[IoSlice::new(bytes)])
}

fn content(disk: &SimDisk, path: &str) -> Vec<u8> {
    let file = disk.open(&p(path), OpenMode::Read).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    assert_eq!(file.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

fn names(disk: &SimDisk, path: &str) -> Vec<String> {
    disk.list(&p(path)).unwrap().into_iter().map(|entry| entry.name).collect()
}

/// A disk with the durable file `/d/f`.
fn disk_with_file(bytes: &[u8]) -> SimDisk {
    let disk = disk();
    let file = create(&disk, "/d/f");
    write(&file, 0, bytes).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(&p("/d")).unwrap();
    disk
}

#[test]
fn parts_are_written_one_after_the_other() {
    let disk = disk();
    let file = create(&disk, "/d/f");
    file.write_at(2, &[IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")]).unwrap();
    assert_eq!(content(&disk, "/d/f"), b"\0\0abcde");
}

#[test]
fn open_modes_do_what_they_say() {
    let disk = disk();
    let error = |path, mode| disk.open(&p(path), mode).err().map(|error| error.kind());
    assert_eq!(error("/d/f", OpenMode::Read), Some(ErrorKind::NotFound));
    assert_eq!(error("/d/f", OpenMode::Write), Some(ErrorKind::NotFound));
    assert_eq!(error("/none/f", OpenMode::Create), Some(ErrorKind::NotFound));
    assert_eq!(error("/d", OpenMode::Read), Some(ErrorKind::IsADirectory));
    assert_eq!(error("/d/f", OpenMode::CreateNew), None);
    assert_eq!(error("/d/f", OpenMode::CreateNew), Some(ErrorKind::AlreadyExists));
    assert_eq!(error("/d/f", OpenMode::Create), None);
    let reader = disk.open(&p("/d/f"), OpenMode::Read).unwrap();
    assert_eq!(write(&reader, 0, b"x").unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn entries_are_sorted_and_dated() {
    let clock = SimClock::new();
    let disk = SimDisk::with_clock(1, Arc::new(clock.clone()));
    create(&disk, "/b");
    clock.advance(Duration::from_secs(1));
    write(&create(&disk, "/a"), 0, b"abc").unwrap();
    disk.create_dir_all(&p("/c/d")).unwrap();
    let now = clock.now().wall.millis();
    let entry =
        |name: &str, is_dir, len, modified_ms| DirEntry { name: name.into(), is_dir, len, modified_ms };
    assert_eq!(
        disk.list(&p("/")).unwrap(),
        [entry("a", false, 3, now), entry("b", false, 0, now - 1000), entry("c", true, 0, 0)]
    );
}

#[test]
fn a_killed_process_leaves_all_that_was_written() {
    let disk = disk();
    let file = create(&disk, "/d/f");
    write(&file, 0, b"abc").unwrap();
    disk.crash_process();
    assert_eq!(content(&disk, "/d/f"), b"abc");
    assert!(write(&file, 0, b"x").is_err(), "a file of the dead process must not work");
}

#[test]
fn a_power_cut_leaves_what_was_synced() {
    let disk = disk_with_file(b"durable");
    write(&create(&disk, "/d/f"), 0, b"written").unwrap();
    disk.power_cut(PowerCut::Strict);
    assert_eq!(content(&disk, "/d/f"), b"durable");
}

#[test]
fn a_power_cut_takes_names_whose_folder_was_not_synced() {
    let disk = disk_with_file(b"x");
    let file = create(&disk, "/d/new");
    write(&file, 0, b"x").unwrap();
    file.sync_data().unwrap();
    assert!(!disk.is_name_durable(&p("/d/new")));
    disk.power_cut(PowerCut::Strict);
    assert_eq!(names(&disk, "/d"), ["f"]);
}

#[test]
fn a_power_cut_brings_back_names_whose_removal_was_not_synced() {
    let disk = disk_with_file(b"abc");
    disk.remove_file(&p("/d/f")).unwrap();
    assert!(!disk.exists(&p("/d/f")));
    disk.power_cut(PowerCut::Strict);
    assert_eq!(content(&disk, "/d/f"), b"abc");
}

#[test]
fn an_unsynced_rename_over_a_file_is_undone_whole() {
    let disk = disk_with_file(b"old");
    let file = create(&disk, "/d/f.tmp");
    write(&file, 0, b"new").unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(&p("/d")).unwrap();
    disk.rename(&p("/d/f.tmp"), &p("/d/f")).unwrap();
    assert_eq!((names(&disk, "/d"), content(&disk, "/d/f")), (vec!["f".into()], b"new".to_vec()));
    disk.power_cut(PowerCut::Strict);
    assert_eq!(names(&disk, "/d"), ["f", "f.tmp"]);
    assert_eq!(content(&disk, "/d/f"), b"old");
}

#[test]
fn a_removed_folder_comes_back_with_what_was_durable_in_it() {
    let disk = disk_with_file(b"abc");
    disk.remove_dir_all(&p("/d")).unwrap();
    disk.power_cut(PowerCut::Strict);
    assert_eq!(content(&disk, "/d/f"), b"abc");
    disk.remove_dir_all(&p("/d")).unwrap();
    disk.sync_dir(&p("/")).unwrap();
    disk.power_cut(PowerCut::Strict);
    assert!(!disk.exists(&p("/d")));
}

#[test]
fn renames_refuse_what_a_file_system_refuses() {
    let disk = disk_with_file(b"abc");
    disk.create_dir_all(&p("/e/inner")).unwrap();
    let error = |from, to| disk.rename(&p(from), &p(to)).err().map(|error| error.kind());
    assert_eq!(error("/none", "/x"), Some(ErrorKind::NotFound));
    assert_eq!(error("/e", "/e/inner/e"), Some(ErrorKind::InvalidInput));
    assert_eq!(error("/e", "/d"), Some(ErrorKind::DirectoryNotEmpty));
    assert_eq!(error("/d/f", "/e"), Some(ErrorKind::IsADirectory));
    assert_eq!(error("/e", "/d/f"), Some(ErrorKind::NotADirectory));
    assert_eq!(error("/d", "/d-renamed"), None);
    assert_eq!(content(&disk, "/d-renamed/f"), b"abc");
}

#[test]
fn an_unlinked_file_can_still_be_read_by_who_has_it_open() {
    let disk = disk_with_file(b"abc");
    let file = disk.open(&p("/d/f"), OpenMode::Read).unwrap();
    disk.remove_file(&p("/d/f")).unwrap();
    disk.sync_dir(&p("/d")).unwrap();
    let mut bytes = [0; 3];
    assert_eq!(file.read_at(0, &mut bytes).unwrap(), 3);
    assert_eq!(&bytes, b"abc");
}

/// What is left of 4 KiB of new over 4 KiB of old after a power cut by chance.
fn by_chance(seed: u64) -> Vec<u8> {
    let disk = disk_with_file(&[b'o'; 4096]);
    write(&create(&disk, "/d/f"), 0, &[b'n'; 4096]).unwrap();
    disk.power_cut(PowerCut::Chance(seed));
    content(&disk, "/d/f")
}

#[test]
fn chance_keeps_drops_and_tears_at_sectors() {
    let outcomes: Vec<_> = (0..40).map(by_chance).collect();
    assert!(outcomes.iter().any(|left| left.iter().all(|byte| *byte == b'n')));
    assert!(outcomes.iter().any(|left| left.iter().all(|byte| *byte == b'o')));
    assert!(outcomes.iter().any(|left| left.contains(&b'n') && left.contains(&b'o')));
    for left in &outcomes {
        assert!(left.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
    }
}

#[test]
fn equal_seeds_leave_equal_disks() {
    assert!((0..20).all(|seed| by_chance(seed) == by_chance(seed)));
}

#[test]
fn by_chance_the_first_few_names_are_durable() {
    let mut counts = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let disk = disk();
        for name in ["/d/a", "/d/b", "/d/c"] {
            create(&disk, name);
        }
        disk.power_cut(PowerCut::Chance(seed));
        let left = names(&disk, "/d");
        assert!(["a", "b", "c"].iter().zip(&left).all(|(name, left)| name == left), "{left:?}");
        counts.insert(left.len());
    }
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn a_failed_sync_loses_what_it_covered_for_good() {
    let disk = disk_with_file(b"durable");
    let file = create(&disk, "/d/f");
    write(&file, 0, b"written").unwrap();
    disk.fail(Fault::new(Op::Sync, When::Next));
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(5));
    file.sync_data().unwrap();
    assert_eq!(content(&disk, "/d/f"), b"written");
    disk.power_cut(PowerCut::Strict);
    assert_eq!(content(&disk, "/d/f"), b"durable");
}

#[test]
fn faults_strike_by_count_path_and_kind() {
    let disk = disk();
    let (log, index) = (create(&disk, "/d/0.log"), create(&disk, "/d/0.index"));
    disk.fail(Fault::new(Op::Write, When::Every(3)).on(".log").with(ErrorKind::TimedOut));
    let outcomes: Vec<_> = (0..6).map(|i| write(&log, i, b"x").err().map(|error| error.kind())).collect();
    let (none, fault) = (None, Some(ErrorKind::TimedOut));
    assert_eq!(outcomes, [none, none, fault, none, none, fault]);
    assert!((0..6).all(|i| write(&index, i, b"x").is_ok()));
    disk.clear_faults();
    disk.fail(Fault::new(Op::Write, When::Nth(2)));
    let outcomes: Vec<_> = (0..4).map(|i| write(&log, i, b"x").is_ok()).collect();
    assert_eq!(outcomes, [true, false, true, true]);
}

#[test]
fn a_full_disk_takes_what_fits() {
    let disk = disk();
    disk.set_capacity(Some(8192));
    let file = create(&disk, "/d/f");
    assert_eq!(write(&file, 100, &[7; 10_000]).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.len().unwrap(), 8192);
    assert_eq!(disk.space(&p("/")).unwrap(), Space { total: 8192, usable: 0 });
    disk.remove_file(&p("/d/f")).unwrap();
    drop(file);
    disk.sync_dir(&p("/d")).unwrap();
    write(&create(&disk, "/d/g"), 0, &[7; 8192]).unwrap();
}

#[test]
fn a_submitted_sync_covers_what_was_written_before_it() {
    let disk = disk_with_file(b"");
    disk.set_completions(Completions::Queued);
    let file = create(&disk, "/d/f");
    let results = Arc::new(Mutex::new(Vec::new()));
    write(&file, 0, b"before").unwrap();
    let seen = Arc::clone(&results);
    disk.submit(
        Submission::Sync(Arc::clone(&file)),
        Box::new(move |result| seen.lock().push(result.is_ok())),
    );
    write(&file, 6, b"after").unwrap();
    assert_eq!((disk.pending_completions(), results.lock().len()), (1, 0));
    assert!(disk.complete_next());
    assert_eq!(*results.lock(), [true]);
    assert!(!disk.complete_next());
    disk.power_cut(PowerCut::Strict);
    assert_eq!(content(&disk, "/d/f"), b"before");
}

#[test]
fn submitted_work_dies_with_the_process() {
    let disk = disk_with_file(b"abc");
    disk.set_completions(Completions::Queued);
    let file = create(&disk, "/d/f");
    disk.submit(Submission::Sync(file), Box::new(|_| panic!("a dead process is told nothing")));
    disk.submit(Submission::Remove(p("/d")), Box::new(|_| panic!("a dead process is told nothing")));
    disk.crash_process();
    assert_eq!(disk.run_completions(), 0);
    assert!(disk.exists(&p("/d/f")));
}

#[test]
fn completions_may_submit_more() {
    let disk = disk_with_file(b"abc");
    disk.set_completions(Completions::Queued);
    let again = disk.clone();
    let file = create(&disk, "/d/f");
    disk.submit(
        Submission::Sync(file),
        Box::new(move |_| again.submit(Submission::Remove(p("/d/f")), Box::new(|result| result.unwrap()))),
    );
    assert_eq!(disk.run_completions(), 2);
    assert!(!disk.exists(&p("/d/f")));
}

#[test]
fn immediate_work_reports_before_submit_returns() {
    let disk = disk_with_file(b"abc");
    let (sent, told) = std::sync::mpsc::channel();
    disk.submit(Submission::Remove(p("/d")), Box::new(move |result| sent.send(result.is_ok()).unwrap()));
    assert_eq!(told.try_recv(), Ok(true));
}

#[test]
fn a_lock_is_held_until_dropped_or_crashed() {
    let disk = disk();
    let lock = disk.lock(&p("/d/.lock")).unwrap();
    assert_eq!(disk.lock(&p("/d/../d/.lock")).err().unwrap().kind(), ErrorKind::WouldBlock);
    drop(lock);
    let of_the_dead = disk.lock(&p("/d/.lock")).unwrap();
    disk.crash_process();
    let _held = disk.lock(&p("/d/.lock")).unwrap();
    drop(of_the_dead);
    assert!(disk.lock(&p("/d/.lock")).is_err(), "the dead process must not release another's lock");
}

#[test]
fn a_process_that_stops_before_its_sync_leaves_the_changes_to_the_next() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        disk.create_dir_all(Path::new("/d")).unwrap();
        let file = create(&disk, "/d/f");
        disk.sync_dir(Path::new("/")).unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        write(&file, 0, b"written").unwrap();
        disk.halt_after(0);
        assert!(file.sync_data().is_err());
        disk.crash_process();
        disk.open(Path::new("/d/f"), OpenMode::Write).unwrap().sync_data().unwrap();
        disk.power_cut(PowerCut::Strict);
        assert_eq!(content(&disk, "/d/f"), b"written", "seed {seed}");
    }
}

#[test]
fn a_halt_stops_in_the_middle_of_a_change() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let disk = SimDisk::new(seed);
        let file = create(&disk, "/f");
        disk.halt_after(1);
        write(&file, 0, b"first").unwrap();
        assert!(write(&file, 5, b"0123456789").is_err());
        assert!(disk.is_halted());
        assert!(write(&file, 0, b"later").is_err() && file.sync_data().is_err());
        disk.crash_process();
        let left = content(&disk, "/f");
        assert!(b"first0123456789".starts_with(&left), "{left:?}");
        lengths.insert(left.len());
    }
    assert!(lengths.contains(&5) && lengths.contains(&15) && lengths.len() > 4, "{lengths:?}");
}

#[test]
fn the_recording_tells_what_was_asked_and_what_failed() {
    let disk = disk();
    let file = create(&disk, "/d/f");
    disk.start_recording();
    disk.fail(Fault::new(Op::Sync, When::Next));
    write(&file, 7, b"abc").unwrap();
    let _ = file.sync_data();
    let operation = |op, position, len, failed| Operation { op, path: p("/d/f"), position, len, failed };
    assert_eq!(disk.take_recording(), [operation(Op::Write, 7, 3, false), operation(Op::Sync, 0, 1, true)]);
    assert_eq!(disk.take_recording(), []);
}
