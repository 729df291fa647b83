//! What settings may be, for who types one.

use clap::ValueEnum;
use kernel::option::{Kind as ValueKind, Valid};

use super::Kind;
use super::advice::known;

/// What a setting of this kind may be, as far as it is typed, where there is a list of that. Of lists the last entry is meant.
pub fn values(kind: &str, key: &str, typed: &str) -> Vec<String> {
    if kind == "logger" {
        return LEVELS.map(str::to_owned).into();
    }
    let kind = <Kind as ValueEnum>::from_str(kind, false).ok();
    let Some(def) = kind.and_then(|kind| known(key, kind)) else { return Vec::new() };
    match def.valid {
        Valid::OneOf(values) | Valid::OneOfAnyCase(values) => {
            values.iter().map(|value| (*value).to_owned()).collect()
        }
        Valid::EntriesOf { entries, .. } => {
            let (before, given) = typed
                .rsplit_once(',')
                .map_or(("", ""), |(given, last)| (typed.strip_suffix(last).unwrap_or_default(), given));
            let left = entries.iter().filter(|entry| given.split(',').all(|given| given.trim() != **entry));
            left.map(|entry| format!("{before}{entry}")).collect()
        }
        _ if def.kind == ValueKind::Boolean => ["true", "false"].map(str::to_owned).into(),
        _ => Vec::new(),
    }
}

/// Those that a logger of a broker can have.
const LEVELS: [&str; 6] = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
