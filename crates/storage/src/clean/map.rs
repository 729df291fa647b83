//! Which offset is the last of each key, in memory of a fixed size.

use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// What one key takes: 128 bits of its hash and its offset.
const SLOT_BYTES: usize = 24;
/// The least number of keys that a map has room for, so that every cleaning gets on.
const MIN_KEYS: usize = 16;

/// Two halves of a hash, and the offset plus one; all zero where nothing is.
type Slot = [u64; 3];

/// The last offset of each key, by a hash of the key.
///
/// Two keys with one hash would be taken for one, and the record of the first be lost. So the hash has 128 bits, and is
/// keyed with a secret: nobody can choose keys that collide.
pub(crate) struct OffsetMap {
    slots: Vec<Slot>,
    keys: usize,
    keys_max: usize,
    secret: [u8; 16],
}

impl OffsetMap {
    /// A map of at most `bytes` of memory, filled up to the share `load` of it; smaller if it will not see more than
    /// `keys_expected` keys.
    pub fn new(bytes: usize, load: f64, keys_expected: u64, secret: [u8; 16]) -> Self {
        let load = if load.is_finite() { load.clamp(0.01, 0.99) } else { 0.9 };
        // Room for all that may come, and one slot that is never taken, at which a search ends.
        let wanted = (keys_expected as f64 / load).ceil() as u64;
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).saturating_add(1);
        let least = (MIN_KEYS as f64 / load).ceil() as usize + 1;
        let count = (bytes / SLOT_BYTES).min(wanted).max(least);
        let keys_max = ((count as f64 * load) as usize).clamp(MIN_KEYS, count - 1);
        Self { slots: vec![[0; 3]; count], keys: 0, keys_max, secret }
    }

    /// Notes that the record at `offset` has this key; false if that is a new key and there is no room.
    pub fn put(&mut self, key: &[u8], offset: i64) -> bool {
        let hash = self.hash(key);
        let (at, there) = self.find(hash);
        if !there {
            if self.keys >= self.keys_max {
                return false;
            }
            self.keys += 1;
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = [hash.0, hash.1, offset.unsigned_abs().saturating_add(1)];
        }
        true
    }

    /// The last offset that was noted for a key.
    pub fn get(&self, key: &[u8]) -> Option<i64> {
        let (at, there) = self.find(self.hash(key));
        let [.., offset] = if there { *self.slots.get(at)? } else { return None };
        i64::try_from(offset.saturating_sub(1)).ok()
    }

    /// Keys that are in the map.
    pub fn len(&self) -> usize {
        self.keys
    }

    /// Bytes that it takes.
    pub fn memory(&self) -> usize {
        self.slots.len() * SLOT_BYTES
    }

    /// How full it is, from 0 to 1.
    pub fn utilization(&self) -> f64 {
        self.keys as f64 / self.slots.len() as f64
    }

    fn hash(&self, key: &[u8]) -> (u64, u64) {
        let mut hasher = SipHasher13::new_with_key(&self.secret);
        hasher.write(key);
        let hash = hasher.finish128();
        (hash.h1, hash.h2)
    }

    /// Where a hash is, or else the free slot that it would take.
    fn find(&self, hash: (u64, u64)) -> (usize, bool) {
        let count = self.slots.len();
        let mut at = usize::try_from(hash.0 % count as u64).unwrap_or(0);
        // There is always a free slot, as `keys_max` is less than the number of slots.
        while let Some([first, second, offset]) = self.slots.get(at).copied() {
            if offset == 0 || (first, second) == hash {
                return (at, offset != 0);
            }
            at = if at + 1 == count { 0 } else { at + 1 };
        }
        (0, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_offset_of_a_key_counts() {
        let mut map = OffsetMap::new(1 << 12, 0.9, 100, [7; 16]);
        assert!(map.put(b"a", 0) && map.put(b"b", 1) && map.put(b"a", 5) && map.put(b"", 6));
        assert_eq!(
            (map.get(b"a"), map.get(b"b"), map.get(b""), map.get(b"c")),
            (Some(5), Some(1), Some(6), None)
        );
        assert_eq!(map.len(), 3);
    }

    #[test]
    fn a_full_map_takes_no_new_key_but_newer_offsets_of_those_it_has() {
        let mut map = OffsetMap::new(100 * SLOT_BYTES, 0.5, 1 << 40, [7; 16]);
        let taken = (0_i64..1000).take_while(|number| map.put(&number.to_be_bytes(), *number)).count();
        assert_eq!(taken, 50);
        assert!(map.put(&7_i64.to_be_bytes(), 2000));
        assert_eq!(map.get(&7_i64.to_be_bytes()), Some(2000));
        assert_eq!(map.get(&50_i64.to_be_bytes()), None);
        assert!((0.49..=0.51).contains(&map.utilization()));
    }

    #[test]
    fn it_takes_no_more_memory_than_it_may_and_no_more_than_it_needs() {
        assert_eq!(OffsetMap::new(2400, 0.9, 1 << 40, [0; 16]).slots.len(), 100);
        assert_eq!(OffsetMap::new(1 << 30, 0.9, 90, [0; 16]).slots.len(), 101);
        let mut least = OffsetMap::new(0, f64::NAN, 0, [0; 16]);
        assert!((0_u8..16).all(|number| least.put(&[number], 1)), "even so a cleaning gets on");
    }

    #[test]
    fn keys_fall_elsewhere_with_another_secret() {
        let (one, other) = (OffsetMap::new(4800, 0.9, 200, [1; 16]), OffsetMap::new(4800, 0.9, 200, [2; 16]));
        assert_ne!(one.hash(b"key"), other.hash(b"key"));
    }
}
