//! Committed offsets: what groups remember of how far they have read.

mod commit;
mod delete;
mod expire;
mod fetch;
mod store;

pub(crate) use delete::remove_all;
pub(crate) use store::{OffsetStore, Stored};
