//! The example of five services (`examples/shop`): one of them is away, the broker is killed, one reads everything anew, and
//! in the end nobody misses an order.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::Context;
use super::broker::Broker;
use super::process::{Reaped, lines, succeed};
use super::report::Row;

pub const PART: &str = "shop";

const ORDERS: u64 = 10_000;
const RATE: u64 = 2_000;

/// For each step, on a machine that others use as well.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn run(context: &Context) -> Result<Vec<Row>, String> {
    let start = Instant::now();
    let dir = context.part_dir(PART)?;
    let mut build = Command::new(env!("CARGO"));
    succeed(
        build.args(["build", "--quiet", "--locked", "-p", "shop"]).current_dir(&context.root),
        "the shop",
    )?;
    let mut broker = Broker::start(context, &dir)?;
    let shop = Shop::open(context, &dir.join("shop"), &broker.address().to_string())?;
    let story = tell(context, shop, &mut broker).map_err(|error| format!("{error}\n{}", broker.log_tail()));
    let stopped = story.and_then(|said| broker.stop().map(|()| said));
    let check = "every group has every order, though one was away, the broker was killed, and one began anew";
    Ok(vec![Row::from_result(PART, check, stopped).took(start.elapsed())])
}

fn tell(context: &Context, mut shop: Shop, broker: &mut Broker) -> Result<String, String> {
    shop.wait(|line| events(line, "notification") > 0)?;
    shop.ask(&["stop", "notification"])?;
    shop.ask(&["slow", "inventory", "20"])?;
    shop.wait(|line| lag(line, "inventory") > lag(line, "payment") + ORDERS / 100)?;
    shop.ask(&["slow", "inventory", "0"])?;
    let quarter = ORDERS / 4;
    shop.wait(|line| events(line, "orders") >= quarter)?;
    broker.kill();
    broker.launch(context)?;
    shop.wait(|line| events(line, "orders") >= ORDERS)?;
    shop.ask(&["start", "notification"])?;
    shop.ask(&["crash", "payment"])?;
    shop.ask(&["replay", "analytics"])?;
    // It committed what it had dealt with when it was stopped, and the broker kept that.
    let notified = shop.wait(|line| line.starts_with("notification: "))?;
    if !notified.contains(" 0 came again") {
        return Err(format!("notification did not go on where it was: {notified}"));
    }
    let verdict = shop.wait(|line| line.starts_with(&format!("{ORDERS} orders, ")))?;
    let ended = shop.process.wait_until(Instant::now() + PATIENCE);
    match ended {
        Some(status) if status.success() => Ok(verdict),
        other => Err(format!("the shop ended with {other:?}: {verdict}")),
    }
}

/// The shop that runs, and what it says.
struct Shop {
    process: Reaped,
    lines: Receiver<String>,
    program: PathBuf,
    dir: PathBuf,
}

impl Shop {
    fn open(context: &Context, dir: &Path, bootstrap: &str) -> Result<Self, String> {
        let program = context.root.join("target/debug/shop");
        let mut child = Command::new(&program)
            .args(["run", "--bootstrap", bootstrap, "--dir"])
            .arg(dir)
            .args(["--orders", &ORDERS.to_string(), "--rate", &RATE.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        let lines = lines(child.stdout.take().ok_or("no output")?);
        Ok(Self { process: Reaped(child), lines, program, dir: dir.to_owned() })
    }

    /// The first line from now on that is as wanted.
    fn wait(&self, wanted: impl Fn(&str) -> bool) -> Result<String, String> {
        let deadline = Instant::now() + PATIENCE;
        let mut last = String::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            last = line.map_err(|error| format!("the shop says nothing more ({error}); last: {last}"))?;
            if wanted(&last) {
                return Ok(last);
            }
        }
    }

    fn ask(&self, words: &[&str]) -> Result<(), String> {
        let asked =
            succeed(Command::new(&self.program).args(words).arg("--dir").arg(&self.dir), &words.join(" "));
        // What it says belongs to the line that is printed of it.
        asked.map_err(|said| said.replace('\n', ": "))
    }
}

/// How many events a service had by a line of the shop, such as
/// `orders 12 (lag -) · inventory 11 (lag 1) | orders: … · inventory: …`.
fn events(line: &str, service: &str) -> u64 {
    after(line, service, 1)
}

/// How many it has still to read.
fn lag(line: &str, service: &str) -> u64 {
    after(line, service, 3)
}

/// The number so many words after the name of a service; 0 if there is none.
fn after(line: &str, service: &str, place: usize) -> u64 {
    let (counts, _) = line.split_once(" | ").unwrap_or((line, ""));
    let words = counts.split([' ', '·', '(', ')']).filter(|word| !word.is_empty());
    let mut words = words.skip_while(|word| *word != service);
    words.nth(place).and_then(|count| count.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{events, lag};

    #[test]
    fn a_line_of_the_shop_is_read() {
        let line = "orders 12 (lag -) · inventory 11 (lag 1) | orders: 5 · x: 3";
        assert_eq!((events(line, "orders"), events(line, "inventory"), events(line, "x")), (12, 11, 0));
        assert_eq!((lag(line, "orders"), lag(line, "inventory")), (0, 1));
    }
}
