//! The input of `riverrun produce`, and the records that its pieces become.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, Read, Seek};
use std::os::fd::AsFd;

use bytes::Bytes;
use client::ProducerRecord;
use tokio::sync::mpsc;

use super::{Produce, from_json};
use crate::command::template::{Reader, Template};
use crate::command::time::Zone;
use crate::command::{Failure, Session};
use crate::print::{self, Left};

/// How much of the input is read at once. A hand-over to the other thread costs more than a short line does, so that all
/// lines that have come together go together.
const READ_BYTES: usize = 64 << 10;

/// How many such pieces are read ahead.
const PIECES_AHEAD: usize = 16;

/// How many records of a template are read ahead.
const RECORDS_AHEAD: usize = 1024;

/// What standard input has, of which no piece is larger than `max`.
pub fn inputs(produce: &Produce, max: usize, session: &Session) -> Result<mpsc::Receiver<Inputs>, Failure> {
    let Some(template) = &produce.template else {
        return Ok(read_lines(max, !produce.from_json));
    };
    let reader = Reader::new(io::stdin().lock(), template.clone(), session.zone.clone());
    // Looked at here, as the thread can tell nobody.
    reader.map_err(|reason| {
        Failure::wrong_use(format!("the template cannot be read: {reason}"))
            .next("`riverrun produce --help` says what can, and what consume writes that it reads back")
    })?;
    Ok(read_records(template.clone(), session.zone.clone(), max))
}

/// What was read at once, in its order.
pub type Inputs = io::Result<Vec<Input>>;

/// Reads lines on a thread of its own, as a read from a terminal cannot be given up. Of what stays in a value that few mean to
/// be there it tells, where all of a line is kept.
fn read_lines(max: usize, is_kept: bool) -> mpsc::Receiver<Inputs> {
    let (pieces, receiver) = mpsc::channel(PIECES_AHEAD);
    std::thread::spawn(move || {
        let mut input = io::BufReader::with_capacity(READ_BYTES, io::stdin());
        let mut lines = Vec::new();
        let mut told = !is_kept;
        loop {
            let mut line = Vec::new();
            let read = read_line(&mut input, max, &mut line);
            let is_there = matches!(read, Ok(count) if count > 0);
            // A line without an end is the last one: a terminal that is asked again would have to be told so again.
            let goes_on = is_there && line.ends_with(b"\n");
            if is_there {
                line.pop_if(|last| *last == b'\n');
                if !told && line.ends_with(b"\r") {
                    told = true;
                    print::note(RETURNS);
                }
                lines.push(Input::Line(line));
            }
            // Nobody waits for a line that has come while another one is still being written.
            if goes_on && input.buffer().contains(&b'\n') {
                continue;
            }
            let gone = !lines.is_empty() && pieces.blocking_send(Ok(std::mem::take(&mut lines))).is_err();
            if let Err(error) = read {
                drop(pieces.blocking_send(Err(error)));
            }
            if gone || !goes_on {
                return;
            }
        }
    });
    receiver
}

/// What is said where lines end as on Windows. A value may end so as well, and is to be what was read.
const RETURNS: &str = "lines of the input end in a carriage return, which stays in the value; --template '%v\\r\\n' takes it for a \
                       part of the end";

