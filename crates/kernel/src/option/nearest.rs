//! The known name that somebody probably meant.

/// The nearest of `names`, when it is near enough to be worth a hint.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let longest_hint = 200;
    if name.len() > longest_hint {
        return None;
    }
    let allowed = (name.len() / 5).clamp(1, 4);
    names
        .filter(|known| known.len().abs_diff(name.len()) <= allowed)
        .filter(|known| letters_apart(name.as_bytes(), known.as_bytes()) <= 2 * allowed)
        .filter_map(|known| Some((distance(name.as_bytes(), known.as_bytes(), allowed)?, known)))
        .min()
        .map(|(_, known)| known)
}

/// How many letters one has more often than the other. No edit changes this by more than two, and it is quickly told.
fn letters_apart(a: &[u8], b: &[u8]) -> usize {
    let mut more = [0_i32; 256];
    for (letters, by) in [(a, 1), (b, -1)] {
        for letter in letters {
            if let Some(count) = more.get_mut(usize::from(*letter)) {
                *count += by;
            }
        }
    }
    more.iter().map(|count| count.unsigned_abs() as usize).sum()
}

/// How many letters must be inserted, deleted, replaced or swapped with their neighbour; nothing if more than `most`.
///
/// Most names differ in their first letters already, and are given up there: a file of thousands of unknown names is no
/// reason to start late.
fn distance(a: &[u8], b: &[u8], most: usize) -> Option<usize> {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best =
                (at(&above, j) + usize::from(x != y)).min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        // A row follows from the two above it, and is nowhere less than the least of them.
        if row.iter().chain(&above).all(|so_far| *so_far > most) {
            return None;
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        let edits = |a: &str, b: &str, most| distance(a.as_bytes(), b.as_bytes(), most);
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
