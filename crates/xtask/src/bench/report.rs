//! Runs of one workload, what they come to, and the table of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::quiet::NOISY_PERCENT;
use super::side::Who;

/// The sides, in the order in which tables have them.
const SIDES: [Who; 6] = [Who::Ours, Who::Relaxed, Who::Kafka, Who::Limit, Who::Client, Who::Librdkafka];

/// What one run of one side came to.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    pub side: Who,
    /// Runs with the same number ran next to each other.
    pub pair: usize,
    pub figures: BTreeMap<Metric, f64>,
    /// The share of the machine that others used meanwhile.
    pub foreign_percent: f64,
}

/// All runs of one shape of a workload, in the order in which they ran.
#[derive(Debug, Clone, Serialize)]
pub struct Series {
    pub workload: &'static str,
    pub shape: String,
    pub what: String,
    pub runs: Vec<Run>,
    /// What a side could not do, and what else a reader must know.
    pub notes: Vec<String>,
}

/// The middle of several values and how far they lie apart: median, least, most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread(f64, f64, f64);

/// What a series came to. This is what is printed, recorded, compared and published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub workload: String,
    pub shape: String,
    pub what: String,
    pub date: String,
    pub revision: String,
    pub pairs: usize,
    pub sides: BTreeMap<Who, BTreeMap<Metric, Spread>>,
    /// How many times better than Kafka we are, over the pairs.
    pub times_kafka: BTreeMap<Metric, Spread>,
    /// How near we are to the limit program, over the pairs: 1 is as good.
    pub of_limit: BTreeMap<Metric, Spread>,
    /// The same of ours where it acknowledges as Kafka does.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub relaxed_times_kafka: BTreeMap<Metric, Spread>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub relaxed_of_limit: BTreeMap<Metric, Spread>,
    /// How many times better than librdkafka our client is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub times_librdkafka: BTreeMap<Metric, Spread>,
    pub notes: Vec<String>,
}

impl Spread {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let median = match middle.checked_sub(1).and_then(|below| values.get(below)) {
            Some(lower) if values.len().is_multiple_of(2) => f64::midpoint(*lower, upper),
            _ => upper,
        };
        let rounded = |value: f64| (value * 1e4).round() / 1e4;
        Some(Self(rounded(median), rounded(*values.first()?), rounded(*values.last()?)))
    }

    pub fn median(self) -> f64 {
        self.0
    }

    pub fn show(self, digits: usize) -> String {
        let Self(median, min, max) = self;
        let show = |value: f64| grouped(&format!("{value:.digits$}"));
        if show(min) == show(max) {
            return show(median);
        }
        format!("{} ({}–{})", show(median), show(min), show(max))
    }
}

