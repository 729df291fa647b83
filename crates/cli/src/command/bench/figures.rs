//! What a run came to.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, json};

use crate::command::{Failure, units};
use crate::print::Output;

/// Records and bytes, and the time that they took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    pub records: u64,
    pub bytes: u64,
}

impl Count {
    /// Adds itself and its rate to what is printed.
    pub fn show(self, output: Output, took: Duration) -> Output {
        let seconds = took.as_secs_f64().max(1e-9);
        let per_second = |count: u64| count as f64 / seconds;
        output
            .member("records", self.records)
            .member("bytes", self.bytes)
            .member("seconds", seconds)
            .member("records_per_second", per_second(self.records))
            .member("bytes_per_second", per_second(self.bytes))
            .fact("records", format!("{} in {}", self.records, units::span(seconds)))
            .fact("rate", format!("{:.0} records a second", per_second(self.records)))
            .fact("volume", format!("{} a second", units::bytes(per_second(self.bytes) as u64)))
    }
}

/// How long something took, many times.
#[derive(Debug)]
pub struct Times(Histogram<u64>);

/// A minute, in microseconds. What took longer counts as that.
const LONGEST_US: u64 = 60_000_000;

/// What is said of them, and how it is named for programs.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999)];

impl Times {
    pub fn new() -> Result<Self, Failure> {
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, 3);
        histogram.map(Self).map_err(|error| Failure::failed(format!("times cannot be counted: {error}")))
    }

    pub fn add(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_micros()).unwrap_or(LONGEST_US));
    }

    /// Adds itself to what is printed; it says nothing if nothing was timed.
    pub fn show(&self, word: &'static str, output: Output) -> Output {
        if self.0.is_empty() {
            return output;
        }
        let millis = |micros: u64| micros as f64 / 1e3;
        let mut times = Map::new();
        let mut words = Vec::new();
        for (quantile, share) in QUANTILES {
            let time = millis(self.0.value_at_quantile(share));
            times.insert(quantile.to_owned(), json!(time));
            words.push(format!("{quantile} {time:.2} ms"));
        }
        times.insert("max".to_owned(), json!(millis(self.0.max())));
        words.push(format!("at most {:.2} ms", millis(self.0.max())));
        output.member(format!("{word}_ms"), times).fact(word, words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_milliseconds() {
        let mut times = Times::new().expect("its bounds are sound");
        (1..=1000).for_each(|millis| times.add(Duration::from_millis(millis)));
        let output = times.show("acknowledged", Output::new(json!({})));
        let times = &output.value()["acknowledged_ms"];
        let near = |quantile: &str, wanted: f64| {
            let time = times[quantile].as_f64().unwrap_or_default();
            assert!((time - wanted).abs() < wanted / 500.0, "{quantile}: {time}");
        };
        near("p50", 500.0);
        near("p99", 990.0);
        near("max", 1000.0);
    }

    #[test]
    fn a_rate_is_what_was_counted_by_its_time() {
        let count = Count { records: 500, bytes: 10_000 };
        let output = count.show(Output::new(json!({})), Duration::from_secs(2));
        let value = output.value();
        assert_eq!(
            (&value["records_per_second"], &value["bytes_per_second"]),
            (&json!(250.0), &json!(5000.0))
        );
    }
}
