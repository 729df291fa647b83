//! What was judged, added up over a run.

use std::time::Duration;

use serde::Deserialize;

use super::client::Back;
use crate::sim::grouped;

/// One judgement of the clients. All but the first three are faults, counted since the last judgement.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
pub struct Judged {
    /// Since the run began.
    pub acknowledged: u64,
    /// Commits of the group that were acknowledged since the run began.
    pub commits: u64,
    /// Records that were read back.
    pub read: u64,
    pub lost: u64,
    pub duplicate: u64,
    pub reordered: u64,
    pub wrong: u64,
    /// At another offset than the acknowledgement said.
    pub moved: u64,
    /// Keys of the compacted topic whose last value is not the last that was acknowledged.
    pub stale_keys: u64,
    pub commits_back: u64,
    /// Numbers that somebody who read along did not see, or saw twice.
    pub gaps: u64,
    /// Records that the client gave up, as the broker refused them for good.
    pub refused: u64,
    /// Records that were not acknowledged long after the broker was back.
    pub unanswered: u64,
    /// Partitions that could not be read to their ends.
    pub unread: u64,
    pub examples: Vec<String>,
}

impl Judged {
    /// Each kind of fault with its count.
    pub fn faults(&self) -> [(&'static str, u64); 11] {
        [
            ("lost", self.lost),
            ("duplicate", self.duplicate),
            ("reordered", self.reordered),
            ("with wrong bytes", self.wrong),
            ("at another offset", self.moved),
            ("keys with an older value", self.stale_keys),
            ("commits gone back", self.commits_back),
            ("gaps for a reader", self.gaps),
            ("refused", self.refused),
            ("unanswered", self.unanswered),
            ("partitions unreadable", self.unread),
        ]
    }

    fn add(&mut self, later: Self) {
        self.acknowledged = later.acknowledged;
        self.commits = later.commits;
        self.read += later.read;
        self.lost += later.lost;
        self.duplicate += later.duplicate;
        self.reordered += later.reordered;
        self.wrong += later.wrong;
        self.moved += later.moved;
        self.stale_keys += later.stale_keys;
        self.commits_back += later.commits_back;
        self.gaps += later.gaps;
        self.refused += later.refused;
        self.unanswered += later.unanswered;
        self.unread += later.unread;
        self.examples.extend(later.examples);
    }
}

/// A run so far.
#[derive(Debug, Default)]
pub struct Tally {
    pub cuts: u32,
    /// How many of them met the broker while it recovered from the one before.
    pub cuts_in_recovery: u32,
    pub total: Judged,
    /// In the last round.
    last: Judged,
    back: Vec<Back>,
    /// How many records there were when everything was read once more, at the end.
    whole: u64,
}

impl Tally {
    pub fn returned(&mut self, back: Back) {
        self.back.push(back);
    }

    /// Takes a judgement in; the last one is of all there is.
    pub fn judged(&mut self, judged: Judged, whole: bool) {
        if whole {
            self.whole = judged.read;
        }
        self.last = Judged {
            acknowledged: judged.acknowledged - self.total.acknowledged.min(judged.acknowledged),
            ..judged.clone()
        };
        self.total.add(judged);
    }

    /// One round for whoever watches.
    pub fn line(&self, round: u32) -> String {
        let faults: Vec<_> = self
            .last
            .faults()
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{} {name}", grouped(*count)))
            .collect();
        let faults = if faults.is_empty() { "all there".to_owned() } else { faults.join(", ") };
        let back = self.back.last().map_or_else(String::new, |back| {
            format!(
                "; {} ms to the first acknowledgement, {} ms to the first read",
                back.acknowledged.as_millis(),
                back.read.as_millis()
            )
        });
        let mut line =
            format!("{round:>4}  {:>7} acknowledged: {faults}{back}", grouped(self.last.acknowledged));
        for example in &self.last.examples {
            line.push_str("\n      ");
            line.push_str(example);
        }
        line
    }

