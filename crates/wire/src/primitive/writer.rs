use bytes::{BufMut, Bytes, BytesMut};
use kernel::Uuid;

use super::{Encode, EncodeError, EncodeErrorKind, LongText, Records, STRING_LEN_MAX, Segment, SpanRef};

/// Writes fields one after the other into one growing buffer.
///
/// Records that lie in a file leave a hole: their length counts into every enclosing length, and
/// [`Writer::into_segments`] names them between the bytes. Large records in memory are passed on, not copied.
/// Like `Reader`, it keeps its first failure, which `encode` reports.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: BytesMut,
    /// What goes between the bytes of `buffer`, by where; ascending.
    inserts: Vec<(usize, Segment)>,
    inserted: usize,
    version: i16,
    flexible: bool,
    failure: Option<EncodeErrorKind>,
}

/// Records in memory of this size and more become a segment of their own.
const SHARED_MIN: usize = 4096;

impl Writer {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn with_capacity(bytes: usize) -> Self {
        Self { buffer: BytesMut::with_capacity(bytes), ..Self::default() }
    }

    /// How many bytes the message has so far, holes included.
    pub fn len(&self) -> usize {
        self.buffer.len() + self.inserted
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was written, in pieces to be sent in order.
    pub fn into_segments(self) -> Vec<Segment> {
        let mut buffer = self.buffer;
        let mut segments = Vec::with_capacity(self.inserts.len() * 2 + 1);
        let mut taken = 0;
        for (at, insert) in self.inserts {
            if at > taken {
                segments.push(Segment::Bytes(buffer.split_to(at - taken).freeze()));
                taken = at;
            }
            segments.push(insert);
        }
        if !buffer.is_empty() {
            segments.push(Segment::Bytes(buffer.freeze()));
        }
        segments
    }

    /// What was written as one piece, which it can be only if none of it lies in a file.
    pub fn into_bytes(self) -> Result<Bytes, EncodeErrorKind> {
        if self.inserts.is_empty() {
            return Ok(self.buffer.freeze());
        }
        let mut whole = BytesMut::with_capacity(self.len());
        for segment in self.into_segments() {
            match segment {
                Segment::Bytes(bytes) => whole.extend_from_slice(&bytes),
                Segment::Span(_) => return Err(EncodeErrorKind::SpanInBytes),
            }
        }
        Ok(whole.freeze())
    }

    /// Writes one message in `version`. What was written before it stays; after an error its bytes are unspecified.
    pub(crate) fn message<T: Encode>(
        &mut self,
        name: &'static str,
        version: i16,
        flexible: bool,
        message: &T,
    ) -> Result<(), EncodeError> {
        self.version = version;
        self.flexible = flexible;
        message.write(self);
        let kind = self.failure.take();
        kind.map_or(Ok(()), |kind| Err(EncodeError { message: name, version, kind }))
    }

    /// Puts the size of everything after the first four bytes into them.
    pub(crate) fn patch_frame_size(&mut self) -> Result<(), EncodeErrorKind> {
        let size = self.len().checked_sub(4).and_then(|size| i32::try_from(size).ok());
        let size = size.ok_or(EncodeErrorKind::TooLong)?;
        if let Some(prefix) = self.buffer.first_chunk_mut() {
            *prefix = size.to_be_bytes();
        }
        Ok(())
    }

    pub fn version(&self) -> i16 {
        self.version
    }

    pub fn fail(&mut self, kind: EncodeErrorKind) {
        self.failure.get_or_insert(kind);
    }

    /// Says that `field` is set in a version that cannot carry it.
    pub fn absent(&mut self, field: &'static str) {
        self.fail(EncodeErrorKind::FieldNotInVersion(field));
    }

    pub fn bool(&mut self, value: bool) {
        self.buffer.put_u8(u8::from(value));
    }

    pub fn i8(&mut self, value: i8) {
        self.buffer.put_i8(value);
    }

    pub fn i16(&mut self, value: i16) {
        self.buffer.put_i16(value);
    }

    pub fn u16(&mut self, value: u16) {
        self.buffer.put_u16(value);
    }

    pub fn i32(&mut self, value: i32) {
        self.buffer.put_i32(value);
    }

    pub fn u32(&mut self, value: u32) {
        self.buffer.put_u32(value);
    }

    pub fn i64(&mut self, value: i64) {
        self.buffer.put_i64(value);
    }

    pub fn f64(&mut self, value: f64) {
        self.buffer.put_f64(value);
    }

    pub fn uuid(&mut self, value: Uuid) {
        self.buffer.put_slice(value.as_bytes());
    }

    /// An unsigned number in groups of seven bits, lowest first.
    pub fn varint(&mut self, value: u32) {
        let mut left = value;
        while left >= 0x80 {
            self.buffer.put_u8(left as u8 | 0x80);
            left >>= 7;
        }
        self.buffer.put_u8(left as u8);
    }

    /// Bytes as they are, without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.put_slice(bytes);
    }

    pub fn string(&mut self, value: &str) {
        if self.flexible {
            self.compact_len(Some(value.len()));
        } else {
            self.buffer.put_i16(value.len() as i16);
        }
        self.text(value);
    }

    pub fn nullable_string(&mut self, value: Option<&str>, nullable: bool) {
        match value {
            Some(value) => self.string(value),
            None if self.flexible => self.null(nullable),
            None => self.short_null(nullable),
        }
    }

