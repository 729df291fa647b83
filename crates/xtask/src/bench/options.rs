//! The command line of `cargo xtask bench`.

use std::time::Duration;

const USAGE: &str =
    "usage: cargo xtask bench [w1] [w2] [start] [idle] [OPTION]...    (all four if none is named)
  w1                64 KiB batches, 4 connections with 4 requests in flight
  w2                one record of 100 bytes a request, 64 connections with 1 and with 5 in flight
  start             from exec to the first acknowledged record, on an empty directory
  idle              resident memory five seconds after that, and the size of the binary
  --pairs N         runs of each side in each workload, interleaved (3)
  --seconds S       how long one run is measured at most (10)
  --gib N           how much one run appends at most (2)
  --warm S          how long Kafka is loaded before its first run of each workload (30)
  --ours-only       leave Apache Kafka out
  --port P          first of the loopback ports to use (21300)";

#[derive(Debug, Clone)]
pub struct Options {
    parts: Vec<String>,
    pub pairs: usize,
    pub seconds: Duration,
    pub gib: u64,
    pub warm: Duration,
    pub kafka: bool,
    pub port: u16,
}

pub const PARTS: &[&str] = &["w1", "w2", "start", "idle"];

impl Options {
    pub fn parse(args: &[String]) -> Result<Self, String> {
        let mut options = Self {
            parts: Vec::new(),
            pairs: 3,
            seconds: Duration::from_secs(10),
            gib: 2,
            warm: Duration::from_secs(30),
            kafka: true,
            port: 21_300,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut number = || {
                let value = args.next().ok_or_else(|| format!("{arg} needs a number\n{USAGE}"))?;
                value.parse::<u16>().map_err(|_| format!("{arg} {value}: not a number\n{USAGE}"))
            };
            match arg.as_str() {
                part if PARTS.contains(&part) => options.parts.push(part.to_owned()),
                "--pairs" => options.pairs = usize::from(number()?.max(1)),
                "--seconds" => options.seconds = Duration::from_secs(number()?.max(1).into()),
                "--gib" => options.gib = number()?.max(1).into(),
                "--warm" => options.warm = Duration::from_secs(number()?.into()),
                "--port" => options.port = number()?,
                "--ours-only" => options.kafka = false,
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }

    pub fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|one| one == part)
    }
}
