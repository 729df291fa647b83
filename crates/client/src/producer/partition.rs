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

/// Where records without a key go: one partition until it has had a batch's worth, then another, rather one with less that
/// is still to be acknowledged (KIP-794).
#[derive(Debug, Default)]
pub(super) struct Sticky {
    current: Option<i32>,
    bytes: usize,
}

impl Sticky {
    /// The partition for a record of `size` bytes, out of those that have a leader; these come with the number of their
    /// batches that are not acknowledged.
    ///
    /// A batch that is open is filled first, up to another batch's worth: the part that were left would only linger.
    pub fn choose(
        &mut self,
        size: usize,
        batch_size: usize,
        is_available: impl Fn(i32) -> bool,
        is_open: impl Fn(i32) -> bool,
        available: impl FnOnce() -> Vec<(i32, usize)>,
        random: impl FnOnce() -> u32,
    ) -> Option<i32> {
        let stays = |current: &i32| {
            let open = || self.bytes < batch_size.saturating_mul(2) && is_open(*current);
            is_available(*current) && (self.bytes < batch_size || open())
        };
        let chosen = match self.current.filter(stays) {
            Some(current) => current,
            None => {
                self.bytes = 0;
                self.another(available(), random() as usize)?
            }
        };
        self.current = Some(chosen);
        self.bytes += size;
        Some(chosen)
    }

    /// Any but the current one, if there is another: the fewer batches of one wait, the more often.
    fn another(&self, mut available: Vec<(i32, usize)>, random: usize) -> Option<i32> {
        if available.len() > 1 {
            available.retain(|(partition, _)| Some(*partition) != self.current);
        }
        let most = available.iter().map(|(_, waiting)| *waiting).max()?;
        let weight = |waiting: usize| most - waiting + 1;
        let all: usize = available.iter().map(|(_, waiting)| weight(*waiting)).sum();
        let mut place = random.checked_rem(all)?;
        let chosen = available.iter().find(|(_, waiting)| {
            let weight = weight(*waiting);
            let here = place < weight;
            place = place.saturating_sub(weight);
            here
        });
        chosen.map(|(partition, _)| *partition)
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
        let is_available = |partition| available.contains(&partition);
        let none_waits = || available.iter().map(|partition| (*partition, 0)).collect();
        sticky.choose(size, 100, is_available, |_| false, none_waits, || 7)
    }

    #[test]
    fn records_without_a_key_stay_until_a_batch_is_full_and_then_move() {
        let mut sticky = Sticky::default();
        let first = choose(&mut sticky, 60, &[0, 1, 2]);
        assert_eq!(choose(&mut sticky, 60, &[0, 1, 2]), first);
        assert_ne!(choose(&mut sticky, 60, &[0, 1, 2]), first);
    }

    #[test]
    fn a_batch_that_is_open_is_filled_before_another_partition_is_begun() {
        let mut sticky = Sticky::default();
        let mut choose =
            |open| sticky.choose(60, 100, |_| true, |_| open, || vec![(0, 0), (1, 0), (2, 0)], || 7);
        let first = choose(true);
        assert_eq!([choose(true), choose(true), choose(true)], [first; 3]);
        assert_ne!(choose(true), first, "it has had two batches' worth");
    }

    #[test]
    fn a_partition_with_more_that_waits_is_chosen_less_often() {
        let chosen: Vec<i32> = (0..4)
            .filter_map(|random| Sticky::default().another(vec![(0, 5), (1, 5), (2, 4)], random))
            .collect();
        assert_eq!(chosen, [0, 1, 2, 2]);
    }

    #[test]
    fn a_partition_that_lost_its_leader_is_left() {
        let mut sticky = Sticky::default();
        assert_eq!(choose(&mut sticky, 1, &[4]), Some(4));
        assert_eq!(choose(&mut sticky, 1, &[5]), Some(5));
        assert_eq!(choose(&mut sticky, 1, &[]), None);
    }
}
