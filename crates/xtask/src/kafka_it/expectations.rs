//! `conformance/kafka-it/expectations.tsv`: what is expected of each test. A row has four fields with tabs between:
//!
//! - the class and the test, as JUnit names them;
//! - `PASS`, `NOT YET` or `NA`;
//! - why: for `PASS` nothing, or `quick` where the test is part of `--quick`; for `NOT YET` one of [`FEATURES`], which is
//!   missing; for `NA` what of the broker's JVM the test reaches for, so that it says nothing about a process.

use std::collections::BTreeMap;
use std::fmt::Write;

/// A class and a test of it.
pub type Name = (String, String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    Pass { quick: bool },
    NotYet { feature: String },
    NotApplicable { reason: String },
}

impl Expected {
    pub fn passes(&self) -> bool {
        matches!(self, Self::Pass { .. })
    }

    fn fields(&self) -> (&'static str, &str) {
        match self {
            Self::Pass { quick } => ("PASS", if *quick { QUICK } else { "" }),
            Self::NotYet { feature } => ("NOT YET", feature),
            Self::NotApplicable { reason } => ("NA", reason),
        }
    }

    fn parse(status: &str, why: &str) -> Result<Self, String> {
        match (status, why) {
            ("PASS", "" | QUICK) => Ok(Self::Pass { quick: why == QUICK }),
            ("NOT YET", feature) if FEATURES.contains(&feature) => {
                Ok(Self::NotYet { feature: feature.to_owned() })
            }
            ("NOT YET", other) => Err(format!("{other:?} is none of the features: {}", FEATURES.join(", "))),
            ("NA", "") => Err("NA needs a reason".to_owned()),
            ("NA", reason) => Ok(Self::NotApplicable { reason: reason.to_owned() }),
            _ => Err(format!(
                "{status:?} with {why:?}: PASS, NOT YET or NA is expected, each with its own why"
            )),
        }
    }
}

const QUICK: &str = "quick";

/// What a test can wait for. Where it waits for a cluster and for something else, that is named.
pub const FEATURES: &[&str] = &[
    "several brokers",
    "isolated controllers",
    "consumer protocol (KIP-848)",
    "share groups",
    "streams groups",
    "transactions",
    "SASL",
    "SCRAM",
    "ACLs",
    "client quotas",
    "leader election",
    "reassignment",
    "all features of Kafka",
];

const HEAD: &str = "\
# What is expected of Apache Kafka's integration tests: class, test, PASS, NOT YET or NA, and why.
# See docs/conformance.md; `cargo xtask kafka-it --update` moves up what has come to pass.
";

/// What is expected, by class and test.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Expectations(pub BTreeMap<Name, Expected>);

impl Expectations {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rows = BTreeMap::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let failed = |what: &str| format!("line {}: {what}", index + 1);
            let fields: Vec<_> = line.split('\t').collect();
            let [class, test, status, why] = fields.as_slice() else {
                return Err(failed("four fields with tabs between are expected"));
            };
            let expected = Expected::parse(status, why).map_err(|problem| failed(&problem))?;
            if rows.insert(((*class).to_owned(), (*test).to_owned()), expected).is_some() {
                return Err(failed("the test has a row already"));
            }
        }
        Ok(Self(rows))
    }

    pub fn render(&self) -> String {
        let mut text = HEAD.to_owned();
        for ((class, test), expected) in &self.0 {
            let (status, why) = expected.fields();
            // Writing to a string does not fail.
            let _ = writeln!(text, "{class}\t{test}\t{status}\t{why}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were_written() {
        let text = format!(
            "{HEAD}a.B\tone [1] combined\tPASS\tquick\na.B\ttwo [1] isolated\tPASS\t\n\
             a.C\tthree\tNOT YET\tshare groups\na.C\tzero\tNA\tits metrics\n"
        );
        let rows = Expectations::parse(&text).expect("four rows");
        assert_eq!(rows.0.len(), 4);
        assert_eq!(
            rows.0[&("a.C".to_owned(), "three".to_owned())],
            Expected::NotYet { feature: "share groups".to_owned() }
        );
        assert_eq!(rows.render(), text);
    }

    #[test]
    fn a_row_that_cannot_be_judged_by_is_refused_with_its_line() {
        for (line, part) in [
            ("a\tb\tNOT YET\tmagic", "none of the features"),
            ("a\tb\tNA\t", "needs a reason"),
            ("a\tb\tPASS\tmostly", "PASS, NOT YET or NA"),
            ("a\tb\tPASS", "four fields"),
            ("x\ty\tPASS\t", "a row already"),
        ] {
            let error = Expectations::parse(&format!("x\ty\tPASS\t\n{line}\n")).expect_err(line);
            assert!(error.starts_with("line 2: ") && error.contains(part), "{error}");
        }
    }
}
