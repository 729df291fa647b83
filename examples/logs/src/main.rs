//! Log aggregation: many files become one topic, compressed, which is searched by time.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};
use client::admin::{NewTopic, OffsetSpec};
use client::config::IsolationLevel;
use client::{
    Admin, Client, ClientConfig, Codec, Consumer, ConsumerConfig, ErrorCode, Producer, ProducerConfig,
    ProducerRecord, Start, Timestamp, TopicPartition,
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
        #[arg(required = true)]
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
    path: PathBuf,
    reader: BufReader<File>,
    /// The line that has no end yet.
    begun: Vec<u8>,
}

impl Tailed {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), reader: BufReader::new(File::open(path)?), begun: Vec::new() })
    }

    /// The next whole line; nothing as long as there is none. A file that became shorter was begun anew; one that was renamed is
    /// read to its end, and then the one that has its name now.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let (position, open) = (self.reader.stream_position()?, self.reader.get_ref().metadata()?);
        if open.len() < position {
            self.reader.seek(SeekFrom::Start(0))?;
            self.begun.clear();
        } else if open.len() == position
            && std::fs::metadata(&self.path).is_ok_and(|named| named.ino() != open.ino())
        {
            // Its last line may have no end.
            let last = std::mem::take(&mut self.begun);
            *self = Self::open(&self.path)?;
            if !last.is_empty() {
                return Ok(Some(last));
            }
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
    let topic = NewTopic { partitions: Some(PARTITIONS), ..NewTopic::new(TOPIC) };
    match Admin::new(client).create_topic(&topic, false).await {
        Err(error) if error.code() == Some(ErrorCode::TopicAlreadyExists) => {}
        created => drop(created?),
    }
    // Lines are small and alike: a larger batch, for which they wait a little, compresses to a fraction.
    let config =
        ProducerConfig { batch_size: 256 << 10, linger: Duration::from_millis(50), ..Default::default() };
    let producer = Producer::new(client, config.codec(Codec::Zstd))?;
    let mut files = Vec::new();
    for path in paths {
        match Tailed::open(path) {
            Ok(file) => files.push(file),
            Err(error) => eprintln!("example-logs: {} is left out: {error}", path.display()),
        }
    }
    if files.is_empty() {
        return Err("none of the files can be read".into());
    }
    let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
    let mut sent = 0_u64;
    loop {
        let mut under_way = Vec::new();
        for file in &mut files {
            for _ in 0..TURN {
                let Some(line) = file.line()? else { break };
                // The file is the key: its lines stay in order.
                let record = ProducerRecord::new(TOPIC).key(file.path.display().to_string()).value(line);
                under_way.push(producer.send(record).await?);
            }
        }
        let more = !under_way.is_empty();
        sent += under_way.len() as u64;
        for line in under_way {
            line.await?;
        }
        if !more && once {
            break;
        }
        tokio::select! {
            _ = &mut stop => break,
            () = tokio::time::sleep(if more { Duration::ZERO } else { LOOK }) => {}
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
    consumer.assign(partitions.iter().map(|name| (name.clone(), Start::At(since))))?;
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
