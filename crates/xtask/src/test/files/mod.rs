//! Files: Apache Kafka and our broker get the same load and are stopped. Then Kafka's DumpLogSegments prints every file of
//! both, and must print the same.

mod compare;
mod listing;
mod masks;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::Context;
use super::broker::Broker;
use super::fetch::{self, Program};
use super::process::succeed;
use super::report::Row;
use compare::Comparison;
use listing::Listing;

pub const PART: &str = "files";

/// Short pauses before what a broker does by itself, a snapshot of the metadata after each change, no records about
/// nothing.
const PROPERTIES: &str = "\
log.segment.delete.delay.ms=0
log.cleaner.backoff.ms=200
metadata.max.idle.interval.ms=0
metadata.log.max.record.bytes.between.snapshots=1
";

/// The two directories.
const KAFKA: &str = "kafka";
const OURS: &str = "ours";

pub fn run(context: &Context) -> Result<Vec<Row>, String> {
    const WHOLE: &str = "the same load in the same files";
    if context.options.broker.is_some() {
        return Ok(vec![Row::skip(PART, WHOLE, "another broker is tested")]);
    }
    let program = match fetch::java_files(context) {
        Ok(program) => program,
        Err(missing) if context.options.everything_required => return Err(missing),
        Err(missing) => return Ok(vec![Row::skip(PART, WHOLE, missing)]),
    };
    let dir = context.part_dir(PART)?;
    for side in [KAFKA, OURS] {
        let side = dir.join(side);
        fs::create_dir_all(&side).map_err(|error| format!("cannot create {}: {error}", side.display()))?;
    }
    let mut brokers = [
        Broker::configure(&dir.join(KAFKA), kafka(context), PROPERTIES)?,
        Broker::configure(&dir.join(OURS), Broker::command(context), PROPERTIES)?,
    ];
    let start = Instant::now();
    let listings = play(context, &program, &dir, &mut brokers)?;
    let found = Comparison::new(&listings);
    for mask in found.unused() {
        println!("a mask that nothing needed: {mask}");
    }
    let mut rows = vec![Row::pass(PART, WHOLE, "").took(start.elapsed())];
    rows.extend(found.rows(PART));
    Ok(rows)
}

/// One load on both, and what is in their directories afterwards.
fn play(
    context: &Context,
    program: &Program,
    dir: &Path,
    brokers: &mut [Broker; 2],
) -> Result<[Listing; 2], String> {
    for broker in brokers.iter_mut() {
        broker.launch(context)?;
        let data = broker.data_dir();
        let words = ["fill".to_owned(), broker.address().to_string(), data.display().to_string()];
        java(program, &words).map_err(|error| format!("{error}\n{}", broker.log_tail()))?;
        broker.stop()?;
    }
    dump(program, dir, brokers)
}

/// Kafka with the features that we serve, as others bring records of their own.
fn kafka(context: &Context) -> Vec<String> {
    let script = context.root.join("conformance/backends/kafka").display().to_string();
    vec!["env".to_owned(), format!("KAFKA_IT_FEATURES={}", masks::FEATURES), script]
}

fn java(program: &Program, words: &[String]) -> Result<(), String> {
    let (name, args) = program.command.split_first().ok_or("no command")?;
    let mut command = Command::new("timeout");
    command.arg("180").arg(name).args(args).args(words);
    succeed(&mut command, words.first().map_or("", String::as_str))
}

/// What Kafka makes of both directories: Kafka's first.
fn dump(program: &Program, dir: &Path, brokers: &[Broker; 2]) -> Result<[Listing; 2], String> {
    let mut words = vec!["dump".to_owned()];
    let out: Vec<PathBuf> = [KAFKA, OURS].iter().map(|side| dir.join(side).join("dump")).collect();
    for (broker, out) in brokers.iter().zip(&out) {
        words.extend([broker.data_dir().display().to_string(), out.display().to_string()]);
    }
    java(program, &words)?;
    let listings: Result<Vec<Listing>, String> =
        brokers.iter().zip(&out).map(|(broker, out)| Listing::read(&broker.data_dir(), out)).collect();
    listings?.try_into().map_err(|_| "there are two directories".to_owned())
}
