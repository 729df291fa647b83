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
        .map(|known| (distance(name.as_bytes(), known.as_bytes()), known))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, known)| known)
}

/// How many letters must be inserted, deleted, replaced or swapped with their neighbour.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
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
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(distance(b"listeners", b"listeners"), 0);
        assert_eq!(distance(b"listner", b"listener"), 1);
        assert_eq!(distance(b"lsitener", b"listener"), 1);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(distance(b"abc", b"xyz"), 3);
    }

    #[test]
    fn only_near_names_are_hints() {
        let known = ["num.partitions", "log.dirs", "log.dir"];
        assert_eq!(nearest("num.partition", known.into_iter()), Some("num.partitions"));
        assert_eq!(nearest("log.dris", known.into_iter()), Some("log.dirs"));
        assert_eq!(nearest("my.plugin.setting", known.into_iter()), None);
    }
}
