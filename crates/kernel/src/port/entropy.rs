//! Randomness of a node: identifiers, jitter.

/// Gives random bytes.
pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}
