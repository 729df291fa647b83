//! One directory, two kinds of node: Apache Kafka fills it, Riverrun takes it over, Kafka takes it back.

use std::process::Command;
use std::time::Instant;

use super::Context;
use super::broker::Broker;
use super::fetch::{self, Program};
use super::process::{exists, succeed};
use super::report::Row;

const CLIENT: &str = "adopt";

pub fn run(context: &Context) -> Result<Vec<Row>, String> {
    if context.options.broker.is_some() {
        return Ok(vec![Row::skip(CLIENT, "directory of Apache Kafka", "another broker is tested")]);
    }
    let program = match ready(context) {
        Ok(program) => program,
        Err(missing) if context.options.everything_required => return Err(missing),
        Err(missing) => return Ok(vec![Row::skip(CLIENT, "directory of Apache Kafka", missing)]),
    };
    let dir = context.part_dir(CLIENT)?;
    let kafka = vec![context.root.join("conformance/backends/kafka").display().to_string()];
    let riverrun = Broker::command(context);
    let mut rows = Vec::new();
    let mut start = Instant::now();
    let mut broker = Broker::start_command(context, &dir, kafka.clone())?;
    say(&program, &broker, &["fill"])?;
    let turns = [
        ("Riverrun reads and extends what Kafka wrote", riverrun),
        ("Kafka reads and extends what both wrote", kafka),
    ];
    for (number, (check, command)) in turns.into_iter().enumerate() {
        broker.stop()?;
        broker.become_command(command);
        broker.launch(context)?;
        let read = say(&program, &broker, &["read", &(number + 1).to_string()]);
        let failed = read.is_err();
        rows.push(Row::from_result(CLIENT, check, read.map(|()| String::new())).took(start.elapsed()));
        start = Instant::now();
        if failed {
            println!("{}", broker.log_tail());
            break;
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
