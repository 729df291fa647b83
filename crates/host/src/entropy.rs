//! Randomness of the operating system.

use kernel::port::Entropy;
use rustix::rand::{GetRandomFlags, getrandom};

/// The kernel's random number generator.
#[derive(Debug, Default)]
pub struct RealEntropy;

impl Entropy for RealEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut rest: &mut [u8] = bytes;
        while !rest.is_empty() {
            match getrandom(&mut *rest, GetRandomFlags::empty()) {
                Ok(filled) => rest = rest.get_mut(filled..).unwrap_or_default(),
                Err(rustix::io::Errno::INTR) => {}
                // Without randomness no identifier is safe to make: going on would be worse than stopping.
                Err(error) => panic!("the operating system gives no random bytes: {error}"),
            }
        }
    }
}
