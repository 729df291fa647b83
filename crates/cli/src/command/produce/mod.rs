//! `riverrun produce`: lines of standard input become records.

mod from_json;

use std::collections::VecDeque;
use std::collections::btree_map::{BTreeMap, Entry};
use std::io::{self, BufRead, IsTerminal};
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use client::metadata::Topic;
use client::{Codec, Delivery, ErrorCode, Producer, ProducerConfig, ProducerRecord, TopicPartition};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::ask::Change;
use super::place::partitions_of;
use super::template::{Reader, Template, unescape};
use super::{Failure, Format, Session, session};
use crate::print::{self, Left, Output, Progress};

/// Write records: one for each line of standard input, or as a template has them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  echo 'two teapots' | riverrun produce orders
  printf 'ada:two teapots\\ngrace:one kettle\\n' | riverrun produce orders --key-separator :
  riverrun produce orders --key-separator '\\t' --dry-run < table.tsv
  riverrun produce clicks --compression zstd --header source=web < clicks.jsonl
  riverrun produce orders --template '%k %p %v\\n' < records.txt
  riverrun consume orders --from start --until-end --format json | riverrun produce copies --from-json
  riverrun produce blobs --template '%K{big32}%k%V{big32}%v' < records.bin
  riverrun produce copies --template '%H{big32}%h{%K{big32}%k%V{big32}%v}%K{big32}%k%V{big32}%v' < dump.bin
  printf 'ada:\\n' | riverrun produce orders --key-separator : --tombstone

Records with one key go to one partition. A line without the separator is an error, as a record that lost its key would
go elsewhere.

In a template %k is the key, %v the value, %t the topic, %p the partition, %d the time in milliseconds (%d{date} as a
date); %K, %V and %T are lengths of what comes after; %H is how many headers %h{%k=%v;} has. %o, %e, %x, %y and %i are passed
over, so that what consume wrote can be read. A field ends where the text after it is, or after its length. Forms stand in braces: hex,
base64, json for what is text, big32, little16, hex8 and so on for numbers. A backslash means what it means there in
--key-separator, too: \\t is a tabulator.")]
pub struct Produce {
    /// The topic to write to.
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// What is before this in a line is the key, and what is after it the value.
    #[arg(long, value_name = "SEPARATOR", value_parser = separator)]
    key_separator: Option<Bytes>,
    /// How records stand in the input, if they are not lines.
    #[arg(long, short = 'f', value_name = "TEMPLATE", conflicts_with = "key_separator")]
    template: Option<Template>,
    /// Each line is a record in JSON, as `riverrun consume --format json` prints it: value, or value_base64 for what is no text,
    /// and if they are there key, headers and timestamp. Where it was before is passed over.
    #[arg(long, conflicts_with_all = ["key_separator", "template"])]
    from_json: bool,
    /// The key of all records.
    #[arg(long, short, value_name = "KEY", conflicts_with = "key_separator")]
    key: Option<String>,
    /// Write records without a value where it is empty: they delete their key from a compacted topic.
    #[arg(long, short = 'Z')]
    tombstone: bool,
    /// A header for each record; may be given several times.
    #[arg(long = "header", short = 'H', value_name = "KEY=VALUE", value_parser = key_value)]
    headers: Vec<(String, String)>,
    /// The partition for all records; if not given, the key decides.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// How batches are compressed: none, gzip, snappy, lz4 or zstd.
    #[arg(long, short = 'z', value_name = "CODEC", default_value = "none")]
    compression: Codec,
    #[command(flatten)]
    change: Change,
}

/// How much of the input is read at once. A hand-over to the other thread costs more than a short line does, so that all
/// lines that have come together go together.
const READ_BYTES: usize = 64 << 10;

/// How many such pieces are read ahead.
const PIECES_AHEAD: usize = 16;

/// How many records of a template are read ahead.
const RECORDS_AHEAD: usize = 1024;

/// How many records may be on their way before the oldest is waited for.
const DELIVERIES_MAX: usize = 65_536;

/// The largest record that is tried: what a topic takes is for its brokers to say, not for Kafka's default of 1 MiB.
const RECORD_BYTES_MAX: usize = 16 << 20;

fn separator(text: &str) -> Result<Bytes, String> {
    match unescape(text)? {
        separator if separator.is_empty() => Err("it is empty".to_owned()),
        separator => Ok(separator.into()),
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err("KEY=VALUE is expected".to_owned()),
    }
}

