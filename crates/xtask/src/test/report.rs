//! What came out: one row per check, a table at the end, and a file for machines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Context;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Pass,
    Fail,
    Skip,
}

/// One check of one client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub client: String,
    pub check: String,
    pub status: Status,
    pub seconds: f64,
    pub message: String,
    /// How many tests the row stands for: cargo's own are counted, not listed.
    pub count: u64,
}

impl Row {
    fn new(client: &str, check: &str, status: Status, message: impl Into<String>) -> Self {
        let (client, check, message) = (client.to_owned(), check.to_owned(), message.into());
        Self { client, check, status, seconds: 0.0, message, count: 1 }
    }

    pub fn pass(client: &str, check: &str, message: impl Into<String>) -> Self {
        Self::new(client, check, Status::Pass, message)
    }

    pub fn fail(client: &str, check: &str, message: impl Into<String>) -> Self {
        Self::new(client, check, Status::Fail, message)
    }

    pub fn skip(client: &str, check: &str, message: impl Into<String>) -> Self {
        Self::new(client, check, Status::Skip, message)
    }

    pub fn from_result(client: &str, check: &str, result: Result<String, String>) -> Self {
        match result {
            Ok(message) => Self::pass(client, check, message),
            Err(message) => Self::fail(client, check, message),
        }
    }

    #[must_use]
    pub fn took(mut self, time: std::time::Duration) -> Self {
        self.seconds = time.as_secs_f64();
        self
    }

    /// Reads a line of a suite: `ROW`, client, check, status, seconds and message with tabs between.
    pub fn parse(line: &str) -> Option<Self> {
        let mut fields = line.strip_prefix("ROW\t")?.splitn(5, '\t');
        let (client, check) = (fields.next()?, fields.next()?);
        let status = match fields.next()? {
            "PASS" => Status::Pass,
            "FAIL" => Status::Fail,
            "SKIP" => Status::Skip,
            _ => return None,
        };
        let seconds = fields.next()?.parse().ok()?;
        Some(Self { seconds, ..Self::new(client, check, status, fields.next().unwrap_or_default()) })
    }
}

#[derive(Debug, Default)]
pub struct Report {
    pub rows: Vec<Row>,
}

impl Report {
    /// Prints the row at once, so that somebody who waits sees where the run is.
    pub fn add(&mut self, row: Row) {
        let word = match row.status {
            Status::Pass => "ok",
            Status::Fail => "FAILED",
            Status::Skip => "SKIPPED",
        };
        println!("{word:<8}{:<13}{:<62}{:>6.1} s  {}", row.client, row.check, row.seconds, row.message);
        self.rows.push(row);
    }

    fn count(&self, status: Status) -> u64 {
        self.rows.iter().filter(|row| row.status == status).map(|row| row.count).sum()
    }

    pub fn failed(&self) -> u64 {
        self.count(Status::Fail)
    }

    /// The results for machines.
    pub fn to_json(&self, context: &Context) -> Result<String, String> {
        #[derive(Serialize)]
        struct Results<'a> {
            broker: &'a str,
            passed: u64,
            failed: u64,
            skipped: u64,
            rows: &'a [Row],
        }
        let results = Results {
            broker: context.options.broker.as_deref().unwrap_or("riverrun"),
            passed: self.count(Status::Pass),
            failed: self.count(Status::Fail),
            skipped: self.count(Status::Skip),
            rows: &self.rows,
        };
        serde_json::to_string_pretty(&results).map_err(|error| format!("cannot write the results: {error}"))
    }

    /// One line per client, then everything skipped and failed by name, then the totals.
    pub fn print_summary(&self) {
        let mut clients: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
        for row in &self.rows {
            let counts = clients.entry(&row.client).or_default();
            let slot = match row.status {
                Status::Pass => 0,
                Status::Fail => 1,
                Status::Skip => 2,
            };
            if let Some(count) = counts.get_mut(slot) {
                *count += row.count;
            }
        }
        println!("\n{:<14}{:>7}{:>8}{:>9}", "", "passed", "failed", "skipped");
        for (client, [passed, failed, skipped]) in clients {
            println!("{client:<14}{passed:>7}{failed:>8}{skipped:>9}");
        }
        for (title, status) in [("skipped", Status::Skip), ("failed", Status::Fail)] {
            let rows: Vec<_> = self.rows.iter().filter(|row| row.status == status).collect();
            if !rows.is_empty() {
                println!("\n{title}:");
            }
            for row in rows {
                // The rest was printed when it happened.
                let message = row.message.lines().next().unwrap_or_default();
                println!("  {}, {}: {message}", row.client, row.check);
            }
        }
        println!(
            "\n{} passed, {} failed, {} skipped",
            self.count(Status::Pass),
            self.failed(),
            self.count(Status::Skip)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_suite_becomes_a_row() {
        let row = Row::parse("ROW\tjava\tcreate topic\tFAIL\t1.5\tno such\tthing").expect("a whole row");
        assert_eq!((row.client.as_str(), row.check.as_str()), ("java", "create topic"));
        assert_eq!((row.status, row.seconds), (Status::Fail, 1.5));
        assert_eq!(row.message, "no such\tthing");
    }

    #[test]
    fn other_lines_are_not_rows() {
        assert_eq!(Row::parse("ROWS\ta\tb\tPASS\t1\t"), None);
        assert_eq!(Row::parse("ROW\ta\tb\tMAYBE\t1\t"), None);
    }
}