/// 12345.6 as 12,345.6.
fn grouped(number: &str) -> String {
    let whole = number.split('.').next().unwrap_or_default().len();
    let mut text = String::new();
    for (index, digit) in number.chars().enumerate() {
        if index > 0 && index < whole && (whole - index).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Series {
    /// The pairs that count: those in which others hardly used the machine, where at least half of all and two are left.
    fn kept(&self) -> (BTreeSet<usize>, usize) {
        let all: BTreeSet<usize> = self.runs.iter().map(|run| run.pair).collect();
        let noisy = self.runs.iter().filter(|run| run.foreign_percent > NOISY_PERCENT).map(|run| run.pair);
        let noisy: BTreeSet<usize> = noisy.collect();
        let quiet: BTreeSet<usize> = all.difference(&noisy).copied().collect();
        let enough = quiet.len() >= 2.min(all.len()) && quiet.len() * 2 >= all.len();
        (if enough { quiet } else { all }, noisy.len())
    }

    pub fn summary(&self, date: &str, revision: &str) -> Summary {
        let (kept, noisy) = self.kept();
        let runs: Vec<&Run> = self.runs.iter().filter(|run| kept.contains(&run.pair)).collect();
        let mut sides = BTreeMap::new();
        for side in SIDES {
            let spreads: BTreeMap<_, _> = metrics(&runs)
                .into_iter()
                .filter_map(|metric| Some((metric, spread(&runs, side, metric)?)))
                .collect();
            if !spreads.is_empty() {
                sides.insert(side, spreads);
            }
        }
        let mut notes = self.notes.clone();
        let all = self.runs.iter().map(|run| run.pair).collect::<BTreeSet<_>>().len();
        if noisy > 0 {
            let left = if kept.len() == all { "kept, too few others" } else { "left out" };
            notes.push(format!(
                "in {noisy} of {all} pairs others used more than {NOISY_PERCENT:.0} % of the machine: {left}"
            ));
        }
        Summary {
            workload: self.workload.to_owned(),
            shape: self.shape.clone(),
            what: self.what.clone(),
            date: date.to_owned(),
            revision: revision.to_owned(),
            pairs: kept.len(),
            sides,
            times_kafka: ratios(&runs, Who::Ours, Who::Kafka),
            of_limit: ratios(&runs, Who::Ours, Who::Limit),
            relaxed_times_kafka: ratios(&runs, Who::Relaxed, Who::Kafka),
            relaxed_of_limit: ratios(&runs, Who::Relaxed, Who::Limit),
            times_librdkafka: ratios(&runs, Who::Client, Who::Librdkafka),
            notes,
        }
    }
}

fn metrics(runs: &[&Run]) -> BTreeSet<Metric> {
    runs.iter().flat_map(|run| run.figures.keys().copied()).collect()
}

fn spread(runs: &[&Run], side: Who, metric: Metric) -> Option<Spread> {
    let of_side = runs.iter().filter(|run| run.side == side);
    Spread::of(of_side.filter_map(|run| run.figures.get(&metric).copied()))
}

/// How many times better one is than another, taken within each pair.
fn ratios(runs: &[&Run], one: Who, other: Who) -> BTreeMap<Metric, Spread> {
    let value = |pair: usize, side: Who, metric| {
        let run = runs.iter().find(|run| run.pair == pair && run.side == side)?;
        run.figures.get(&metric).copied().filter(|value| *value > 0.0)
    };
    let pairs: BTreeSet<usize> = runs.iter().map(|run| run.pair).collect();
    let ratio = |metric: Metric| {
        let within = pairs.iter().filter_map(|pair| {
            Some(metric.times_better(value(*pair, one, metric)?, value(*pair, other, metric)?))
        });
        Some((metric, Spread::of(within)?))
    };
    metrics(runs).into_iter().filter_map(ratio).collect()
}

impl Summary {
    /// A table in Markdown: a row for each side, and how ours compares.
    pub fn table(&self) -> String {
        let columns: BTreeSet<Metric> = self.sides.values().flat_map(|of| of.keys().copied()).collect();
        let header: Vec<_> = columns.iter().map(|metric| metric.title()).collect();
        let mut text = format!(
            "**{} {}**: {}.\n\n| | {} |\n|---{}|\n",
            self.workload,
            self.shape,
            self.what,
            header.join(" | "),
            "|---:".repeat(columns.len())
        );
        for (side, of) in &self.sides {
            text += &row(side.name(), &columns, |metric| Some(of.get(&metric)?.show(metric.digits())));
        }
        let times = |spread: Spread| spread.show(1);
        let fine = |spread: Spread| spread.show(2);
        let share = |Spread(median, min, max)| Spread(median * 100.0, min * 100.0, max * 100.0).show(0);
        let mut compared = |name: &str, of: &BTreeMap<Metric, Spread>, show: &dyn Fn(Spread) -> String| {
            if !of.is_empty() {
                text += &row(name, &columns, |metric| Some(show(*of.get(&metric)?)));
            }
        };
        compared("*times better than Kafka*", &self.times_kafka, &times);
        compared("*with `write.caching=true`*", &self.relaxed_times_kafka, &times);
        compared("*share of the limit, %*", &self.of_limit, &share);
        compared("*with `write.caching=true`, %*", &self.relaxed_of_limit, &share);
        compared("*times better than librdkafka*", &self.times_librdkafka, &fine);
        for note in &self.notes {
            text += &format!("\nNote: {note}.\n");
        }
        text
    }
}

fn row(name: &str, columns: &BTreeSet<Metric>, cell: impl Fn(Metric) -> Option<String>) -> String {
    let cells: Vec<_> = columns.iter().map(|metric| cell(*metric).unwrap_or("-".to_owned())).collect();
    format!("| {name} | {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(side: Who, pair: usize, cpu: f64, foreign_percent: f64) -> Run {
        Run { side, pair, figures: BTreeMap::from([(Metric::CpuUsPerRequest, cpu)]), foreign_percent }
    }

    fn summary(runs: Vec<Run>) -> Summary {
        let series =
            Series { workload: "W", shape: String::new(), what: String::new(), runs, notes: Vec::new() };
        series.summary("", "")
    }

    #[test]
    fn a_median_is_the_middle_or_lies_between_two() {
        let odd = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!(odd, Spread(2.0, 1.0, 3.0));
        assert_eq!(Spread::of([1.0, 4.0, 2.0, 3.0]).unwrap().median(), 2.5);
        assert!(Spread::of([]).is_none());
        assert_eq!(odd.show(1), "2.0 (1.0–3.0)");
        assert_eq!(Spread::of([1_234_567.0]).unwrap().show(0), "1,234,567");
    }

    #[test]
    fn a_ratio_is_taken_within_each_pair() {
        let of = summary(vec![
            run(Who::Ours, 0, 2.0, 0.0),
            run(Who::Kafka, 0, 8.0, 0.0),
            run(Who::Kafka, 1, 9.0, 0.0),
            run(Who::Ours, 1, 3.0, 0.0),
            run(Who::Limit, 1, 1.5, 0.0),
        ]);
        assert_eq!(of.times_kafka[&Metric::CpuUsPerRequest], Spread(3.5, 3.0, 4.0));
        assert_eq!(of.of_limit[&Metric::CpuUsPerRequest], Spread(0.5, 0.5, 0.5));
    }

    #[test]
    fn a_pair_beside_other_load_is_left_out_if_enough_remain() {
        let of = summary(vec![
            run(Who::Ours, 0, 2.0, 1.0),
            run(Who::Ours, 1, 9.0, 40.0),
            run(Who::Ours, 2, 2.0, 1.0),
        ]);
        assert_eq!((of.pairs, of.notes.len()), (2, 1));
        assert_eq!(of.sides[&Who::Ours][&Metric::CpuUsPerRequest], Spread(2.0, 2.0, 2.0));
        let all = summary(vec![run(Who::Ours, 0, 2.0, 50.0), run(Who::Ours, 1, 9.0, 40.0)]);
        assert_eq!((all.pairs, all.notes.len()), (2, 1));
    }
}
