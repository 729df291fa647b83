//! Templates: how records are written as text or bytes, and read back, in the letters that rpk and kcat made familiar.
//!
//! `%t` topic, `%k` key, `%v` value, `%h{…}` each header, `%p` partition, `%o` offset, `%e` leader epoch, `%d` time,
//! `%x` producer id, `%y` producer epoch, `%a{…}` an attribute of the batch, `%[` where the partition begins, `%|` its last
//! stable offset, `%]` its high watermark, `%i` which record it is of those printed, counted from 1, `%%`, `%{`, `%}` what
//! they are. `%T`, `%K`, `%V` are lengths in bytes, and `%H` is the number of headers. A form in braces may follow.
//!
//! *Invariant:* a length is that of the field as it stands after it, in its form there, so that what was written is read back.

mod forms;
mod parse;
mod read;
mod times;
mod unpack;
mod until_end;
mod write;

pub use parse::unescape;
pub use read::Reader;

use std::fmt;

use client::Bounds;

use super::time::Zone;
use forms::{AttributeForm, BytesForm, NumberForm, TimeForm};

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// What stands there as it is.
    Text(Vec<u8>),
    Bytes(Field, BytesForm),
    /// How long a field is.
    Length(Field, NumberForm),
    Number(Number, NumberForm),
    Time(TimeForm),
    Attribute(Attribute, AttributeForm),
    /// Once for each header, whose name is its key.
    Headers(Vec<Piece>),
}

/// What is bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Topic,
    Key,
    Value,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Topic => "%t",
            Field::Key => "%k",
            Field::Value => "%v",
        })
    }
}

/// What is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Partition,
    Offset,
    LeaderEpoch,
    ProducerId,
    ProducerEpoch,
    /// Where the partition begins.
    LogStart,
    LastStable,
    HighWatermark,
    Headers,
    /// Which record it is.
    Count,
}

/// What is said of a batch as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attribute {
    Compression,
    /// 0 if the producer has set the time, 1 if the broker has.
    TimestampType,
    Transactional,
    /// Whether it is a marker, which is never read.
    Control,
}

/// A template that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

impl Template {
    /// Whether it says which topic a record is of.
    pub fn has_topic(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Bytes(Field::Topic, _)))
    }

    /// Whether it says which key a record has.
    pub fn has_key(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Bytes(Field::Key, _)))
    }

    /// Whether it says which value a record has.
    pub fn has_value(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Bytes(Field::Value, _)))
    }

    /// Whether it says which partition a record is of.
    pub fn has_partition(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Number(Number::Partition, _)))
    }
}

/// What is written of a record that it does not say itself.
#[derive(Debug, Clone, Copy)]
pub struct Around<'z> {
    /// Which of those that are printed it is.
    pub count: u64,
    /// Where times are shown.
    pub zone: &'z Zone,
    /// Where its partition begins and ends.
    pub bounds: Bounds,
}
