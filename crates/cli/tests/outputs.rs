//! What commands print, held against what they printed when somebody last looked: one file for each broker.
//!
//! `RIVERRUN_UPDATE_OUTPUTS=1 cargo test -p cli --test outputs` writes them anew; read the difference before you commit it.

mod support;

use std::path::PathBuf;

use regex_lite::Regex;
use support::Broker;
use support::node::is_ours;

/// What is asked, in this order, as one would type it. The first ones make what the others look at.
const LINES: &[&str] = &[
    "topic create orders --partitions 2 --config retention.ms=86400000",
    "topic create orders",
    "topic create drafts --partitions 1 --dry-run",
    "produce orders --partition 0 --key ada --header source=web < two teapots",
    "produce orders --partition 1 < one kettle",
    "consume orders --partition 0 --from start --until-end --print-key --print-partition --print-offset --print-headers",
    "consume orders --partition 0 --from start --until-end --format json",
    "consume orders --partition 0 --from start --until-end --format yaml",
    "consume orders --partition 0 --from start --until-end --format name",
    "consume orders --group kitchen --from start -n 2 --template .",
    "topic list",
    "topic list --format wide",
    "topic list --format json",
    "topic list --format name",
    "topic describe orders",
    "topic describe orders --format wide",
    "topic describe orders --format yaml",
    "topic describe nowhere",
    "topic alter orders --set retention.ms=1000 --dry-run",
    "topic alter orders --set retention.ms=1000 --dry-run --format wide",
    "topic alter orders --delete retention.mss",
    "topic add-partitions orders --to 3 --dry-run",
    "topic trim orders --before end --dry-run",
    "topic delete orders --dry-run",
    "topic delete orders",
    "group list",
    "group list --state dead",
    "group list --format json",
    "group describe kitchen",
    "group describe kitchen --format wide",
    "group describe kitchen --format json",
    "group describe nobody",
    "group reset kitchen --to start --dry-run",
    "group reset kitchen --to start --dry-run --format wide",
    "group delete kitchen --dry-run",
    "config get topic orders retention.ms cleanup.policy",
    "config get topic orders retention.ms --format json",
    "config get topic orders retention.mss",
    "config get broker 7",
    "config diff topic orders",
    "config diff topic orders --format wide",
    "config explain retention.ms",
    "config explain retention.mss",
    "cluster health",
    "cluster health --format json",
    "cluster info",
    "cluster info --format json",
    "bench consume nowhere",
];

#[test]
fn commands_print_what_they_printed_before() {
    let broker = Broker::start("outputs");
    let masks = Masks::new(&broker);
    let mut found = String::new();
    for line in LINES {
        let (arguments, input) = line.split_once(" < ").unwrap_or((line, ""));
        let words: Vec<&str> = arguments.split(' ').collect();
        let input = if input.is_empty() { String::new() } else { format!("{input}\n") };
        let ended = broker.run_with_input(&words, &input);
        found += &format!("$ riverrun {line}\n");
        found += &masks.apply(&ended.stdout);
        for complaint in masks.apply(&ended.stderr).lines() {
            found += &format!("! {complaint}\n");
        }
        if ended.code != Some(0) {
            found += &format!("exit {}\n", ended.code.unwrap_or(-1));
        }
        found += "\n";
    }
    compare(&found);
}

fn compare(found: &str) {
    let name = if is_ours() { "riverrun.txt" } else { "kafka.txt" };
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/outputs").join(name);
    if std::env::var_os("RIVERRUN_UPDATE_OUTPUTS").is_some() {
        std::fs::write(&path, found).expect("the file can be written");
    }
    let expected = std::fs::read_to_string(&path).expect("the file is there");
    let differing =
        found.split("\n\n").zip(expected.split("\n\n")).find(|(found, expected)| found != expected);
    if let Some((found, expected)) = differing {
        panic!("it printed\n{found}\n\nand in {name} there is\n{expected}");
    }
    assert_eq!(found.len(), expected.len(), "{name} has more or less");
}

/// What differs from run to run.
struct Masks(Vec<(Regex, &'static str)>);

impl Masks {
    fn new(broker: &Broker) -> Self {
        let port = broker.bootstrap.rsplit_once(':').map_or("", |(_, port)| port);
        let masks = [
            (format!(r"\b{port}\b"), "PORT"),
            // One that begins with a dash or looks like a number stands in quotes in YAML.
            (r#"(?m)(^|[\s"])[A-Za-z0-9_-]{22}($|[\s"])"#.to_owned(), "${1}ID${2}"),
            (r#""ID""#.to_owned(), "ID"),
            (r"\d{4}-\d\d-\d\dT[0-9:.]+Z".to_owned(), "TIME"),
            (r"\b1\d{12}\b".to_owned(), "MILLIS"),
            (r"\b\d+(\.\d+)?s\b".to_owned(), "SECONDS"),
            // How far the quorum's log has come.
            (r#"("high_watermark": )\d+"#.to_owned(), "${1}N"),
            // Columns are as wide as what stands in them.
            (r"(\S) {2,}".to_owned(), "$1  "),
        ];
        Self(masks.map(|(pattern, mask)| (Regex::new(&pattern).expect("it is one"), mask)).into())
    }

    fn apply(&self, text: &str) -> String {
        let masked =
            |text: String, (pattern, mask): &(Regex, &str)| pattern.replace_all(&text, *mask).into_owned();
        self.0.iter().fold(text.to_owned(), masked)
    }
}