/// Looks whether a topic can be written to, before one is: a topic that a typing error would create helps nobody.
async fn check_topic(name: &str, session: &Session) -> Result<Topic, Failure> {
    match session.admin.describe_topic(name).await {
        Ok(topic) if topic.internal => {
            Err(Failure::failed(format!("{name} is what the cluster keeps for itself"))
                .next("write to a topic of your own: `riverrun topic list` shows them"))
        }
        Ok(topic) => Ok(topic),
        Err(error) => {
            let unknown = error.code() == Some(ErrorCode::UnknownTopicOrPartition);
            let failure = Failure::of(error, "cannot write to the topic");
            let advice = format!("`riverrun topic create {name}` makes it");
            Err(if unknown { failure.next(advice) } else { failure })
        }
    }
}

pub async fn run(produce: Produce, session: &Session) -> Result<(), Failure> {
    let topic = check_topic(&produce.topic, session).await?;
    partitions_of(&topic, produce.partition)?;
    let config = ProducerConfig { max_request_size: RECORD_BYTES_MAX, ..ProducerConfig::default() };
    let mut config = config.codec(produce.compression);
    session.settings.set_producer(&mut config)?;
    let producer = Producer::new(&session.client, config)
        .map_err(|error| Failure::of(error, "cannot write to the topic"))?;
    let mut signals = session::signals()?;
    if io::stdin().is_terminal() {
        print::note("each line is a record; Ctrl-D ends");
    }
    let mut lines = match &produce.template {
        Some(template) => {
            let reader = Reader::new(io::stdin().lock(), template.clone());
            // Looked at here, as the thread can tell nobody.
            reader.map_err(|reason| Failure::wrong_use(format!("the template cannot be read: {reason}")))?;
            read_records(template.clone())
        }
        None => read_lines(),
    };
    let mut written = Written::to(topic);
    let mut progress = Progress::new();
    let sent = loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            _ = signals.next() => None,
        };
        match line {
            None => break Ok(()),
            Some(Err(error)) => {
                let number = written.lines + 1;
                let message = format!("record {number} cannot be read: {error}");
                break Err(Failure::failed(message).next("it and what comes after it were not written"));
            }
            Some(Ok(inputs)) => {
                if let Err(failure) = written.send_all(&producer, &produce, inputs, session).await {
                    break Err(failure);
                }
                progress.show(written.lines, Left::Unknown);
            }
        }
    };
    producer.flush().await;
    drop(progress);
    let settled = written.settle_all().await;
    let closed = producer.close().await.map_err(|error| Failure::of(error, "cannot end well"));
    written.report(&produce, session)?;
    sent.and(settled).and(closed)
}

/// What was read at once, in its order.
type Inputs = io::Result<Vec<Input>>;