    /// A string in the old form, whatever the version.
    pub fn inflexible_nullable_string(&mut self, value: Option<&str>, nullable: bool) {
        match value {
            Some(value) => {
                self.buffer.put_i16(value.len() as i16);
                self.text(value);
            }
            None => self.short_null(nullable),
        }
    }

    fn text(&mut self, value: &str) {
        if value.len() > STRING_LEN_MAX {
            return self.fail(EncodeErrorKind::StringTooLong(LongText::new(value)));
        }
        self.buffer.put_slice(value.as_bytes());
    }

    pub fn bytes(&mut self, value: &[u8]) {
        self.size(Some(value.len()));
        self.buffer.put_slice(value);
    }

    pub fn nullable_bytes(&mut self, value: Option<&[u8]>, nullable: bool) {
        match value {
            Some(value) => self.bytes(value),
            None => self.null(nullable),
        }
    }

    pub fn records(&mut self, value: &Records, nullable: bool) {
        match value {
            Records::Null => self.null(nullable),
            Records::Bytes(bytes) if bytes.len() < SHARED_MIN => self.bytes(bytes),
            Records::Bytes(bytes) => {
                self.size(Some(bytes.len()));
                self.insert(bytes.len(), Segment::Bytes(bytes.clone()));
            }
            Records::Span(span) => {
                self.size(Some(span.len as usize));
                self.span(*span);
            }
        }
    }

    /// Leaves a hole for bytes that lie elsewhere.
    pub fn span(&mut self, span: SpanRef) {
        if span.len > 0 {
            self.insert(span.len as usize, Segment::Span(span));
        }
    }

    fn insert(&mut self, len: usize, segment: Segment) {
        self.inserts.push((self.buffer.len(), segment));
        self.inserted += len;
    }

    pub fn array<T: Encode>(&mut self, elements: &[T]) {
        self.size(Some(elements.len()));
        for element in elements {
            element.write(self);
        }
    }

    pub fn nullable_array<T: Encode>(&mut self, elements: Option<&[T]>, nullable: bool) {
        match elements {
            Some(elements) => self.array(elements),
            None => self.null(nullable),
        }
    }

    /// A struct announced by a signed byte, or null.
    pub fn nullable_struct<T: Encode>(&mut self, value: Option<&T>, nullable: bool) {
        match value {
            Some(value) => {
                if nullable {
                    self.i8(1);
                }
                value.write(self);
            }
            None if nullable => self.i8(-1),
            None => self.fail(EncodeErrorKind::UnexpectedNull),
        }
    }

    /// A struct in a tagged field, announced by a variable-length number.
    pub fn tagged_nullable_struct<T: Encode>(&mut self, value: Option<&T>) {
        self.varint(u32::from(value.is_some()));
        if let Some(value) = value {
            value.write(self);
        }
    }

    /// The tagged fields of a struct that has none.
    pub fn no_tags(&mut self) {
        if self.flexible {
            self.buffer.put_u8(0);
        }
    }

    /// Begins the tagged fields of a struct; returns where their count stands, for [`Writer::tag`].
    pub fn tags(&mut self) -> usize {
        self.no_tags();
        self.buffer.len().saturating_sub(1)
    }

    /// Writes one tagged field, counted at `tags`. Tags ascend; the generator sees to that.
    pub fn tag(&mut self, tags: usize, tag: u32, value: &mut dyn FnMut(&mut Self)) {
        if let Some(count) = self.buffer.get_mut(tags) {
            // No struct has as many as 128 tagged fields, so the count stays one byte.
            *count += 1;
        }
        self.varint(tag);
        // The size is known afterwards: one byte is left for it, and the rare long value moves.
        let at = self.buffer.len();
        self.buffer.put_u8(0);
        value(self);
        let size = self.buffer.len() - at - 1;
        let (mut digits, mut left) = ([0u8; 5], size);
        let mut count = 0;
        for digit in &mut digits {
            *digit = (left & 0x7f) as u8 | if left >= 0x80 { 0x80 } else { 0 };
            left >>= 7;
            count += 1;
            if left == 0 {
                break;
            }
        }
        self.buffer.put_bytes(0, count - 1);
        let end = at + 1 + size;
        self.buffer.copy_within(at + 1..end, at + count);
        if let (Some(size), Some(digits)) = (self.buffer.get_mut(at..at + count), digits.get(..count)) {
            size.copy_from_slice(digits);
        }
    }

    fn null(&mut self, nullable: bool) {
        if !nullable {
            self.fail(EncodeErrorKind::UnexpectedNull);
        }
        self.size(None);
    }

    fn short_null(&mut self, nullable: bool) {
        if !nullable {
            self.fail(EncodeErrorKind::UnexpectedNull);
        }
        self.buffer.put_i16(-1);
    }

    fn size(&mut self, len: Option<usize>) {
        if self.flexible {
            return self.compact_len(len);
        }
        if len.is_some_and(|len| len > i32::MAX as usize) {
            self.fail(EncodeErrorKind::TooLong);
        }
        self.buffer.put_i32(len.map_or(-1, |len| len as i32));
    }

    fn compact_len(&mut self, len: Option<usize>) {
        if len.is_some_and(|len| len > i32::MAX as usize) {
            self.fail(EncodeErrorKind::TooLong);
        }
        self.varint(len.map_or(0, |len| (len as u32).wrapping_add(1)));
    }
}
