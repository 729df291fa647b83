//! What a run found: equal differences once, each with its first example.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::accepted::Accepted;
use super::compare::Difference;
use super::value::hex;

/// The exchange in which a difference was seen first.
#[derive(Debug, Clone)]
pub struct Example {
    pub request: String,
    pub frames: [Vec<u8>; 2],
    pub ours: String,
    pub kafka: String,
}

#[derive(Debug)]
struct Group {
    count: u64,
    versions: (i16, i16),
    case: u64,
    example: Example,
}

#[derive(Debug)]
pub struct Report {
    pub accepted: Accepted,
    pub seed: u64,
    /// The case that runs now, 0 for the preparation.
    pub case: u64,
    groups: BTreeMap<(String, Difference), Group>,
    counts: BTreeMap<String, u64>,
    exchanges: u64,
    differing: u64,
}

/// Answers are cut here on the terminal, but not in the file.
const SHOWN: usize = 400;

impl Report {
    pub fn new(accepted: Accepted, seed: u64) -> Self {
        Self {
            accepted,
            seed,
            case: 0,
            groups: BTreeMap::new(),
            counts: BTreeMap::new(),
            exchanges: 0,
            differing: 0,
        }
    }

    pub fn exchanges(&self) -> u64 {
        self.exchanges
    }

    /// Counts an exchange and keeps what is not meant to differ.
    pub fn exchange(
        &mut self,
        api: &str,
        version: i16,
        differences: Vec<Difference>,
        example: &dyn Fn() -> Example,
    ) {
        self.exchanges += 1;
        *self.counts.entry(api.to_owned()).or_default() += 1;
        let mut differs = false;
        for difference in differences {
            if self.accepted.covers(api, version, &difference) {
                continue;
            }
            differs = true;
            let case = self.case;
            let group = self.groups.entry((api.to_owned(), difference)).or_insert_with(|| Group {
                count: 0,
                versions: (version, version),
                case,
                example: example(),
            });
            group.count += 1;
            group.versions = (group.versions.0.min(version), group.versions.1.max(version));
        }
        self.differing += u64::from(differs);
    }

    /// Whether a difference is neither meant nor known.
    pub fn has_news(&self, api: &str, version: i16, differences: &[Difference]) -> bool {
        differences.iter().any(|one| {
            !self.accepted.covers(api, version, one)
                && !self.groups.contains_key(&(api.to_owned(), one.clone()))
        })
    }

    /// Every difference in a line, the most frequent first.
    pub fn lines(&self) -> String {
        let mut out = String::new();
        for ((api, difference), group) in self.sorted() {
            let (first, last) = group.versions;
            let _ = writeln!(
                out,
                "{:6}x {api} v{first}-{last} {}: ours {} | Kafka {}   (--seed {} --replay {})",
                group.count, difference.path, difference.ours, difference.kafka, self.seed, group.case
            );
        }
        out
    }

    /// Everything about every difference.
    pub fn details(&self, whole: bool) -> String {
        let cut = |text: &str| match text.char_indices().nth(SHOWN) {
            Some((at, _)) if !whole => format!("{}…", text.get(..at).unwrap_or_default()),
            _ => text.to_owned(),
        };
        let mut out = String::new();
        for ((api, difference), group) in self.sorted() {
            let (first, last) = group.versions;
            let Example { request, frames: [our_frame, kafka_frame], ours, kafka } = &group.example;
            let _ = writeln!(
                out,
                "\n{api} v{first}-{last} {} ({} times)\n  ours:  {}\n  Kafka: {}\n  request: {}\n  bytes:   {}",
                difference.path,
                group.count,
                difference.ours,
                difference.kafka,
                cut(request),
                cut(&hex(our_frame)),
            );
            if our_frame != kafka_frame {
                let _ = writeln!(out, "  Kafka's: {}", cut(&hex(kafka_frame)));
            }
            let _ = writeln!(
                out,
                "  ours answered:  {}\n  Kafka answered: {}\n  cargo xtask oracle --seed {} --replay {}",
                cut(ours),
                cut(kafka),
                self.seed,
                group.case
            );
        }
        out
    }

    fn sorted(&self) -> Vec<(&(String, Difference), &Group)> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.count));
        groups
    }

    pub fn counts(&self) -> String {
        let counts: Vec<String> = self.counts.iter().map(|(api, count)| format!("{api} {count}")).collect();
        counts.join(", ")
    }

    pub fn distinct(&self) -> usize {
        self.groups.len()
    }

    pub fn summary(&self) -> String {
        format!(
            "seed {} exchanges {} differing {} distinct {} accepted {}",
            self.seed,
            self.exchanges,
            self.differing,
            self.groups.len(),
            self.accepted.total()
        )
    }
}
