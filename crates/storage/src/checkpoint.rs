//! Small text files that are replaced as a whole, and Kafka's checkpoint format in them.
//!
//! A checkpoint has a version (0), the number of entries, and one entry a line. Ours has a [`seal`] after the last entry.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use kernel::TopicPartition;
use kernel::planted::{self, Bug};
use kernel::port::Disk;
use kernel::port::disk::OpenMode;

use crate::error::{Result, StorageError};
use crate::names;
use crate::seal::{self, Seal};

/// Largest small file that is read: a checkpoint of 100,000 partitions with the longest names.
const MAX_SMALL_FILE: u64 = 64 << 20;

/// Replaces a file in one step: after a crash there is the old one or the new one.
pub(crate) fn replace(disk: &dyn Disk, path: &Path, content: &[u8]) -> Result<()> {
    put(disk, path, content, !planted::on(Bug::RenameBeforeSync))
}

/// Writes a file that is new and is synced later, or never: after a power cut it may be missing or lack any part of its
/// content, which its reader must notice.
pub(crate) fn replace_later(disk: &dyn Disk, path: &Path, content: &[u8]) -> Result<()> {
    put(disk, path, content, false)
}

/// Writes a file into a folder that has none of that name. As with [`replace_later`], a power cut may leave any part of it.
pub(crate) fn write_new(disk: &dyn Disk, path: &Path, content: &[u8]) -> Result<()> {
    let write = || disk.open(path, OpenMode::CreateNew)?.write_at(0, &[IoSlice::new(content)]);
    write().map_err(|error| {
        // What is left of it must not be taken for the whole.
        let _ = disk.remove_file(path);
        StorageError::io("write", path, error)
    })
}

fn put(disk: &dyn Disk, path: &Path, content: &[u8], synced: bool) -> Result<()> {
    let temporary = temporary_path(path);
    let write = || -> io::Result<()> {
        let file = disk.open(&temporary, OpenMode::Create)?;
        if !file.is_empty()? {
            // Only then: a file system may take it as a reason to write the file out once it is closed.
            file.set_len(0)?;
        }
        file.write_at(0, &[IoSlice::new(content)])?;
        if synced {
            file.sync_data()?;
        }
        drop(file);
        disk.rename(&temporary, path)
    };
    write().map_err(|error| {
        // What is left of the temporary file is replaced by the next attempt; a full disk needs the room now.
        let _ = disk.remove_file(&temporary);
        StorageError::io("write", path, error)
    })
}

fn temporary_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(names::TEMPORARY);
    PathBuf::from(name)
}

/// Reads a small file whole; nothing if it does not exist.
pub(crate) fn read_small(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>> {
    let file = match disk.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StorageError::io("open", path, error)),
    };
    let failed = |error| StorageError::io("read", path, error);
    let len = file.len().map_err(failed)?;
    if len > MAX_SMALL_FILE {
        return Err(StorageError::corrupt(
            path,
            0,
            format!("it has {len} bytes, at most {MAX_SMALL_FILE} can be"),
        ));
    }
    let mut content = vec![0; usize::try_from(len).unwrap_or(0)];
    let read = file.read_at(0, &mut content).map_err(failed)?;
    content.truncate(read);
    Ok(Some(content))
}

/// Reads a small file that may be sealed; nothing if it does not exist.
pub(crate) fn read_sealed(disk: &dyn Disk, path: &Path) -> Result<Option<(String, Seal)>> {
    let Some(content) = read_small(disk, path)? else { return Ok(None) };
    let (content, seal) = seal::open(content)
        .ok_or_else(|| StorageError::corrupt(path, 0, "it does not match its checksum"))?;
    Ok(Some((String::from_utf8_lossy(&content).into_owned(), seal)))
}

/// Renders entries in Kafka's checkpoint format. Without an entry it has no place for a seal, and needs none: a reader makes
/// the same of whatever it becomes.
pub(crate) fn render<T>(entries: &[T], line: impl Fn(&T) -> String) -> String {
    let mut text = format!("0\n{}\n", entries.len());
    for entry in entries {
        text.push_str(&line(entry));
        text.push('\n');
    }
    if entries.is_empty() { text } else { seal::sealed(&text) }
}

/// Reads Kafka's checkpoint format; an error says what is wrong in which line.
pub(crate) fn parse<T>(
    text: &str,
    entry: impl Fn(&[&str]) -> Option<T>,
) -> std::result::Result<Vec<T>, String> {
    let mut lines = text.lines();
    match lines.next().map(str::trim) {
        None => return Ok(Vec::new()),
        Some("0") => {}
        Some(version) => return Err(format!("line 1: version {version:?}, 0 is expected")),
    }
    let Some(count) = lines.next() else { return Ok(Vec::new()) };
    let count: usize =
        count.trim().parse().map_err(|_| format!("line 2: {count:?} is not a number of entries"))?;
    let mut entries = Vec::new();
    for (number, line) in lines.enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        entries.push(entry(&words).ok_or_else(|| format!("line {}: {line:?} is not an entry", number + 3))?);
    }
    if entries.len() != count {
        return Err(format!("{} entries, line 2 announces {count}", entries.len()));
    }
    Ok(entries)
}

/// Reads a checkpoint of an offset per partition, and whether it had to be mended; nothing if the file does not exist.
pub(crate) fn read_offsets(disk: &dyn Disk, path: &Path) -> Result<(Vec<(TopicPartition, i64)>, bool)> {
    let Some((text, seal)) = read_sealed(disk, path)? else { return Ok((Vec::new(), false)) };
    let entries = parse(&text, |words| match words {
        [topic, partition, offset] => {
            Some((TopicPartition::new(*topic, partition.parse().ok()?), offset.parse().ok()?))
        }
        _ => None,
    })
    .map_err(|what| StorageError::corrupt(path, 0, what))?;
    Ok((entries, seal == Seal::Mended))
}

/// Writes a checkpoint of an offset per partition.
pub(crate) fn write_offsets(disk: &dyn Disk, path: &Path, offsets: &[(TopicPartition, i64)]) -> Result<()> {
    let text = render(offsets, |(partition, offset)| {
        format!("{} {} {offset}", partition.topic, partition.partition)
    });
    replace(disk, path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> std::result::Result<Vec<i64>, String> {
        parse(text, |words| words.first().and_then(|word| word.parse().ok()))
    }

    #[test]
    fn a_checkpoint_reads_back_what_was_written() {
        let text = render(&[3_i64, 5], i64::to_string);
        assert_eq!(text.lines().map(str::trim_end).collect::<Vec<_>>(), ["0", "2", "3", "5"]);
        assert_eq!(numbers(&text), Ok(vec![3, 5]), "Kafka's parsers pass over the seal as this one does");
    }

    #[test]
    fn an_empty_checkpoint_has_no_entries() {
        assert_eq!(numbers(""), Ok(vec![]));
        assert_eq!(numbers("0\n"), Ok(vec![]));
        assert_eq!(numbers("0\n0\n"), Ok(vec![]));
    }

    #[test]
    fn a_damaged_checkpoint_says_where() {
        assert_eq!(numbers("1\n0\n"), Err("line 1: version \"1\", 0 is expected".to_owned()));
        assert_eq!(numbers("0\nx\n"), Err("line 2: \"x\" is not a number of entries".to_owned()));
        assert_eq!(numbers("0\n1\nx\n"), Err("line 3: \"x\" is not an entry".to_owned()));
        assert_eq!(numbers("0\n2\n7\n"), Err("1 entries, line 2 announces 2".to_owned()));
    }
}
