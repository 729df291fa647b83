//! The matrix of clients in README.md, written from the rows of a run.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::report::{Report, Row, Status};

const BEGIN: &str = "<!-- matrix:begin -->";
const END: &str = "<!-- matrix:end -->";

/// The columns: the name in the rows, and how people call it.
const CLIENTS: &[(&str, &str)] = &[
    ("java", "Java clients 4.4.0"),
    ("kafka-tools", "Kafka shell tools 4.3.1"),
    ("librdkafka", "librdkafka (confluent-kafka-python)"),
    ("kcat", "kcat"),
    ("kafka-python", "kafka-python"),
    ("aiokafka", "aiokafka"),
    ("kafkajs", "KafkaJS"),
    ("franz-go", "franz-go"),
];

/// The lines: what people ask for, and the words that begin the names of the checks that show it.
const SUBJECTS: &[(&str, &[&str])] = &[
    ("create and delete topics", &["create topic", "delete topic", "kafka-topics"]),
    ("no compression", &["produce and consume none"]),
    ("gzip", &["produce and consume gzip"]),
    ("snappy", &["produce and consume snappy"]),
    ("lz4", &["produce and consume lz4"]),
    ("zstd", &["produce and consume zstd"]),
    ("idempotent producer", &["idempotent producer"]),
    ("consume from a time", &["consume from a timestamp"]),
    ("commit and resume", &["commit and resume"]),
    ("group of three: one joins, one is killed", &["group of three"]),
    (
        "admin calls",
        &[
            "describe",
            "alter",
            "create partitions",
            "list",
            "kafka-configs",
            "kafka-consumer-groups",
            "kafka-get-offsets",
            "kafka-delete-records",
            "kafka-log-dirs",
        ],
    ),
];

/// Replaces what stands between the markers of the README.
pub fn update_readme(path: &Path, report: &Report) -> Result<(), String> {
    let text =
        fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let (head, rest) = text.split_once(BEGIN).ok_or_else(|| format!("README.md has no {BEGIN}"))?;
    let (_, tail) = rest.split_once(END).ok_or_else(|| format!("README.md has no {END}"))?;
    let text = format!("{head}{BEGIN}\n{}{END}{tail}", table(&report.rows));
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn table(rows: &[Row]) -> String {
    let mut out = String::from("| client |");
    for (subject, _) in SUBJECTS {
        let _ = write!(out, " {subject} |");
    }
    out.push_str(" all checks |\n|---|");
    out.push_str(&"---|".repeat(SUBJECTS.len() + 1));
    out.push('\n');
    for (client, name) in CLIENTS {
        let own: Vec<_> = rows.iter().filter(|row| row.client == *client).collect();
        let _ = write!(out, "| {name} |");
        for (_, prefixes) in SUBJECTS {
            let about = own.iter().filter(|row| prefixes.iter().any(|prefix| row.check.starts_with(prefix)));
            let _ = write!(out, " {} |", cell(about.map(|row| row.status)));
        }
        let passed = own.iter().filter(|row| row.status == Status::Pass).count();
        let tried = own.iter().filter(|row| row.status != Status::Skip).count();
        let _ = writeln!(out, " {passed} of {tried} |");
    }
    out
}

fn cell(statuses: impl Iterator<Item = Status>) -> &'static str {
    let mut cell = "–";
    for status in statuses {
        match status {
            Status::Fail => return "✗",
            Status::Pass => cell = "✓",
            Status::Skip => {}
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_spoils_the_cell_and_a_skip_leaves_it_alone() {
        assert_eq!(cell([Status::Pass, Status::Skip].into_iter()), "✓");
        assert_eq!(cell([Status::Pass, Status::Fail].into_iter()), "✗");
        assert_eq!(cell([Status::Skip].into_iter()), "–");
    }

    #[test]
    fn every_client_has_a_line() {
        let rows = [Row::pass("kcat", "produce and consume gzip", "")];
        let table = table(&rows);
        assert_eq!(table.lines().count(), CLIENTS.len() + 2);
        assert!(table.contains("| kcat | – | – | ✓ |"), "{table}");
        assert!(table.contains("1 of 1"), "{table}");
    }
}
