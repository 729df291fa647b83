//! What is in a record, so that it can be told what it was and whether it is whole.

use client::ConsumerRecord;
use sim::Chance;

use crate::history::{Seen, Value};
use crate::world::trace::sum;

/// Bytes for a value: its number, and then some that follow from it.
pub fn write(id: u64, chance: &mut Chance) -> Vec<u8> {
    let len = match chance.below(16) {
        0 => chance.within(4_000..=16_000),
        1..=4 => chance.within(200..=2_000),
        _ => chance.within(0..=200),
    } as usize;
    let mut bytes = id.to_be_bytes().to_vec();
    let mut filler = Chance::new(id);
    while bytes.len() < 8 + len {
        bytes.extend(filler.number().to_be_bytes());
    }
    bytes.truncate(8 + len);
    bytes
}

/// The value that bytes stand for.
pub fn value(bytes: &[u8]) -> Option<Value> {
    let id = u64::from_be_bytes(*bytes.first_chunk()?);
    Some(Value { id, sum: sum(bytes) })
}

/// A record as it was read.
pub fn seen(record: &ConsumerRecord) -> Seen {
    Seen { offset: record.offset.get(), value: record.value.as_deref().and_then(value) }
}
