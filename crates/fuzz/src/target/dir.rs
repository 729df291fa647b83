//! The files of a log directory: whose it is, the checkpoints, the mark of a clean stop, the names of folders.

use std::path::Path;
use std::sync::Arc;

use kernel::{Offset, TopicPartition, Uuid};
use storage::{FolderName, LogDir, MetaProperties, parse_folder};

use super::Target;
use crate::bound::{twice, within};
use crate::input::{Input, Output};
use crate::memory_disk::MemoryDisk;

pub const LOG_DIR: Target = Target {
    name: "log-dir",
    what: "meta.properties, the three checkpoints, the mark of a clean stop, names of folders, partition.metadata",
    run: run_dir,
    seeds: seeds_dir,
    len_max: 1024,
    micros: 70,
};

const DIR: &str = "/data";

/// The files that a log directory has itself.
const FILES: [&str; 5] = [
    "meta.properties",
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    "replication-offset-checkpoint",
    ".kafka_cleanshutdown",
];

/// A name costs a path for each list that it is in.
const PER_NAME_BYTES: usize = 1024;

fn run_dir(input: &[u8]) {
    let len = input.len();
    let mut input = Input::new(input);
    let disk = MemoryDisk::default();
    disk.put(&Path::new(DIR).join(".lock"), Vec::new());
    let mut names = 0;
    while !input.is_empty() {
        let which = usize::from(input.byte());
        let content = input.part();
        match FILES.get(which % (FILES.len() + 1)) {
            Some(name) => disk.put(&Path::new(DIR).join(name), content.to_vec()),
            None => {
                names += 1;
                add_folder(&disk, content, &mut input);
            }
        }
    }
    let dir = LogDir::lock(Arc::new(disk), Path::new(DIR)).expect("nobody else has it");
    // Text that is no UTF-8 grows to three times its size, beside the file.
    let may = 2 * twice(len) + names * PER_NAME_BYTES;
    within(may, || use_dir(&dir));
}

fn add_folder(disk: &MemoryDisk, name: &[u8], input: &mut Input<'_>) {
    let Ok(name) = std::str::from_utf8(name) else { return };
    if let FolderName::Partition(partition) = parse_folder(name) {
        assert_eq!(parse_folder(&partition.to_string()), FolderName::Partition(partition));
    }
    let is_name = !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != "..";
    if is_name {
        disk.put(&Path::new(DIR).join(name).join("partition.metadata"), input.part().to_vec());
    }
}

fn use_dir(dir: &LogDir) {
    if let Ok(Some(meta)) = dir.meta() {
        // What has a line's end in it cannot be written; Kafka's escapes are read, not written.
        if !meta.cluster_id.contains(['\n', '\r', '\\']) {
            dir.write_meta(&meta).expect("the disk does not fail");
            assert_eq!(dir.meta().ok(), Some(Some(meta)), "it is read as it was written");
        }
    }
    let scan = dir.scan().expect("a scan does not fail for what it finds");
    for found in &scan.partitions {
        assert!(found.partition.partition >= 0, "{} is no partition", found.partition);
    }
    let points = dir.recovery_points().expect("a damaged checkpoint counts as none").offsets;
    dir.write_log_starts(&points).expect("the disk does not fail");
    assert_eq!(dir.log_starts().ok().map(|read| read.offsets), Some(points), "it is read as it was written");
    let marks = dir.high_watermarks().expect("a damaged checkpoint counts as none").offsets;
    dir.write_recovery_points(&marks).expect("the disk does not fail");
    assert_eq!(
        dir.recovery_points().ok().map(|read| read.offsets),
        Some(marks),
        "it is read as it was written"
    );
    if dir.take_clean_shutdown().is_ok() {
        assert_eq!(dir.take_clean_shutdown().ok(), Some(None), "the mark was taken");
        dir.write_clean_shutdown(4).expect("the disk does not fail");
        assert_eq!(dir.take_clean_shutdown().ok(), Some(Some(4)));
    }
}

fn seeds_dir() -> Vec<Vec<u8>> {
    let disk = Arc::new(MemoryDisk::default());
    disk.put(&Path::new(DIR).join(".lock"), Vec::new());
    let dir = LogDir::lock(disk.clone(), Path::new(DIR)).expect("nobody else has it");
    let meta = MetaProperties {
        cluster_id: "5L6g3nShT-eMCtK--X86sw".to_owned(),
        node_id: 1,
        directory_id: Uuid::from_bytes([7; 16]),
    };
    dir.write_meta(&meta).expect("the disk does not fail");
    let offsets =
        vec![(TopicPartition::new("t", 0), Offset(5)), (TopicPartition::new("a.b-c", 12), Offset(0))];
    dir.write_recovery_points(&offsets).expect("the disk does not fail");
    dir.write_log_starts(&offsets).expect("the disk does not fail");
    dir.write_high_watermarks(&offsets).expect("the disk does not fail");
    dir.write_clean_shutdown(12).expect("the disk does not fail");
    let mut all = Output::default();
    let mut seeds = Vec::new();
    for (path, content) in disk.files() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(which) = FILES.iter().position(|file| *file == name) else { continue };
        seeds.push(Output::default().bytes(&[which as u8]).part(&content).0);
        all = all.bytes(&[which as u8]).part(&content);
    }
    let hex = "0123456789abcdef0123456789abcdef";
    let names = [
        "t-0".to_owned(),
        format!("t-0.{hex}-delete"),
        format!("t-0.{hex}-future"),
        format!("t-0.{hex}-stray"),
    ];
    for name in names {
        let metadata = b"version: 0\ntopic_id: BwcHBwcHBwcHBwcHBwcHBw";
        seeds.push(Output::default().bytes(&[FILES.len() as u8]).part(name.as_bytes()).part(metadata).0);
        all = all.bytes(&[FILES.len() as u8]).part(name.as_bytes()).part(metadata);
    }
    seeds.push(all.0);
    seeds
}
