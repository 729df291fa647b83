use kernel::port::Disk;
use kernel::port::disk::OpenMode;
use sim::SimDisk;

use super::*;

const PATH: &str = "/data";

fn lock(disk: &SimDisk) -> LogDir {
    LogDir::lock(disk.port(), Path::new(PATH)).expect("locks")
}

fn put(disk: &SimDisk, name: &str, content: &str) {
    let file = disk.open(&Path::new(PATH).join(name), OpenMode::Create).expect("opens");
    file.set_len(0).expect("empties");
    file.write_at(0, &[IoSlice::new(content.as_bytes())]).expect("writes");
}

#[test]
fn a_log_directory_belongs_to_one_process() {
    let disk = SimDisk::new(1);
    let first = lock(&disk);
    let error = LogDir::lock(disk.port(), Path::new(PATH)).err().expect("is refused");
    assert!(error.to_string().contains("another process"), "{error}");
    drop(first);
    lock(&disk);
}

#[test]
fn meta_properties_are_read_as_kafka_writes_them() {
    let disk = SimDisk::new(1);
    let dir = lock(&disk);
    assert_eq!(dir.meta().unwrap(), None);
    let text = "#\n#Sat Nov 21 07:41:45 UTC 2026\ncluster.id=4L6g3nShT-eMCtK--X86sw\nversion=1\n\
                directory.id=AAAAAAAAAAAAAAAAAAAAAQ\nnode.id=7\n";
    put(&disk, "meta.properties", text);
    let meta = MetaProperties {
        cluster_id: "4L6g3nShT-eMCtK--X86sw".to_owned(),
        node_id: 7,
        directory_id: Uuid::METADATA_TOPIC,
    };
    assert_eq!(dir.meta().unwrap(), Some(meta.clone()));
    dir.write_meta(&meta).unwrap();
    assert_eq!(dir.meta().unwrap(), Some(meta));
}

#[test]
fn damaged_meta_properties_say_what_is_wrong() {
    let disk = SimDisk::new(1);
    let dir = lock(&disk);
    let cases = [
        ("", "version is missing"),
        ("version=2\n", "version is \"2\""),
        ("version=1\ncluster.id=x\n", "node.id is missing"),
        ("version=1\ncluster.id=x\nnode.id=a\n", "node.id is \"a\""),
        ("version=1\nnode.id=1\n", "cluster.id is missing"),
        ("version=1\nnode.id=1\ncluster.id=x\ndirectory.id=?\n", "directory.id"),
    ];
    for (text, expected) in cases {
        put(&disk, "meta.properties", text);
        let error = dir.meta().expect_err("is refused").to_string();
        assert!(error.contains(expected) && error.contains("meta.properties"), "{error}");
    }
}

