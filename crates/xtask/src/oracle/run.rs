//! A run from the start of both brokers to the report.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::accepted::Accepted;
use super::duel::{Duel, ORDER};
use super::options::{Options, Replay};
use super::report::Report;
use super::side::{Side, Who};
use super::value::unhex;
use super::{cases, catalog, prepare};
use crate::Outcome;

pub fn run(args: &[String]) -> Outcome {
    let options = Options::parse(args)?;
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .ok_or("the xtask crate is not where it should be")?;
    let apis = catalog::read(&root)?;
    if let Some(unknown) =
        options.apis.iter().find(|name| !apis.keys().any(|api| api.eq_ignore_ascii_case(name)))
    {
        return Err(format!(
            "{unknown} is not served; there are {}",
            apis.keys().cloned().collect::<Vec<_>>().join(", ")
        ));
    }
    let accepted = Accepted::read(&root)?;
    let scratch = root.join("target/oracle").join(options.port.to_string());
    let begun = Instant::now();
    let mut sides = Vec::new();
    for who in ORDER {
        sides.push(Side::start(who, &root, &scratch, &options)?);
    }
    for side in &mut sides {
        side.listens()?;
    }
    println!("both brokers listen after {:.1} s", begun.elapsed().as_secs_f64());
    let addresses = sides.iter().map(|side| side.address).collect::<Vec<_>>();
    let addresses = addresses.try_into().map_err(|_| "there are two sides")?;
    let mut duel = Duel::new(apis, addresses, Report::new(accepted, options.seed));
    let outcome = play(&mut duel, &options);
    let report = report(&duel, &options, &scratch, begun);
    let mut problem = outcome.map_err(|error| sides.iter().fold(error, |error, side| side.explain(&error)));
    for side in sides {
        let ours = side.who == Who::Ours;
        let end = side.end();
        if ours {
            problem = problem.and(end);
        }
    }
    problem.and(report)
}

fn play(duel: &mut Duel, options: &Options) -> Outcome {
    duel.loud = options.loud;
    prepare::run(duel)?;
    println!("prepared with {} exchanges", duel.report.exchanges());
    match &options.replay {
        Some(Replay::Case(0)) => {}
        Some(Replay::Case(case)) => {
            duel.loud = true;
            one(duel, options, *case)?;
        }
        Some(Replay::UpTo(last)) => {
            for case in 1..=*last {
                duel.loud = options.loud || case == *last;
                one(duel, options, case)?;
            }
        }
        Some(Replay::File(path)) => frames(duel, path)?,
        None => {
            for case in 1.. {
                if duel.report.exchanges() >= options.exchanges {
                    break;
                }
                one(duel, options, case)?;
            }
        }
    }
    Ok(())
}

fn one(duel: &mut Duel, options: &Options, case: u64) -> Outcome {
    duel.report.case = case;
    cases::run(duel, options, case).map_err(|error| format!("case {case} of seed {}: {error}", options.seed))
}

/// Sends the frames of a file as they are.
fn frames(duel: &mut Duel, path: &str) -> Outcome {
    const CONNECTION: usize = 20;
    duel.loud = true;
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let frame = unhex(line).ok_or_else(|| format!("{path}: not hexadecimal digits: {line}"))?;
        let number = |at: usize| {
            frame.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |two| i16::from_be_bytes(*two))
        };
        let (key, version) = (number(0), number(2));
        let name =
            duel.apis.values().find(|api| api.key == key).map_or(key.to_string(), |api| api.name.clone());
        duel.send_raw(CONNECTION, &name, version, line, [frame.clone(), frame])?;
    }
    Ok(())
}

/// Says what was found; differences that are not meant, and entries that nobody needs, fail a whole run.
fn report(duel: &Duel, options: &Options, scratch: &Path, begun: Instant) -> Outcome {
    let report = &duel.report;
    let file = scratch.join("differences.txt");
    fs::write(&file, format!("{}{}", report.lines(), report.details(true)))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let uses = scratch.join("accepted.txt");
    fs::write(&uses, report.accepted.uses()).map_err(|error| format!("{}: {error}", uses.display()))?;
    println!("exchanges per API: {}", report.counts());
    const DETAILED: usize = 20;
    if report.distinct() > DETAILED {
        print!("{}", report.lines());
        println!("everything about them: {}", file.display());
    } else {
        print!("{}", report.details(false));
    }
    let unused = report.accepted.unused();
    let whole = options.replay.is_none() && options.apis.is_empty();
    if whole {
        for entry in &unused {
            println!("an accepted difference that did not appear: {entry}");
        }
    }
    println!("{} in {:.0} s", report.summary(), begun.elapsed().as_secs_f64());
    if report.distinct() > 0 { Err("the answers differ".to_owned()) } else { Ok(()) }
}
