//! `cargo xtask bench journal`: the two ways in which the broker makes a batch durable, one beside the other.
//!
//! The same broker runs twice: once everything goes through the journal, once nothing does and segments are synced. Both
//! are loaded in turn with batches of three sizes for one partition up to a thousand, one batch under way for each
//! partition. What came of it is in `docs/design/0007-the-journal.md`.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::load::Pace;
use super::metric::Metric;
use super::options::Options;
use super::produce;
use super::side::{Places, Side};
use super::warm::Warm;
use super::workloads::{PLAIN, Workload};
use crate::Outcome;

/// How many partitions have a batch under way.
const PARTITIONS: [usize; 4] = [1, 16, 128, 1000];

/// A size of batches: just below what its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Size {
    records: usize,
    value_bytes: usize,
    name: &'static str,
}

/// In their order.
const SIZES: [Size; 3] = [
    Size { records: 1, value_bytes: 930, name: "1 KiB" },
    Size { records: 15, value_bytes: 1024, name: "16 KiB" },
    Size { records: 1014, value_bytes: 1024, name: "1 MiB" },
];

/// How many bytes are under way at most: large batches for many partitions would only wait in memory.
const UNDER_WAY_MAX: usize = 32 << 20;

/// More requests of one connection do not begin before others are answered.
const IN_FLIGHT_MAX: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Journal,
    Segments,
}

impl Way {
    const BOTH: [Self; 2] = [Self::Journal, Self::Segments];

    /// The broker's setting for it.
    fn setting(self) -> &'static str {
        match self {
            Self::Journal => "log.journal.batch.max.bytes=1048576\n",
            Self::Segments => "log.journal.batch.max.bytes=0\n",
        }
    }
}

/// One run's figures.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Figures {
    acks_per_second: f64,
    cpu_us: f64,
    p50_us: f64,
    /// Nothing where so few requests were answered that it would only be the slowest of them.
    p99_us: Option<f64>,
}

type Cell = (usize, Size);

pub fn run(options: &Options, places: &Places) -> Outcome {
    let mut warm = Warm::new(&places.scratch)?;
    let mut runs: BTreeMap<(Cell, Way), Vec<Figures>> = BTreeMap::new();
    for round in 0..options.pairs {
        // The second is the first of the next round, so that neither always finds what the other left.
        let mut turn = Way::BOTH;
        if round % 2 == 1 {
            turn.reverse();
        }
        for way in turn {
            let side = Side::ours(places, way.setting())?;
            for (partitions, size) in cells() {
                let load = workload(partitions, size);
                let figures = produce::figures_of_one(&load, &side, &mut warm, options)
                    .and_then(|figures| Figures::of(&figures))
                    .map_err(|error| side.explain(&error))?;
                eprintln!("  {way:?}: {partitions} partitions, {}: {figures:?}", size.name);
                runs.entry(((partitions, size), way)).or_default().push(figures);
            }
            side.end()?;
        }
    }
    println!("{}", table(&runs));
    Ok(())
}

fn cells() -> impl Iterator<Item = Cell> {
    PARTITIONS.into_iter().flat_map(|partitions| SIZES.map(|size| (partitions, size)))
}

fn workload(partitions: usize, size: Size) -> Workload {
    let Size { records, value_bytes, .. } = size;
    let under_way = partitions.min(UNDER_WAY_MAX / (records * value_bytes)).max(1);
    let connections = under_way.min(16).max(under_way.div_ceil(IN_FLIGHT_MAX));
    Workload {
        id: "journal",
        connections,
        pace: Pace::InFlight(under_way.div_ceil(connections)),
        partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
        records,
        value_bytes,
        // As it is by default; said here because latency is looked at where it is said.
        flushed: true,
        ..PLAIN
    }
}

impl Figures {
    fn of(figures: &BTreeMap<Metric, f64>) -> Result<Self, String> {
        let figure = |metric: Metric| {
            figures.get(&metric).copied().ok_or_else(|| format!("too few requests for {}", metric.title()))
        };
        Ok(Self {
            acks_per_second: figure(Metric::RequestsPerSecond)?,
            cpu_us: figure(Metric::CpuUsPerRequest)?,
            p50_us: figure(Metric::P50Us)?,
            p99_us: figures.get(&Metric::P99Us).copied(),
        })
    }

    fn median(runs: &[Self]) -> Self {
        let middle = |figure: fn(&Self) -> f64| {
            let mut all: Vec<f64> = runs.iter().map(figure).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
        };
        let known = runs.iter().all(|run| run.p99_us.is_some());
        Self {
            acks_per_second: middle(|run| run.acks_per_second),
            cpu_us: middle(|run| run.cpu_us),
            p50_us: middle(|run| run.p50_us),
            p99_us: known.then(|| middle(|run| run.p99_us.unwrap_or(f64::NAN))),
        }
    }
}

/// The medians, the journal before the segments in each column.
fn table(runs: &BTreeMap<(Cell, Way), Vec<Figures>>) -> String {
    let mut table = "| batches | partitions | acknowledged a second | CPU us each | p50 ms | p99 ms |\n\
                     |---|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for size in SIZES {
        for partitions in PARTITIONS {
            let of = |way| runs.get(&((partitions, size), way)).map(|runs| Figures::median(runs));
            let (Some(journal), Some(segments)) = (of(Way::Journal), of(Way::Segments)) else { continue };
            let p99 =
                |figures: Figures| figures.p99_us.map_or("-".to_owned(), |us| format!("{:.2}", us / 1e3));
            let _ = writeln!(
                table,
                "| {} | {partitions} | {:.0} / {:.0} | {:.0} / {:.0} | {:.2} / {:.2} | {} / {} |",
                size.name,
                journal.acks_per_second,
                segments.acks_per_second,
                journal.cpu_us,
                segments.cpu_us,
                journal.p50_us / 1e3,
                segments.p50_us / 1e3,
                p99(journal),
                p99(segments),
            );
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::frames::Payload;

    #[test]
    fn each_partition_has_a_batch_under_way_as_far_as_memory_allows() {
        for (partitions, size) in cells() {
            let load = workload(partitions, size);
            let Pace::InFlight(each) = load.pace else { panic!("it is a closed load") };
            let under_way = load.connections * each;
            let bytes = under_way * load.records * load.value_bytes;
            assert!(under_way >= partitions || bytes * 10 > UNDER_WAY_MAX * 9, "{partitions}, {size:?}");
            assert!(each <= IN_FLIGHT_MAX && bytes <= UNDER_WAY_MAX + (2 << 20), "{partitions}, {size:?}");
        }
    }

    #[test]
    fn batches_are_just_below_the_size_in_their_name() {
        for (Size { records, value_bytes, name }, size) in SIZES.into_iter().zip([1, 16, 1024]) {
            let batch = Payload::new(records, value_bytes, false).unwrap().len();
            assert!((size * 1024 * 9 / 10..=size * 1024).contains(&batch), "{name}: {batch}");
        }
    }

    #[test]
    fn the_table_has_both_ways_in_each_column() {
        let figures = |cpu_us| Figures { acks_per_second: 10.0, cpu_us, p50_us: 1500.0, p99_us: None };
        let runs = BTreeMap::from([
            (((16, SIZES[0]), Way::Journal), vec![figures(3.0), figures(1.0), figures(2.0)]),
            (((16, SIZES[0]), Way::Segments), vec![figures(7.0)]),
        ]);
        let last = table(&runs).lines().last().unwrap().to_owned();
        assert_eq!(last, "| 1 KiB | 16 | 10 / 10 | 2 / 7 | 1.50 / 1.50 | - / - |");
    }
}
