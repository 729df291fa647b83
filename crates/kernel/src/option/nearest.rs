//! The known name that somebody probably meant.

use std::ops::RangeInclusive;

/// The nearest of `names`, when it is near enough to be worth a hint.
///
/// A file of thousands of unknown names is no reason to start late: what is quickly told keeps nearly all names from being
/// compared letter by letter.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let longest_hint = 200;
    if name.len() > longest_hint {
        return None;
    }
    let (allowed, lens) = (allowed(name), lens(name));
    let letters = Letters::default().with(name, 1);
    let mut rows = Rows::default();
    names
        .filter(|known| lens.contains(&known.len()))
        .filter(|known| letters.with(known, -1).apart() <= 2 * allowed)
        .filter_map(|known| Some((rows.distance(name.as_bytes(), known.as_bytes(), allowed)?, known)))
        .min()
        .map(|(_, known)| known)
}

/// How long the names are that can be near to `name`.
pub(super) fn lens(name: &str) -> RangeInclusive<usize> {
    name.len().saturating_sub(allowed(name))..=name.len() + allowed(name)
}

/// How many edits a name may be away.
fn allowed(name: &str) -> usize {
    (name.len() / 5).clamp(1, 4)
}

/// How often each letter occurs, some letters taken for the same.
#[derive(Clone, Copy, Default)]
struct Letters([i16; 32]);

impl Letters {
    fn with(mut self, text: &str, times: i16) -> Self {
        for letter in text.bytes() {
            if let Some(count) = self.0.get_mut(usize::from(letter % 32)) {
                *count += times;
            }
        }
        self
    }

    /// How many letters one text has more often than the other. No edit changes this by more than two.
    fn apart(&self) -> usize {
        self.0.iter().map(|count| usize::from(count.unsigned_abs())).sum()
    }
}

/// Three rows of the table of distances between the beginnings of two texts, kept from one comparison to the next.
#[derive(Default)]
struct Rows {
    before: Vec<usize>,
    above: Vec<usize>,
    row: Vec<usize>,
}

impl Rows {
    /// How many letters must be inserted, deleted, replaced or swapped with their neighbour; nothing if more than `most`.
    fn distance(&mut self, a: &[u8], b: &[u8], most: usize) -> Option<usize> {
        let Self { before, above, row } = self;
        above.clear();
        above.extend(0..=b.len());
        for (i, x) in a.iter().enumerate() {
            row.clear();
            row.push(i + 1);
            for (j, y) in b.iter().enumerate() {
                let at = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
                let mut best =
                    (at(above, j) + usize::from(x != y)).min(at(above, j + 1) + 1).min(at(row, j) + 1);
                let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
                if swapped {
                    best = best.min(at(before, j - 1) + 1);
                }
                row.push(best);
            }
            // A row follows from the two above it, and is nowhere less than the least of them.
            if row.iter().chain(above.iter()).all(|so_far| *so_far > most) {
                return None;
            }
            std::mem::swap(before, above);
            std::mem::swap(above, row);
        }
        above.last().copied().filter(|distance| *distance <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        let mut rows = Rows::default();
        let mut edits = |a: &str, b: &str, most| rows.distance(a.as_bytes(), b.as_bytes(), most);
        assert_eq!(edits("listeners", "listeners", 0), Some(0));
        assert_eq!(edits("listner", "listener", 2), Some(1));
        assert_eq!(edits("lsitener", "listener", 1), Some(1));
        assert_eq!(edits("", "abc", 3), Some(3));
        assert_eq!(edits("abc", "xyz", 3), Some(3));
        assert_eq!(edits("abc", "xyz", 2), None);
        assert_eq!(edits("abcdefgh", "badcfehg", 4), Some(4), "swaps count once, in every row");
        assert_eq!(edits("abcdefgh", "badcfehg", 3), None);
    }

    #[test]
    fn only_near_names_are_hints() {
        let known = ["num.partitions", "log.dirs", "log.dir"];
        assert_eq!(nearest("num.partition", known.into_iter()), Some("num.partitions"));
        assert_eq!(nearest("log.dris", known.into_iter()), Some("log.dirs"));
        assert_eq!(nearest("my.plugin.setting", known.into_iter()), None);
    }
}
