//! What a log promises, on a simulated disk.

mod append;
mod clean;
mod clean_crash;
mod clean_model;
mod clean_swap;
mod clean_txns;
mod crash;
mod damage;
mod disk_format;
mod flips;
mod model;
mod no_room;
mod offsets;
mod producers;
mod read;
mod recover;
mod retain;
mod truncate;
