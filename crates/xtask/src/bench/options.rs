//! The command line of `cargo xtask bench`.

use std::time::Duration;

use super::side::Who;

pub const USAGE: &str =
    "usage: cargo xtask bench [WORKLOAD]... [OPTION]...    (all workloads if none is named)
  W1   1 KB records, 12 partitions, acks=1: batches of 16 KiB, 64 KiB and 1 MiB
  W2   one record of 100 bytes a request, 64 connections with 1 and with 5 in flight, idempotent producers
  W4   20 MB/s to one partition and 50 consumers at its tail
  W5   a backlog that is not in memory, read while 100 MB/s are produced
  W6   5,000 records a second: latency relaxed, with flush.messages=1, and until a consumer has them
  W7   flush.messages=1, 128 partitions: 4 KiB batches, and one request for all partitions
  W9   many partitions: create, memory and CPU at rest, start after a stop and after kill -9
  W11  from exec to the first acknowledged record: empty, with data, after kill -9 with data
  W12  resident memory at rest and under W1, size of the binary
  W16  kill -9 under load with data in 1,000 partitions, until one and until all are served
  client  our client library beside librdkafka: records of 1 KB and of 100 bytes, written and read
       cargo xtask bench journal [OPTION]...    the journal beside syncs of segments, by partitions and size of batches
the order of things
  --pairs N            runs of each side in each workload, interleaved (3)
  --seconds S          how long one run is measured at most (3)
  --mib N              how much one run appends (or reads, in `client`) at most (1024)
  --warm S             how long Kafka is loaded before its first run of each workload (12)
  --patience S         how long quiet moments are waited for in all (60)
  --ours-only          leave Apache Kafka and librdkafka out
  --no-limit           leave the limit program out
  --pin                brokers on the second core, the load on the first
sizes
  --partitions N,N     for W9 (1000,10000)
  --data-mib N         for W5, W11 and W16 (2048)
  --heap-gib N         Kafka's heap (1; W9 gives it 2)
what becomes of the figures
  --record             keep them as docs/benchmarks.json, in place of older ones of the same workloads
  --check              fail where ours costs 15 % more CPU, against the limit program, than the recorded run
  --update-docs        write docs/benchmarks.md from the recorded run; alone, it runs nothing
  --profile            a flame graph of ours for each of W1, W2, W6, W7, from one more run of each
  --port P             first of the 150 loopback ports to use (21300)";

pub const IDS: &[&str] = &["W1", "W2", "W4", "W5", "W6", "W7", "W9", "W11", "W12", "W16", "client"];

#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub struct Options {
    ids: Vec<String>,
    pub pairs: usize,
    pub seconds: Duration,
    pub mib: u64,
    pub warm: Duration,
    pub patience: Duration,
    pub kafka: bool,
    pub limit: bool,
    pub pinned: bool,
    pub partitions: Vec<usize>,
    pub data_mib: u64,
    pub heap_gib: Option<u16>,
    pub record: bool,
    pub check: bool,
    pub update_docs: bool,
    pub profile: bool,
    pub port: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            pairs: 3,
            seconds: Duration::from_secs(3),
            mib: 1024,
            warm: Duration::from_secs(12),
            patience: Duration::from_secs(60),
            kafka: true,
            limit: true,
            pinned: false,
            partitions: vec![1_000, 10_000],
            data_mib: 2048,
            heap_gib: None,
            record: false,
            check: false,
            update_docs: false,
            profile: false,
            port: 21_300,
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
                id if IDS.iter().any(|one| one.eq_ignore_ascii_case(id)) => options.ids.push(id.to_owned()),
                "--pairs" => options.pairs = number(arg, value()?, 1, 100)? as usize,
                "--seconds" => options.seconds = Duration::from_secs(number(arg, value()?, 1, 3600)?),
                "--mib" => options.mib = number(arg, value()?, 16, 1 << 20)?,
                "--warm" => options.warm = Duration::from_secs(number(arg, value()?, 0, 600)?),
                "--patience" => options.patience = Duration::from_secs(number(arg, value()?, 0, 86_400)?),
                "--partitions" => {
                    let sizes = value()?.split(',').map(|size| number(arg, size, 1, 1_000_000));
                    options.partitions =
                        sizes.map(|size| Ok(size? as usize)).collect::<Result<_, String>>()?;
                }
                "--data-mib" => options.data_mib = number(arg, value()?, 1, 1 << 20)?,
                "--heap-gib" => options.heap_gib = Some(number(arg, value()?, 1, 256)? as u16),
                "--port" => options.port = number(arg, value()?, 1024, 65_000)? as u16,
                "--ours-only" => options.kafka = false,
                "--no-limit" => options.limit = false,
                "--pin" => options.pinned = true,
                "--record" => options.record = true,
                "--check" => options.check = true,
                "--update-docs" => options.update_docs = true,
                "--profile" => options.profile = true,
                "--help" | "-h" => return Err(USAGE.to_owned()),
                _ => return Err(format!("{arg} is not understood\n{USAGE}")),
            }
        }
        Ok(options)
    }

    pub fn wants(&self, id: &str) -> bool {
        self.ids.is_empty() || self.ids.iter().any(|one| one.eq_ignore_ascii_case(id))
    }

    pub fn brokers(&self) -> Vec<Who> {
        if self.kafka { vec![Who::Ours, Who::Kafka] } else { vec![Who::Ours] }
    }

    /// Whether the documentation is to be written from what was recorded before, and nothing else.
    pub fn only_docs(&self) -> bool {
        self.update_docs && self.ids.is_empty() && !self.record && !self.check && !self.profile
    }
}

fn number(name: &str, value: &str, min: u64, max: u64) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| format!("{name} {value}: not a number from {min} to {max}\n{USAGE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn workloads_are_named_in_either_case() {
        let options = parse("w1 W12 --pairs 7 --partitions 5,6").unwrap();
        assert!(options.wants("W1") && options.wants("W12") && !options.wants("W2"));
        assert_eq!((options.pairs, options.partitions), (7, vec![5, 6]));
        assert!(parse("").unwrap().wants("W9"));
        assert!(parse("Client").unwrap().wants("client"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in ["w3", "--pairs", "--pairs 0", "--pairs x", "--partitions 1,,2", "--help"] {
            assert!(parse(line).unwrap_err().contains("usage"), "{line}");
        }
    }

    #[test]
    fn docs_alone_run_nothing() {
        assert!(parse("--update-docs").unwrap().only_docs());
        assert!(!parse("--update-docs --record").unwrap().only_docs());
        assert!(!parse("--update-docs w1").unwrap().only_docs());
    }
}
