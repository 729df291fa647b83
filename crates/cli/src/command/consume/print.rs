//! Records as they are printed.

use std::borrow::Cow;
use std::io::{self, Write};

use client::{Bounds, Consumer, ConsumerRecord, TopicPartition};
use host::signal::StopSignals;
use serde_json::{Map, Value};
use tokio::task::JoinError;

use super::end::Ends;
use super::{Consume, Fields};
use crate::command::template::Around;
use crate::command::time::Zone;
use crate::command::{Format, Session, session};
use crate::print;

/// Prints records, and counts them.
pub(super) struct Printer<'c> {
    pub consume: &'c Consume,
    pub ends: Option<Ends>,
    pub session: &'c Session,
    pub printed: u64,
    /// Whether it is a terminal that is printed to, which would do what control characters in a record say.
    pub on_terminal: bool,
}

impl Printer<'_> {
    /// Prints all but what is beyond the end, if there is to be one. What a group commits is printed anyhow. Where not all
    /// could be written, the reason comes with the records that may not have been, which do not count as printed.
    pub async fn print<'r>(
        &mut self,
        records: &'r [ConsumerRecord],
        consumer: &Consumer,
        signals: &mut StopSignals,
    ) -> Result<(), (&'r [ConsumerRecord], Unwritten)> {
        let (mut bytes, mut done, mut written) = (Vec::new(), 0, self.printed);
        for (place, record) in records.iter().enumerate() {
            let mut stop = self.append(&mut bytes, record, consumer).err().map(Unwritten::Failed);
            let is_last = place + 1 == records.len();
            if stop.is_none() && (bytes.len() >= CHUNK_BYTES || is_last) {
                stop = write(std::mem::take(&mut bytes), signals).await;
                if !matches!(stop, Some(Unwritten::Failed(_) | Unwritten::Stuck)) {
                    (done, written) = (place + 1, self.printed);
                }
            }
            if let Some(stop) = stop {
                self.printed = written;
                return Err((records.get(done..).unwrap_or_default(), stop));
            }
        }
        Ok(())
    }

    fn append(&mut self, out: &mut Vec<u8>, record: &ConsumerRecord, consumer: &Consumer) -> io::Result<()> {
        let name = TopicPartition { topic: record.topic.clone(), partition: record.partition };
        let late =
            self.ends.as_ref().and_then(|ends| ends.get(&name)).is_some_and(|end| record.offset >= *end);
        if late && self.consume.group.is_none() {
            return Ok(());
        }
        self.printed += 1;
        let zone = &self.session.zone;
        match (&self.consume.template, self.session.format) {
            (Some(template), _) => {
                let bounds = if template.has_bounds() { consumer.bounds(&name) } else { Bounds::default() };
                template.write(out, record, Around { count: self.printed, zone, bounds })
            }
            (None, Format::Json) => writeln!(out, "{}", json(record)),
            (None, Format::Yaml) => writeln!(out, "---\n{}", print::yaml::text(&json(record)).trim_end()),
            (None, Format::Name) => writeln!(out, "{name}@{}", record.offset),
            (None, Format::Table | Format::Wide) => {
                text(&mut Lines { out, tame: self.on_terminal }, &self.consume.fields, record, zone)
            }
        }
    }
}

/// Why not all was written.
#[derive(Debug)]
pub(super) enum Unwritten {
    Failed(io::Error),
    /// The command was told to stop, which it does between two writes.
    Interrupted,
    /// It was told to stop, and whoever reads what it prints takes nothing.
    Stuck,
}

/// Writes on a thread of its own: a pipe whose reader takes nothing blocks the writer, who could hear no signal then. Whoever
/// tells the command to stop gives a reader that is only slow the time for what is on its way, so that it ends with a whole
/// record; telling it again leaves it as it is.
async fn write(bytes: Vec<u8>, signals: &mut StopSignals) -> Option<Unwritten> {
    if bytes.is_empty() {
        return None;
    }
    let mut writing = tokio::task::spawn_blocking(move || {
        let mut out = io::stdout().lock();
        out.write_all(&bytes)?;
        out.flush()
    });
    let failed = |ended: Result<io::Result<()>, JoinError>| {
        ended.unwrap_or_else(|error| Err(io::Error::other(error))).err().map(Unwritten::Failed)
    };
    tokio::select! {
        biased;
        ended = &mut writing => return failed(ended),
        _ = signals.next() => {}
    }
    match session::farewell(signals, true, async { Ok(writing.await) }).await {
        Some(Ok(ended)) => failed(ended).or(Some(Unwritten::Interrupted)),
        Some(Err(_)) | None => Some(Unwritten::Stuck),
    }
}

/// How much is written at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Where lines of text go to.
struct Lines<'o> {
    out: &'o mut Vec<u8>,
    /// Whether control characters of records are shown and not passed on.
    tame: bool,
}

