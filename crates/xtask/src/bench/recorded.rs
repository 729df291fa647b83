//! The figures that the repository keeps: `docs/benchmarks.json`, what a new run is compared with, and what
//! `docs/benchmarks.md` shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::metric::Metric;
use super::report::{Spread, Summary};
use crate::Outcome;

const FILE: &str = "docs/benchmarks.json";
const PAGE: &str = "docs/benchmarks.md";

/// The page's generated part lies between these.
const BEGIN: &str = "<!-- figures: written by `cargo xtask bench --update-docs` -->";
const END: &str = "<!-- end of the figures -->";

/// More CPU for the same work than so much is a regression.
const GROWTH_MAX: f64 = 1.15;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recorded {
    machine: Machine,
    series: Vec<Kept>,
}

/// The figures of one workload, and where they were measured if that was not where the others were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    summary: Summary,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    elsewhere: Option<Machine>,
}

impl Recorded {
    pub fn new(machine: Machine) -> Self {
        Self { machine, series: Vec::new() }
    }

    pub fn read(root: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(root.join(FILE)).map_err(|error| format!("{FILE}: {error}"))?;
        serde_json::from_str(&text).map_err(|error| format!("{FILE}: {error}"))
    }

    /// Takes over newer figures; those of workloads that did not run stay.
    pub fn replace(&mut self, machine: Machine, newer: Vec<Summary>) {
        let stays = |old: &&Kept| !newer.iter().any(|new| same(&old.summary, new));
        if self.series.iter().filter(stays).all(|old| old.elsewhere.is_some()) {
            self.machine = machine.clone();
        }
        for old in &mut self.series {
            old.elsewhere.take_if(|elsewhere| *elsewhere == self.machine);
        }
        let elsewhere = (machine != self.machine).then_some(machine);
        for new in newer {
            let kept = self.series.iter_mut().find(|old| same(&old.summary, &new));
            let new = Kept { summary: new, elsewhere: elsewhere.clone() };
            match kept {
                Some(old) => *old = new,
                None => self.series.push(new),
            }
        }
        let order = |id: &str| super::options::IDS.iter().position(|one| *one == id);
        self.series.sort_by_key(|series| order(&series.summary.workload));
    }

    /// One series a line, so that a difference shows what changed.
    pub fn write(&self, root: &Path) -> Outcome {
        let line = |value: serde_json::Result<String>| value.map_err(|error| error.to_string());
        let series: Vec<String> =
            self.series.iter().map(|series| line(serde_json::to_string(series))).collect::<Result<_, _>>()?;
        let text = format!(
            "{{\n\"machine\": {},\n\"series\": [\n{}\n]\n}}\n",
            line(serde_json::to_string(&self.machine))?,
            series.join(",\n")
        );
        fs::write(root.join(FILE), text).map_err(|error| format!("{FILE}: {error}"))
    }

    /// Fails where ours costs much more CPU for a megabyte or a request than it did.
    pub fn check(&self, newer: &[Summary]) -> Outcome {
        let mut worse = Vec::new();
        for new in newer {
            let old = self.series.iter().map(|old| &old.summary).find(|old| same(old, new));
            let Some(old) = old else { continue };
            let Some((against, growth)) = growth(old, new) else { continue };
            let line = format!(
                "{} {}: CPU for the same work {:+.0} % since {}, against {against}",
                new.workload,
                new.shape,
                (growth - 1.0) * 100.0,
                old.revision
            );
            println!("{line}");
            if growth > GROWTH_MAX {
                worse.push(line);
            }
        }
        if worse.is_empty() { Ok(()) } else { Err(format!("slower than recorded:\n{}", worse.join("\n"))) }
    }
}

fn same(one: &Summary, other: &Summary) -> bool {
    (&one.workload, &one.shape) == (&other.workload, &other.shape)
}

/// How our CPU per unit of work has grown against something that ran beside it both times, so that another machine, or
/// a bad day of this one, is no regression. Only closed loads: under an open one a broker mostly waits.
fn growth(old: &Summary, new: &Summary) -> Option<(&'static str, f64)> {
    type Figures = BTreeMap<Metric, Spread>;
    let against = |name, metric, pick: fn(&Summary) -> &Figures| {
        Some((name, pick(old).get(&metric)?.median() / pick(new).get(&metric)?.median()))
    };
    against("the limit program", Metric::MbPerCpuSecond, |summary| &summary.of_limit)
        .or_else(|| against("Apache Kafka", Metric::MbPerCpuSecond, |summary| &summary.times_kafka))
        .or_else(|| against("librdkafka", Metric::RecordsPerCpuSecond, |summary| &summary.times_librdkafka))
}

