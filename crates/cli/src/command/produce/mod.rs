//! `riverrun produce`: lines of standard input become records.

mod from_json;
mod input;
mod unwritten;
mod written;

use std::io::{self, IsTerminal};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use client::config::Acks;
use client::{Codec, Producer, ProducerConfig};
use host::signal::StopSignals;
use tokio::sync::mpsc;

use super::acks::WhoAcknowledges;
use super::ask::Change;
use super::place::partitions_of;
use super::template::{Template, unescape};
use super::waits::tell_of_waits;
use super::watch::Watch;
use super::{Failure, Session, session, units};
use crate::print::{self, Left, Progress};
use input::{InputSize, Inputs, inputs};
use written::Written;

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

A line ends with a newline; a carriage return before it is a part of the value, unless --template '%v\\r\\n' says otherwise.
Records with one key go to one partition. A line without the separator is an error, as a record that lost its key would
go elsewhere.

In a template %k is the key, %v the value, %t the topic, %p the partition, %d the time in milliseconds (%d{date} as a
date); %K, %V and %T are lengths of what comes after, in the form that it has there; %H is how many headers %h{%k=%v;}
has. %o, %e, %x, %y and %i are passed over, so that what consume wrote can be read. A length of -1 is of a key or value that is null, and so is null as {json}; all
else is a value, be it empty. A field ends where the text after it is, or after its length. Forms stand in braces: hex,
base64, json (a string, or {\"base64\":\"...\"} for what is no text), big32, little16, hex8 and so on for numbers. A backslash
means what it means there in --key-separator, too: \\t is a tabulator.")]
pub struct Produce {
    /// The topic to write to, unless the template has it as %t.
    #[arg(value_name = "TOPIC", required_unless_present = "template")]
    topic: Option<String>,
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
    /// Write records without a value where it is empty, or where the template has no %v: they delete their key from a compacted
    /// topic.
    #[arg(long, short = 'Z')]
    tombstone: bool,
    /// A header for each record; may be given several times.
    #[arg(long = "header", short = 'H', value_name = "KEY=VALUE", value_parser = key_value)]
    headers: Vec<(String, String)>,
    /// The partition for all records; if not given, the key decides.
    #[arg(long, short, value_name = "N", value_parser = units::partition)]
    partition: Option<i32>,
    /// How batches are compressed: none, gzip, snappy, lz4 or zstd.
    #[arg(long, short = 'z', value_name = "CODEC", default_value = "none")]
    compression: Codec,
    #[command(flatten)]
    acks: WhoAcknowledges,
    #[command(flatten)]
    change: Change,
}

/// How long a broker may take to read what was sent last.
const READ_WITHIN: Duration = Duration::from_millis(100);

/// Without acknowledgements a broker has no other way to refuse a record.
const CUT_OFF: &str = "a broker ended the connection, as it does where it refuses a record that nobody acknowledges: what was on \
                       its way then is lost, though it counts as sent; with --acks all it is told which";

/// How long nobody wonders what is waited for at the end.
const UNNOTICED: Duration = Duration::from_secs(1);

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

pub async fn run(produce: Produce, session: &Session) -> Result<(), Failure> {
    produce.check()?;
    let mut written = Written::default();
    if let Some(name) = &produce.topic {
        partitions_of(written.topic(name, session).await?, produce.partition)?;
    }
    let config = config(&produce, session)?;
    let max_record = config.max_request_size;
    written.unacknowledged = config.acks == Acks::None;
    let producer = Producer::new(&session.client, config)
        .map_err(|error| Failure::of(error, "cannot write to the topic"))?;
    let mut signals = session::signals()?;
    let typed = io::stdin().is_terminal();
    if typed {
        print::note(match produce.template {
            Some(_) => "records are read as --template says; Ctrl-D ends",
            None => "each line is a record; Ctrl-D ends",
        });
    }
    let mut input = inputs(&produce, max_record, session)?;
    let mut watch = Watch::begin(session, produce.topic.iter().cloned().collect());
    let told = tell_of_waits(&producer);
    tokio::pin!(told);
    let ended = tokio::select! {
        never = &mut told => match never {},
        ended = write_all(&produce, &mut input, &producer, &mut written, &mut signals, session) => ended,
        topic = watch.deleted() => Ok(Ended::Deleted(topic)),
    };
    let given_up = match &ended {
        // Nobody will take what waits for it.
        Ok(Ended::Deleted(_)) => {
            let _ = producer.close_within(Duration::ZERO).await;
            true
        }
        ended => {
            let interrupted = matches!(ended, Ok(Ended::Interrupted));
            tokio::select! {
                never = &mut told => match never {},
                given_up = flush(&producer, &written, &mut signals, &mut watch, interrupted) => given_up,
            }
        }
    };
    let is_all_read = matches!(&ended, Ok(Ended::All));
    let settled = settle(&mut written, &produce, is_all_read).await;
    // Whoever was stopped or failed waits for no more answers.
    let is_whole = settled.is_ok() && is_all_read;
    let lost = if is_whole { written.lost(session).await } else { Vec::new() };
    if written.unacknowledged && is_cut_off(&producer).await {
        print::note(CUT_OFF);
    }
    let closed = producer.close().await.map_err(|error| Failure::of(error, "cannot end well"));
    let reported = written.report(&produce, session);
    let outcome = match ended {
        Err(failure) => Err(Failure::all([Some(failure), settled.err()].into_iter().flatten().collect())),
        Ok(Ended::Deleted(topic)) => Err(Some(deleted(&topic))),
        Ok(_) if settled.is_err() => Err(settled.err()),
        Ok(Ended::Interrupted) if !typed || given_up => {
            let interrupted = Failure::interrupted("interrupted before the end of the input");
            Err(Some(interrupted.next(produce.rest_from(written.records_written() + 1))))
        }
        // Whoever types knows what it was.
        Ok(Ended::Interrupted) => Err(closed.err().or_else(|| Some(Failure::interrupted("")))),
        Ok(Ended::Unwritten | Ended::All) => closed.map_err(Some),
    };
    let failures = [outcome.err().flatten(), reported.err()].into_iter().flatten();
    Failure::all(failures.chain(lost).collect()).map_or(Ok(()), Err)
}

/// Whether a broker has refused something without a word, as soon as it has read the last of it.
async fn is_cut_off(producer: &Producer) -> bool {
    tokio::time::sleep(READ_WITHIN).await;
    producer.cut_off() > 0
}

fn deleted(topic: &str) -> Failure {
    Failure::not_there(format!("{topic} was deleted while it was written to"))
        .next(format!("what was written has gone with it: `riverrun topic create {topic}` makes it anew"))
}

/// Waits for what is on its way, and says how the rest is sent: who began anew would write twice what is there.
async fn settle(written: &mut Written, produce: &Produce, is_all_read: bool) -> Result<(), Failure> {
    written.settle_all().await.map_err(|failure| match written.unwritten() {
        Some(unwritten) if unwritten.may_be_there => {
            let rest = unwritten.rest(produce, is_all_read);
            failure.next(format!(
                "`riverrun cluster health` shows which brokers and leaders are missing; {rest}, though some of it may be there already"
            ))
        }
        Some(unwritten) => {
            let (guilty, rest) = (produce.nth(unwritten.number), unwritten.rest(produce, is_all_read));
            failure.and_next(format!("mend {guilty}; {rest}"))
        }
        None => failure,
    })
}

fn config(produce: &Produce, session: &Session) -> Result<ProducerConfig, Failure> {
    let mut config = ProducerConfig {
        max_request_size: RECORD_BYTES_MAX,
        // One that is deleted meanwhile is not to come back, with other partitions than it had.
        allow_auto_create_topics: false,
        ..ProducerConfig::default()
    };
    produce.acks.set(&mut config);
    let mut config = config.codec(produce.compression);
    session.settings.set_producer(&mut config)?;
    Ok(config)
}

/// How the input came to its end.
enum Ended {
    All,
    Interrupted,
    /// A record was not written, as is told when it is known of all.
    Unwritten,
    /// This topic is gone.
    Deleted(String),
}

/// Hands over what is read, until the input ends, somebody interrupts it, or a record cannot be written: those after it
/// would not be where they belong.
async fn write_all(
    produce: &Produce,
    input: &mut mpsc::Receiver<Inputs>,
    producer: &Producer,
    written: &mut Written,
    signals: &mut StopSignals,
    session: &Session,
) -> Result<Ended, Failure> {
    let mut progress = Progress::new();
    let input_size = InputSize::of_stdin();
    loop {
        let inputs = tokio::select! {
            inputs = input.recv() => inputs,
            settled = written.settle_some() => match settled {
                Ok(()) => continue,
                Err(_) => return Ok(Ended::Unwritten),
            },
            _ = signals.next() => return Ok(Ended::Interrupted),
        };
        match inputs {
            None => return Ok(Ended::All),
            Some(Err(error)) if error.kind() == io::ErrorKind::IsADirectory => {
                return Err(Failure::failed(format!("the input cannot be read: {error}"))
                    .next("give it a file or a pipe: riverrun produce TOPIC < FILE"));
            }
            Some(Err(error)) => {
                let number = written.records_read() + 1;
                return Err(produce.wrong_record(number, "cannot be read", &error.to_string()));
            }
            Some(Ok(inputs)) => {
                tokio::select! {
                    sent = written.send_all(producer, produce, inputs, session) => match sent {
                        Err(_) if written.has_failed() => return Ok(Ended::Unwritten),
                        sent => sent?,
                    },
                    _ = signals.next() => return Ok(Ended::Interrupted),
                }
                let read = written.records_read();
                progress.show(read, input_size.as_ref().map_or(Left::Unknown, |size| size.left(read)));
            }
        }
    }
}

/// Waits until what was handed over is written or given up; who does not want to wait ends it with Ctrl-C, which the first
/// time says what there is to wait for. Returns whether something was given up so.
async fn flush(
    producer: &Producer,
    written: &Written,
    signals: &mut StopSignals,
    watch: &mut Watch,
    mut interrupted: bool,
) -> bool {
    let soon = tokio::time::sleep(UNNOTICED);
    tokio::pin!(soon);
    let mut told = !written.has_failed();
    loop {
        if interrupted && written.is_waiting() {
            print::note("waiting until what was read is acknowledged; Ctrl-C gives it up");
        }
        tokio::select! {
            biased;
            () = producer.flush() => return false,
            () = &mut soon, if !told => {
                print::note(
                    "a record was not written, and no more is read; waiting until it is known what became of those before, \
                     Ctrl-C gives them up",
                );
                told = true;
                continue;
            }
            _ = signals.next() => {}
            topic = watch.deleted() => {
                print::note(&format!("{topic} was deleted"));
                interrupted = true;
            }
        }
        if interrupted {
            // What is given up is told by its delivery.
            let _ = producer.close_within(Duration::ZERO).await;
            return true;
        }
        interrupted = true;
    }
}

impl Produce {
    /// A record of the input that is none.
    fn wrong_record(&self, number: u64, what: &str, problem: &str) -> Failure {
        Failure::failed(format!("record {number} {what}: {problem}")).next(self.mend(number))
    }

    /// What is to be done about a record of the input that cannot be written as it is.
    fn mend(&self, number: u64) -> String {
        match self.change.dry_run {
            true => format!("mend {} of the input, and try again", self.nth(number)),
            false => format!("mend it; {}", self.rest_from(number)),
        }
    }

    /// How to write what was not, which begins with this record of the input.
    fn rest_from(&self, number: u64) -> String {
        if self.change.dry_run {
            return "nothing was written (--dry-run): the same command looks again".to_owned();
        }
        let first = self.nth(number);
        match &self.template {
            Some(_) => format!(
                "what begins with {first} of the input is still to be written: give it to the same command"
            ),
            None => format!(
                "what begins with {first} of the input is still to be written: `tail -n +{number} FILE | riverrun produce ...`"
            ),
        }
    }

    /// How a record is found in the input.
    fn nth(&self, number: u64) -> String {
        format!("{} {number}", self.unit())
    }

    /// What a record is in the input.
    fn unit(&self) -> &'static str {
        if self.template.is_some() { "record" } else { "line" }
    }

    /// What would go unheard is refused.
    fn check(&self) -> Result<(), Failure> {
        let template = self.template.as_ref();
        let has = |has: fn(&Template) -> bool| template.is_some_and(has);
        let twice = |option: &str, field: &str| {
            Err(Failure::wrong_use(format!("{option} says what {field} of the template says as well"))
                .next("leave one of them out"))
        };
        if self.topic.is_none() && !has(Template::has_topic) {
            return Err(Failure::wrong_use("nothing says which topic to write to")
                .next("name one, or have it in the template as %t"));
        }
        if self.topic.is_some() && has(Template::has_topic) {
            return twice("TOPIC", "%t");
        }
        if template.is_some() && !has(Template::has_value) && !self.tombstone {
            return Err(Failure::wrong_use("the template has no value: each record would delete its key")
                .next("have the value in it as %v, or give --tombstone if that is what is meant"));
        }
        if self.partition.is_some() && has(Template::has_partition) {
            return twice("--partition", "%p");
        }
        if self.key.is_some() && has(Template::has_key) {
            return twice("--key", "%k");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn produce(separator: Option<&str>) -> Produce {
        Produce {
            topic: Some("t".to_owned()),
            key_separator: separator.map(|text| super::separator(text).expect("it is one")),
            headers: vec![("h".to_owned(), "v".to_owned())],
            partition: None,
            compression: Codec::None,
            template: None,
            from_json: false,
            key: None,
            tombstone: false,
            acks: WhoAcknowledges::default(),
            change: Change { dry_run: false },
        }
    }
}
