//! The clock of a node.

use crate::Now;

/// Tells the time. Deadlines use the part that only goes forward.
pub trait Clock: Send + Sync {
    fn now(&self) -> Now;
}
