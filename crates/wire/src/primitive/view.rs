use bytes::Bytes;
use kernel::Uuid;

use super::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, Reader, Writer};

/// A value read in place: it borrows from the input and copies nothing.
pub trait View<'a>: Copy {
    /// The fewest bytes that a value takes in any version; it bounds how many a claimed count can be.
    const SIZE_MIN: usize;
    /// Whether every value takes exactly `SIZE_MIN` bytes and all of them are valid.
    const FIXED: bool = false;

    type Owned;

    fn read(r: &mut Reader<'a>) -> Self;

    fn own(self) -> Self::Owned;
}

/// A value that can be part of a message.
pub trait Encode {
    fn write(&self, w: &mut Writer);
}

/// A message or record value of its own, with versions.
pub trait Message: Encode + Clone + std::fmt::Debug + PartialEq + Default {
    const NAME: &'static str;
    const MIN_VERSION: i16;
    const MAX_VERSION: i16;
    /// The first version with compact lengths and tagged fields, or [`super::NEVER_FLEXIBLE`].
    const FLEXIBLE_FROM: i16;

    fn encode(&self, out: &mut Writer, version: i16) -> Result<(), EncodeError> {
        encode(self, out, version)
    }

    /// Decodes into owned values, which allocates as the input says; brokers decode requests as views.
    fn decode(input: &[u8], version: i16) -> Result<Self, DecodeError>;
}

/// A request, and what answers it.
pub trait Request: Message {
    const API_KEY: i16;
    type Response: Message;
}

macro_rules! number {
    ($($number:ident)*) => {$(
        impl<'a> View<'a> for $number {
            const SIZE_MIN: usize = size_of::<$number>();
            const FIXED: bool = true;
            type Owned = $number;

            fn read(r: &mut Reader<'a>) -> Self {
                r.$number()
            }

            fn own(self) -> Self {
                self
            }
        }

        impl Encode for $number {
            fn write(&self, w: &mut Writer) {
                w.$number(*self);
            }
        }
    )*};
}

number!(bool i8 i16 u16 i32 u32 i64 f64);

impl<'a> View<'a> for Uuid {
    const SIZE_MIN: usize = 16;
    const FIXED: bool = true;
    type Owned = Uuid;

    fn read(r: &mut Reader<'a>) -> Self {
        r.uuid()
    }

    fn own(self) -> Self {
        self
    }
}

impl Encode for Uuid {
    fn write(&self, w: &mut Writer) {
        w.uuid(*self);
    }
}

impl<'a> View<'a> for &'a str {
    const SIZE_MIN: usize = 1;
    type Owned = String;

    fn read(r: &mut Reader<'a>) -> Self {
        r.string()
    }

    fn own(self) -> String {
        self.to_owned()
    }
}

impl Encode for String {
    fn write(&self, w: &mut Writer) {
        w.string(self);
    }
}

impl<'a> View<'a> for &'a [u8] {
    const SIZE_MIN: usize = 1;
    type Owned = Bytes;

    fn read(r: &mut Reader<'a>) -> Self {
        r.bytes()
    }

    fn own(self) -> Bytes {
        Bytes::copy_from_slice(self)
    }
}

impl Encode for Bytes {
    fn write(&self, w: &mut Writer) {
        w.bytes(self);
    }
}

/// Encodes `message`, if it has this version.
pub(crate) fn encode<M: Message>(message: &M, out: &mut Writer, version: i16) -> Result<(), EncodeError> {
    if !(M::MIN_VERSION..=M::MAX_VERSION).contains(&version) {
        let kind = EncodeErrorKind::UnsupportedVersion;
        return Err(EncodeError { message: M::NAME, version, kind });
    }
    out.message(M::NAME, version, version >= M::FLEXIBLE_FROM, message)
}

/// Decodes a view of the message `M`, if it has this version.
pub(crate) fn decode<'a, M: Message, V: View<'a>>(input: &'a [u8], version: i16) -> Result<V, DecodeError> {
    let mut reader = Reader::new(input, version, version >= M::FLEXIBLE_FROM);
    if !(M::MIN_VERSION..=M::MAX_VERSION).contains(&version) {
        reader.fail(DecodeErrorKind::UnsupportedVersion);
    }
    let view = V::read(&mut reader);
    reader.finish(M::NAME, view)
}

/// What every message has beside its fields. One that borrows nothing is `plain`: a single type is both families.
macro_rules! message {
    (borrowed $owned:ident, $view:ident, $first:literal ..= $last:literal, $flexible:expr) => {
        $crate::primitive::message!(common $owned, $first, $last, $flexible);

        impl $owned {
            /// Decodes into owned values, which allocates as the input says.
            pub fn decode(input: &[u8], version: i16) -> Result<Self, $crate::DecodeError> {
                $view::decode(input, version).map($view::to_owned)
            }
        }

        impl<'a> $view<'a> {
            /// Checks all of the message in one walk, and borrows it. Bytes after it are left alone, as Kafka does.
            pub fn decode(input: &'a [u8], version: i16) -> Result<Self, $crate::DecodeError> {
                $crate::primitive::decode::<$owned, Self>(input, version)
            }
        }
    };
    (plain $owned:ident, $first:literal ..= $last:literal, $flexible:expr) => {
        $crate::primitive::message!(common $owned, $first, $last, $flexible);

        impl $owned {
            /// Checks and reads all of the message. Bytes after it are left alone, as Kafka does.
            pub fn decode(input: &[u8], version: i16) -> Result<Self, $crate::DecodeError> {
                $crate::primitive::decode::<Self, Self>(input, version)
            }
        }
    };
    (common $owned:ident, $first:literal, $last:literal, $flexible:expr) => {
        impl $owned {
            pub const MIN_VERSION: i16 = $first;
            pub const MAX_VERSION: i16 = $last;
            pub const FLEXIBLE_FROM: i16 = $flexible;

            pub fn encode(&self, out: &mut $crate::Writer, version: i16) -> Result<(), $crate::EncodeError> {
                $crate::primitive::encode(self, out, version)
            }
        }

        impl $crate::Message for $owned {
            const NAME: &'static str = stringify!($owned);
            const MIN_VERSION: i16 = $first;
            const MAX_VERSION: i16 = $last;
            const FLEXIBLE_FROM: i16 = $flexible;

            fn decode(input: &[u8], version: i16) -> Result<Self, $crate::DecodeError> {
                $owned::decode(input, version)
            }
        }
    };
}

pub(crate) use message;
