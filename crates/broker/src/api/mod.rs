//! One file for each API, numbered as the protocol numbers them. Each begins with the versions it serves and what each
//! version added, and offers `handle`, which the table in [`crate::dispatch`] names.

pub mod k00_produce;
pub mod k01_fetch;
pub mod k03_metadata;
pub mod k18_api_versions;
