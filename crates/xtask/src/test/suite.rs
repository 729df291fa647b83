//! Runs one client's suite: a program that prints a row per check, against a broker of its own.
//!
//! Beside rows a program may print `STOP` and `START`, each alone on a line: the broker is then ended by SIGTERM or
//! started again on the same data, and the program is answered on its standard input.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use super::Context;
use super::broker::Broker;
use super::fetch::{self, Program};
use super::process::{Reaped, last_lines, lines};
use super::report::{Row, Status};

/// A client of other people.
#[derive(Debug, Clone, Copy)]
pub struct Suite {
    pub name: &'static str,
    prepare: fn(&Context) -> Result<Program, String>,
    deadline: Duration,
}

const fn suite(name: &'static str, prepare: fn(&Context) -> Result<Program, String>) -> Suite {
    Suite { name, prepare, deadline: Duration::from_secs(420) }
}

const SUITES: &[Suite] = &[
    suite("java", fetch::java_clients),
    suite("kafka-tools", fetch::java_tools),
    suite("librdkafka", |context| fetch::python(context, "suite_confluent.py")),
    suite("kcat", fetch::kcat),
    suite("kafka-python", |context| fetch::python(context, "suite_kafka_python.py")),
    suite("aiokafka", |context| fetch::python(context, "suite_aiokafka.py")),
    suite("kafkajs", fetch::kafkajs),
    suite("franz-go", fetch::franz_go),
];

pub fn find(name: &str) -> Option<Suite> {
    SUITES.iter().find(|suite| suite.name == name).copied()
}

/// Runs a suite to its end; every outcome, also that of the broker, is a row.
pub fn run(context: &Context, suite: Suite, report: &(dyn Fn(Row) + Sync)) {
    let program = match (suite.prepare)(context) {
        Ok(program) => program,
        Err(missing) if context.options.everything_required => {
            return report(Row::fail(suite.name, "fetch the client", missing));
        }
        Err(missing) => return report(Row::skip(suite.name, "whole suite", missing)),
    };
    if let Err(error) = run_program(context, suite, &program, report) {
        report(Row::fail(suite.name, "run the suite", error));
    }
}

fn run_program(
    context: &Context,
    suite: Suite,
    program: &Program,
    report: &(dyn Fn(Row) + Sync),
) -> Result<(), String> {
    let dir = context.part_dir(suite.name)?;
    let mut broker = Broker::start(context, &dir)?;
    let mut running = Running::start(program, &broker, &dir)?;
    let deadline = Instant::now() + suite.deadline;
    let mut failed = 0;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match running.lines.recv_timeout(left) {
            Ok(line) => {
                if let Some(row) = Row::parse(&line) {
                    failed += usize::from(row.status == Status::Fail);
                    report(row);
                } else {
                    running.serve(context, &line, &mut broker)?;
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                failed += 1;
                report(Row::fail(suite.name, "the suite ends", format!("not within {:?}", suite.deadline)));
                break;
            }
        }
    }
    failed += usize::from(!ended_well(suite, &mut running, report));
    failed += usize::from(!broker_ended_well(suite, &mut broker, report));
    if failed > 0 {
        let text = fs::read(dir.join("stderr.log")).unwrap_or_default();
        let tail = last_lines(&String::from_utf8_lossy(&text), 15);
        println!(
            "-- {} {failed} failed; end of {}\n{tail}\n{}",
            suite.name,
            dir.join("stderr.log").display(),
            broker.log_tail()
        );
    }
    Ok(())
}

fn ended_well(suite: Suite, running: &mut Running, report: &(dyn Fn(Row) + Sync)) -> bool {
    match running.process.wait_until(Instant::now() + Duration::from_secs(10)) {
        Some(status) if status.success() => true,
        Some(status) => {
            report(Row::fail(suite.name, "the suite ends", format!("with {status}")));
            false
        }
        None => {
            report(Row::fail(suite.name, "the suite ends", "it still runs"));
            false
        }
    }
}

fn broker_ended_well(suite: Suite, broker: &mut Broker, report: &(dyn Fn(Row) + Sync)) -> bool {
    if !broker.alive() {
        report(Row::fail(suite.name, "the broker survives the suite", "it ended by itself"));
        return false;
    }
    let start = Instant::now();
    let row = match broker.stop() {
        Ok(()) => Row::pass(suite.name, "the broker survives and ends on SIGTERM", ""),
        Err(error) => Row::fail(suite.name, "the broker survives and ends on SIGTERM", error),
    };
    let well = row.status == Status::Pass;
    report(row.took(start.elapsed()));
    well
}

/// A program that speaks to the broker, and its lines as they come.
struct Running {
    process: Reaped,
    lines: Receiver<String>,
    input: Option<ChildStdin>,
}

impl Running {
    fn start(program: &Program, broker: &Broker, dir: &Path) -> Result<Self, String> {
        let (name, args) = program.command.split_first().ok_or("the suite has no command")?;
        let errors = File::create(dir.join("stderr.log")).map_err(|error| format!("stderr.log: {error}"))?;
        let mut child = Command::new(name)
            .args(args)
            .arg(broker.address().to_string())
            .arg(broker.data_dir())
            .envs(program.env.iter().map(|(key, value)| (key, value)))
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take().ok_or("no output")?);
        let lines = lines(output);
        Ok(Self { process: Reaped(child), lines, input })
    }

    fn serve(&mut self, context: &Context, line: &str, broker: &mut Broker) -> Result<(), String> {
        match line {
            "STOP" => broker.stop()?,
            "START" => broker.launch(context)?,
            _ => return Ok(()),
        }
        let input = self.input.as_mut().ok_or("the suite has no input")?;
        writeln!(input, "done")
            .and_then(|()| input.flush())
            .map_err(|error| format!("the suite is gone: {error}"))
    }
}
