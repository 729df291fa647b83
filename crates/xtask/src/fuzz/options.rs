//! The command line of `cargo xtask fuzz`.

use std::thread;

const USAGE: &str =
    "usage: cargo xtask fuzz [TARGET...] [--runs N | --minutes M] [--seed N] [--jobs N] [--keep]
       cargo xtask fuzz TARGET --replay FILE
  TARGET         all of them if none is named
  --runs N       how often each is executed (1000000)
  --minutes M    how long each is executed, with a seed of the moment
  --seed N       what chance begins with (1); 0 takes one of the moment
  --jobs N       how many run at a time (one for each processor)
  --keep         make the inputs that reach everything the kept corpus
  --replay FILE  only execute one input, without the engine";

const RUNS: u64 = 1_000_000;

/// How long a target runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    Runs(u64),
    Minutes(u32),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub targets: Vec<String>,
    pub budget: Budget,
    pub seed: u32,
    pub jobs: usize,
    pub keep: bool,
    pub replay: Option<String>,
}

impl Options {
    pub fn parse(args: &[String]) -> Result<Self, String> {
        let jobs = thread::available_parallelism().map_or(1, usize::from);
        let (mut budget, mut seed) = (Budget::Runs(RUNS), None);
        let mut options = Self { targets: Vec::new(), budget, seed: 1, jobs, keep: false, replay: None };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
            match arg.as_str() {
                "--runs" => budget = Budget::Runs(number(arg, value()?)?),
                "--minutes" => budget = Budget::Minutes(number(arg, value()?)?),
                "--seed" => seed = Some(number(arg, value()?)?),
                "--jobs" => options.jobs = number::<usize>(arg, value()?)?.max(1),
                "--keep" => options.keep = true,
                "--replay" => options.replay = Some(value()?.clone()),
                name if !name.starts_with('-') => options.targets.push(name.to_owned()),
                _ => return Err(USAGE.to_owned()),
            }
        }
        // A run for the gate is the same every time; one that looks for more should not be.
        options.seed = seed.unwrap_or(u32::from(matches!(budget, Budget::Runs(_))));
        options.budget = budget;
        Ok(options)
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} takes a number, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options, String> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Options::parse(&args)
    }

    #[test]
    fn a_million_of_each_with_the_same_chances_is_what_nobody_asks_for() {
        let options = parse(&[]).expect("no arguments are fine");
        assert_eq!((options.targets.len(), options.budget, options.seed), (0, Budget::Runs(1_000_000), 1));
    }

    #[test]
    fn a_run_by_the_clock_begins_somewhere_else_each_time() {
        let options = parse(&["request", "--minutes", "5"]).expect("it is fine");
        assert_eq!((options.budget, options.seed), (Budget::Minutes(5), 0));
        let options = parse(&["--minutes", "5", "--seed", "7"]).expect("it is fine");
        assert_eq!(options.seed, 7);
        assert!(parse(&["--runs", "many"]).expect_err("no number").contains("--runs"));
        assert!(parse(&["--what"]).is_err());
    }
}
