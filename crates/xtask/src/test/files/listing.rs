//! A data directory as lines of text: what DumpLogSegments printed of a file, or the file itself if it is text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The lines of each file, by its path in the directory.
#[derive(Debug, Default)]
pub struct Listing {
    pub files: BTreeMap<String, Vec<String>>,
}

/// Files that are text; `true`, where the order of the lines is that of a hash table.
const TEXTS: &[(&str, bool)] = &[
    ("meta.properties", true),
    ("leader-epoch-checkpoint", false),
    ("partition.metadata", false),
    ("quorum-state", false),
    (".kafka_cleanshutdown", false),
    ("recovery-point-offset-checkpoint", true),
    ("replication-offset-checkpoint", true),
    ("log-start-offset-checkpoint", true),
    ("cleaner-offset-checkpoint", true),
];

/// The folder of the metadata log, of whose snapshots the first and the last are looked at: when the others were made depends
/// on the time.
pub const METADATA: &str = "__cluster_metadata-0/";
const BOOTSTRAP: &str = "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";
pub const LAST_SNAPSHOT: &str = "__cluster_metadata-0/last.checkpoint";

impl Listing {
    pub fn read(data: &Path, dump: &Path) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        for name in names(data, data)? {
            let read = |root: &Path| {
                let path = root.join(&name);
                fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
            };
            let last = name.rsplit('/').next().unwrap_or_default();
            let text = TEXTS.iter().find(|(text, _)| *text == last);
            let mut lines: Vec<String> = match text {
                // Ours have a checksum in blanks at their end.
                Some(_) => read(data)?.lines().map(|line| line.trim_end().to_owned()).collect(),
                None if dump.join(&name).is_file() => read(dump)?.lines().map(str::to_owned).collect(),
                None => Vec::new(),
            };
            if last.ends_with("-offset-checkpoint") {
                name_count(&mut lines);
            }
            if text.is_some_and(|(_, any_order)| *any_order) {
                lines.sort();
            }
            files.insert(name, lines);
        }
        let mut listing = Self { files };
        listing.keep_last_snapshot();
        listing.name_identities();
        Ok(listing)
    }

    fn keep_last_snapshot(&mut self) {
        let snapshot = |name: &String| name.starts_with(METADATA) && name.ends_with(".checkpoint");
        let last = self.files.keys().rfind(|name| snapshot(name)).filter(|name| *name != BOOTSTRAP).cloned();
        let lines = last.and_then(|last| self.files.remove(&last));
        self.files.retain(|name, _| !snapshot(name) || name == BOOTSTRAP);
        if let Some(mut lines) = lines {
            // What is told of the file's name.
            lines.retain(|line| !line.starts_with("Dumping ") && !line.starts_with("Snapshot end offset"));
            self.files.insert(LAST_SNAPSHOT.to_owned(), lines);
        }
    }

    /// Ids that each side drew by itself are called by what they stand for.
    fn name_identities(&mut self) {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for line in self.files.get("meta.properties").into_iter().flatten() {
            for key in ["directory.id", "cluster.id"] {
                if let Some(id) = line.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')) {
                    names.insert(id.to_owned(), format!("<{key}>"));
                }
            }
        }
        for line in self.files.values().flatten().filter(|line| line.contains("\"TOPIC_RECORD\"")) {
            if let (Some(name), Some(id)) = (quoted(line, "name"), quoted(line, "topicId")) {
                names.insert(id.to_owned(), format!("<topic {name}>"));
            }
        }
        let known: BTreeSet<_> = names.keys().cloned().collect();
        for line in self.files.values_mut().flatten() {
            for id in known.iter().filter(|id| line.contains(id.as_str())).collect::<Vec<_>>() {
                *line = line.replace(id.as_str(), names.get(id).map_or("", String::as_str));
            }
        }
    }
}

/// Says of a checkpoint's second line, how many entries follow, only that it is right: not all entries are compared.
fn name_count(lines: &mut [String]) {
    let entries = lines.len().saturating_sub(2).to_string();
    if let Some(count) = lines.get_mut(1).filter(|count| **count == entries) {
        *count = "<as many entries as follow>".to_owned();
    }
}

/// The text that a field of JSON has.
fn quoted<'a>(line: &'a str, field: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("\"{field}\":\""))?;
    rest.split_once('"').map(|(text, _)| text)
}

/// The paths of all files below a folder.
fn names(root: &Path, folder: &Path) -> Result<Vec<String>, String> {
    let io = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() {
            out.extend(names(root, &path)?);
        } else if let Ok(name) = path.strip_prefix(root) {
            out.push(name.display().to_string());
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_kept_only_where_it_is_wrong() {
        let count = |lines: &[&str]| {
            let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            name_count(&mut lines);
            lines[1].clone()
        };
        assert_eq!(count(&["0", "2", "a 0 1", "a 1 2"]), "<as many entries as follow>");
        assert_eq!(count(&["0", "3", "a 0 1", "a 1 2"]), "3");
    }

    #[test]
    fn ids_are_called_by_what_they_stand_for_and_only_the_last_snapshot_is_kept() {
        let topic = r#"| payload: {"type":"TOPIC_RECORD","version":0,"data":{"name":"a","topicId":"xyz"}}"#;
        let files = [
            ("meta.properties", vec!["cluster.id=abc"]),
            ("__cluster_metadata-0/00000000000000000000.log", vec![topic, "of abc"]),
            ("__cluster_metadata-0/00000000000000000007-0000000001.checkpoint", vec!["old"]),
            ("__cluster_metadata-0/00000000000000000009-0000000001.checkpoint", vec!["Dumping x", "new xyz"]),
            ("a-0/partition.metadata", vec!["topic_id: xyz"]),
        ];
        let own = |(name, lines): (&str, Vec<&str>)| {
            (name.to_owned(), lines.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        let mut listing = Listing { files: files.into_iter().map(own).collect() };
        listing.keep_last_snapshot();
        listing.name_identities();
        assert_eq!(listing.files["a-0/partition.metadata"], ["topic_id: <topic a>"]);
        assert_eq!(listing.files["__cluster_metadata-0/00000000000000000000.log"][1], "of <cluster.id>");
        assert_eq!(listing.files[LAST_SNAPSHOT], ["new <topic a>"]);
        assert_eq!(listing.files.len(), 4);
    }
}
