//! Figures of several runs: their medians and spreads, as a table and as a file.

use serde::Serialize;

use super::side::Who;

/// What one run came to.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub side: Who,
    pub mb_per_second: f64,
    pub mb_per_cpu_second: f64,
    pub requests_per_second: f64,
    pub cpu_us_per_request: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Resident memory at the end of the run.
    pub resident_mb: f64,
    pub cpu_seconds: f64,
    pub seconds: f64,
}

/// All runs of one workload, in the order in which they ran: a pair is one run of each side, next to each other.
#[derive(Debug, Clone, Serialize)]
pub struct Series {
    pub workload: &'static str,
    pub what: String,
    pub runs: Vec<Figures>,
}

/// The middle of several values, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
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
        Some(Self { median, min: *values.first()?, max: *values.last()? })
    }

    pub fn show(self, digits: usize) -> String {
        let Self { median, min, max } = self;
        if (max - min).abs() < f64::EPSILON {
            return format!("{median:.digits$}");
        }
        format!("{median:.digits$} ({min:.digits$}-{max:.digits$})")
    }
}

type Column = (&'static str, usize, fn(&Figures) -> f64);

const COLUMNS: &[Column] = &[
    ("MB/s", 0, |run| run.mb_per_second),
    ("MB per CPU-s", 0, |run| run.mb_per_cpu_second),
    ("requests/s", 0, |run| run.requests_per_second),
    ("CPU us per request", 1, |run| run.cpu_us_per_request),
    ("p50 ms", 2, |run| run.p50_ms),
    ("p99 ms", 2, |run| run.p99_ms),
    ("resident MB", 0, |run| run.resident_mb),
];

impl Series {
    /// A table in Markdown: a row for each side, and how much more work per CPU second ours does.
    pub fn table(&self) -> String {
        let header: Vec<_> = COLUMNS.iter().map(|(name, ..)| *name).collect();
        let mut text = format!(
            "{}: {}\n\n| | {} |\n|---{}|\n",
            self.workload,
            self.what,
            header.join(" | "),
            "|---".repeat(COLUMNS.len())
        );
        for who in [Who::Ours, Who::Kafka] {
            let runs: Vec<_> = self.runs.iter().filter(|run| run.side == who).collect();
            if runs.is_empty() {
                continue;
            }
            let cells: Vec<_> = COLUMNS
                .iter()
                .filter_map(|(_, digits, of)| Some(Spread::of(runs.iter().map(|run| of(run)))?.show(*digits)))
                .collect();
            text += &format!("| {} | {} |\n", who.name(), cells.join(" | "));
        }
        if let Some(ratio) = self.ratio() {
            text += &format!(
                "\nWork per CPU second: {} times that of Apache Kafka, pair by pair\n",
                ratio.show(2)
            );
        }
        text
    }

    /// How many times the work of Kafka's our CPU second does, over the pairs.
    pub fn ratio(&self) -> Option<Spread> {
        let of = |who| self.runs.iter().filter(move |run| run.side == who).map(|run| run.cpu_us_per_request);
        Spread::of(of(Who::Ours).zip(of(Who::Kafka)).map(|(ours, theirs)| theirs / ours))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_or_lies_between_two() {
        let odd = Spread::of([3.0, 1.0, 2.0]).expect("three values");
        assert_eq!((odd.median, odd.min, odd.max), (2.0, 1.0, 3.0));
        assert_eq!(Spread::of([1.0, 4.0, 2.0, 3.0]).expect("four values").median, 2.5);
        assert!(Spread::of([]).is_none());
        assert_eq!(odd.show(1), "2.0 (1.0-3.0)");
    }

    #[test]
    fn a_ratio_is_taken_pair_by_pair() {
        let run = |side, cpu_us_per_request| Figures {
            side,
            mb_per_second: 0.0,
            mb_per_cpu_second: 0.0,
            requests_per_second: 0.0,
            cpu_us_per_request,
            p50_ms: 0.0,
            p99_ms: 0.0,
            resident_mb: 0.0,
            cpu_seconds: 0.0,
            seconds: 0.0,
        };
        let runs = vec![run(Who::Ours, 2.0), run(Who::Kafka, 8.0), run(Who::Kafka, 9.0), run(Who::Ours, 3.0)];
        let series = Series { workload: "w", what: String::new(), runs };
        let ratio = series.ratio().expect("two pairs");
        assert_eq!((ratio.min, ratio.max), (3.0, 4.0));
    }
}
