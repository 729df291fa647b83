//! Randomness of a node: identifiers, jitter.

use crate::Uuid;

/// Gives random bytes.
pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);

    /// A random identifier that is none of the reserved ones.
    fn uuid(&self) -> Uuid {
        loop {
            let mut bytes = [0; 16];
            self.fill(&mut bytes);
            if let Some(id) = Uuid::from_random(bytes) {
                return id;
            }
        }
    }
}
