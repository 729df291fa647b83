//! Which partition a record goes to: where its key says, as every Kafka client has it; without a key, the one that is
//! being filled.

/// The hash by which keys are spread, on which all clients must agree so that a key's records stay together.
///
/// It is Austin Appleby's MurmurHash2 (public domain), 32 bits, little-endian, with Kafka's seed.
pub fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const MIX: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ data.len() as u32;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(MIX);
        k ^= k >> 24;
        hash = hash.wrapping_mul(MIX) ^ k.wrapping_mul(MIX);
    }
    if !tail.is_empty() {
        for (position, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * position);
        }
        hash = hash.wrapping_mul(MIX);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MIX);
    hash ^= hash >> 15;
    hash as i32
}

/// The partition of a key, out of `count`.
pub fn partition_of_key(key: &[u8], count: i32) -> i32 {
    (murmur2(key) & i32::MAX) % count.max(1)
}

/// Where records without a key go: one partition until it has had a batch's worth, then another (KIP-794).
#[derive(Debug, Default)]
pub(super) struct Sticky {
    current: Option<i32>,
    bytes: usize,
}

impl Sticky {
    /// The partition for a record of `size` bytes, out of those that have a leader.
    pub fn choose(
        &mut self,
        size: usize,
        batch_size: usize,
        is_available: impl Fn(i32) -> bool,
        available: impl FnOnce() -> Vec<i32>,
        random: impl FnOnce() -> u32,
    ) -> Option<i32> {
        let keep = self.current.filter(|current| self.bytes < batch_size && is_available(*current));
        let chosen = match keep {
            Some(current) => current,
            None => {
                self.bytes = 0;
                self.another(&available(), random() as usize)?
            }
        };
        self.current = Some(chosen);
        self.bytes += size;
        Some(chosen)
    }

    /// Any but the current one, if there is another.
    fn another(&self, available: &[i32], random: usize) -> Option<i32> {
        let others: Vec<i32> = available.iter().copied().filter(|p| Some(*p) != self.current).collect();
        let among = if others.is_empty() { available } else { &others };
        among.get(random.checked_rem(among.len())?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hash_as_with_kafkas_own_client() {
        // The values of Kafka's own tests of its hash.
        let expected: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in expected {
            assert_eq!(murmur2(key), hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn a_key_has_one_partition_whatever_its_hash() {
        for key in [&b"foobar"[..], b"abc", b""] {
            assert!((0..7).contains(&partition_of_key(key, 7)));
        }
        assert_eq!(partition_of_key(b"abc", 10), 7);
    }

    fn choose(sticky: &mut Sticky, size: usize, available: &[i32]) -> Option<i32> {
        sticky.choose(size, 100, |partition| available.contains(&partition), || available.to_vec(), || 7)
    }

    #[test]
    fn records_without_a_key_stay_until_a_batch_is_full_and_then_move() {
        let mut sticky = Sticky::default();
        let first = choose(&mut sticky, 60, &[0, 1, 2]);
        assert_eq!(choose(&mut sticky, 60, &[0, 1, 2]), first);
        assert_ne!(choose(&mut sticky, 60, &[0, 1, 2]), first);
    }

    #[test]
    fn a_partition_that_lost_its_leader_is_left() {
        let mut sticky = Sticky::default();
        assert_eq!(choose(&mut sticky, 1, &[4]), Some(4));
        assert_eq!(choose(&mut sticky, 1, &[5]), Some(5));
        assert_eq!(choose(&mut sticky, 1, &[]), None);
    }
}
