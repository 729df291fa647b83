use kernel::Uuid;

use super::{
    ARRAY_ELEMENTS_MAX, ArrayView, DecodeError, DecodeErrorKind, STRING_LEN_MAX, TAGGED_FIELDS_MAX, View,
};

/// Reads fields one after the other from bytes that nobody vouches for.
///
/// The first failure is kept, the rest of the input is given up, and every later read returns zero or nothing: callers
/// read a whole struct and ask once, with [`Reader::finish`]. Nothing is ever allocated.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    input: &'a [u8],
    position: usize,
    version: i16,
    flexible: bool,
    failure: Option<(usize, DecodeErrorKind)>,
}

impl<'a> Reader<'a> {
    pub fn new(input: &'a [u8], version: i16, flexible: bool) -> Self {
        Self { input, position: 0, version, flexible, failure: None }
    }

    pub fn version(&self) -> i16 {
        self.version
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.position
    }

    pub fn remaining(&self) -> usize {
        self.input.len() - self.position
    }

    /// `value`, unless anything read so far was wrong. Bytes left over are fine, as they are for Kafka.
    pub fn finish<T>(self, message: &'static str, value: T) -> Result<T, DecodeError> {
        match self.failure {
            None => Ok(value),
            Some((offset, kind)) => Err(DecodeError { message, version: self.version, offset, kind }),
        }
    }

