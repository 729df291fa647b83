//! Looks at the states that a crash could leave: `crash-points [--states N] [--seed S] [--script NAME] [--state M.C]
//! [--bug NAME]`. `--scripts` lists the lives that are looked at.
//!
//! The last line is `N states, V violations`; what is wrong comes before it, each with how to see it again.

use std::process::ExitCode;

use kernel::planted::Bug;
use simulation::crash::{Crashes, Script, State, Violation};

/// More violations than these say nothing new.
const VIOLATIONS_MAX: usize = 5;

const USAGE: &str =
    "crash-points [--states N] [--seed S] [--script NAME] [--state MOMENT.CHOICE] [--bug NAME], or --scripts";

struct Wanted {
    states: u64,
    seed: u64,
    script: Option<String>,
    state: Option<State>,
    bug: Option<Bug>,
    list: bool,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|wanted| look(&wanted)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted { states: 2_000, seed: 1, script: None, state: None, bug: None, list: false };
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{flag} needs a value\n{USAGE}"));
        let number = |text: String| text.parse().map_err(|_| format!("{text:?} is not a number\n{USAGE}"));
        match flag.as_str() {
            "--states" => wanted.states = number(value()?)?,
            "--seed" => wanted.seed = number(value()?)?,
            "--script" => wanted.script = Some(value()?),
            "--state" => wanted.state = Some(state(&value()?)?),
            "--bug" => wanted.bug = Some(named(&value()?)?),
            "--scripts" => wanted.list = true,
            _ => return Err(format!("{flag:?} is not known\n{USAGE}")),
        }
    }
    if wanted.state.is_some() && wanted.script.is_none() {
        return Err(format!("--state needs the script it is of\n{USAGE}"));
    }
    Ok(wanted)
}

fn state(text: &str) -> Result<State, String> {
    let parsed = text.split_once('.').and_then(|(moment, choice)| {
        Some(State { moment: moment.parse().ok()?, choice: choice.parse().ok()? })
    });
    parsed.ok_or_else(|| format!("{text:?} is no state, which is two numbers with a dot between\n{USAGE}"))
}

/// A bug that is in this program.
fn named(name: &str) -> Result<Bug, String> {
    if !cfg!(feature = "planted") {
        return Err("this program has no planted bugs: build it with the feature `planted`".to_owned());
    }
    Bug::named(name).ok_or_else(|| format!("{name:?} is no planted bug"))
}

#[cfg(feature = "planted")]
fn plant(bug: Option<Bug>) {
    kernel::planted::plant(bug);
}

#[cfg(not(feature = "planted"))]
fn plant(_: Option<Bug>) {}

/// Looks at the states of all scripts, or of one. Returns how many are wrong.
fn look(wanted: &Wanted) -> Result<usize, String> {
    let all = Script::all(wanted.seed);
    if wanted.list {
        all.iter().for_each(|script| println!("{}\t{}", script.name, script.about));
        return Ok(0);
    }
    let chosen = |script: &&Script| wanted.script.as_ref().is_none_or(|name| *name == script.name);
    let scripts: Vec<&Script> = all.iter().filter(chosen).collect();
    let mut left = scripts.len() as u64;
    if left == 0 {
        return Err(format!("there is no such script; --scripts lists them\n{USAGE}"));
    }
    let (mut states, mut violations) = (0, 0);
    for script in scripts {
        plant(wanted.bug);
        let crashes = Crashes::of(script, wanted.seed).map_err(|what| format!("{}: {what}", script.name))?;
        if let Some(state) = wanted.state {
            let found = crashes.again(state).err();
            found.iter().for_each(|violation| explain(script, wanted, violation));
            (states, violations) = (1, found.iter().count());
            break;
        }
        // What one script lacks, those after it make up for.
        let share = wanted.states.saturating_sub(states).div_ceil(left);
        left -= 1;
        let report = crashes.look(share, VIOLATIONS_MAX);
        report.violations.iter().for_each(|violation| explain(script, wanted, violation));
        let (moments, found, wrong) = (report.moments, report.states, report.violations.len());
        let cut_off = report.cut_off;
        println!(
            "{}: {moments} moments, {found} states, {cut_off} recoveries cut off, {wrong} violations",
            script.name
        );
        (states, violations) = (states + found, violations + wrong);
    }
    println!("{states} states, {violations} violations");
    Ok(violations)
}

fn explain(script: &Script, wanted: &Wanted, violation: &Violation) {
    let Violation { state, moment, what } = violation;
    let bug = wanted.bug.map_or_else(String::new, |bug| format!(" --bug {bug:?}"));
    println!("VIOLATION {} {state}: {what}\n  {moment}", script.name);
    println!(
        "  again: cargo xtask crash-points --seed {} --script {} --state {state}{bug}",
        wanted.seed, script.name
    );
}
