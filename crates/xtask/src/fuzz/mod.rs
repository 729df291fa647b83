//! `cargo xtask fuzz`: every reader of foreign bytes under coverage-guided fuzzing, with the kept corpus.
//!
//! The targets are functions in `crates/fuzz`; the engine is libFuzzer, as a crate that compiles it. The instrumentation is
//! a pass of LLVM that the stable compiler has, so nothing has to be installed.

mod options;
mod outcome;
pub mod plain;

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;
use std::{fs, thread};

use crate::Outcome;
use options::{Budget, Options};
use outcome::Report;

/// Counts each edge, tells the engine of both sides of comparisons, and lets it know this build. Level 4 would also tell
/// who calls whom through pointers, of which the engine makes nothing unless it is asked to.
const RUSTFLAGS: &[&str] = &[
    "--cfg=riverrun_fuzz_engine",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=3",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// When the engine gives up on an input by the clock on the wall. Long before that the target itself says that it took
/// more than a second of its processor; only what never ends gets here.
const HANG_SECONDS: u32 = 30;
const MEMORY_MB: u32 = 2048;

/// A target, as `fuzz list` tells of it.
#[derive(Debug, Clone)]
struct Target {
    name: String,
    len_max: u32,
    micros: u32,
}

struct Run {
    options: Options,
    root: PathBuf,
    /// `target/fuzz`.
    out: PathBuf,
    engine: PathBuf,
}

pub fn run(args: &[String]) -> Outcome {
    let options = Options::parse(args)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_path_buf);
    let root = root.ok_or("the xtask crate is not where it should be")?;
    let targets = chosen(&root, &options)?;
    if let Some(file) = &options.replay {
        let [target] = targets.as_slice() else {
            return Err("--replay takes the name of one target".to_owned());
        };
        return tool(&root, &["replay", &target.name, file]).map(|said| print!("{said}"));
    }
    let engine = build(&root)?;
    let out = root.join("target/fuzz");
    let run = Run { options, root, out, engine };
    let reports = run.all(&targets);
    let failed = reports.iter().filter(|report| report.failure.is_some()).count();
    println!("{}", outcome::table(&reports));
    if failed == 0 {
        return Ok(());
    }
    Err(format!("{failed} of {} targets found something", reports.len()))
}

/// The targets that are asked for.
fn chosen(root: &Path, options: &Options) -> Result<Vec<Target>, String> {
    let listed = tool(root, &["list"])?;
    let all: Vec<Target> = listed.lines().filter_map(parse_listed).collect();
    if let Some(unknown) = options.targets.iter().find(|name| !all.iter().any(|one| one.name == **name)) {
        let names: Vec<_> = all.iter().map(|target| target.name.as_str()).collect();
        return Err(format!("there is no target {unknown}; there are {}", names.join(", ")));
    }
    let wanted = |target: &Target| options.targets.is_empty() || options.targets.contains(&target.name);
    Ok(all.into_iter().filter(wanted).collect())
}

fn parse_listed(line: &str) -> Option<Target> {
    let mut words = line.split('\t');
    let name = words.next()?.to_owned();
    Some(Target { name, len_max: words.next()?.parse().ok()?, micros: words.next()?.parse().ok()? })
}

/// Runs the program of `crates/fuzz` as it is built without the engine.
fn tool(root: &Path, args: &[&str]) -> Result<String, String> {
    let output = Command::new("cargo")
        .args(["run", "--quiet", "--package", "fuzz", "--"])
        .args(args)
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    match output.status.success() {
        true => String::from_utf8(output.stdout).map_err(|_| "fuzz printed no text".to_owned()),
        false => Err(format!("fuzz {} failed", args.join(" "))),
    }
}

/// Builds the targets with the engine, in a folder of their own, since everything is instrumented.
fn build(root: &Path) -> Result<PathBuf, String> {
    let host = host_triple()?;
    let this = std::env::current_exe().map_err(|error| format!("this program has no path: {error}"))?;
    println!("building the targets with the engine for {host}");
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--package", "fuzz", "--profile", "fuzz", "--locked"])
        // With a target, build scripts and macros are not instrumented.
        .args(["--target", &host, "--target-dir", "target/fuzz/build"])
        .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\u{1f}"))
        .env("RUSTC_WRAPPER", this)
        // The engine itself, which looks at every comparison, is for the processor that it is built on.
        .env("CXXFLAGS", "-O3 -march=native")
        .env(plain::WRAPS, "1")
        .current_dir(root)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if status.success() {
        Ok(root.join("target/fuzz/build").join(host).join("fuzz/fuzz"))
    } else {
        Err("the targets cannot be built with the engine, which needs a C++ compiler".to_owned())
    }
}

