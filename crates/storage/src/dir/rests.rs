//! What a node remembers of its logs from a clean stop to the next start, in `riverrun.resting`, so that a start need not
//! look into every partition's folder.
//!
//! The file counts only together with the mark of the same clean stop: it names the broker epoch that the mark has, which
//! another process that used the directory in between would have changed. It is text, a partition a line, and ends with a
//! checksum; what does not match counts as nothing, and the folders are read.

use std::sync::Arc;

use kernel::{LeaderEpoch, Offset, Timestamp, TopicPartition, Uuid};

use super::LogDir;
use crate::checkpoint;
use crate::error::{Result, StorageError};
use crate::log::Rest;

const FILE: &str = "riverrun.resting";
const VERSION: u32 = 1;

/// One partition of which something is remembered.
pub type Remembered = (TopicPartition, Uuid, Rest);

impl LogDir {
    /// Takes what was remembered at the clean stop with this broker epoch. It is gone then, so that it cannot be found again
    /// after a crash; [`LogDir::take_clean_shutdown`] must follow, which makes that durable.
    pub fn take_remembered(&self) -> Result<Option<(i64, Vec<Remembered>)>> {
        let path = self.file(FILE);
        let Some(content) = checkpoint::read_small(self.disk.as_ref(), &path)? else { return Ok(None) };
        self.disk.remove_file(&path).map_err(|error| StorageError::io("remove", &path, error))?;
        Ok(std::str::from_utf8(&content).ok().and_then(parse))
    }

    /// Remembers logs at a clean stop, before it is marked. Syncs.
    pub fn remember(&self, broker_epoch: i64, logs: &[Remembered]) -> Result<()> {
        checkpoint::replace(self.disk.as_ref(), &self.file(FILE), render(broker_epoch, logs).as_bytes())
    }
}

fn render(broker_epoch: i64, logs: &[Remembered]) -> String {
    use std::fmt::Write;
    let mut text = format!("{VERSION} {broker_epoch} {}\n", logs.len());
    for (partition, id, rest) in logs {
        let flags = u8::from(rest.plain) | u8::from(rest.names_dirty) << 1;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{} {} {id} {} {} {} {} {} {} {} {} {} {flags}",
            partition.topic,
            partition.partition,
            rest.start,
            rest.end,
            rest.recovery_point,
            rest.cleaned_to,
            rest.size,
            rest.latest_epoch.map_or(-1, |epoch| epoch.0),
            rest.first_size,
            rest.first_end,
            rest.first_timestamp.millis(),
        );
    }
    let crc = crc_fast::crc32_iscsi(text.as_bytes());
    let _ = writeln!(text, "{crc:08x}");
    text
}

fn parse(text: &str) -> Option<(i64, Vec<Remembered>)> {
    let (body, crc) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let body = text.get(..body.len() + 1)?;
    if u32::from_str_radix(crc, 16).ok()? != crc_fast::crc32_iscsi(body.as_bytes()) {
        return None;
    }
    let mut lines = body.lines();
    let mut head = lines.next()?.split(' ');
    if head.next()?.parse() != Ok(VERSION) {
        return None;
    }
    let (epoch, count) = (head.next()?.parse().ok()?, head.next()?.parse::<usize>().ok()?);
    let mut topic: Arc<str> = Arc::from("");
    let logs = lines.map(|line| entry(line, &mut topic)).collect::<Option<Vec<_>>>()?;
    (logs.len() == count).then_some((epoch, logs))
}

/// Partitions of one topic follow each other, and share its name.
fn entry(line: &str, topic: &mut Arc<str>) -> Option<Remembered> {
    let mut words = line.split(' ');
    let name = words.next()?;
    if **topic != *name {
        *topic = Arc::from(name);
    }
    let partition = TopicPartition::new(Arc::clone(topic), words.next()?.parse().ok()?);
    let id = words.next()?.parse().ok()?;
    let mut offset = || words.next()?.parse().ok().map(Offset);
    let (start, end, recovery_point, cleaned_to) = (offset()?, offset()?, offset()?, offset()?);
    let size = words.next()?.parse().ok()?;
    let latest_epoch = words.next()?.parse().ok().map(LeaderEpoch)?;
    let first_size = words.next()?.parse().ok()?;
    let first_end = Offset(words.next()?.parse().ok()?);
    let first_timestamp = Timestamp(words.next()?.parse().ok()?);
    let flags: u8 = words.next()?.parse().ok()?;
    let rest = Rest {
        start,
        end,
        recovery_point,
        cleaned_to,
        size,
        latest_epoch: Some(latest_epoch).filter(|epoch| epoch.0 >= 0),
        first_size,
        first_end,
        first_timestamp,
        on_disk: true,
        plain: flags & 1 != 0,
        names_dirty: flags & 2 != 0,
        unverified: false,
    };
    Some((partition, id, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Remembered> {
        let rest = |end: i64| Rest {
            end: Offset(end),
            recovery_point: Offset(end),
            size: 77,
            latest_epoch: Some(LeaderEpoch(4)),
            first_end: Offset(end),
            first_timestamp: Timestamp(1_000),
            on_disk: true,
            ..Rest::unwritten(Offset(1))
        };
        let logs = [("a", 0, 3), ("a", 1, 9), ("b-1", 0, 1)];
        let logs = logs.map(|(topic, index, end)| {
            (TopicPartition::new(Arc::from(topic), index), Uuid::from_bytes([7; 16]), rest(end))
        });
        logs.to_vec()
    }

    #[test]
    fn what_was_remembered_is_read_as_it_was() {
        assert_eq!(parse(&render(12, &some())), Some((12, some())));
        assert_eq!(parse(&render(-1, &[])), Some((-1, Vec::new())));
    }

    #[test]
    fn a_flipped_bit_or_a_missing_end_counts_as_nothing() {
        let text = render(12, &some());
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let read = std::str::from_utf8(&bytes).ok().and_then(parse);
            assert_eq!(read, None, "a flip at {at}");
            assert_eq!(parse(&text[..at]), None, "cut at {at}");
        }
    }
}
