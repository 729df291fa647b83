//! `cargo xtask kafka-it`: Apache Kafka's own integration tests, unmodified, against processes of our broker.
//!
//! Each test is held against what is expected of it: one that passed and does not any more is a fault, and one that is
//! expected to fail and passes is to be moved up.

mod expectations;
mod harness;
mod judge;
mod map;
mod options;
mod stage;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::test::Places;
use crate::test::report::Row;
use expectations::{Expectations, Expected, Name};
use harness::Harness;
use judge::{Results, Verdict, move_up};
use options::Options;
use stage::Stage;

const EXPECTATIONS: &str = "conformance/kafka-it/expectations.tsv";

/// How long a test may take: most of Kafka's own limits are shorter.
const PASS_TIMEOUT: Duration = Duration::from_secs(120);

/// A test that is not expected to pass need not be waited for as long: many would wait for an API that nobody answers.
const NOT_YET_TIMEOUT: Duration = Duration::from_secs(20);

/// Where a feature is missing that all tests of a class wait for, a few of them tell as much as a hundred.
const VAIN_MAX: usize = 4;

/// The classes of each module, from `conformance/kafka-it/classes`.
#[derive(Debug)]
struct Modules(Vec<(String, Vec<String>)>);

impl Modules {
    fn read(root: &Path) -> Result<Self, String> {
        let dir = root.join("conformance/kafka-it/classes");
        let failed = |error: std::io::Error| format!("{}: {error}", dir.display());
        let mut modules = Vec::new();
        for entry in fs::read_dir(&dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let text = fs::read_to_string(&path).map_err(failed)?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            modules.push((name, text.lines().map(str::to_owned).collect()));
        }
        modules.sort();
        Ok(Self(modules))
    }

    /// The module of a class.
    fn of(&self, class: &str) -> &str {
        let found = self.0.iter().find(|(_, classes)| classes.iter().any(|name| name == class));
        found.map_or("", |(name, _)| name)
    }

    /// Every class and every row belong together, and every module that is asked for exists.
    fn check(&self, expectations: &Expectations, options: &Options) -> Result<(), String> {
        if let Some(name) =
            options.modules.iter().find(|name| self.0.iter().all(|(module, _)| module != *name))
        {
            let names: Vec<_> = self.0.iter().map(|(name, _)| name.as_str()).collect();
            return Err(format!("there is no module {name}, only {}", names.join(", ")));
        }
        match expectations.0.keys().find(|(class, _)| self.of(class).is_empty()) {
            Some((class, _)) => {
                Err(format!("{EXPECTATIONS}: {class} is in no file of conformance/kafka-it/classes"))
            }
            None => Ok(()),
        }
    }
}

pub fn run(args: &[String]) -> Outcome {
    let options = Options::parse(args)?;
    let places = Places::find()?;
    let mut expectations = read_expectations(&places.root)?;
    let modules = Modules::read(&places.root)?;
    modules.check(&expectations, &options)?;
    if options.map {
        return map::write(&places.root, &modules, &expectations, false);
    }
    let asked = asked(&options, &modules, &expectations);
    if asked.0.is_empty() {
        return Err("no test is asked for: see `cargo xtask kafka-it --help`".to_owned());
    }
    let harness = Harness::prepare(places, &options)?;
    let begun = Instant::now();
    let (results, verdict) = run_stages(&harness, &options, &asked)?;
    let root = &harness.places.root;
    if options.update {
        move_up(&mut expectations, &verdict, &results);
        fs::write(root.join(EXPECTATIONS), expectations.render())
            .map_err(|error| format!("{EXPECTATIONS}: {error}"))?;
        map::write(root, &modules, &expectations, false)?;
    }
    let ok = verdict.broken.is_empty() && (options.update || verdict.risen.is_empty());
    report(&options, &harness, &verdict, begun.elapsed());
    if ok { Ok(()) } else { Err(String::new()) }
}

/// The quick tests, as one row for `cargo xtask test`.
pub fn quick(jobs: usize, required: bool) -> Result<Vec<Row>, String> {
    let options = Options { quick: true, jobs, ..Options::default() };
    let places = Places::find()?;
    let expectations = read_expectations(&places.root)?;
    let modules = Modules::read(&places.root)?;
    let asked = asked(&options, &modules, &expectations);
    let harness = match Harness::prepare(places, &options) {
        Err(missing) if !required => return Ok(vec![Row::skip(PART, "quick tests", missing)]),
        other => other?,
    };
    let begun = Instant::now();
    let (_, verdict) = run_stages(&harness, &options, &asked)?;
    let mut passed = Row::pass(PART, "quick tests", "").took(begun.elapsed());
    passed.count = verdict.passed as u64;
    let broken = verdict
        .broken
        .iter()
        .map(|((class, test), error)| Row::fail(PART, &format!("{class} {test}"), error));
    Ok(std::iter::once(passed).chain(broken).collect())
}

/// The name of the quick tests among the parts of `cargo xtask test`.
pub const PART: &str = "kafka-it";

/// Whether the map in the docs is that of the expectations.
pub fn check_map(root: &Path) -> Outcome {
    map::write(root, &Modules::read(root)?, &read_expectations(root)?, true)
}

