//! Where recent readers stopped, so that one who reads on needs no index.

/// Readers that are remembered.
const SLOTS: usize = 8;

#[derive(Debug, Clone, Copy)]
struct Cursor {
    offset: i64,
    segment: i64,
    position: u64,
}

/// *Invariant:* an entry says that a batch begins, or will begin, at exactly this offset and position.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    slots: Vec<Cursor>,
    oldest: usize,
}

impl Cursors {
    pub fn put(&mut self, offset: i64, segment: i64, position: u64) {
        let cursor = Cursor { offset, segment, position };
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.offset == offset) {
            *slot = cursor;
        } else if self.slots.len() < SLOTS {
            self.slots.push(cursor);
        } else if let Some(slot) = self.slots.get_mut(self.oldest) {
            *slot = cursor;
            self.oldest = (self.oldest + 1) % SLOTS;
        }
    }

    pub fn get(&self, offset: i64, segment: i64) -> Option<u64> {
        let slot = self.slots.iter().find(|slot| slot.offset == offset && slot.segment == segment)?;
        Some(slot.position)
    }

    /// Forgets all, because positions changed or memory is wanted back.
    pub fn clear(&mut self) {
        self.slots = Vec::new();
        self.oldest = 0;
    }
}