    /// Notes what is wrong at the current position, if nothing was wrong before, and gives up the rest.
    pub fn fail(&mut self, kind: DecodeErrorKind) {
        if self.failure.is_none() {
            self.failure = Some((self.position, kind));
        }
        self.input = &[];
        self.position = 0;
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    pub fn bool(&mut self) -> bool {
        self.i8() != 0
    }

    pub fn i8(&mut self) -> i8 {
        i8::from_be_bytes(self.fixed())
    }

    pub fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.fixed())
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.fixed())
    }

    pub fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.fixed())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.fixed())
    }

    pub fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.fixed())
    }

    pub fn f64(&mut self) -> f64 {
        f64::from_be_bytes(self.fixed())
    }

    pub fn uuid(&mut self) -> Uuid {
        Uuid::from_bytes(self.fixed())
    }

    /// An unsigned number in groups of seven bits, lowest first.
    pub fn varint(&mut self) -> u32 {
        let mut value = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = u8::from_be_bytes(self.fixed());
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                if let Ok(value) = u32::try_from(value) {
                    return value;
                }
                break;
            }
        }
        self.fail(DecodeErrorKind::VarintTooLong);
        0
    }

    pub fn string(&mut self) -> &'a str {
        self.nullable_string(false).unwrap_or_default()
    }

    pub fn nullable_string(&mut self, nullable: bool) -> Option<&'a str> {
        let len = if self.flexible { self.compact_len() } else { self.short_len() };
        self.string_of(len, nullable)
    }

    /// A string in the old form, whatever the version: the client id of a request header stays so for ever.
    pub fn inflexible_nullable_string(&mut self, nullable: bool) -> Option<&'a str> {
        let len = self.short_len();
        self.string_of(len, nullable)
    }

    fn string_of(&mut self, len: Option<usize>, nullable: bool) -> Option<&'a str> {
        if len.is_some_and(|len| len > STRING_LEN_MAX) {
            self.fail(DecodeErrorKind::StringTooLong);
            return Some("");
        }
        let start = self.position;
        let bytes = self.bytes_of(len, nullable)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) => {
                self.position = start + error.valid_up_to();
                self.fail(DecodeErrorKind::NotUtf8);
                Some("")
            }
        }
    }

    pub fn bytes(&mut self) -> &'a [u8] {
        self.nullable_bytes(false).unwrap_or_default()
    }

    pub fn nullable_bytes(&mut self, nullable: bool) -> Option<&'a [u8]> {
        let len = self.len();
        self.bytes_of(len, nullable)
    }

    fn bytes_of(&mut self, len: Option<usize>, nullable: bool) -> Option<&'a [u8]> {
        match len {
            Some(len) => Some(self.take(len)),
            None => {
                if !nullable {
                    self.fail(DecodeErrorKind::UnexpectedNull);
                }
                None
            }
        }
    }

    pub fn array<T: View<'a>>(&mut self) -> ArrayView<'a, T> {
        self.nullable_array(false).unwrap_or_default()
    }

    /// Walks over an array once, so that whoever iterates it later meets no surprise.
    pub fn nullable_array<T: View<'a>>(&mut self, nullable: bool) -> Option<ArrayView<'a, T>> {
        let Some(count) = self.len() else {
            if !nullable {
                self.fail(DecodeErrorKind::UnexpectedNull);
            }
            return None;
        };
        if count > ARRAY_ELEMENTS_MAX {
            self.fail(DecodeErrorKind::TooManyElements);
        } else if count > self.remaining() / T::SIZE_MIN.max(1) {
            self.fail(DecodeErrorKind::ArrayTooLong);
        }
        if self.has_failed() {
            return Some(ArrayView::default());
        }
        let rest = self.rest();
        let start = self.position;
        if T::FIXED {
            self.take(count * T::SIZE_MIN);
        } else {
            for _ in 0..count {
                T::read(self);
                if self.has_failed() {
                    return Some(ArrayView::default());
                }
            }
        }
        let bytes = rest.get(..self.position - start).unwrap_or_default();
        Some(ArrayView::new(bytes, count, self.version, self.flexible))
    }

    /// A struct that a signed byte announces: negative for null.
    pub fn nullable_struct<T: View<'a>>(&mut self, nullable: bool) -> Option<T> {
        if nullable && self.i8() < 0 { None } else { Some(T::read(self)) }
    }

    /// A struct in a tagged field, which a variable-length number announces: 0 for null.
    pub fn tagged_nullable_struct<T: View<'a>>(&mut self) -> Option<T> {
        if self.varint() == 0 { None } else { Some(T::read(self)) }
    }

    /// Passes over the tagged fields of a struct that knows none.
    pub fn no_tags(&mut self) {
        if self.flexible {
            self.tags(&mut |_, _| false);
        }
    }

    /// Hands each tagged field to `known`, confined to its bytes; those that it does not know are passed over.
    pub fn tags(&mut self, known: &mut dyn FnMut(u32, &mut Self) -> bool) {
        if !self.flexible {
            return;
        }
        let count = self.varint();
        if count > TAGGED_FIELDS_MAX {
            return self.fail(DecodeErrorKind::TooManyTags);
        }
        let mut next = 0;
        for _ in 0..count {
            let tag = self.varint();
            let size = self.varint() as usize;
            if u64::from(tag) < next {
                self.fail(DecodeErrorKind::TagsNotAscending);
            } else if size > self.remaining() {
                self.fail(DecodeErrorKind::Truncated);
            }
            if self.has_failed() {
                return;
            }
            next = u64::from(tag) + 1;
            self.tag(tag, size, known);
        }
    }

    fn tag(&mut self, tag: u32, size: usize, known: &mut dyn FnMut(u32, &mut Self) -> bool) {
        let whole = self.input;
        let end = self.position + size;
        self.input = whole.get(..end).unwrap_or_default();
        if !known(tag, self) {
            self.position = end;
        }
        if self.has_failed() {
            return;
        }
        if self.position != end {
            return self.fail(DecodeErrorKind::TagSize);
        }
        self.input = whole;
    }

    fn len(&mut self) -> Option<usize> {
        if self.flexible {
            return self.compact_len();
        }
        // Any length below zero is a null, as Kafka reads it.
        usize::try_from(self.i32()).ok()
    }

    fn short_len(&mut self) -> Option<usize> {
        usize::try_from(self.i16()).ok()
    }

    fn compact_len(&mut self) -> Option<usize> {
        // A failed read is not a null.
        let len = self.varint();
        if self.has_failed() { Some(0) } else { (len as usize).checked_sub(1) }
    }

    fn rest(&self) -> &'a [u8] {
        self.input.get(self.position..).unwrap_or_default()
    }

    fn fixed<const N: usize>(&mut self) -> [u8; N] {
        match self.rest().first_chunk() {
            Some(bytes) => {
                self.position += N;
                *bytes
            }
            None => {
                self.fail(DecodeErrorKind::Truncated);
                [0; N]
            }
        }
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        match self.rest().get(..len) {
            Some(bytes) => {
                self.position += len;
                bytes
            }
            None => {
                self.fail(DecodeErrorKind::Truncated);
                &[]
            }
        }
    }
}
