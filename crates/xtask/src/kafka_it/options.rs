//! The command line of `cargo xtask kafka-it`.

use std::path::PathBuf;

const USAGE: &str = "usage: cargo xtask kafka-it [--module NAME]... [--class NAME[#METHOD]]... [--quick] [--jobs N] [--update]
                    [--binary PATH] [--backend COMMAND] [--timeout SECONDS] [--ports FROM-TO] [--out DIR] [--isolated]
       cargo xtask kafka-it --map
  --module NAME      the classes of conformance/kafka-it/classes/NAME.txt only
  --class NAME       a class only, or one method of it; the package may be left out
  --quick            the tests only that are marked as quick
  --jobs N           how many JVMs run tests at a time (2)
  --update           write what has come to pass into the expectations, and the map into docs/conformance.md
  --binary PATH      test this build of ours; without it a release build is made
  --backend COMMAND  test another broker: COMMAND is run with the path of a properties file. Nothing is expected of it
  --timeout SECONDS  how long a test may take (120, and 20 if it is not expected to pass)
  --ports FROM-TO    the ports that nodes may listen on (11000-28000)
  --out DIR          where results and the logs of what failed go (target/conformance/kafka-it)
  --isolated         controllers are nodes of their own where a test asks for it, not part of the first brokers
  --map              run nothing, only write the map of the expectations into docs/conformance.md";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub modules: Vec<String>,
    /// Classes, each with a method or none.
    pub classes: Vec<(String, Option<String>)>,
    pub quick: bool,
    pub jobs: usize,
    pub update: bool,
    pub binary: Option<PathBuf>,
    pub backend: Option<String>,
    pub timeout_s: Option<u64>,
    pub ports: (u16, u16),
    pub out: Option<PathBuf>,
    pub isolated: bool,
    pub map: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            modules: Vec::new(),
            classes: Vec::new(),
            quick: false,
            jobs: 2,
            update: false,
            binary: None,
            backend: None,
            timeout_s: None,
            ports: (11_000, 28_000),
            out: None,
            isolated: false,
            map: false,
        }
    }
}

impl Options {
    pub fn parse(args: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
            match arg.as_str() {
                "--module" => options.modules.push(value()?.clone()),
                "--class" => options.classes.push(class(value()?)),
                "--quick" => options.quick = true,
                "--jobs" => options.jobs = number::<usize>(arg, value()?)?.max(1),
                "--update" => options.update = true,
                "--binary" => options.binary = Some(PathBuf::from(value()?)),
                "--backend" => options.backend = Some(value()?.clone()),
                "--timeout" => options.timeout_s = Some(number::<u64>(arg, value()?)?.max(1)),
                "--ports" => options.ports = ports(value()?)?,
                "--out" => options.out = Some(PathBuf::from(value()?)),
                "--isolated" => options.isolated = true,
                "--map" => options.map = true,
                _ => return Err(USAGE.to_owned()),
            }
        }
        if options.backend.is_some() && options.update {
            return Err("--update writes down what our own broker does: leave --backend out".to_owned());
        }
        Ok(options)
    }

    /// Whether a test is asked for by its class, its method or its module.
    pub fn wants(&self, module: &str, class: &str, test: &str) -> bool {
        if self.modules.is_empty() && self.classes.is_empty() {
            return true;
        }
        let named = |(name, method): &(String, Option<String>)| {
            let class =
                class == name || class.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.'));
            class && method.as_deref().is_none_or(|method| method == method_of(test))
        };
        self.modules.iter().any(|name| name == module) || self.classes.iter().any(named)
    }
}

/// The method in the name of a test: `testIt [1] combined` and `testIt(String)[2]` are both of `testIt`.
pub fn method_of(test: &str) -> &str {
    test.split([' ', '(']).next().unwrap_or(test)
}

fn class(text: &str) -> (String, Option<String>) {
    match text.split_once('#') {
        Some((class, method)) => (class.to_owned(), Some(method.to_owned())),
        None => (text.to_owned(), None),
    }
}

fn number<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{name} takes a number, not {value}"))
}

fn ports(text: &str) -> Result<(u16, u16), String> {
    let range = text.split_once('-').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    // A cluster of the tests has up to a dozen ports, and each is used once in a while only.
    range
        .filter(|(from, to): &(u16, u16)| to.saturating_sub(*from) >= 100)
        .ok_or_else(|| format!("--ports takes two ports at least 100 apart, as 11000-12000, not {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options, String> {
        Options::parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn without_arguments_every_test_is_wanted() {
        let options = parse(&[]).expect("no arguments are fine");
        assert!(options.wants("tools", "a.b.CTest", "testIt [1] combined"));
    }

    #[test]
    fn a_class_is_found_without_its_package_and_a_method_by_its_name() {
        let options = parse(&["--class", "CTest#testIt", "--module", "core"]).expect("both are fine");
        assert!(options.wants("tools", "a.b.CTest", "testIt [1] combined"));
        assert!(options.wants("tools", "a.b.CTest", "testIt(String)[2]"));
        assert!(!options.wants("tools", "a.b.CTest", "testIts [1] combined"));
        assert!(!options.wants("tools", "a.b.ABCTest", "testIt"));
        assert!(options.wants("core", "x.Y", "z"));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(parse(&["--ports", "1000-1010"]).expect_err("too few").contains("100 apart"));
        assert!(parse(&["--jobs", "many"]).expect_err("no number").contains("takes a number"));
        assert!(parse(&["--backend", "x", "--update"]).expect_err("not ours").contains("our own broker"));
    }
}