    /// The run in a line.
    pub fn summary(&self) -> String {
        let faults: Vec<_> =
            self.total.faults().iter().map(|(name, count)| format!("{} {name}", grouped(*count))).collect();
        let times = self.times().map_or_else(String::new, |times| {
            format!(
                "; from exec to the first acknowledgement {} ms (at most {}), to the first read {} ms (at most {})",
                times.acknowledged_median.as_millis(),
                times.acknowledged_max.as_millis(),
                times.read_median.as_millis(),
                times.read_max.as_millis()
            )
        });
        format!(
            "{} cuts, {} of them in a recovery; {} records and {} commits acknowledged, {} records read at the end: {}{times}",
            self.cuts,
            self.cuts_in_recovery,
            grouped(self.total.acknowledged),
            grouped(self.total.commits),
            grouped(self.whole),
            faults.join(", ")
        )
    }

    pub fn times(&self) -> Option<Times> {
        let sorted = |of: fn(&Back) -> Duration| {
            let mut all: Vec<_> = self.back.iter().map(of).collect();
            all.sort();
            all
        };
        let (acknowledged, read) = (sorted(|back| back.acknowledged), sorted(|back| back.read));
        Some(Times {
            acknowledged_median: *acknowledged.get(acknowledged.len() / 2)?,
            acknowledged_max: *acknowledged.last()?,
            read_median: *read.get(read.len() / 2)?,
            read_max: *read.last()?,
        })
    }

    /// What must not be. How long a return may take is judged only if a limit is given.
    pub fn violations(&self, limit: Option<Duration>) -> Vec<String> {
        let mut violations: Vec<_> = self
            .total
            .faults()
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{} {name}", grouped(*count)))
            .collect();
        if self.total.acknowledged == 0 || self.total.commits == 0 {
            violations.push("nothing was acknowledged, so nothing was shown".to_owned());
        }
        if let (Some(limit), Some(times)) = (limit, self.times()) {
            let slowest = times.acknowledged_max.max(times.read_max);
            if slowest > limit {
                violations.push(format!(
                    "the broker was back after {} ms, not within {}",
                    slowest.as_millis(),
                    limit.as_millis()
                ));
            }
        }
        violations
    }
}

/// From exec to the first acknowledgement and the first read, over all rounds.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub acknowledged_median: Duration,
    pub acknowledged_max: Duration,
    pub read_median: Duration,
    pub read_max: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(acknowledged: u64) -> Judged {
        Judged { acknowledged, commits: 1, ..Judged::default() }
    }

    #[test]
    fn every_kind_of_fault_is_a_violation() {
        let text = r#"{"acknowledged":9,"commits":1,"read":9,"lost":1,"duplicate":1,"reordered":1,"wrong":1,"moved":1,
            "stale_keys":1,"commits_back":1,"gaps":1,"refused":1,"unanswered":1,"unread":1,"examples":["x"]}"#;
        let mut tally = Tally::default();
        tally.judged(serde_json::from_str(text).expect("what the clients say"), false);
        assert_eq!(tally.violations(None).len(), 11);
        assert!(tally.line(1).contains("1 lost, 1 duplicate") && tally.line(1).ends_with("\n      x"));
    }

    #[test]
    fn a_run_without_faults_has_to_be_quick_and_about_something() {
        let mut tally = Tally::default();
        assert_eq!(tally.violations(None).len(), 1, "nothing was acknowledged");
        tally.judged(judged(1_234_567), false);
        tally.returned(Back { acknowledged: Duration::from_millis(900), read: Duration::from_millis(2_100) });
        assert!(tally.violations(None).is_empty());
        assert_eq!(tally.violations(Some(Duration::from_secs(2))).len(), 1);
        assert!(tally.summary().contains("1,234,567 records"), "{}", tally.summary());
    }

    #[test]
    fn acknowledgements_are_a_total_and_a_round_has_its_share() {
        let mut tally = Tally::default();
        tally.judged(judged(100), false);
        tally.judged(judged(250), false);
        assert_eq!(tally.total.acknowledged, 250);
        assert!(tally.line(2).contains("150 acknowledged: all there"), "{}", tally.line(2));
    }
}