fn read_expectations(root: &Path) -> Result<Expectations, String> {
    let text =
        fs::read_to_string(root.join(EXPECTATIONS)).map_err(|error| format!("{EXPECTATIONS}: {error}"))?;
    Expectations::parse(&text).map_err(|problem| format!("{EXPECTATIONS}: {problem}"))
}

/// The rows that a run is about.
fn asked(options: &Options, modules: &Modules, expectations: &Expectations) -> Expectations {
    let rows = expectations.0.iter().filter(|((class, test), expected)| {
        let fits = match expected {
            Expected::Pass { quick } => *quick || !options.quick,
            Expected::NotYet { .. } => !options.quick,
            Expected::NotApplicable { .. } => false,
        };
        fits && options.wants(modules.of(class), class, test)
    });
    Expectations(rows.map(|(name, expected)| (name.clone(), expected.clone())).collect())
}

/// What should pass, once more what did not, and then what is not expected to.
fn run_stages(
    harness: &Harness,
    options: &Options,
    asked: &Expectations,
) -> Result<(Results, Verdict), String> {
    let names = |wanted: &dyn Fn(&Expected) -> bool| -> Vec<Name> {
        asked.0.iter().filter(|(_, expected)| wanted(expected)).map(|(name, _)| name.clone()).collect()
    };
    let stage = |name, tests, timeout| Stage {
        name,
        tests,
        timeout,
        jobs: options.jobs,
        ports: options.ports,
        vain_max: 0,
        combined: !options.isolated,
    };
    let timeout = |or: Duration| options.timeout_s.map_or(or, Duration::from_secs);
    let mut results = stage("pass", names(&Expected::passes), timeout(PASS_TIMEOUT)).run(harness)?;
    let broken: Vec<Name> = Verdict::of(asked, &results).broken.into_iter().map(|(name, _)| name).collect();
    if !broken.is_empty() {
        println!("{} did not pass; once more, one at a time:", broken.len());
        let again = Stage { jobs: 1, ..stage("again", broken, timeout(PASS_TIMEOUT)) }.run(harness)?;
        for (class, test) in again.iter().filter(|(_, ended)| ended.passed()).map(|(name, _)| name) {
            println!("  passed this time, so it is flaky: {class} {test}");
        }
        results.extend(again);
    }
    // Of another broker the same is asked of all tests.
    let patience = timeout(if options.backend.is_some() { PASS_TIMEOUT } else { NOT_YET_TIMEOUT });
    let vain_max = if options.backend.is_some() { 0 } else { VAIN_MAX };
    let not_yet = names(&|expected| !expected.passes());
    results.extend(Stage { vain_max, ..stage("not-yet", not_yet, patience) }.run(harness)?);
    let verdict = Verdict::of(asked, &results);
    Ok((results, verdict))
}

fn report(options: &Options, harness: &Harness, verdict: &Verdict, time: Duration) {
    if !verdict.broken.is_empty() {
        println!("\nexpected to pass:");
    }
    for ((class, test), error) in &verdict.broken {
        println!("  FAILED {class} {test}: {error}");
    }
    if !verdict.risen.is_empty() {
        println!("\nNOT YET, and passed:");
    }
    for (class, test) in &verdict.risen {
        println!("  {class} {test}");
    }
    if !verdict.risen.is_empty() && options.backend.is_none() && !options.update {
        println!(
            "run `cargo xtask kafka-it --update` with the same choice of tests, and commit what it writes"
        );
    }
    println!(
        "\nkafka-it: {} passed, {} failed, {} passed for the first time, {} not yet, {:.0} s; logs in {}",
        verdict.passed,
        verdict.broken.len(),
        verdict.risen.len(),
        verdict.not_yet,
        time.as_secs_f64(),
        harness.out.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str =
        "a.B\tone\tPASS\tquick\na.B\ttwo\tPASS\t\na.C\tthree\tNOT YET\tACLs\na.C\tfour\tNA\tits metrics\n";

    fn modules() -> Modules {
        Modules(vec![
            ("core".to_owned(), vec!["a.B".to_owned()]),
            ("tools".to_owned(), vec!["a.C".to_owned()]),
        ])
    }

    fn tests(options: &Options) -> Vec<String> {
        let expectations = Expectations::parse(ROWS).expect("rows");
        asked(options, &modules(), &expectations).0.into_keys().map(|(_, test)| test).collect()
    }

    #[test]
    fn a_run_leaves_out_what_says_nothing_and_a_quick_one_all_that_is_not_quick() {
        assert_eq!(tests(&Options::default()), ["one", "two", "three"]);
        assert_eq!(tests(&Options { quick: true, ..Options::default() }), ["one"]);
        assert_eq!(tests(&Options { modules: vec!["tools".to_owned()], ..Options::default() }), ["three"]);
    }

    #[test]
    fn a_module_or_a_class_that_nobody_knows_is_named() {
        let expectations = Expectations::parse(ROWS).expect("rows");
        let options = Options { modules: vec!["tool".to_owned()], ..Options::default() };
        let error = modules().check(&expectations, &options).expect_err("no such module");
        assert_eq!(error, "there is no module tool, only core, tools");
        let other = Expectations::parse("a.D\tfive\tPASS\t\n").expect("a row");
        let error = modules().check(&other, &Options::default()).expect_err("no such class");
        assert!(error.contains("a.D is in no file"), "{error}");
    }
}
