//! Undo files: what a group had before it was reset, as a file that brings it back.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use client::admin::CommittedOffset;
use client::{Offset, TopicPartition};
use serde_json::{Value, json};

use crate::command::Failure;
use crate::command::files::read_small_text;

/// What a group has committed.
pub type Before = BTreeMap<TopicPartition, CommittedOffset>;

/// Where a group goes in each partition; nothing for one about which it should know nothing.
pub type Offsets = BTreeMap<TopicPartition, Option<Offset>>;

/// Writes what the group had before. A file that is there may be needed yet.
pub fn keep(file: &Path, undo: &Value) -> Result<(), Failure> {
    let text = format!("{undo:#}\n");
    let written = File::create_new(file).and_then(|mut made| {
        // Half of it is of no use, and would stand in the way of the next attempt.
        made.write_all(text.as_bytes()).inspect_err(|_| drop(fs::remove_file(file)))
    });
    written.map_err(|error| {
        Failure::failed(format!("cannot write {}: {error}", file.display())).next(match error.kind() {
            io::ErrorKind::AlreadyExists => "nothing was changed; name a file that is not there yet",
            _ => "nothing was changed; name a file that can be made, with room for it",
        })
    })
}

/// What an undo file holds for a group.
pub fn kept(file: &Path, group: &str) -> Result<Offsets, Failure> {
    const NEXT: &str = "name a file that --undo-file has written";
    let path = file.display();
    let text = read_small_text(file)
        .map_err(|error| Failure::failed(format!("cannot read {path}: {error}")).next(NEXT))?;
    let (of, offsets) = read_undo(&text)
        .ok_or_else(|| Failure::failed(format!("{path} is not what --undo-file writes")).next(NEXT))?;
    if of != group {
        return Err(Failure::failed(format!("{path} holds what {of:?} had, and not {group:?}"))
            .next(format!("name the group {of:?}, or a file that --undo-file has written for {group:?}")));
    }
    match offsets.is_empty() {
        true => Err(Failure::failed(format!("{path} holds no offsets")).next(NEXT)),
        false => Ok(offsets),
    }
}

/// What makes it as it was: for partitions that had nothing, nothing.
pub fn undo(group: &str, offsets: &Offsets, before: &Before) -> Value {
    let offset = |name: &TopicPartition| {
        let committed = before.get(name).map(|committed| committed.offset.0);
        json!({ "topic": name.topic.as_ref(), "partition": name.partition, "offset": committed })
    };
    json!({ "group": group, "offsets": offsets.keys().map(offset).collect::<Vec<_>>() })
}

/// The group of an undo file, and what it had.
fn read_undo(text: &str) -> Option<(String, Offsets)> {
    let value: Value = serde_json::from_str(text).ok()?;
    let group = value.get("group")?.as_str()?.to_owned();
    let entry = |entry: &Value| {
        let topic = entry.get("topic")?.as_str()?;
        let partition = i32::try_from(entry.get("partition")?.as_i64()?).ok()?;
        let offset = match entry.get("offset")? {
            Value::Null => None,
            offset => Some(Offset(offset.as_i64().filter(|offset| *offset >= 0)?)),
        };
        Some((TopicPartition::new(topic, partition), offset))
    };
    let entries = value.get("offsets")?.as_array()?;
    let offsets: Offsets = entries.iter().map(entry).collect::<Option<_>>()?;
    // Where a partition is told of twice, nobody knows which was meant.
    (offsets.len() == entries.len()).then_some((group, offsets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_makes_it_as_it_was() {
        let names = [TopicPartition::new("t", 0), TopicPartition::new("t", 1)];
        let before: Before = [(names[0].clone(), Offset(7).into())].into();
        let offsets: Offsets = names.iter().map(|name| (name.clone(), Some(Offset(0)))).collect();
        let text = undo("g", &offsets, &before).to_string();
        let expected: Offsets = [(names[0].clone(), Some(Offset(7))), (names[1].clone(), None)].into();
        assert_eq!(read_undo(&text), Some(("g".to_owned(), expected)));
        let of = |entries: &str| format!(r#"{{"group":"g","offsets":[{entries}]}}"#);
        let twice = r#"{"topic":"t","partition":0,"offset":1},{"topic":"t","partition":0,"offset":2}"#;
        let negative = r#"{"topic":"t","partition":0,"offset":-5}"#;
        for wrong in [String::new(), "{}".to_owned(), of(negative), of(twice)] {
            assert_eq!(read_undo(&wrong), None, "{wrong}");
        }
    }
}
