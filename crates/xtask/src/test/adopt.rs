//! One directory, two kinds of node: one fills it, the other takes it over, and it goes back and over again.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::Context;
use super::broker::Broker;
use super::fetch::{self, Program};
use super::process::{exists, succeed};
use super::report::Row;

const CLIENT: &str = "adopt";

/// A snapshot of the metadata after each change, so that the next node begins with one, and a cleaner that does not wait.
const PROPERTIES: &str = "\
metadata.log.max.record.bytes.between.snapshots=1
metadata.max.idle.interval.ms=0
log.segment.delete.delay.ms=0
log.cleaner.backoff.ms=200
";

pub fn run(context: &Context) -> Result<Vec<Row>, String> {
    if context.options.broker.is_some() {
        return Ok(vec![Row::skip(CLIENT, "directory of Apache Kafka", "another broker is tested")]);
    }
    let program = match ready(context) {
        Ok(program) => program,
        Err(missing) if context.options.everything_required => return Err(missing),
        Err(missing) => return Ok(vec![Row::skip(CLIENT, "directory of Apache Kafka", missing)]),
    };
    let kafka = ("Kafka", vec![context.root.join("conformance/backends/kafka").display().to_string()]);
    let riverrun = ("Riverrun", Broker::command(context));
    let dir = context.part_dir(CLIENT)?;
    let mut rows = pass_on(context, &program, &dir.join("kafkas"), [&kafka, &riverrun, &kafka, &riverrun])?;
    rows.extend(pass_on(context, &program, &dir.join("ours"), [&riverrun, &kafka, &riverrun, &kafka])?);
    Ok(rows)
}

/// A kind of node, and the command that starts it.
type Kind = (&'static str, Vec<String>);

/// One directory, from the node that begins it to the last.
fn pass_on(context: &Context, program: &Program, dir: &Path, turns: [&Kind; 4]) -> Result<Vec<Row>, String> {
    fs::create_dir_all(dir).map_err(|error| format!("cannot create {}: {error}", dir.display()))?;
    let ((first, command), later) =
        turns.split_first().map(|(first, later)| (*first, later)).ok_or("no turn")?;
    let mut broker = Broker::configure(dir, command.clone(), PROPERTIES)?;
    broker.launch(context)?;
    say(program, &broker, &["fill"]).map_err(|error| format!("{error}\n{}", broker.log_tail()))?;
    let mut rows = Vec::new();
    for (number, (kind, command)) in later.iter().enumerate() {
        let start = Instant::now();
        broker.stop()?;
        broker.become_command(command.clone());
        let read =
            broker.launch(context).and_then(|()| say(program, &broker, &["read", &(number + 1).to_string()]));
        let check = format!("{kind} reads and extends what {first} began, as node {}", number + 2);
        let failed = read.is_err();
        rows.push(Row::from_result(CLIENT, &check, read.map(|()| String::new())).took(start.elapsed()));
        if failed {
            println!("{}", broker.log_tail());
            return Ok(rows);
        }
    }
    broker.stop()?;
    Ok(rows)
}

fn ready(context: &Context) -> Result<Program, String> {
    if !exists("java") || !exists("mvn") {
        return Err("java and mvn are not installed".to_owned());
    }
    fetch::python(context, "adopt.py")
}

fn say(program: &Program, broker: &Broker, words: &[&str]) -> Result<(), String> {
    let (name, args) = program.command.split_first().ok_or("no command")?;
    let mut command = Command::new("timeout");
    command.arg("120").arg(name).args(args).arg(broker.address().to_string()).args(words);
    succeed(&mut command, &words.join(" "))
}
