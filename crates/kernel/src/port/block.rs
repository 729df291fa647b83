//! Memory for direct writes.

use std::fmt;

/// Bytes that a direct write can take: they begin at a multiple of [`Block::ALIGN`] in memory, and [`Block::pad`] brings
/// their number to one.
pub struct Block {
    memory: Vec<u8>,
    /// Where the aligned part begins.
    start: usize,
    len: usize,
}

impl Block {
    /// What positions, lengths and addresses of direct writes are multiples of, in bytes.
    pub const ALIGN: usize = 4096;

    /// An empty block with room for at least so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let memory = vec![0; bytes.next_multiple_of(Self::ALIGN) + Self::ALIGN];
        // The largest value means "cannot be aligned", which does not happen to bytes.
        let start = memory.as_ptr().align_offset(Self::ALIGN).min(Self::ALIGN);
        Self { memory, start, len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes it can have before it has to move.
    pub fn capacity(&self) -> usize {
        (self.memory.len() - self.start) / Self::ALIGN * Self::ALIGN
    }

    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.reserve(end);
        if let Some(room) = self.memory.get_mut(self.start + self.len..self.start + end) {
            room.copy_from_slice(bytes);
            self.len = end;
        }
    }

    /// Appends zeros up to the next multiple of [`Block::ALIGN`].
    pub fn pad(&mut self) {
        let end = self.len.next_multiple_of(Self::ALIGN);
        self.reserve(end);
        if let Some(room) = self.memory.get_mut(self.start + self.len..self.start + end) {
            room.fill(0);
            self.len = end;
        }
    }

    /// Overwrites bytes that are there; those past the end are left out.
    pub fn overwrite(&mut self, position: usize, bytes: &[u8]) {
        let (start, end) = (self.start + position, self.start + self.len);
        let Some(room) = self.memory.get_mut(start.min(end)..end) else { return };
        for (place, byte) in room.iter_mut().zip(bytes) {
            *place = *byte;
        }
    }

    pub fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.start + self.len).unwrap_or_default()
    }

    fn reserve(&mut self, bytes: usize) {
        if bytes <= self.capacity() {
            return;
        }
        let mut larger = Self::with_capacity(bytes.max(2 * self.capacity()));
        larger.extend(self.bytes());
        *self = larger;
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block").field("len", &self.len).field("capacity", &self.capacity()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Block;

    #[test]
    fn bytes_stay_aligned_while_a_block_grows() {
        let mut block = Block::with_capacity(10);
        let mut model = Vec::new();
        for round in 0..40_u8 {
            let part = vec![round; 700];
            block.extend(&part);
            model.extend_from_slice(&part);
            assert_eq!(block.bytes().as_ptr().align_offset(Block::ALIGN), 0);
        }
        assert_eq!(block.bytes(), model);
        block.pad();
        assert_eq!((block.len() % Block::ALIGN, &block.bytes()[..model.len()]), (0, &model[..]));
        assert!(block.bytes()[model.len()..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn overwriting_changes_only_what_is_there() {
        let mut block = Block::with_capacity(0);
        block.extend(b"abcdef");
        block.overwrite(4, b"XYZ");
        assert_eq!(block.bytes(), b"abcdXY");
        block.overwrite(9, b"!");
        assert_eq!(block.bytes(), b"abcdXY");
        block.clear();
        assert!(block.is_empty());
    }
}
