//! Which parts of a segment file need no check any more: this process wrote them, or has compared them with their checksums.

/// How many parts are remembered. Who reads on from where another stopped makes no new one.
const PARTS_MAX: usize = 8;

/// Parts of a file, by position, none touching another.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    parts: Vec<(u64, u64)>,
}

impl Checked {
    pub fn add(&mut self, from: u64, to: u64) {
        // Nearly always what was appended, or read on.
        if let Some(last) = self.parts.last_mut()
            && last.1 == from
        {
            last.1 = to;
            return;
        }
        let (mut from, mut to) = (from, to);
        self.parts.retain(|part| {
            let apart = part.1 < from || part.0 > to;
            if !apart {
                (from, to) = (from.min(part.0), to.max(part.1));
            }
            apart
        });
        if self.parts.len() >= PARTS_MAX
            && let Some(shortest) = (0..self.parts.len())
                .min_by_key(|index| self.parts.get(*index).map_or(0, |part| part.1 - part.0))
        {
            self.parts.remove(shortest);
        }
        let at = self.parts.partition_point(|part| part.0 < from);
        self.parts.insert(at, (from, to));
    }

    pub fn has(&self, from: u64, to: u64) -> bool {
        self.parts.iter().any(|part| part.0 <= from && to <= part.1)
    }

    /// The file was cut off at `len`.
    pub fn cut(&mut self, len: u64) {
        self.parts.iter_mut().for_each(|part| part.1 = part.1.min(len));
        self.parts.retain(|part| part.0 < part.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_touch_become_one() {
        let mut checked = Checked::default();
        checked.add(10, 20);
        checked.add(30, 40);
        assert!(checked.has(12, 20) && !checked.has(12, 31));
        checked.add(20, 30);
        assert!(checked.has(10, 40));
        checked.add(40, 50);
        assert_eq!(checked.parts, [(10, 50)]);
        checked.cut(15);
        assert!(checked.has(10, 15) && !checked.has(10, 16));
    }

    #[test]
    fn the_shortest_part_is_forgotten_when_they_are_too_many() {
        let mut checked = Checked::default();
        (0..20).for_each(|part| checked.add(part * 100, part * 100 + 50 - part));
        assert_eq!(checked.parts.len(), PARTS_MAX);
        assert!(checked.has(0, 50));
    }
}
