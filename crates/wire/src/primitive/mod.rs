//! The forms every message is made of: fixed-width numbers, lengths, strings, arrays and tagged fields.
//!
//! [`Reader`] and [`Writer`] carry the version and whether it is flexible, so generated code says only which field
//! comes next. Both remember their first failure and turn what follows into nothing: generated code stays straight.

mod array;
mod error;
mod reader;
mod records;
mod view;
mod writer;

#[cfg(test)]
mod tests;

pub use array::{ArrayIter, ArrayView};
pub use error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, LongText};
pub use reader::Reader;
pub use records::{Records, Segment, SpanRef};
pub use view::{Encode, Message, Request, View};
pub use writer::Writer;

pub(crate) use view::{decode, encode, message};

/// What generated code sees.
pub(crate) mod prelude {
    pub use super::{ArrayView, Encode, Reader, Records, View, Writer};
    pub use bytes::Bytes;
    pub use kernel::Uuid;
}

/// Elements an array may have, whatever its size in bytes.
pub const ARRAY_ELEMENTS_MAX: usize = 1_000_000;
/// Tagged fields a struct may have.
pub const TAGGED_FIELDS_MAX: u32 = 10_000;
/// Bytes a string may have: the old form has a 16-bit length, and the new one keeps its bound.
pub const STRING_LEN_MAX: usize = i16::MAX as usize;
/// The `FLEXIBLE_FROM` of a message that never is.
pub const NEVER_FLEXIBLE: i16 = i16::MAX;
