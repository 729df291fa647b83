//! What a log promises, on a simulated disk.

mod append;
mod crash;
mod damage;
mod disk_format;
mod model;
mod offsets;
mod producers;
mod read;
mod recover;
mod retain;
mod truncate;
