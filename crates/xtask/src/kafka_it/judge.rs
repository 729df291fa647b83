//! What came out, held against what was expected.

use std::collections::BTreeMap;

use super::expectations::{Expectations, Expected, Name};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Pass,
    Fail,
    /// The test could not say anything about a process.
    NotApplicable,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    pub outcome: Outcome,
    pub seconds: f64,
    /// The first line of the error.
    pub error: String,
}

impl Ended {
    pub fn passed(&self) -> bool {
        self.outcome == Outcome::Pass
    }
}

/// How tests ended, by class and test.
pub type Results = BTreeMap<Name, Ended>;

/// Reads the rows that the runner appends: class, test, PASS, FAIL or NA, seconds, the first line of the error.
pub fn parse_results(text: &str) -> Results {
    let rows = text.lines().filter_map(|line| {
        let mut fields = line.splitn(5, '\t');
        let name = (fields.next()?.to_owned(), fields.next()?.to_owned());
        let outcome = match fields.next()? {
            "PASS" => Outcome::Pass,
            "FAIL" => Outcome::Fail,
            "NA" => Outcome::NotApplicable,
            _ => return None,
        };
        let seconds = fields.next()?.parse().ok()?;
        Some((name, Ended { outcome, seconds, error: fields.next().unwrap_or_default().to_owned() }))
    });
    rows.collect()
}

/// Tests of a run, by what follows from how they ended.
#[derive(Debug, Default, PartialEq)]
pub struct Verdict {
    /// Expected to pass, and did.
    pub passed: usize,
    /// Not expected to pass, and did not.
    pub not_yet: usize,
    /// Expected to pass, and did not: with what was seen instead.
    pub broken: Vec<(Name, String)>,
    /// Not expected to pass, and did.
    pub risen: Vec<Name>,
}

impl Verdict {
    /// Judges the tests that were asked for; one without a result did not pass.
    pub fn of(asked: &Expectations, results: &Results) -> Self {
        let mut verdict = Self::default();
        for (name, expected) in &asked.0 {
            let ended = results.get(name);
            let passed = ended.is_some_and(Ended::passed);
            match (expected, passed) {
                (Expected::Pass { .. }, true) => verdict.passed += 1,
                (Expected::Pass { .. }, false) => {
                    verdict
                        .broken
                        .push((name.clone(), ended.map_or_else(no_result, |ended| ended.error.clone())));
                }
                (_, true) => verdict.risen.push(name.clone()),
                (_, false) => verdict.not_yet += 1,
            }
        }
        verdict
    }
}

fn no_result() -> String {
    "it has no result: it did not run, or its JVM ended before it".to_owned()
}

/// A test is quick when it takes no longer than this: all that are take about four minutes on two cores.
const QUICK_SECONDS: f64 = 12.0;

/// Moves up what has come to pass. What does not pass any more stays PASS: to take that back is a decision for people.
pub fn move_up(expectations: &mut Expectations, verdict: &Verdict, results: &Results) {
    for name in &verdict.risen {
        let quick = results.get(name).is_some_and(|ended| ended.seconds <= QUICK_SECONDS);
        expectations.0.insert(name.clone(), Expected::Pass { quick });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(test: &str) -> Name {
        ("a.B".to_owned(), test.to_owned())
    }

    fn expectations() -> Expectations {
        let text = "a.B\tgood\tPASS\t\na.B\tbad\tPASS\t\na.B\tlost\tPASS\t\na.B\tlater\tNOT YET\tACLs\na.B\tnow\tNOT YET\tACLs\n";
        Expectations::parse(text).expect("rows")
    }

    fn results() -> Results {
        parse_results(
            "a.B\tgood\tPASS\t1.0\t\na.B\tbad\tFAIL\t2.0\tit\tbroke\na.B\tlater\tNA\t0.1\tno\n\
             a.B\tnow\tPASS\t0.5\t\na.B\tnew\tPASS\t9.0\t\nnot a row\n",
        )
    }

    #[test]
    fn each_way_to_differ_is_told_apart() {
        let verdict = Verdict::of(&expectations(), &results());
        assert_eq!((verdict.passed, verdict.not_yet), (1, 1));
        assert_eq!(verdict.broken, [(name("bad"), "it\tbroke".to_owned()), (name("lost"), no_result())]);
        assert_eq!(verdict.risen, [name("now")]);
    }

    #[test]
    fn an_update_moves_up_and_never_takes_back() {
        let mut moved = expectations();
        move_up(&mut moved, &Verdict::of(&expectations(), &results()), &results());
        assert_eq!(moved.0[&name("now")], Expected::Pass { quick: true });
        assert_eq!(moved.0[&name("bad")], Expected::Pass { quick: false });
        assert_eq!(moved.0[&name("later")], Expected::NotYet { feature: "ACLs".to_owned() });
        assert!(!moved.0.contains_key(&name("new")));
    }
}
