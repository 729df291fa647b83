//! Judging what a producer sent.

mod validated;

pub use validated::Validated;