/// Reads a line with its end, if it is one that could be sent: no more memory is taken for it.
fn read_line(input: &mut impl BufRead, max: usize, line: &mut Vec<u8>) -> io::Result<usize> {
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let read = input.take(limit).read_until(b'\n', line)?;
    if read > max && !line.ends_with(b"\n") {
        line.clear();
        let reason = format!("it has more than {max} bytes; -X max.request.size=BYTES allows more");
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    Ok(read)
}

/// Reads what a template describes, on a thread of its own.
fn read_records(template: Template, zone: Zone, max: usize) -> mpsc::Receiver<Inputs> {
    let (records, receiver) = mpsc::channel(RECORDS_AHEAD);
    std::thread::spawn(move || {
        let Ok(reader) = Reader::new(io::stdin().lock(), template, zone) else {
            return;
        };
        let mut reader = reader.of_at_most(max);
        while let Some(record) = reader.next_record().transpose() {
            let failed = record.is_err();
            if records.blocking_send(record.map(|record| vec![Input::Record(record)])).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

/// A piece of the input that becomes a record.
#[derive(Debug)]
pub enum Input {
    Line(Vec<u8>),
    Record(ProducerRecord),
}

pub fn record(produce: &Produce, input: Input) -> Result<ProducerRecord, String> {
    let mut record = match input {
        Input::Line(line) if produce.from_json => from_json::read(&line)?,
        Input::Line(line) => split(produce, Bytes::from(line))?,
        Input::Record(record) => record,
    };
    if let Some(topic) = &produce.topic {
        record.topic = topic.as_str().into();
    }
    record.partition = produce.partition.or(record.partition);
    if let Some(key) = &produce.key {
        record.key = Some(Bytes::copy_from_slice(key.as_bytes()));
    }
    if produce.tombstone {
        record.value.take_if(|value| value.is_empty());
    }
    for (key, value) in &produce.headers {
        record = record.header(key.clone(), value.clone());
    }
    Ok(record)
}

fn split(produce: &Produce, line: Bytes) -> Result<ProducerRecord, String> {
    let record = ProducerRecord::default();
    let Some(separator) = &produce.key_separator else {
        return Ok(record.value(line));
    };
    let found = line.windows(separator.len()).position(|window| *separator == window);
    let at = found.ok_or("the key separator is not in it")?;
    Ok(record.key(line.slice(..at)).value(line.slice(at + separator.len()..)))
}

/// How much of a file there is to read, which says about how much is left.
#[derive(Debug)]
pub struct InputSize {
    input: File,
    begin: u64,
    end: u64,
}

impl InputSize {
    /// Nothing where standard input is no file, and ends nobody knows where.
    pub fn of_stdin() -> Option<InputSize> {
        InputSize::of(File::from(io::stdin().as_fd().try_clone_to_owned().ok()?))
    }

    fn of(mut input: File) -> Option<InputSize> {
        let about = input.metadata().ok().filter(Metadata::is_file)?;
        let begin = input.stream_position().ok()?;
        Some(InputSize { input, begin, end: about.len() })
    }

    /// The records that are left, if they are as long as those before. What is read ahead is little.
    pub fn left(&self, records: u64) -> Left {
        let at = (&self.input).stream_position().unwrap_or(self.begin);
        let (read, left) = (at.saturating_sub(self.begin), self.end.saturating_sub(at));
        match read {
            0 => Left::Unknown,
            read => Left::Records((left as f64 * records as f64 / read as f64) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::separator;
    use super::super::tests::produce;
    use super::*;

    #[test]
    fn a_line_is_split_at_the_first_separator() {
        let record = record(&produce(Some("::")), Input::Line(b"a::b::c".to_vec())).expect("it has a key");
        assert_eq!((record.key, record.value), (Some(Bytes::from("a")), Some(Bytes::from("b::c"))));
        assert_eq!(record.headers, [("h".to_owned(), Some(Bytes::from("v")))]);
    }

    #[test]
    fn a_separator_may_be_what_is_hard_to_type() {
        let tabs = record(&produce(Some("\\t")), Input::Line(b"a\tb".to_vec())).expect("it has a key");
        assert_eq!((tabs.key, tabs.value), (Some(Bytes::from("a")), Some(Bytes::from("b"))));
        for wrong in ["", "\\", "\\q"] {
            assert!(separator(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_empty_value_is_a_tombstone_where_that_was_asked_for() {
        let mut produce = produce(Some(":"));
        let line = || Input::Line(b"k:".to_vec());
        assert_eq!(record(&produce, line()).expect("it has a key").value, Some(Bytes::new()));
        produce.tombstone = true;
        assert_eq!(record(&produce, line()).expect("it has a key").value, None);
    }

    #[test]
    fn a_line_that_should_have_a_key_and_has_none_is_refused() {
        assert!(record(&produce(Some(":")), Input::Line(b"a".to_vec())).is_err());
        let without = record(&produce(None), Input::Line(b"a:b".to_vec())).expect("no key is asked for");
        assert_eq!((without.key, without.value), (None, Some(Bytes::from("a:b"))));
    }

    #[test]
    fn what_is_left_of_a_file_is_known_from_what_was_read_of_it() {
        let path = std::env::temp_dir().join(format!("riverrun-cli-size-{}", std::process::id()));
        std::fs::write(&path, [b'x'; 1000]).expect("it can be written");
        let mut reader = File::open(&path).expect("it is there");
        std::fs::remove_file(path).expect("it is there");
        reader.seek(io::SeekFrom::Start(200)).expect("it is a file");
        let size = InputSize::of(reader.try_clone().expect("it can be shared")).expect("it is a file");
        assert_eq!(size.left(0), Left::Unknown, "nothing was read yet");
        reader.seek(io::SeekFrom::Start(400)).expect("it is a file");
        assert_eq!(size.left(10), Left::Records(30));
        reader.seek(io::SeekFrom::Start(1000)).expect("it is a file");
        assert_eq!(size.left(40), Left::Records(0));
        assert!(InputSize::of(File::open("/dev/null").expect("it is there")).is_none(), "it is no file");
    }
}