/// Reads lines on a thread of its own, as a read from a terminal cannot be given up.
fn read_lines() -> mpsc::Receiver<Inputs> {
    let (pieces, receiver) = mpsc::channel(PIECES_AHEAD);
    std::thread::spawn(move || {
        let mut input = io::BufReader::with_capacity(READ_BYTES, io::stdin());
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            let read = input.read_until(b'\n', &mut line);
            let goes_on = matches!(read, Ok(count) if count > 0);
            if goes_on {
                line.pop_if(|last| *last == b'\n');
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

/// Reads what a template describes, on a thread of its own.
fn read_records(template: Template) -> mpsc::Receiver<Inputs> {
    let (records, receiver) = mpsc::channel(RECORDS_AHEAD);
    std::thread::spawn(move || {
        let Ok(mut reader) = Reader::new(io::stdin().lock(), template) else {
            return;
        };
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
enum Input {
    Line(Vec<u8>),
    Record(ProducerRecord),
}

/// What was written so far.
struct Written {
    /// Where records may go.
    topics: BTreeMap<Arc<str>, Topic>,
    lines: u64,
    records: u64,
    waiting: VecDeque<(u64, Delivery)>,
    partitions: BTreeMap<TopicPartition, Range>,
}

/// The records of one partition.
struct Range {
    records: u64,
    first: Option<i64>,
    last: Option<i64>,
}

impl Written {
    fn to(topic: Topic) -> Written {
        Written {
            topics: [(topic.name.as_str().into(), topic)].into(),
            lines: 0,
            records: 0,
            waiting: VecDeque::new(),
            partitions: BTreeMap::new(),
        }
    }

    async fn send_all(
        &mut self,
        producer: &Producer,
        produce: &Produce,
        inputs: Vec<Input>,
        session: &Session,
    ) -> Result<(), Failure> {
        for input in inputs {
            self.send(producer, produce, input, session).await?;
        }
        Ok(())
    }

    async fn send(
        &mut self,
        producer: &Producer,
        produce: &Produce,
        input: Input,
        session: &Session,
    ) -> Result<(), Failure> {
        self.lines += 1;
        let number = self.lines;
        let doing = || format!("record {number} was not written");
        let record = record(produce, input).map_err(|problem| {
            Failure::failed(format!("{}: {problem}", doing()))
                .next("it and what comes after it were not written")
        })?;
        let topic = match self.topics.entry(Arc::clone(&record.topic)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(check_topic(&record.topic, session).await?),
        };
        // The producer would wait for a partition that may still be made.
        if record.partition.is_some_and(|partition| !topic.partitions.contains_key(&partition)) {
            partitions_of(topic, record.partition)?;
        }
        if produce.change.dry_run {
            self.records += 1;
            return Ok(());
        }
        let delivery = producer.send(record).await.map_err(|error| Failure::of(error, &doing()))?;
        self.waiting.push_back((number, delivery));
        if self.waiting.len() >= DELIVERIES_MAX { self.settle_one().await } else { Ok(()) }
    }

    async fn settle_one(&mut self) -> Result<(), Failure> {
        let Some((number, delivery)) = self.waiting.pop_front() else {
            return Ok(());
        };
        let metadata = delivery
            .await
            .map_err(|error| Failure::of(error, &format!("record {number} was not written")))?;
        self.records += 1;
        let offset = metadata.offset.map(|offset| offset.0);
        let range = self.partitions.entry(metadata.partition).or_insert(Range {
            records: 0,
            first: offset,
            last: None,
        });
        range.records += 1;
        range.last = offset.or(range.last);
        Ok(())
    }

    /// Waits for all; the first that failed is told, and the others are counted.
    async fn settle_all(&mut self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        while !self.waiting.is_empty() {
            outcome = outcome.and(self.settle_one().await);
        }
        outcome
    }

    /// Says what was written. For people it is no result, so that a pipe does not get it.
    fn report(&self, produce: &Produce, session: &Session) -> Result<(), Failure> {
        let (topic, dry_run) = (produce.topic.as_str(), produce.change.dry_run);
        if matches!(session.format, Format::Table | Format::Wide) {
            print::note(&self.sentence(topic, dry_run));
            return Ok(());
        }
        let range = |(name, range): (&TopicPartition, &Range)| {
            json!({
                "topic": name.topic.as_ref(),
                "partition": name.partition,
                "records": range.records,
                "first_offset": range.first,
                "last_offset": range.last,
            })
        };
        let partitions: Vec<Value> = self.partitions.iter().map(range).collect();
        let value = json!({
            "topic": topic,
            "records": self.records,
            "dry_run": dry_run,
            "partitions": partitions,
        });
        session.show(&Output::new(value).names(self.partitions.keys().map(ToString::to_string)))
    }

    fn sentence(&self, topic: &str, dry_run: bool) -> String {
        let records = if self.records == 1 { "record" } else { "records" };
        let names = |name: &TopicPartition| match &*name.topic == topic {
            true => format!("partition {}", name.partition),
            false => name.to_string(),
        };
        let range = |(name, range): (&TopicPartition, &Range)| match (range.first, range.last) {
            (Some(first), Some(last)) if first != last => format!("{}: {first} to {last}", names(name)),
            (Some(first), _) => format!("{}: {first}", names(name)),
            _ => names(name),
        };
        let places: Vec<String> = self.partitions.iter().map(range).collect();
        let places = if places.is_empty() { String::new() } else { format!(" ({})", places.join(", ")) };
        let elsewhere = self.topics.keys().any(|name| &**name != topic);
        let to = if elsewhere { String::new() } else { format!(" to {topic}") };
        let written = if dry_run { "would be written" } else { "written" };
        format!("{} {records} {written}{to}{places}", self.records)
    }
}

fn record(produce: &Produce, input: Input) -> Result<ProducerRecord, String> {
    let mut record = match input {
        Input::Line(line) if produce.from_json => from_json::read(&line)?,
        Input::Line(line) => split(produce, Bytes::from(line))?,
        Input::Record(record) => record,
    };
    if record.topic.is_empty() {
        record.topic = produce.topic.as_str().into();
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
    let record = ProducerRecord::new(produce.topic.as_str());
    let Some(separator) = &produce.key_separator else {
        return Ok(record.value(line));
    };
    let found = line.windows(separator.len()).position(|window| *separator == window);
    let at = found.ok_or("the key separator is not in it")?;
    Ok(record.key(line.slice(..at)).value(line.slice(at + separator.len()..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn produce(separator: Option<&str>) -> Produce {
        Produce {
            topic: "t".to_owned(),
            key_separator: separator.map(|text| super::separator(text).expect("it is one")),
            headers: vec![("h".to_owned(), "v".to_owned())],
            partition: None,
            compression: Codec::None,
            template: None,
            from_json: false,
            key: None,
            tombstone: false,
            change: Change { dry_run: false },
        }
    }

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
}
