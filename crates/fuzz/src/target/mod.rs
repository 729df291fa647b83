//! What is fuzzed.

mod batches;
mod config;
mod dir;
mod log;
mod messages;
mod metadata;
mod offsets_topic;

use crate::bound;

/// A reader of foreign bytes.
pub struct Target {
    pub name: &'static str,
    pub what: &'static str,
    /// Takes any bytes. Panics if something is wrong.
    run: fn(&[u8]),
    /// Inputs that get it started, from our own encoders.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The longest input that is made up.
    pub len_max: usize,
    /// About what an execution takes, in microseconds, so that whoever runs all of them begins with the longest.
    pub micros: u32,
}

/// Every target.
pub static TARGETS: &[Target] = &[
    messages::FRAME,
    messages::REQUEST,
    messages::RESPONSE,
    messages::RECORD,
    batches::DECOMPRESS,
    batches::ITERATE,
    batches::PRODUCE,
    log::SEGMENT,
    log::FILES,
    dir::LOG_DIR,
    metadata::METADATA,
    offsets_topic::OFFSETS_TOPIC,
    config::PROPERTIES,
    config::OPTION,
];

impl Target {
    pub fn find(name: &str) -> Option<&'static Target> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Runs it, and judges what it took.
    pub fn execute(&self, input: &[u8]) {
        let start = bound::processor_nanos();
        (self.run)(input);
        let took = bound::processor_nanos() - start;
        assert!(took <= bound::NANOS_MAX, "{} ms went by for {} bytes", took / 1_000_000, input.len());
    }
}
