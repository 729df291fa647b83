//! Nothing but tests: what the codec of `wire` writes, as the codecs of other people read and write it.
//!
//! Start at `tests/`. They stand apart because those codecs take longer to build than the one they are to check.
//!
//! *Invariant:* nothing depends on this crate, and no product contains what it depends on.
