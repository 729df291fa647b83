//! Which setting somebody probably meant.

use kernel::option::nearest;

/// So many names are read at a glance.
const NAMED_MAX: usize = 4;

/// A shorter word stands in too many names.
const WORD_MIN: usize = 3;

/// Asks whether the nearest name was meant, or those in which the words stand that were given; nothing if there are none.
pub fn meant<'a>(key: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let key = key.to_lowercase().replace(['_', ' '], ".");
    let names: Vec<&str> = names.collect();
    if let Some(near) = nearest(&key, names.iter().copied()) {
        return Some(format!("did you mean {near}?"));
    }
    let mut holding: Vec<&str> = names.into_iter().filter(|name| stands_in(&key, name)).collect();
    // Who gives few words means a short name rather than a long one.
    holding.sort_by_key(|name| (name.len(), *name));
    holding.dedup();
    holding.truncate(NAMED_MAX);
    let (last, others) = holding.split_last()?;
    match others.is_empty() {
        true => Some(format!("did you mean {last}?")),
        false => Some(format!("did you mean {} or {last}?", others.join(", "))),
    }
}

/// Whether whole words of a name are the given ones.
fn stands_in(words: &str, name: &str) -> bool {
    words.len() >= WORD_MIN && format!(".{name}.").contains(&format!(".{words}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, expected: Option<&str>) {
        let names =
            ["retention.ms", "retention.bytes", "log.retention.ms", "log.dirs", "log.dir", "num.partitions"];
        assert_eq!(meant(key, names.into_iter()).as_deref(), expected, "{key}");
    }

    #[test]
    fn the_nearest_name_is_asked_for_and_else_those_with_the_same_words() {
        check("retention.mss", Some("did you mean retention.ms?"));
        check("Retention_MS", Some("did you mean retention.ms?"));
        check("partitions", Some("did you mean num.partitions?"));
        check("retention", Some("did you mean retention.ms, retention.bytes or log.retention.ms?"));
        check("ms", None);
        check("my.plugin.setting", None);
    }
}
