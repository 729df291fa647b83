//! An idempotent producer numbers its records while the broker is killed again and again; then everything is read back.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::broker::Broker;
use super::process::{Reaped, lines};
use super::report::Row;
use super::{Context, fetch};

/// Between two kills at least this many records are acknowledged.
const PROGRESS: u64 = 500;

pub fn run(context: &Context) -> Result<Vec<Row>, String> {
    let program = match fetch::python(context, "crash.py") {
        Ok(program) => program,
        Err(missing) if context.options.everything_required => return Err(missing),
        Err(missing) => return Ok(vec![Row::skip("crash", "kill -9", missing)]),
    };
    let start = Instant::now();
    let dir = context.part_dir("crash")?;
    let mut broker = Broker::start(context, &dir)?;
    let (name, args) = program.command.split_first().ok_or("no command")?;
    let errors = File::create(dir.join("stderr.log")).map_err(|error| format!("stderr.log: {error}"))?;
    let mut child = Command::new(name)
        .args(args)
        .arg(broker.address().to_string())
        .envs(program.env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .map_err(|error| format!("cannot start {name}: {error}"))?;
    let (input, output) = (child.stdin.take(), child.stdout.take().ok_or("no output")?);
    let mut producer = Producer { process: Reaped(child), lines: lines(output), acked: 0, rows: Vec::new() };
    let slowest = kill_repeatedly(context, &mut broker, &mut producer)?;
    writeln!(input.ok_or("no input")?, "stop").map_err(|error| format!("the producer is gone: {error}"))?;
    producer.wait(Duration::from_secs(240), |_| false)?;
    let ended = producer.process.wait_until(Instant::now() + Duration::from_secs(10));
    if !ended.is_some_and(|status| status.success()) {
        return Err(format!("the producer ended badly: {ended:?}; see {}", dir.join("stderr.log").display()));
    }
    let kills = context.options.kills;
    let message =
        format!("{kills} kills, {} records acknowledged, slowest restart {slowest:.1?}", producer.acked);
    let mut rows = producer.rows;
    if rows.is_empty() {
        rows.push(Row::fail("crash", "the producer reports", "no rows"));
    }
    let stopped = broker.stop().map(|()| message);
    rows.push(
        Row::from_result("crash", "the broker returns after every kill -9", stopped).took(start.elapsed()),
    );
    Ok(rows)
}

/// Kills and restarts; gives the longest time from start to listening.
fn kill_repeatedly(
    context: &Context,
    broker: &mut Broker,
    producer: &mut Producer,
) -> Result<Duration, String> {
    let mut slowest = Duration::ZERO;
    let mut chance: u64 = 0x9e37_79b9;
    for kill in 0..context.options.kills {
        let goal = producer.acked + PROGRESS;
        producer.wait(Duration::from_secs(90), |acked| acked >= goal).map_err(|error| {
            format!("after {kill} kills the producer makes no progress: {error}\n{}", broker.log_tail())
        })?;
        // Not always at the same point of the broker's work.
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(Duration::from_millis((chance >> 33) % 250));
        broker.kill();
        let start = Instant::now();
        broker.launch(context)?;
        slowest = slowest.max(start.elapsed());
    }
    Ok(slowest)
}

/// The numbering program: says `ACKED n` as it goes, and rows at the end.
struct Producer {
    process: Reaped,
    lines: Receiver<String>,
    acked: u64,
    rows: Vec<Row>,
}

impl Producer {
    /// Reads lines until `enough` or, if that never holds, until the program ends.
    fn wait(&mut self, limit: Duration, enough: impl Fn(u64) -> bool) -> Result<(), String> {
        let deadline = Instant::now() + limit;
        while !enough(self.acked) {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(count) = line.strip_prefix("ACKED ").and_then(|count| count.parse().ok()) {
                        self.acked = count;
                    }
                    self.rows.extend(Row::parse(&line));
                }
                Err(RecvTimeoutError::Disconnected) if enough(u64::MAX) => return Err("it ended".to_owned()),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("{} records acknowledged, then silence", self.acked));
                }
            }
        }
        Ok(())
    }
}
