//! Randomness that a seed repeats.

use kernel::port::Entropy;
use parking_lot::Mutex;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// The generator used wherever the simulation chooses. Its algorithm is part of its contract, so a seed that once
/// found a bug finds it for ever.
pub type Generator = Xoshiro256PlusPlus;

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
    fn equal_seeds_give_equal_bytes_and_others_do_not() {
        assert_eq!(first_bytes(7), first_bytes(7));
        assert_ne!(first_bytes(7), first_bytes(8));
    }
}
