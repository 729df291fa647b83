//! Where blocks go. Positions are those of an endless stream, which lies in the file lap over lap.

use std::collections::BTreeSet;

use super::{BLOCK_MAX, BYTES_MIN, PAGE};

/// The ring is overwritten a zone at a time.
pub(super) const ZONES: u64 = 4;

/// The order of blocks in a journal, and which of them are needed.
///
/// A zone that was left is needed until every partition that has records there is synced; then [`Ring::cleaned`] frees it.
///
/// *Invariant:* the stream never gets further ahead of the oldest zone that is needed than the file is long.
#[derive(Debug)]
pub struct Ring {
    life: u64,
    zone_len: u64,
    /// Where the next block goes, unless the rest of its zone is too short.
    next: u64,
    /// All zones before this number are free.
    free_before: u64,
    /// Zones after it that are free already.
    free: BTreeSet<u64>,
}

/// Where a block goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub life: u64,
    /// Position in the endless stream.
    pub at: u64,
    /// What lies before this in the stream is not needed any more.
    pub tail: u64,
    /// Position in the file.
    pub position: u64,
    pub zone: u64,
    /// The zone that this block is the first not to be in.
    pub left: Option<u64>,
}

impl Ring {
    /// A ring of `bytes`, brought to what zones can be made of.
    pub fn new(bytes: u64, life: u64) -> Self {
        let zone_len = (bytes.max(BYTES_MIN) / ZONES).next_multiple_of(PAGE);
        Self { life, zone_len, next: 0, free_before: 0, free: BTreeSet::new() }
    }

    /// Bytes that it takes in the file.
    pub fn capacity(&self) -> u64 {
        ZONES * self.zone_len
    }

    /// Finds room for a block of so many bytes; nothing as long as what is needed is in the way.
    pub fn take(&mut self, len: u64) -> Option<Place> {
        debug_assert!(len <= BLOCK_MAX as u64 && len.is_multiple_of(PAGE));
        let mut at = self.next;
        if at % self.zone_len + len > self.zone_len {
            at = at.next_multiple_of(self.zone_len);
        }
        let zone = at / self.zone_len;
        if zone >= self.free_before + ZONES {
            return None;
        }
        let current = self.next.saturating_sub(1) / self.zone_len;
        let left = (self.next > 0 && zone != current).then_some(current);
        self.next = at + len;
        let tail = (self.free_before * self.zone_len).min(at);
        Some(Place { life: self.life, at, tail, position: PAGE + at % self.capacity(), zone, left })
    }

    /// A zone that was left has nothing any more that only the journal keeps.
    pub fn cleaned(&mut self, zone: u64) {
        self.free.insert(zone);
        while self.free.remove(&self.free_before) {
            self.free_before += 1;
        }
    }

    /// How many bytes may be in the journal only.
    pub fn used(&self) -> u64 {
        self.next.saturating_sub(self.free_before * self.zone_len)
    }
}
