//! Randomness that a seed repeats.

use std::ops::RangeInclusive;
use std::time::Duration;

use kernel::port::Entropy;
use parking_lot::Mutex;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// The generator used wherever the simulation chooses. Its algorithm is part of its contract, so a seed that once
/// found a bug finds it for ever.
pub type Generator = Xoshiro256PlusPlus;

/// Choices that a seed repeats.
#[derive(Debug, Clone)]
pub struct Chance(Generator);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(generator(seed))
    }

    /// Another source of choices: what is drawn from it changes nothing of what is drawn here later.
    pub fn split(&mut self) -> Self {
        Self::new(self.0.next_u64())
    }

    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        below(&mut self.0, bound)
    }

    /// A number from `range`.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let width = range.end().saturating_sub(*range.start()).saturating_add(1);
        range.start() + self.below(width)
    }

    /// A time from `range`, to the microsecond.
    pub fn time(&mut self, range: RangeInclusive<Duration>) -> Duration {
        let micros = |time: &Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.within(micros(range.start())..=micros(range.end())))
    }

    /// True once in `out_of` times, on average.
    pub fn one_in(&mut self, out_of: u64) -> bool {
        one_in(&mut self.0, out_of)
    }

    /// One of several; nothing if there is none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let index = self.below(from.len() as u64);
        from.get(usize::try_from(index).ok()?)
    }
}

/// Entropy for a simulated node.
#[derive(Debug)]
pub struct SimEntropy {
    generator: Mutex<Generator>,
}

impl SimEntropy {
    pub fn new(seed: u64) -> Self {
        Self { generator: Mutex::new(generator(seed)) }
    }
}

impl Entropy for SimEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.generator.lock().fill_bytes(bytes);
    }
}

pub(crate) fn generator(seed: u64) -> Generator {
    Generator::seed_from_u64(seed)
}

/// A number below `bound`, which is not zero. The bias is far below what a test could see.
pub(crate) fn below(generator: &mut Generator, bound: u64) -> u64 {
    generator.next_u64() % bound.max(1)
}

/// True once in `out_of` times, on average.
pub(crate) fn one_in(generator: &mut Generator, out_of: u64) -> bool {
    below(generator, out_of) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_bytes(seed: u64) -> [u8; 32] {
        let mut bytes = [0; 32];
        SimEntropy::new(seed).fill(&mut bytes);
        bytes
    }

    #[test]
    fn choices_are_within_their_bounds_and_use_all_of_them() {
        let mut chance = Chance::new(1);
        let mut seen = [false; 4];
        for _ in 0..100 {
            let number = chance.within(3..=6);
            assert!((3..=6).contains(&number));
            seen[number as usize - 3] = true;
        }
        assert_eq!(seen, [true; 4]);
        assert_eq!(chance.within(5..=5), 5);
        assert_eq!(chance.pick::<u8>(&[]), None);
    }

    #[test]
    fn what_is_split_off_changes_nothing_of_the_rest() {
        let (mut one, mut other) = (Chance::new(9), Chance::new(9));
        let mut split = one.split();
        other.split();
        split.number();
        assert_eq!(one.number(), other.number());
    }

    #[test]
    fn equal_seeds_give_equal_bytes_and_others_do_not() {
        assert_eq!(first_bytes(7), first_bytes(7));
        assert_ne!(first_bytes(7), first_bytes(8));
    }
}
