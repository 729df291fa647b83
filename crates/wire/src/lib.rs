//! The protocol's bytes: record batches and the codecs they are compressed with.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

pub mod batch;
pub mod compress;
