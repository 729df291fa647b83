//! The matrix of clients in README.md, written from the rows of a run.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::report::{Report, Row, Status};

const BEGIN: &str = "<!-- matrix:begin -->";
const END: &str = "<!-- matrix:end -->";

/// A column: the client as the rows name it, as people call it, and where its version is pinned.
struct Client {
    id: &'static str,
    name: &'static str,
    /// A file of `conformance/`, and the text in front of the version.
    pin: Option<(&'static str, &'static str)>,
}

const fn client(id: &'static str, name: &'static str, file: &'static str, before: &'static str) -> Client {
    Client { id, name, pin: Some((file, before)) }
}

const CLIENTS: &[Client] = &[
    client("java", "Java clients", "java/clients/pom.xml", "kafka-clients</artifactId><version>"),
    client("kafka-tools", "Kafka's shell tools", "java/tools/pom.xml", "kafka-tools</artifactId><version>"),
    client(
        "librdkafka",
        "librdkafka, confluent-kafka-python",
        "python/requirements.txt",
        "confluent-kafka==",
    ),
    Client { id: "kcat", name: "kcat", pin: None },
    client("kafka-python", "kafka-python", "python/requirements.txt", "\nkafka-python=="),
    client("aiokafka", "aiokafka", "python/requirements.txt", "aiokafka=="),
    client("kafkajs", "KafkaJS", "kafkajs/package.json", "\"kafkajs\": \""),
    client("franz-go", "franz-go", "franz-go/go.mod", "twmb/franz-go v"),
];

/// The lines: what people ask for, and the words that begin the names of the checks that show it.
const SUBJECTS: &[(&str, &[&str])] = &[
    ("create, list and delete topics", &["create topic", "delete topic", "kafka-topics"]),
    ("produce and consume, keys and headers", &["produce and consume none", "null key"]),
    ("gzip", &["produce and consume gzip"]),
    ("snappy", &["produce and consume snappy"]),
    ("lz4", &["produce and consume lz4"]),
    ("zstd", &["produce and consume zstd"]),
    ("idempotent producer", &["idempotent producer"]),
    ("consume from a time", &["consume from a timestamp"]),
    ("commit and resume", &["commit and resume"]),
    ("a group of three: one joins, one is killed", &["group of three"]),
    ("configs", &["describe broker configs", "describe topic configs", "alter", "kafka-configs"]),
    ("more partitions", &["create partitions"]),
    ("list offsets, delete records", &["list offsets", "kafka-get-offsets", "kafka-delete-records"]),
    ("list, describe, delete groups", &["list, describe", "kafka-consumer-groups", "kafka-groups"]),
    (
        "describe cluster, log directories",
        &["describe cluster", "describe log", "kafka-cluster", "kafka-log-dirs"],
    ),
    ("dump-log reads what we wrote", &["dump-log"]),
];

/// Replaces what stands between the markers of the README.
pub fn update_readme(root: &Path, report: &Report) -> Result<(), String> {
    let path = root.join("README.md");
    let text =
        fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let (head, rest) = text.split_once(BEGIN).ok_or_else(|| format!("README.md has no {BEGIN}"))?;
    let (_, tail) = rest.split_once(END).ok_or_else(|| format!("README.md has no {END}"))?;
    let text = format!("{head}{BEGIN}\n{}{END}{tail}", table(root, &report.rows));
    fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn table(root: &Path, rows: &[Row]) -> String {
    let mut out = String::new();
    line(&mut out, "", CLIENTS.iter().map(|client| client.name.to_owned()));
    line(&mut out, "---", CLIENTS.iter().map(|_| "---".to_owned()));
    line(&mut out, "version", CLIENTS.iter().map(|client| version(root, client)));
    for (subject, prefixes) in SUBJECTS {
        let cells = CLIENTS.iter().map(|client| {
            let about = rows.iter().filter(|row| row.client == client.id);
            let about = about.filter(|row| prefixes.iter().any(|prefix| row.check.starts_with(prefix)));
            cell(about.map(|row| row.status)).to_owned()
        });
        line(&mut out, subject, cells);
    }
    line(&mut out, "all checks passed", CLIENTS.iter().map(|client| totals(rows, client)));
    out
}

fn line(out: &mut String, head: &str, cells: impl Iterator<Item = String>) {
    let _ = write!(out, "| {head} |");
    for cell in cells {
        let _ = write!(out, " {cell} |");
    }
    out.push('\n');
}

/// The version that `conformance/` pins.
fn version(root: &Path, client: &Client) -> String {
    let found = client.pin.and_then(|(file, before)| {
        let text = fs::read_to_string(root.join("conformance").join(file)).ok()?;
        let (_, after) = text.split_once(before)?;
        Some(after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect())
    });
    found.unwrap_or_else(|| "the system's".to_owned())
}

fn totals(rows: &[Row], client: &Client) -> String {
    let count = |status| rows.iter().filter(|row| row.client == client.id && row.status == status).count();
    let (passed, failed) = (count(Status::Pass), count(Status::Fail));
    format!("{passed} of {}", passed + failed)
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
    fn a_check_counts_in_its_client_s_column() {
        let rows = [Row::pass("kcat", "produce and consume gzip", "")];
        let table = table(Path::new("."), &rows);
        assert!(table.contains("| gzip | – | – | – | ✓ | – |"), "{table}");
        assert!(table.contains("| 1 of 1 |"), "{table}");
    }

    #[test]
    fn every_pinned_version_is_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for client in CLIENTS.iter().filter(|client| client.pin.is_some()) {
            let version = version(&root, client);
            assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{}: {version}", client.name);
        }
    }
}
