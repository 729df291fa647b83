//! The command line of `cargo xtask powercut`.

use std::time::Duration;

const USAGE: &str = "usage: cargo xtask powercut [OPTION]...
  --rounds N        how often the power is cut (10)
  --records N       how many records are acknowledged before each cut, at least (20000)
  --kafka           cut Apache Kafka's power, and do not fail for what it loses; the same as
                    --broker conformance/backends/kafka --tolerant
  --broker COMMAND  cut another broker's: COMMAND is run with the path of a server.properties as its last argument
  --tolerant        tell violations, and do not fail for them
  --back-ms N       how long the broker may take from exec to the first record acknowledged and read (2000)
  --disk-mib N      the size of its disk, a sparse file (16384)
  --seed N          of the moments at which the power is cut (1)
  --update-docs     write the figures of this run into docs/reliability.md";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub rounds: u32,
    pub records: u64,
    pub broker: Option<String>,
    pub tolerant: bool,
    pub back: Duration,
    pub disk_mib: u64,
    pub seed: u64,
    pub update_docs: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rounds: 10,
            records: 20_000,
            broker: None,
            tolerant: false,
            back: Duration::from_secs(2),
            disk_mib: 16_384,
            seed: 1,
            update_docs: false,
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
                "--rounds" => options.rounds = number(arg, value()?)?,
                "--records" => options.records = number(arg, value()?)?,
                "--kafka" => {
                    options.broker = Some("conformance/backends/kafka".to_owned());
                    options.tolerant = true;
                }
                "--broker" => options.broker = Some(value()?.clone()),
                "--tolerant" => options.tolerant = true,
                "--back-ms" => options.back = Duration::from_millis(number(arg, value()?)?),
                "--disk-mib" => options.disk_mib = number(arg, value()?)?,
                "--seed" => options.seed = number(arg, value()?)?,
                "--update-docs" => options.update_docs = true,
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }

    /// Whose figures these are, as the page calls them.
    pub fn subject(&self) -> &'static str {
        if self.broker.is_none() { "riverrun" } else { "kafka" }
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} takes a number, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafka_is_another_broker_that_may_lose() {
        let options = Options::parse(&["--kafka".to_owned(), "--rounds".to_owned(), "3".to_owned()]);
        let options = options.expect("both are known");
        assert!(options.tolerant && options.broker.is_some());
        assert_eq!((options.rounds, options.subject()), (3, "kafka"));
        assert!(Options::parse(&["--round".to_owned()]).is_err());
    }
}
