//! The clock of a node.

use crate::{Now, Timestamp};

/// Tells the time. Deadlines use the part that only goes forward.
pub trait Clock: Send + Sync {
    fn now(&self) -> Now;

    /// The wall clock's part of it, for who needs no other and asks often.
    fn wall(&self) -> Timestamp {
        self.now().wall
    }
}
