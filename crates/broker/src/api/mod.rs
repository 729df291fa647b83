//! One file for each API, numbered as the protocol numbers them. Each begins with the versions it serves and what each
//! version added, and offers `handle`, which the table in [`crate::dispatch`] names.

pub mod k00_produce;
pub mod k01_fetch;
pub mod k02_list_offsets;
pub mod k03_metadata;
pub mod k18_api_versions;
pub mod k21_delete_records;
pub mod k22_init_producer_id;
pub mod k23_offset_for_leader_epoch;
pub mod k35_describe_log_dirs;
pub mod k61_describe_producers;
