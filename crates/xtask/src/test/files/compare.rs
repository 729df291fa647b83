//! Two listings side by side.

use std::collections::{BTreeMap, BTreeSet};

use super::listing::{LAST_SNAPSHOT, Listing, METADATA};
use super::masks::MASKS;
use crate::pattern::matches;
use crate::test::report::Row;

/// Files of one kind are one check.
const KINDS: &[(&str, &str)] = &[
    (LAST_SNAPSHOT, "snapshot of the metadata"),
    ("__cluster_metadata-0/*.checkpoint", "snapshot of the format"),
    ("__cluster_metadata-0/*.log", "__cluster_metadata"),
    ("__cluster_metadata-0/*", "files about __cluster_metadata"),
    ("__consumer_offsets-*.log", "__consumer_offsets"),
    ("*.log", "segments and their records"),
    ("*.index", "offset indexes"),
    ("*.timeindex", "time indexes"),
    ("*.snapshot", "producer snapshots"),
    ("*/leader-epoch-checkpoint", "leader epochs"),
    ("*/partition.metadata", "partition.metadata"),
    ("*-checkpoint", "checkpoints of the log directory"),
    ("*", "other files"),
];

const PRESENCE: &str = "names of files";

/// Differences of one kind that are told.
const TOLD: usize = 8;
/// A line is told up to here.
const LINE_CHARS: usize = 600;

#[derive(Debug, Default)]
pub struct Comparison {
    /// What was compared, and what differs, by kind.
    kinds: BTreeMap<&'static str, Kind>,
    /// The masks that something needed, by their places.
    used: BTreeSet<usize>,
}

#[derive(Debug, Default)]
struct Kind {
    files: usize,
    lines: usize,
    differences: Vec<String>,
}

impl Comparison {
    /// Kafka's listing comes first.
    pub fn new([kafka, ours]: &[Listing; 2]) -> Self {
        let mut found = Self::default();
        let names: BTreeSet<&String> = kafka.files.keys().chain(ours.files.keys()).collect();
        for name in names {
            match (kafka.files.get(name), ours.files.get(name)) {
                (Some(kafka), Some(ours)) => found.file(name, kafka, ours),
                (one, _) => match MASKS.iter().position(|mask| mask.excuses(name)) {
                    Some(mask) => drop(found.used.insert(mask)),
                    None => {
                        let who = if one.is_some() { "Kafka" } else { "Riverrun" };
                        let told = format!("only {who} has {name}");
                        found.kinds.entry(PRESENCE).or_default().differences.push(told);
                    }
                },
            }
            found.kinds.entry(PRESENCE).or_default().files += 1;
        }
        found
    }

    fn file(&mut self, name: &str, kafka: &[String], ours: &[String]) {
        let (kafka, ours) = (self.masked(name, kafka), self.masked(name, ours));
        let kind =
            KINDS.iter().find(|(pattern, _)| matches(pattern, name)).map_or(PRESENCE, |(_, kind)| kind);
        let kind = self.kinds.entry(kind).or_default();
        kind.files += 1;
        kind.lines += ours.len();
        for at in 0..kafka.len().max(ours.len()) {
            let (kafka, ours) = (kafka.get(at), ours.get(at));
            if kafka != ours {
                let told = |line: Option<&String>| {
                    line.map_or("nothing".to_owned(), |line| line.chars().take(LINE_CHARS).collect())
                };
                kind.differences.push(format!(
                    "{name}, line {}:\n    Kafka:    {}\n    Riverrun: {}",
                    at + 1,
                    told(kafka),
                    told(ours)
                ));
            }
        }
    }

    /// A row for each kind.
    pub fn rows(&self, part: &str) -> Vec<Row> {
        let row = |(kind, found): (&&str, &Kind)| {
            let check = (*kind).to_owned();
            if found.differences.is_empty() {
                return Row::pass(part, &check, format!("{} files, {} lines", found.files, found.lines));
            }
            let told: Vec<&str> = found.differences.iter().take(TOLD).map(String::as_str).collect();
            let message = format!("{} differences\n  {}", found.differences.len(), told.join("\n  "));
            Row::fail(part, &check, message)
        };
        self.kinds.iter().map(row).collect()
    }

    /// The lines of a file that are compared, as they are compared.
    fn masked(&mut self, name: &str, lines: &[String]) -> Vec<String> {
        let mut out = Vec::new();
        for line in lines {
            let mut line = line.clone();
            let mut stays = true;
            for (place, mask) in MASKS.iter().enumerate() {
                let (keeps, needed) = mask.apply(name, &mut line);
                stays &= keeps;
                if needed {
                    self.used.insert(place);
                }
            }
            if stays {
                out.push(line);
            }
        }
        if name.starts_with(METADATA) {
            // Within a change, Kafka's order of a topic's options is that of a hash table.
            out.sort();
        }
        out
    }

    /// Masks that nothing needed.
    pub fn unused(&self) -> Vec<String> {
        let unused = MASKS.iter().enumerate().filter(|(place, _)| !self.used.contains(place));
        unused.map(|(_, mask)| mask.told()).collect()
    }
}
