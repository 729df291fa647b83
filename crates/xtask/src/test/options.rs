//! The command line of `cargo xtask test`.

use std::env;

const USAGE: &str = "usage: cargo xtask test [--only PART]... [--broker COMMAND] [--kills N] [--jobs N] [--update-readme]
  --only PART       one part only; may be given again or as a list with commas. Parts:
  --broker COMMAND  test another broker: COMMAND is run with the path of a server.properties as its last argument
  --kills N         how often the crash test kills the broker (20)
  --jobs N          how many suites run at a time (2)
  --update-readme   write the matrix of this run into README.md";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub only: Vec<String>,
    pub broker: Option<String>,
    pub kills: u32,
    pub jobs: u32,
    pub update_readme: bool,
    /// In CI nothing may be skipped because a tool is missing.
    pub everything_required: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only: Vec::new(),
            broker: None,
            kills: 20,
            jobs: 2,
            update_readme: false,
            everything_required: false,
        }
    }
}

impl Options {
    pub fn parse(args: &[String], parts: &[&str]) -> Result<Self, String> {
        let usage = || USAGE.replace("Parts:", &format!("Parts: {}", parts.join(", ")));
        let mut options =
            Self { everything_required: env::var("CI").is_ok_and(|ci| ci == "true"), ..Self::default() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value =
                || args.next().cloned().ok_or_else(|| format!("{arg} needs a value\n{}", usage()));
            match arg.as_str() {
                "--only" => options.only.extend(value()?.split(',').map(str::to_owned)),
                "--broker" => options.broker = Some(value()?),
                "--kills" => options.kills = number(arg, &value()?)?,
                "--jobs" => options.jobs = number(arg, &value()?)?.max(1),
                "--update-readme" => options.update_readme = true,
                _ => return Err(usage()),
            }
        }
        match options.only.iter().find(|part| !parts.contains(&part.as_str())) {
            Some(unknown) => Err(format!("there is no part {unknown}\n{}", usage())),
            None => Ok(options),
        }
    }

    pub fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}

fn number(name: &str, value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| format!("{name} takes a number, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options, String> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Options::parse(&args, &["java", "kcat"])
    }

    #[test]
    fn without_arguments_every_part_is_wanted() {
        let options = parse(&[]).expect("no arguments are fine");
        assert!(options.wants("java") && options.wants("kcat"));
    }

    #[test]
    fn only_takes_lists_and_repeats() {
        let options = parse(&["--only", "java,kcat"]).expect("a list is fine");
        assert_eq!(options.only, ["java", "kcat"]);
        assert!(!parse(&["--only", "kcat"]).expect("one is fine").wants("java"));
    }

    #[test]
    fn an_unknown_part_is_named_in_the_error() {
        assert!(parse(&["--only", "cobol"]).expect_err("there is no such part").contains("cobol"));
    }
}
