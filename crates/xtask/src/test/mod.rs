//! `cargo xtask test`: everything that can run on this machine, and by name what could not and why.
//!
//! Unit tests, then clients of other people against real broker processes, then crashes and hostile input. Every broker
//! has a port and a data directory of its own and is ended by its process id.

mod adopt;
mod bomb;
pub(crate) mod broker;
mod client;
mod crash;
pub(crate) mod fetch;
mod files;
mod hostile;
mod matrix;
mod options;
pub(crate) mod process;
mod raw;
pub(crate) mod report;
mod shop;
mod suite;
mod unit;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, mpsc};
use std::{env, fs, thread};

use crate::Outcome;
use options::Options;
pub(crate) use options::Options as TestOptions;
use report::{Report, Row};

/// The parts of a run, in the order in which they run.
const PARTS: &[&str] = &[
    "unit",
    "java",
    "kafka-tools",
    "librdkafka",
    "kcat",
    "kafka-python",
    "aiokafka",
    "kafkajs",
    "franz-go",
    client::PART,
    "adopt",
    files::PART,
    "crash",
    shop::PART,
    "hostile",
    crate::powercut::PART,
    crate::kafka_it::PART,
];

/// Where the project is, and where the tools that test it keep what they fetch and write.
#[derive(Debug)]
pub(crate) struct Places {
    /// The project's root.
    pub root: PathBuf,
    /// `target/conformance`: caches, data directories, logs, results.
    pub out: PathBuf,
    /// Where what was fetched stays between runs.
    pub cache: PathBuf,
}

impl Places {
    pub(crate) fn find() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .map(Path::to_path_buf)
            .ok_or("the xtask crate is not where it should be")?;
        let out = root.join("target/conformance");
        let cache = env::var_os("RIVERRUN_CACHE").map_or_else(|| out.join("cache"), PathBuf::from);
        for dir in [&out, &cache] {
            fs::create_dir_all(dir).map_err(|error| format!("cannot create {}: {error}", dir.display()))?;
        }
        Ok(Self { root, out, cache })
    }
}

/// What every part of a run needs to know.
#[derive(Debug)]
pub struct Context {
    pub options: Options,
    /// The project's root.
    pub root: PathBuf,
    /// `target/conformance`: caches, data directories, logs, results.
    pub out: PathBuf,
    /// Where fetched clients stay between runs.
    pub cache: PathBuf,
}

impl Context {
    pub(crate) fn new(options: Options) -> Result<Self, String> {
        let Places { root, out, cache } = Places::find()?;
        Ok(Self { options, root, out, cache })
    }

    /// A fresh directory for what one part writes.
    pub fn part_dir(&self, part: &str) -> Result<PathBuf, String> {
        let dir = self.out.join("run").join(part);
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(|error| format!("cannot clear {}: {error}", dir.display()))?;
        }
        fs::create_dir_all(&dir).map_err(|error| format!("cannot create {}: {error}", dir.display()))?;
        Ok(dir)
    }
}

/// A part that is not a suite: rows, or why there are none.
type Part = fn(&Context) -> Result<Vec<Row>, String>;

pub fn run(args: &[String]) -> Outcome {
    raise_file_limit(args)?;
    let context = Context::new(Options::parse(args, PARTS)?)?;
    let report = Mutex::new(Report::default());
    for part in ["unit"].iter().filter(|part| context.options.wants(part)) {
        record(&report, unit::run(&context).unwrap_or_else(|error| vec![Row::fail(part, "run", error)]));
    }
    if context.options.broker.is_none()
        && PARTS.iter().any(|part| !["unit", client::PART].contains(part) && context.options.wants(part))
    {
        build(&context.root)?;
    }
    run_suites(&context, &report);
    let parts: [(&str, Part); 8] = [
        (client::PART, client::run),
        ("adopt", adopt::run),
        (files::PART, files::run),
        ("crash", crash::run),
        (shop::PART, shop::run),
        ("hostile", hostile::run),
        (crate::powercut::PART, crate::powercut::ten),
        (crate::kafka_it::PART, kafka_it),
    ];
    for (part, run) in parts.iter().filter(|(part, _)| context.options.wants(part)) {
        record(&report, run(&context).unwrap_or_else(|error| vec![Row::fail(part, "run", error)]));
    }
    let report = report.into_inner().map_err(|_| "a part of the run panicked")?;
    finish(&context, report)
}

/// The quick ones of Kafka's own integration tests. They say nothing about another broker's command.
fn kafka_it(context: &Context) -> Result<Vec<Row>, String> {
    if context.options.broker.is_some() {
        return Ok(Vec::new());
    }
    crate::kafka_it::quick(context.options.jobs as usize, context.options.everything_required)
}

/// Prints rows as they come and keeps them.
fn record(report: &Mutex<Report>, rows: Vec<Row>) {
    if let Ok(mut report) = report.lock() {
        for row in rows {
            report.add(row);
        }
    }
}

/// Thousands of sockets are part of the tests: starts this program again with the soft limit of open files at the hard one.
fn raise_file_limit(args: &[String]) -> Outcome {
    const MARK: &str = "RIVERRUN_XTASK_LIMITS";
    if env::var_os(MARK).is_some() {
        return Ok(());
    }
    let program = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let error = Command::new("sh")
        .args(["-c", r#"ulimit -n "$(ulimit -Hn)" 2>/dev/null; exec "$0" test "$@""#])
        .arg(program)
        .args(args)
        .env(MARK, "1")
        .exec();
    Err(format!("cannot start again with more open files: {error}"))
}

pub(crate) fn build(root: &Path) -> Outcome {
    println!("building the release binary");
    let status = Command::new("cargo")
        .args(["build", "--release", "--package", "cli"])
        .current_dir(root)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("cargo build --release failed".to_owned()) }
}

/// Runs the suites of foreign clients, some at a time, each against its own broker.
fn run_suites(context: &Context, report: &Mutex<Report>) {
    let (sender, queue) = mpsc::channel();
    for name in PARTS.iter().filter(|part| context.options.wants(part)) {
        if let Some(suite) = suite::find(name) {
            // The receiver lives until the end of this function.
            let _ = sender.send(suite);
        }
    }
    drop(sender);
    let queue = Mutex::new(queue);
    thread::scope(|scope| {
        for _ in 0..context.options.jobs {
            scope.spawn(|| {
                while let Some(suite) = queue.lock().ok().and_then(|queue| queue.try_recv().ok()) {
                    suite::run(context, suite, &|row| record(report, vec![row]));
                }
            });
        }
    });
}

fn finish(context: &Context, report: Report) -> Outcome {
    let results = context.out.join("results.json");
    fs::write(&results, report.to_json(context)?)
        .map_err(|error| format!("cannot write {}: {error}", results.display()))?;
    if context.options.update_readme {
        matrix::update_readme(&context.root, &report)?;
    }
    report.print_summary();
    if report.failed() == 0 { Ok(()) } else { Err(String::new()) }
}
