//! What a run came to.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

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
pub struct Times {
    /// Each as often as it stands for.
    histogram: Histogram<u64>,
    measured: u64,
    max: Duration,
}

/// A minute, in microseconds. In percentiles what took longer counts as that.
const LONGEST_US: u64 = 60_000_000;

/// What is said of them, how it is named for programs, and of how many times it can be said: of fewer, none is the one that
/// so few are above.
const QUANTILES: [(&str, f64, u64); 4] =
    [("p50", 0.5, 2), ("p95", 0.95, 20), ("p99", 0.99, 100), ("p99.9", 0.999, 1000)];

impl Times {
    pub fn new() -> Result<Self, Failure> {
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, 3)
            .map_err(|error| Failure::failed(format!("times cannot be counted: {error}")))?;
        Ok(Self { histogram, measured: 0, max: Duration::ZERO })
    }

    pub fn add(&mut self, time: Duration) {
        self.add_for(time, 1);
    }

    /// Adds a time that was measured for so many, of which it is one.
    pub fn add_for(&mut self, time: Duration, count: u64) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(LONGEST_US);
        self.histogram.saturating_record_n(micros.min(LONGEST_US), count);
        self.measured += 1;
        self.max = self.max.max(time);
    }

    /// Adds itself to what is printed, with how many of `all` were measured; it says nothing if nothing was.
    pub fn show(&self, word: &'static str, all: u64, output: Output) -> Output {
        if self.measured == 0 {
            return output;
        }
        let longest = self.max.as_secs_f64() * 1e3;
        let mut times = Map::new();
        let mut words = Vec::new();
        for (quantile, share, least) in QUANTILES {
            // A histogram is exact to three digits, and the longest time is exact.
            let time = (self.histogram.value_at_quantile(share) as f64 / 1e3).min(longest);
            let is_known = self.measured >= least;
            times.insert(quantile.to_owned(), if is_known { json!(time) } else { Value::Null });
            if is_known {
                words.push(format!("{quantile} {time:.2} ms"));
            }
        }
        times.insert("max".to_owned(), json!(longest));
        let of = match self.measured < all {
            true => format!(" of the {} of {all} that were measured", self.measured),
            false => String::new(),
        };
        words.push(format!("at most {longest:.2} ms{of}"));
        output
            .member(format!("{word}_ms"), times)
            .member(format!("{word}_measured"), self.measured)
            .fact(word, words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_milliseconds() {
        let mut times = Times::new().expect("its bounds are sound");
        (1..=1000).for_each(|millis| times.add(Duration::from_millis(millis)));
        let output = times.show("acknowledged", 1000, Output::new(json!({})));
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
    fn no_percentile_is_told_that_so_few_times_do_not_have() {
        let mut times = Times::new().expect("its bounds are sound");
        (1..=20).for_each(|millis| times.add(Duration::from_millis(millis)));
        let output = times.show("acknowledged", 20, Output::new(json!({})));
        let told = &output.value()["acknowledged_ms"];
        assert!(told["p50"].is_f64() && told["p95"].is_f64(), "{told}");
        assert!(told["p99"].is_null() && told["p99.9"].is_null(), "{told}");
        assert_eq!((&told["max"], &output.value()["acknowledged_measured"]), (&json!(20.0), &json!(20)));
    }

    #[test]
    fn a_time_counts_for_those_that_it_stands_for_and_the_longest_is_exact() {
        let mut times = Times::new().expect("its bounds are sound");
        times.add_for(Duration::from_millis(1), 64);
        (0..64).for_each(|_| times.add(Duration::from_millis(9)));
        times.add(Duration::from_secs(90));
        let output = times.show("acknowledged", 129, Output::new(json!({})));
        let told = &output.value()["acknowledged_ms"];
        assert!(told["p50"].as_f64().is_some_and(|time| time < 9.01), "{told}");
        assert_eq!((&told["max"], &output.value()["acknowledged_measured"]), (&json!(90_000.0), &json!(66)));
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
