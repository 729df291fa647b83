//! What was odd about the records that were replayed.

use crate::image::Unknown;

/// Records that changed nothing because they referred to something unknown. Only the first few are kept.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    first: Vec<String>,
    count: u64,
}

/// How many notes are kept: enough to find the cause, however long the log.
const NOTES_MAX: usize = 32;

impl Notes {
    pub(super) fn add(&mut self, record: &'static str, unknown: Unknown) {
        self.count += 1;
        if self.first.len() < NOTES_MAX {
            self.first.push(format!("{record} was ignored: {unknown}"));
        }
    }

    /// The first notes.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.first.iter().map(String::as_str)
    }

    /// How many records were ignored in all.
    pub fn count(&self) -> u64 {
        self.count
    }
}
