//! Which records of transactions are read (KIP-98).

/// Which transactional records a consumer sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum IsolationLevel {
    /// All of them, also those of transactions that are open or were aborted.
    ReadUncommitted = 0,
    /// Those of transactions that were committed, and those without one; none beyond the first open transaction.
    ReadCommitted = 1,
}

impl IsolationLevel {
    /// The level of a request; nothing for a number that is none.
    pub fn from_number(number: i8) -> Option<Self> {
        match number {
            0 => Some(Self::ReadUncommitted),
            1 => Some(Self::ReadCommitted),
            _ => None,
        }
    }

    /// Its number in a request.
    pub fn number(self) -> i8 {
        self as i8
    }
}
