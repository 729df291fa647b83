//! From the messages of the protocol to requests, and from replies to messages, version by version.
//!
//! One file for each pair of messages. What needs to know the cluster (which topics there are, and who may use them) is left to
//! whoever calls.

mod admin;
mod join;
mod leave;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod sync;

pub use offset_fetch::offset_fetch_response;
