//! The bytes of a file, kept only where something was written.

use std::collections::BTreeMap;
use std::sync::Arc;

const PAGE: u64 = 4096;

/// File content: a length and the pages that hold anything but zeros. Copies share their pages until one of them writes.
#[derive(Debug, Clone, Default)]
pub(super) struct Sparse {
    len: u64,
    pages: BTreeMap<u64, Arc<[u8]>>,
}

impl Sparse {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// What the content takes on the disk: whole pages, holes excepted.
    pub(super) fn allocated(&self) -> u64 {
        self.pages.len() as u64 * PAGE
    }

    /// How many of the first bytes of a write fit if only `spare` more bytes may be allocated.
    pub(super) fn fitting(&self, position: u64, len: u64, spare: u64) -> u64 {
        let mut spare_pages = spare / PAGE;
        let mut at = position;
        let end = position.saturating_add(len);
        while at < end {
            if !self.pages.contains_key(&(at / PAGE)) {
                if spare_pages == 0 {
                    break;
                }
                spare_pages -= 1;
            }
            at = (at / PAGE + 1).saturating_mul(PAGE);
        }
        at.min(end) - position
    }

    pub(super) fn write(&mut self, position: u64, mut bytes: &[u8]) {
        let mut at = position;
        while !bytes.is_empty() {
            let within = (at % PAGE) as usize;
            let take = bytes.len().min(PAGE as usize - within);
            let (head, tail) = bytes.split_at(take);
            let page = self.pages.entry(at / PAGE).or_insert_with(|| vec![0; PAGE as usize].into());
            if let Some(slot) = Arc::make_mut(page).get_mut(within..within + take) {
                slot.copy_from_slice(head);
            }
            at += take as u64;
            bytes = tail;
        }
        self.len = self.len.max(at);
    }

    /// Reads up to the end of the file and says how much that was.
    pub(super) fn read(&self, position: u64, into: &mut [u8]) -> usize {
        let available = self.len.saturating_sub(position).min(into.len() as u64) as usize;
        let mut done = 0;
        while done < available {
            let at = position + done as u64;
            let within = (at % PAGE) as usize;
            let take = (available - done).min(PAGE as usize - within);
            if let Some(slot) = into.get_mut(done..done + take) {
                match self.pages.get(&(at / PAGE)).and_then(|page| page.get(within..within + take)) {
                    Some(page) => slot.copy_from_slice(page),
                    None => slot.fill(0),
                }
            }
            done += take;
        }
        available
    }

    /// A number for the length and all bytes.
    pub(super) fn digest(&self) -> u64 {
        let mix = |sum: u64, word: u64| {
            let mixed = (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed ^ (mixed >> 32)
        };
        let mut sum = mix(1, self.len);
        for (number, page) in &self.pages {
            let words = page.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
            let of_page = words.fold(0, |sum, word| if sum == 0 && word == 0 { 0 } else { mix(sum, word) });
            // A page of zeros is the same as none.
            if of_page != 0 {
                sum = mix(mix(sum, *number), of_page);
            }
        }
        sum
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.pages.split_off(&len.div_ceil(PAGE));
            if let Some(last) = self.pages.get_mut(&(len / PAGE))
                && let Some(beyond) = Arc::make_mut(last).get_mut((len % PAGE) as usize..)
            {
                beyond.fill(0);
            }
        }
        self.len = len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(content: &Sparse) -> Vec<u8> {
        let mut bytes = vec![9; content.len() as usize + 10];
        let read = content.read(0, &mut bytes);
        bytes.truncate(read);
        bytes
    }

    #[test]
    fn a_write_across_pages_reads_back() {
        let mut content = Sparse::default();
        let bytes: Vec<u8> = (0..10_000u32).map(|i| i as u8).collect();
        content.write(3, &bytes);
        assert_eq!(all(&content), [vec![0; 3], bytes].concat());
    }

    #[test]
    fn a_hole_reads_as_zeros_and_takes_no_space() {
        let mut content = Sparse::default();
        content.set_len(1 << 40);
        content.write(1 << 39, b"x");
        let mut bytes = [9; 3];
        assert_eq!(content.read((1 << 39) - 1, &mut bytes), 3);
        assert_eq!(&bytes, b"\0x\0");
        assert_eq!(content.allocated(), PAGE);
    }

    #[test]
    fn what_was_cut_off_does_not_come_back() {
        let mut content = Sparse::default();
        content.write(0, &[7; 9000]);
        content.set_len(5000);
        content.set_len(9000);
        assert_eq!(all(&content), [vec![7; 5000], vec![0; 4000]].concat());
    }

    #[test]
    fn a_cut_at_the_edge_of_a_page_keeps_the_page_before() {
        let mut content = Sparse::default();
        content.write(0, &[7; 8192]);
        content.set_len(4096);
        assert_eq!((content.allocated(), all(&content)), (4096, vec![7; 4096]));
    }

    #[test]
    fn only_new_pages_count_against_the_space_left() {
        let mut content = Sparse::default();
        content.write(0, &[7; 5000]);
        assert_eq!(content.fitting(5000, 20, 0), 20);
        assert_eq!(content.fitting(5000, 20_000, 0), 3192);
        assert_eq!(content.fitting(5000, 20_000, 2 * PAGE), 3192 + 2 * PAGE);
    }

    #[test]
    fn reading_past_the_end_gives_nothing() {
        let mut content = Sparse::default();
        content.write(0, b"abc");
        assert_eq!(content.read(3, &mut [0; 4]), 0);
        assert_eq!(content.read(u64::MAX, &mut [0; 4]), 0);
    }
}
