//! Groups and committed offsets, seen from the client's side of the connection.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod admin;
mod coordinator;
mod member;
mod membership;
mod offsets;
#[path = "../support/mod.rs"]
mod support;
mod unknown_groups;