impl Lines<'_> {
    fn escape(&mut self, bytes: &[u8]) {
        self.out.extend(bytes.escape_ascii());
    }

    fn put(&mut self, bytes: &[u8]) {
        let is_plain = |byte: &u8| byte.is_ascii() && !byte.is_ascii_control();
        if !self.tame || bytes.iter().all(is_plain) {
            return self.out.extend_from_slice(bytes);
        }
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                let bytes = c.encode_utf8(&mut [0; 4]).as_bytes().to_vec();
                match c {
                    '\t' | '\n' => self.out.extend(bytes),
                    c if c.is_control() => self.escape(&bytes),
                    _ => self.out.extend(bytes),
                }
            }
            self.escape(chunk.invalid());
        }
    }
}

fn text(lines: &mut Lines<'_>, fields: &Fields, record: &ConsumerRecord, zone: &Zone) -> io::Result<()> {
    if fields.print_topic {
        write!(lines.out, "{}\t", record.topic)?;
    }
    if fields.print_timestamp {
        write!(lines.out, "{}\t", zone.format(record.timestamp))?;
    }
    if fields.print_partition {
        write!(lines.out, "{}\t", record.partition)?;
    }
    if fields.print_offset {
        write!(lines.out, "{}\t", record.offset)?;
    }
    if fields.print_headers {
        for (place, (key, value)) in record.headers.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            lines.out.extend_from_slice(comma.as_bytes());
            lines.put(key.as_bytes());
            lines.out.push(b'=');
            lines.put(value.unwrap_or(NULL));
        }
        lines.out.push(b'\t');
    }
    if fields.print_key {
        lines.put(record.key.as_deref().unwrap_or(NULL));
        lines.out.push(b'\t');
    }
    lines.put(record.value.as_deref().unwrap_or(NULL));
    lines.out.push(b'\n');
    Ok(())
}

/// What stands for no key or value.
const NULL: &[u8] = b"null";

fn json(record: &ConsumerRecord) -> Value {
    let mut object = Map::new();
    object.insert("topic".to_owned(), record.topic.as_ref().into());
    object.insert("partition".to_owned(), record.partition.into());
    object.insert("offset".to_owned(), record.offset.0.into());
    object.insert("timestamp".to_owned(), record.timestamp.0.into());
    print::json::bytes(&mut object, "key", record.key.as_deref());
    print::json::bytes(&mut object, "value", record.value.as_deref());
    let header = |(key, value): (Cow<'_, str>, Option<&[u8]>)| {
        let mut header = Map::new();
        header.insert("key".to_owned(), key.into_owned().into());
        print::json::bytes(&mut header, "value", value);
        Value::from(header)
    };
    object.insert("headers".to_owned(), record.headers.iter().map(header).collect());
    Value::from(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::{Offset, Origin, Timestamp};

    fn record() -> ConsumerRecord {
        ConsumerRecord {
            topic: "t".into(),
            partition: 1,
            offset: Offset(7),
            timestamp: Timestamp(0),
            leader_epoch: None,
            key: Some("k".into()),
            value: None,
            headers: [("a", Some(&b"1"[..])), ("b", None)].into_iter().collect(),
            origin: Origin::PLAIN,
        }
    }

    #[test]
    fn fields_stand_before_the_value_in_a_fixed_order() {
        let mut out = Vec::new();
        text(&mut Lines { out: &mut out, tame: true }, &Fields::ALL, &record(), &Zone::UTC)
            .expect("memory takes it");
        assert_eq!(String::from_utf8_lossy(&out), "t\t1970-01-01T00:00:00.000Z\t1\t7\ta=1,b=null\tk\tnull\n");
    }

    #[test]
    fn a_terminal_is_not_told_what_to_do_by_a_record() {
        let hostile = ConsumerRecord { value: Some("\u{1b}[2J\ta\r\u{7f}é\nb".into()), ..record() };
        let shown = |tame| {
            let mut out = Vec::new();
            let fields = Fields::default();
            text(&mut Lines { out: &mut out, tame }, &fields, &hostile, &Zone::UTC).expect("memory takes it");
            String::from_utf8(out).expect("it is text")
        };
        assert_eq!(shown(true), "\\x1b[2J\ta\\r\\x7fé\nb\n");
        assert_eq!(shown(false), "\u{1b}[2J\ta\r\u{7f}é\nb\n", "a pipe gets what was written");
    }

    #[test]
    fn json_has_one_object_for_each_record() {
        assert_eq!(
            json(&record()).to_string(),
            r#"{"headers":[{"key":"a","value":"1"},{"key":"b","value":null}],"key":"k","offset":7,"partition":1,"timestamp":0,"topic":"t","value":null}"#
        );
    }
}
