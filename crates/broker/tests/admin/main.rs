//! What administrators ask of a node, over its own protocol.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../support/mod.rs"]
mod support;

mod cluster;
mod configs;
mod controllers;
mod log_dirs;
mod metadata;
mod topics;
