//! The clients of other people, in a process of their own: told by words, heard by lines. See `conformance/python/powercut.py`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use super::tally::Judged;
use crate::test::broker::Broker;
use crate::test::fetch::Program;
use crate::test::process::{Reaped, last_lines};

/// How long it took until a broker that was just started was of use.
#[derive(Debug, Clone, Copy)]
pub struct Back {
    pub acknowledged: Duration,
    pub read: Duration,
}

pub struct Client {
    process: Reaped,
    input: Option<ChildStdin>,
    /// Each line with the moment at which it came.
    lines: Receiver<(Instant, String)>,
    acknowledged: u64,
    patience: Duration,
}

impl Client {
    pub fn start(program: &Program, broker: &Broker, dir: &Path, patience: Duration) -> Result<Self, String> {
        let (name, args) = program.command.split_first().ok_or("no command")?;
        let errors = File::create(dir.join("stderr.log")).map_err(|error| format!("stderr.log: {error}"))?;
        let mut child = Command::new(name)
            .args(args)
            .arg(broker.address().to_string())
            // It gives up before we do, so that it can say what it waited for.
            .arg((patience.as_secs() / 4).to_string())
            .envs(program.env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take().ok_or("no output")?);
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    break;
                }
            }
        });
        Ok(Self { process: Reaped(child), input, lines, acknowledged: 0, patience })
    }

    fn say(&mut self, word: &str) -> Result<(), String> {
        let input = self.input.as_mut().ok_or("the clients have no input")?;
        writeln!(input, "{word}").map_err(|error| format!("the clients are gone: {error}"))
    }

    /// Hears lines until one gives something.
    fn hear<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&mut Self, Instant, &str) -> Option<T>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + self.patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (at, line) =
                self.lines.recv_timeout(left).map_err(|error| format!("waiting for {what}: {error}"))?;
            if let Some(count) = line.strip_prefix("ACKED ").and_then(|count| count.parse().ok()) {
                self.acknowledged = count;
            }
            if let Some(found) = wanted(self, at, &line) {
                return Ok(found);
            }
        }
    }

    /// Goes on until so many more records are acknowledged.
    pub fn load(&mut self, records: u64) -> Result<(), String> {
        self.say("LOAD")?;
        let goal = self.acknowledged + records;
        self.hear("acknowledgements", |client, _, _| (client.acknowledged >= goal).then_some(()))
    }

    /// Waits until the clients have taken in everything that a dead broker said.
    pub fn hear_the_last(&mut self) -> Result<(), String> {
        self.say("CUT")?;
        self.hear("READY", |_, _, line| (line == "READY").then_some(()))
    }

    /// Waits until the broker that began at `exec` acknowledges and serves records.
    pub fn wait_for_return(&mut self, exec: Instant) -> Result<Back, String> {
        let (mut acknowledged, mut read) = (None, None);
        let heard = self.hear("the first record acknowledged and read", |_, at, line| {
            match line {
                "BACK produce" => acknowledged = Some(at),
                "BACK read" => read = Some(at),
                _ => {}
            }
            Some(Back {
                acknowledged: acknowledged?.saturating_duration_since(exec),
                read: read?.saturating_duration_since(exec),
            })
        });
        let lacking = match (acknowledged, read) {
            (None, None) => "neither came",
            (None, Some(_)) => "none was acknowledged",
            (Some(_), _) => "none was read",
        };
        heard.map_err(|error| format!("{error}: {lacking}"))
    }

    /// Has everything read back that is new, or everything there is.
    pub fn judge(&mut self, word: &str) -> Result<Judged, String> {
        self.say(word)?;
        let text =
            self.hear("the judgement", |_, _, line| line.strip_prefix("JUDGED ").map(str::to_owned))?;
        let judged: Judged =
            serde_json::from_str(&text).map_err(|error| format!("the judgement {text}: {error}"))?;
        self.acknowledged = judged.acknowledged;
        Ok(judged)
    }

    pub fn end(&mut self) -> Result<(), String> {
        self.input = None;
        match self.process.wait_until(Instant::now() + Duration::from_secs(20)) {
            Some(status) if status.success() => Ok(()),
            other => Err(format!("the clients ended badly: {other:?}")),
        }
    }

    /// The last that they complained of.
    pub fn errors(&self, dir: &Path) -> String {
        let text = fs::read(dir.join("stderr.log")).unwrap_or_default();
        format!("-- end of the clients' stderr.log\n{}", last_lines(&String::from_utf8_lossy(&text), 15))
    }
}