#[test]
fn a_scan_tells_what_each_folder_is() {
    let disk = SimDisk::new(1);
    let dir = lock(&disk);
    for folder in
        ["a-0", "a-b-12", "gone-0.00ff-delete", "moved-1.00ff-future", "odd-1.00ff-stray", "lost+found"]
    {
        disk.create_dir_all(&Path::new(PATH).join(folder)).unwrap();
    }
    put(&disk, "a-0/partition.metadata", "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
    let scan = dir.scan().unwrap();
    let partitions: Vec<_> =
        scan.partitions.iter().map(|found| (found.partition.to_string(), found.topic_id)).collect();
    assert_eq!(partitions, [("a-0".to_owned(), Some(Uuid::METADATA_TOPIC)), ("a-b-12".to_owned(), None)]);
    assert_eq!(scan.deleted, [Path::new("/data/gone-0.00ff-delete")]);
    assert_eq!(scan.set_aside.len(), 1);
    assert_eq!(scan.unknown, [Path::new("/data/lost+found")]);
    put(&disk, "a-0/partition.metadata", "nonsense");
    let scan = dir.scan().expect("one damaged partition does not hide the others");
    assert_eq!(scan.partitions.first().map(|found| found.topic_id), Some(None));
}

#[test]
fn a_clean_stop_is_known_once() {
    let disk = SimDisk::new(1);
    let dir = lock(&disk);
    assert_eq!(dir.take_clean_shutdown().unwrap(), None);
    dir.write_clean_shutdown(42).unwrap();
    let file = disk.open(Path::new("/data/.kafka_cleanshutdown"), OpenMode::Read).unwrap();
    let mut content = vec![0; file.len().unwrap() as usize];
    file.read_at(0, &mut content).unwrap();
    assert_eq!(content, br#"{"version":0,"brokerEpoch":42}"#);
    drop(dir);
    disk.power_cut(sim::PowerCut::Strict);
    let dir = lock(&disk);
    assert_eq!(dir.take_clean_shutdown().unwrap(), Some(42));
    drop(dir);
    disk.power_cut(sim::PowerCut::Strict);
    assert_eq!(lock(&disk).take_clean_shutdown().unwrap(), None, "its removal is durable");
    put(&disk, ".kafka_cleanshutdown", "{}");
    assert_eq!(lock(&disk).take_clean_shutdown().unwrap(), Some(-1), "written by an older Kafka");
}

#[test]
fn checkpoints_hold_an_offset_for_each_partition() {
    let disk = SimDisk::new(1);
    let dir = lock(&disk);
    assert_eq!(dir.recovery_points().unwrap().offsets, []);
    let offsets =
        vec![(TopicPartition::new("a", 3), Offset(17)), (TopicPartition::new("b.c-d", 0), Offset(0))];
    dir.write_recovery_points(&offsets).unwrap();
    dir.write_log_starts(&offsets).unwrap();
    dir.write_high_watermarks(&offsets).unwrap();
    dir.write_cleaned_offsets(&offsets).unwrap();
    drop(dir);
    disk.crash_process();
    let dir = lock(&disk);
    assert_eq!(dir.recovery_points().unwrap().offsets, offsets);
    assert_eq!(dir.log_starts().unwrap().offsets, offsets);
    assert_eq!(dir.high_watermarks().unwrap().offsets, offsets);
    assert_eq!(dir.cleaned_offsets().unwrap().offsets, offsets);
    put(&disk, "recovery-point-offset-checkpoint", "0\n1\na 3\n");
    let read = dir.recovery_points().unwrap();
    assert_eq!(read.offsets, [], "damage makes recovery verify everything");
    assert!(matches!(read.damage, Some(Damage::Lost(_))), "{:?}", read.damage);
}

fn content(disk: &SimDisk, name: &str) -> Vec<u8> {
    let file = disk.open(&Path::new(PATH).join(name), OpenMode::Read).expect("is there");
    let mut content = vec![0; file.len().expect("has a length") as usize];
    file.read_at(0, &mut content).expect("reads");
    content
}

/// Calls `look` after each bit of a file turned over, and puts it back.
fn each_flip(disk: &SimDisk, name: &str, mut look: impl FnMut(usize)) {
    let sound = content(disk, name);
    for bit in 0..sound.len() * 8 {
        let mut damaged = sound.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let file = disk.open(&Path::new(PATH).join(name), OpenMode::Create).expect("opens");
        file.set_len(0).expect("empties");
        file.write_at(0, &[IoSlice::new(&damaged)]).expect("writes");
        look(bit);
    }
}

#[test]
fn no_flipped_bit_in_a_checkpoint_changes_an_offset() {
    let disk = SimDisk::new(1);
    let dir = lock(&disk);
    let some = vec![(TopicPartition::new("a", 3), Offset(17)), (TopicPartition::new("b.c-d", 0), Offset(0))];
    for offsets in [some, Vec::new()] {
        dir.write_recovery_points(&offsets).unwrap();
        each_flip(&disk, RECOVERY_POINTS, |bit| {
            let read = dir.recovery_points().unwrap();
            assert_eq!(read.offsets, offsets, "bit {bit}");
            assert!(offsets.is_empty() || matches!(read.damage, Some(Damage::Mended(_))), "bit {bit}");
        });
        dir.write_log_starts(&offsets).unwrap();
        each_flip(&disk, LOG_STARTS, |bit| {
            assert_eq!(dir.log_starts().unwrap().offsets, offsets, "bit {bit}")
        });
        dir.write_high_watermarks(&offsets).unwrap();
        each_flip(&disk, HIGH_WATERMARKS, |bit| {
            assert_eq!(dir.high_watermarks().unwrap().offsets, offsets, "bit {bit}");
        });
        dir.write_cleaned_offsets(&offsets).unwrap();
        each_flip(&disk, CLEANED_TO, |bit| {
            assert_eq!(dir.cleaned_offsets().unwrap().offsets, offsets, "bit {bit}");
        });
    }
}

#[test]
fn a_flipped_bit_never_makes_a_directory_somebody_elses() {
    let disk = SimDisk::new(1);
    let dir = lock(&disk);
    let meta = MetaProperties {
        cluster_id: "4L6g3nShT-eMCtK--X86sw".to_owned(),
        node_id: 7,
        directory_id: Uuid::METADATA_TOPIC,
    };
    dir.write_meta(&meta).unwrap();
    let sound = content(&disk, META);
    each_flip(&disk, META, |bit| {
        assert_eq!(dir.meta().unwrap(), Some(meta.clone()), "bit {bit}");
        assert_eq!(content(&disk, META), sound, "bit {bit}: it is written anew");
    });
    let kafkas = "#\n#Sat Nov 21 07:41:45 UTC 2026\ncluster.id=x\nversion=1\nnode.id=7\nmore=kept\n";
    put(&disk, META, kafkas);
    let adopted = dir.meta().unwrap();
    let text = String::from_utf8(content(&disk, META)).unwrap();
    assert!(text.starts_with(kafkas) && text.len() > kafkas.len(), "{text}");
    each_flip(&disk, META, |bit| assert_eq!(dir.meta().unwrap(), adopted, "bit {bit}"));
    assert_eq!(String::from_utf8(content(&disk, META)).unwrap(), text);
}

#[test]
fn a_flipped_bit_in_the_mark_of_a_clean_stop_makes_it_no_crash() {
    let disk = SimDisk::new(1);
    let dir = lock(&disk);
    dir.write_clean_shutdown(42).unwrap();
    each_flip(&disk, CLEAN_SHUTDOWN, |bit| {
        // With another epoch nothing is remembered; what is has a checksum itself.
        assert!(dir.take_clean_shutdown().unwrap().is_some(), "bit {bit}: it was a clean stop");
    });
}

#[test]
fn a_folder_whose_topic_id_has_a_flipped_bit_is_still_the_topics() {
    let disk = SimDisk::new(1);
    let dir = lock(&disk);
    disk.create_dir_all(&Path::new(PATH).join("a-0")).unwrap();
    let id: Uuid = "4L6g3nShT-eMCtK--X86sw".parse().unwrap();
    put(&disk, "a-0/partition.metadata", &partition_metadata::render(id));
    let partition = TopicPartition::new("a", 0);
    each_flip(&disk, "a-0/partition.metadata", |bit| {
        let found = dir.scan().unwrap().partitions.remove(0);
        assert!(found.may_be_of(id), "bit {bit}");
        let former = set_former_aside(&*disk.port(), Path::new(PATH), &partition, id).unwrap();
        assert_eq!(former, None, "bit {bit}");
    });
    put(
        &disk,
        "a-0/partition.metadata",
        &partition_metadata::render("4L6g3nShT-eMCtK--X8aaw".parse().unwrap()),
    );
    assert!(!dir.scan().unwrap().partitions.remove(0).may_be_of(id));
}
