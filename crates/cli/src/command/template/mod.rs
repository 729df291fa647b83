//! Templates: how records are written as text or bytes, and read back, in the letters that rpk and kcat made familiar.
//!
//! `%t` topic, `%k` key, `%v` value, `%h{…}` each header, `%p` partition, `%o` offset, `%e` leader epoch, `%d` time,
//! `%i` which record it is of those printed, counted from 1, `%%` a percent sign. `%T`, `%K`, `%V` are lengths in bytes
//! and `%H` is the number of headers. A form in braces may follow.

mod forms;
mod parse;
mod read;
mod times;
mod unpack;
mod write;

pub use parse::unescape;
pub use read::Reader;

use forms::{BytesForm, NumberForm, TimeForm};

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

/// What is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Partition,
    Offset,
    LeaderEpoch,
    Headers,
    /// Which record it is.
    Count,
}

/// A template that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);