fn host_triple() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.map_err(|error| format!("cannot run rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not tell its host".to_owned())
}

impl Run {
    /// Runs the targets, as many at a time as there are processors and the longest first, so that none of them is left
    /// to the end.
    fn all(&self, targets: &[Target]) -> Vec<Report> {
        let mut longest_first: Vec<&Target> = targets.iter().collect();
        longest_first.sort_by_key(|target| Reverse(target.micros));
        let queue = Mutex::new(longest_first.into_iter());
        let reports = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..self.options.jobs {
                scope.spawn(|| {
                    while let Some(target) = queue.lock().ok().and_then(|mut queue| queue.next()) {
                        let report = self.one(target);
                        println!("{report}");
                        if let Ok(mut reports) = reports.lock() {
                            reports.push(report);
                        }
                    }
                });
            }
        });
        let mut reports = reports.into_inner().unwrap_or_default();
        let place = |report: &Report| targets.iter().position(|target| target.name == report.target);
        reports.sort_by_key(place);
        reports
    }

    fn one(&self, target: &Target) -> Report {
        let start = Instant::now();
        let result = self.fuzz(target).and_then(|said| {
            let mut report = Report::read(&target.name, &said);
            if self.options.keep && report.failure.is_none() {
                report.kept = Some(self.keep(target)?);
            }
            Ok(report)
        });
        let mut report = result.unwrap_or_else(|error| Report::failed(&target.name, error));
        report.took = start.elapsed();
        report
    }

    /// Runs the engine; what it says is in the answer and, while a finding is looked into, in `log`.
    fn fuzz(&self, target: &Target) -> Result<String, String> {
        let dir = self.out.join("run").join(&target.name);
        let (corpus, found) = (fresh(&dir.join("corpus"))?, dir.join("found"));
        fs::create_dir_all(&found).map_err(|error| format!("cannot make {}: {error}", found.display()))?;
        let budget = match self.options.budget {
            Budget::Runs(runs) => format!("-runs={runs}"),
            Budget::Minutes(minutes) => format!("-max_total_time={}", u64::from(minutes) * 60),
        };
        let output = self
            .engine(target)
            .env("RIVERRUN_FUZZ_CORPUS", &corpus)
            .arg(budget)
            .arg(format!("-seed={}", self.options.seed))
            .arg(format!("-artifact_prefix={}/", found.display()))
            .arg("-reduce_inputs=0")
            .arg(&corpus)
            .output()
            .map_err(|error| format!("cannot run the engine: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let log = dir.join("log");
        fs::write(&log, &said).map_err(|error| format!("cannot write {}: {error}", log.display()))?;
        if output.status.success() {
            return Ok(said);
        }
        Err(outcome::finding(&self.root, &target.name, &said, &log))
    }

    /// Makes the inputs of this run that are needed to reach what it reached the kept corpus.
    fn keep(&self, target: &Target) -> Result<String, String> {
        let dir = self.out.join("run").join(&target.name);
        let small = fresh(&dir.join("small"))?;
        let output = self
            .engine(target)
            .arg("-merge=1")
            .arg(&small)
            .arg(dir.join("corpus"))
            .output()
            .map_err(|error| format!("cannot run the engine: {error}"))?;
        if !output.status.success() {
            return Err(format!("merging failed: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let small = small.to_str().ok_or("the path of the corpus is no text")?;
        tool(&self.root, &["keep", &target.name, small]).map(|said| said.trim().to_owned())
    }

    fn engine(&self, target: &Target) -> Command {
        let mut command = Command::new(&self.engine);
        command
            .env("RIVERRUN_FUZZ_TARGET", &target.name)
            .env("RUST_BACKTRACE", "1")
            .arg(format!("-max_len={}", target.len_max))
            .arg(format!("-timeout={HANG_SECONDS}"))
            .arg(format!("-rss_limit_mb={MEMORY_MB}"))
            .stdout(Stdio::null())
            .current_dir(&self.root);
        command
    }
}

/// An empty folder.
fn fresh(dir: &Path) -> Result<PathBuf, String> {
    let made = match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(dir),
    };
    made.map(|()| dir.to_owned()).map_err(|error| format!("cannot clear {}: {error}", dir.display()))
}