/// Writes the recorded figures into the page.
pub fn publish(root: &Path) -> Outcome {
    let recorded = Recorded::read(root)?;
    let page = fs::read_to_string(root.join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let page = with_figures(&page, &recorded)?;
    fs::write(root.join(PAGE), page).map_err(|error| format!("{PAGE}: {error}"))
}

fn with_figures(page: &str, recorded: &Recorded) -> Result<String, String> {
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("{PAGE} has no place for figures: {BEGIN} … {END}"))?;
    let mut text = format!("{}.\n", recorded.machine);
    for Kept { summary: series, elsewhere } in &recorded.series {
        text += &format!("\n{}", series.table());
        let pairs = if series.pairs == 1 { "one pair".to_owned() } else { format!("{} pairs", series.pairs) };
        let on = elsewhere.as_ref().map_or_else(String::new, |machine| format!(", on {machine}"));
        text += &format!("\n{} at {}, {pairs}{on}.\n", series.date, series.revision);
    }
    Ok(format!("{before}{BEGIN}\n\n{text}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(of_limit: f64) -> Summary {
        let share = Spread::of([of_limit]).unwrap();
        Summary {
            workload: "W1".to_owned(),
            shape: "shape".to_owned(),
            what: "what".to_owned(),
            date: "2026-01-02".to_owned(),
            revision: "abc".to_owned(),
            pairs: 1,
            sides: BTreeMap::new(),
            times_kafka: BTreeMap::new(),
            of_limit: BTreeMap::from([(Metric::MbPerCpuSecond, share)]),
            relaxed_times_kafka: BTreeMap::new(),
            relaxed_of_limit: BTreeMap::new(),
            times_librdkafka: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    fn recorded(of_limit: f64) -> Recorded {
        let machine = Machine {
            cpu: "a CPU".to_owned(),
            cores: 2,
            memory_gib: 24,
            kernel: "6".to_owned(),
            file_system: "ext4".to_owned(),
            rustc: "rustc".to_owned(),
            java: "java".to_owned(),
        };
        Recorded { machine, series: vec![kept(summary(of_limit))] }
    }

    fn kept(summary: Summary) -> Kept {
        Kept { summary, elsewhere: None }
    }

    #[test]
    fn a_sixth_more_cpu_is_a_regression_and_a_tenth_is_not() {
        assert!(recorded(0.5).check(&[summary(0.5 / 1.1)]).is_ok());
        assert!(recorded(0.5).check(&[summary(0.5 / 1.17)]).unwrap_err().contains("W1 shape"));
        assert!(recorded(0.5).check(&[Summary { shape: "new".to_owned(), ..summary(0.1) }]).is_ok());
    }

    #[test]
    fn a_client_is_compared_by_its_records() {
        let of = |times| {
            let times = BTreeMap::from([(Metric::RecordsPerCpuSecond, Spread::of([times]).unwrap())]);
            Summary { of_limit: BTreeMap::new(), times_librdkafka: times, ..summary(0.5) }
        };
        let kept = Recorded { series: vec![kept(of(2.0))], ..recorded(0.5) };
        assert!(kept.check(&[of(1.9)]).is_ok());
        assert!(kept.check(&[of(1.6)]).unwrap_err().contains("librdkafka"));
    }

    #[test]
    fn newer_figures_take_the_place_of_older_ones_of_the_same_workload() {
        let mut all = recorded(0.5);
        let machine = all.machine.clone();
        let w2 = Summary { workload: "W2".to_owned(), ..summary(0.2) };
        all.replace(machine, vec![w2.clone(), summary(0.6)]);
        assert_eq!(all.series, [kept(summary(0.6)), kept(w2)]);
    }

    #[test]
    fn figures_of_another_machine_say_so_until_all_are_of_it() {
        let mut all = recorded(0.5);
        let other = Machine { cpu: "another CPU".to_owned(), ..all.machine.clone() };
        let w2 = Summary { workload: "W2".to_owned(), ..summary(0.2) };
        all.replace(other.clone(), vec![w2.clone()]);
        let page = format!("{BEGIN}\n{END}");
        let text = with_figures(&page, &all).unwrap();
        assert!(text.contains("\n2 cores of a CPU, 24 GiB"), "{text}");
        assert_eq!(
            text.matches("2026-01-02 at abc, one pair, on 2 cores of another CPU,").count(),
            1,
            "{text}"
        );
        all.replace(other.clone(), vec![summary(0.5), w2.clone()]);
        assert_eq!((all.machine, all.series), (other, vec![kept(summary(0.5)), kept(w2)]));
    }

    #[test]
    fn figures_are_written_between_their_marks_and_nothing_else_changes() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let page = with_figures(&page, &recorded(0.5)).unwrap();
        assert!(page.starts_with("before\n") && page.ends_with("\nafter\n") && !page.contains("old"));
        assert!(page.contains("**W1 shape**") && page.contains("2026-01-02 at abc"));
        assert!(with_figures("no marks", &recorded(0.5)).is_err());
    }
}
