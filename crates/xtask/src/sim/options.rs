//! The command line of `cargo xtask sim`.

use std::path::PathBuf;

const USAGE: &str = "usage: cargo xtask sim --seed S [--trace FILE] [--bug NAME]
       cargo xtask sim --seeds N [--from S] [--minutes M] [--no-ledger]
       cargo xtask sim --planted [--bug NAME]
  --seed S      one seed, with what it did; what is wrong is shown with the events that prove it
  --trace FILE  write the trace of the seed: two runs of a seed give the same bytes
  --seeds N     so many seeds; the sum goes into docs/ledger.md
  --from S      the first of them (1)
  --minutes M   begin no more after so many minutes
  --no-ledger   leave docs/ledger.md as it is
  --planted     plant one bug after the other, and find each within 500 seeds
  --bug NAME    plant this bug, or only this one
  --scenario NAME
                another one than the first; a wrong name lists them
  --seconds N   how long clients work and faults come, in simulated time
  --jobs N      processes at a time (2)";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    Seed { seed: u64, bug: Option<String>, trace: Option<PathBuf> },
    Seeds { from: u64, count: u64, minutes: Option<u64> },
    Planted { bug: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub mode: Mode,
    /// Handed on to the simulator.
    pub world: Vec<String>,
    pub ledger: bool,
    pub jobs: usize,
}

impl Options {
    pub fn parse(args: &[String]) -> Result<Self, String> {
        let (mut seed, mut seeds, mut from, mut minutes) = (None, None, None, None);
        let (mut bug, mut trace) = (None, None);
        let (mut planted, mut ledger, mut jobs) = (false, true, 2);
        let mut world = Vec::new();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().cloned().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
            match arg.as_str() {
                "--seed" => seed = Some(number(arg, &value()?)?),
                "--seeds" => seeds = Some(number(arg, &value()?)?),
                "--from" => from = Some(number(arg, &value()?)?),
                "--minutes" => minutes = Some(number(arg, &value()?)?),
                "--jobs" => jobs = usize::try_from(number(arg, &value()?)?).unwrap_or(1).clamp(1, 64),
                "--scenario" | "--seconds" => world.extend([arg.clone(), value()?]),
                "--bug" => bug = Some(value()?),
                "--trace" => trace = Some(PathBuf::from(value()?)),
                "--planted" => planted = true,
                "--no-ledger" => ledger = false,
                _ => return Err(USAGE.to_owned()),
            }
        }
        let mode = match (seed, seeds, planted) {
            (Some(seed), None, false) if from.is_none() && minutes.is_none() => {
                Mode::Seed { seed, bug, trace }
            }
            (None, Some(count), false) if bug.is_none() && trace.is_none() => {
                Mode::Seeds { from: from.unwrap_or(1), count, minutes }
            }
            (None, None, true) if from.is_none() && minutes.is_none() && trace.is_none() => {
                Mode::Planted { bug }
            }
            _ => return Err(USAGE.to_owned()),
        };
        Ok(Self { mode, world, ledger, jobs })
    }

    /// Whether the program must have the bugs in it.
    pub fn needs_bugs(&self) -> bool {
        matches!(&self.mode, Mode::Planted { .. } | Mode::Seed { bug: Some(_), .. })
    }
}

fn number(name: &str, value: &str) -> Result<u64, String> {
    value.parse().map_err(|_| format!("{name} takes a number, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &str) -> Result<Options, String> {
        Options::parse(&args.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn one_seed_or_many_or_the_planted_bugs() {
        let seed = Mode::Seed { seed: 7, bug: None, trace: Some("t".into()) };
        assert_eq!(parse("--seed 7 --trace t").map(|options| options.mode), Ok(seed));
        let seeds = Mode::Seeds { from: 100, count: 5, minutes: Some(8) };
        let options = parse("--seeds 5 --from 100 --minutes 8 --no-ledger --seconds 9");
        let world = vec!["--seconds".to_owned(), "9".to_owned()];
        assert_eq!(options, Ok(Options { mode: seeds, world, ledger: false, jobs: 2 }));
        assert_eq!(parse("--planted").map(|options| options.mode), Ok(Mode::Planted { bug: None }));
    }

    #[test]
    fn only_what_needs_bugs_is_built_with_them() {
        for (args, needs) in
            [("--seed 1", false), ("--seeds 2", false), ("--seed 1 --bug X", true), ("--planted", true)]
        {
            assert_eq!(parse(args).map(|options| options.needs_bugs()), Ok(needs), "{args}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for args in
            ["", "--seed 1 --seeds 2", "--seeds 2 --bug X", "--planted --from 3", "--seed x", "--seed"]
        {
            assert!(parse(args).is_err(), "{args}");
        }
    }
}
