//! Log aggregation: many files become one topic, compressed, which is searched by time.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};
use client::admin::{NewTopic, OffsetSpec};
use client::config::IsolationLevel;
use client::{
    Admin, Client, ClientConfig, Codec, Consumer, ConsumerConfig, Producer, ProducerConfig, ProducerRecord,
    Start, Timestamp, TopicPartition,
};

const TOPIC: &str = "logs";
const PARTITIONS: i32 = 3;

/// How often files are looked at for more.
const LOOK: Duration = Duration::from_millis(200);

/// The longest line that is taken whole.
const LINE_MAX: u64 = 64 << 10;

/// How many lines of a file are sent before another file's turn.
const TURN: usize = 1000;

#[derive(Debug, Parser)]
#[command(about = "Many log files in one topic, searched by time", version)]
struct Options {
    /// Where the cluster is found.
    #[arg(long, default_value = "127.0.0.1:9092", env = "RIVERRUN_BOOTSTRAP", global = true)]
    bootstrap: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Sends the lines of files, and goes on with those that are added, until Ctrl-C.
    Tail {
        files: Vec<PathBuf>,
        /// End once the files have been read.
        #[arg(long)]
        once: bool,
    },
    /// Prints the lines that arrived since some minutes ago and contain a text.
    Search {
        text: String,
        #[arg(long, default_value_t = 60)]
        minutes: u64,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match act(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("example-logs: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn act(options: Options) -> Result<(), Box<dyn Error>> {
    let client = Client::connect(ClientConfig::new(&options.bootstrap)).await?;
    match options.action {
        Action::Tail { files, once } => tail(&client, &files, once).await,
        Action::Search { text, minutes } => search(&client, &text, Duration::from_secs(60 * minutes)).await,
    }
}

/// A file and how far it was read.
struct Tailed {
    name: String,
    reader: BufReader<File>,
    /// The line that has no end yet.
    begun: Vec<u8>,
}

impl Tailed {
    fn open(path: &Path) -> io::Result<Self> {
        let reader = BufReader::new(File::open(path)?);
        Ok(Self { name: path.display().to_string(), reader, begun: Vec::new() })
    }

    /// The next whole line; nothing as long as there is none. A file that became shorter was begun anew.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.reader.get_ref().metadata()?.len() < self.reader.stream_position()? {
            self.reader.seek(SeekFrom::Start(0))?;
            self.begun.clear();
        }
        let left = LINE_MAX.saturating_sub(self.begun.len() as u64);
        io::Read::take(&mut self.reader, left).read_until(b'\n', &mut self.begun)?;
        let whole = self.begun.ends_with(b"\n") || self.begun.len() as u64 >= LINE_MAX;
        if !whole {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.begun);
        Ok(Some(line.strip_suffix(b"\n").map(<[u8]>::to_vec).unwrap_or(line)))
    }
}

async fn tail(client: &Client, paths: &[PathBuf], once: bool) -> Result<(), Box<dyn Error>> {
    let admin = Admin::new(client);
    if admin.describe_topic(TOPIC).await.is_err() {
        let topic = NewTopic { partitions: Some(PARTITIONS), ..NewTopic::new(TOPIC) };
        admin.create_topic(&topic, false).await?;
    }
    // Lines are small and alike: a larger batch, for which they wait a little, compresses to a fraction.
    let config =
        ProducerConfig { batch_size: 256 << 10, linger: Duration::from_millis(50), ..Default::default() };
    let producer = Producer::new(client, config.codec(Codec::Zstd))?;
    let mut files = Vec::new();
    for path in paths {
        files.push(Tailed::open(path).map_err(|error| format!("{}: {error}", path.display()))?);
    }
    let mut sent = 0_u64;
    loop {
        let mut more = false;
        let mut under_way = Vec::new();
        for file in &mut files {
            for _ in 0..TURN {
                let Some(line) = file.line()? else { break };
                more = true;
                // The file is the key: its lines stay in order.
                let record = ProducerRecord::new(TOPIC).key(file.name.clone()).value(line);
                under_way.push(producer.send(record).await?);
            }
        }
        sent += under_way.len() as u64;
        for line in under_way {
            line.await?;
        }
        if !more && once {
            break;
        }
        if !more {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => break,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
    producer.close().await?;
    println!("{sent} lines of {} files sent", files.len());
    Ok(())
}

async fn search(client: &Client, text: &str, age: Duration) -> Result<(), Box<dyn Error>> {
    let admin = Admin::new(client);
    let count = admin.describe_topic(TOPIC).await?.partitions.len() as i32;
    let partitions: Vec<_> = (0..count).map(|partition| TopicPartition::new(TOPIC, partition)).collect();
    let wanted: Vec<_> = partitions.iter().map(|name| (name.clone(), OffsetSpec::Latest)).collect();
    let ends = admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?.saturating_sub(age);
    let since = Timestamp(i64::try_from(since.as_millis())?);
    let mut consumer = Consumer::new(client, ConsumerConfig::default())?;
    // The broker finds the place by its index of times; nothing before it is read.
    consumer.assign(partitions.iter().map(|name| (name.clone(), Start::At(since))));
    let (mut read, mut found) = (0_u64, 0_u64);
    let mut out = io::stdout().lock();
    loop {
        let at_end = partitions.iter().all(|name| {
            let end = ends.get(name).and_then(|end| end.offset);
            end.is_none_or(|end| consumer.position(name).is_some_and(|position| position >= end))
        });
        if at_end {
            break;
        }
        for record in consumer.poll(LOOK).await? {
            read += 1;
            let line = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default());
            if line.contains(text) {
                found += 1;
                let file = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default());
                if let Err(error) = writeln!(out, "{file}: {line}") {
                    // Whoever reads has seen enough.
                    return if error.kind() == io::ErrorKind::BrokenPipe {
                        Ok(())
                    } else {
                        Err(error.into())
                    };
                }
            }
        }
    }
    eprintln!("{found} of {read} lines");
    Ok(())
}
