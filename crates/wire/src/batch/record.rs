//! The records of a batch.
//!
//! A record is `size: varint`, then in `size` bytes: `attributes: i8, timestamp delta: varlong, offset delta: varint,
//! key: nullable bytes, value: nullable bytes, headers: varint count of (key: bytes, value: nullable bytes)`, where
//! every length is a varint.

use super::header::{BatchHeader, TimestampType};
use super::source::{SliceSource, Source};
use super::{BatchError, RecordFault};
use crate::compress::{self, Codec, Limits};
use bytes::Bytes;
use kernel::{Offset, Timestamp};

/// The records of one batch, decompressed; [`BatchRecords::iter`] reads them.
#[derive(Debug, Clone)]
pub struct BatchRecords<'a> {
    header: BatchHeader,
    data: Data<'a>,
}

#[derive(Debug, Clone)]
enum Data<'a> {
    Borrowed(&'a [u8]),
    Decompressed(Bytes),
}

impl<'a> BatchRecords<'a> {
    pub(crate) fn open(header: BatchHeader, payload: &'a [u8], limits: Limits) -> Result<Self, BatchError> {
        if header.record_count < 0 {
            return Err(BatchError::RecordCount(header.record_count));
        }
        let data = match header.codec()? {
            Codec::None => Data::Borrowed(payload),
            // A batch that cleaning has emptied has no payload at all, whatever its codec.
            _ if header.record_count == 0 && payload.is_empty() => Data::Borrowed(payload),
            codec => Data::Decompressed(compress::decompress(codec, payload, limits)?),
        };
        Ok(Self { header, data })
    }

    /// The records' bytes, decompressed.
    pub fn bytes(&self) -> &[u8] {
        match &self.data {
            Data::Borrowed(bytes) => bytes,
            Data::Decompressed(bytes) => bytes,
        }
    }

    /// The records' bytes where they were compressed, for who keeps parts of them without copying.
    pub fn decompressed(&self) -> Option<&Bytes> {
        match &self.data {
            Data::Borrowed(_) => None,
            Data::Decompressed(bytes) => Some(bytes),
        }
    }

    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter {
            header: self.header,
            source: SliceSource::new(self.bytes()),
            index: 0,
            count: self.header.record_count,
        }
    }
}

impl BatchRecords<'_> {
    /// The records for who reads some now and others later: it holds on to `batch`, whose records these are.
    ///
    /// # Panics
    /// If they are another batch's.
    pub fn into_cursor(self, batch: &Bytes) -> RecordCursor {
        let data = match self.data {
            Data::Borrowed(payload) => batch.slice_ref(payload),
            Data::Decompressed(bytes) => bytes,
        };
        RecordCursor { header: self.header, data, at: 0, index: 0 }
    }
}

/// A place among the records of one batch, whose memory it shares.
#[derive(Debug, Clone)]
pub struct RecordCursor {
    header: BatchHeader,
    data: Bytes,
    at: usize,
    index: i32,
}

impl RecordCursor {
    /// The batch's header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The records' bytes, decompressed, for who keeps parts of them without copying.
    pub fn bytes(&self) -> &Bytes {
        &self.data
    }

    /// Whether all records were read.
    pub fn is_at_end(&self) -> bool {
        self.index >= self.header.record_count
    }

    /// The next record; nothing after the last one, and nothing after an error. Errors are those of [`RecordIter`].
    pub fn next_record(&mut self) -> Option<Result<RecordView<'_>, BatchError>> {
        let count = self.header.record_count;
        let mut source = SliceSource::new(self.data.get(self.at..).unwrap_or_default());
        if self.index >= count {
            self.at = self.data.len();
            return (source.remaining() > 0).then_some(Err(BatchError::TrailingBytes { count }));
        }
        let record = RecordView::read(&mut source, &self.header);
        let index = self.index;
        (self.index, self.at) = match record {
            Ok(_) => (index + 1, self.data.len() - source.remaining()),
            Err(_) => (count, self.data.len()),
        };
        Some(record.map_err(|fault| BatchError::Record { index, fault }))
    }
}

impl<'r> IntoIterator for &'r BatchRecords<'_> {
    type Item = Result<RecordView<'r>, BatchError>;
    type IntoIter = RecordIter<'r>;

    fn into_iter(self) -> RecordIter<'r> {
        self.iter()
    }
}

/// Reads record after record; ends after the first error.
///
/// An error comes, too, when fewer records are there than the header says, or more bytes than they take.
#[derive(Debug, Clone)]
pub struct RecordIter<'r> {
    header: BatchHeader,
    source: SliceSource<'r>,
    index: i32,
    count: i32,
}

impl<'r> Iterator for RecordIter<'r> {
    type Item = Result<RecordView<'r>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.count {
            // Reported once: what remains is forgotten with it.
            let trailing = self.source.remaining() > 0;
            self.source = SliceSource::new(&[]);
            return trailing.then_some(Err(BatchError::TrailingBytes { count: self.header.record_count }));
        }
        let index = self.index;
        self.index += 1;
        let record = RecordView::read(&mut self.source, &self.header);
        if record.is_err() {
            self.source = SliceSource::new(&[]);
            self.index = self.count;
        }
        Some(record.map_err(|fault| BatchError::Record { index, fault }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // The count is the sender's claim: a lower bound of 0 keeps `collect` from trusting it.
        (0, Some((self.count.saturating_sub(self.index)).max(0) as usize + 1))
    }
}

/// One record, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordView<'r> {
    pub attributes: i8,
    pub offset: Offset,
    /// The record's own time, or the batch's where the leader set it.
    pub timestamp: Timestamp,
    pub key: Option<&'r [u8]>,
    pub value: Option<&'r [u8]>,
    pub headers: HeadersView<'r>,
    /// All bytes of the record as stored, its size included.
    pub size_in_bytes: usize,
}

impl<'r> RecordView<'r> {
    fn read(source: &mut SliceSource<'r>, header: &BatchHeader) -> Result<Self, RecordFault> {
        let before = source.remaining();
        let size = usize::try_from(source.varint()?).map_err(|_| RecordFault::NegativeLength)?;
        let mut body = SliceSource::new(source.take(size)?);
        let attributes = body.byte()? as i8;
        let timestamp = match header.timestamp_type() {
            TimestampType::CreateTime => header.base_timestamp.wrapping_add(body.varlong()?),
            TimestampType::LogAppendTime => {
                body.varlong()?;
                header.max_timestamp
            }
        };
        let offset = header.base_offset.wrapping_add(i64::from(body.varint()?));
        let key = body.nullable_bytes()?;
        let value = body.nullable_bytes()?;
        let headers = HeadersView::read(&mut body)?;
        if body.remaining() > 0 {
            return Err(RecordFault::Size);
        }
        let size_in_bytes = before - source.remaining();
        Ok(Self {
            attributes,
            offset: Offset(offset),
            timestamp: Timestamp(timestamp),
            key,
            value,
            headers,
            size_in_bytes,
        })
    }
}

/// The headers of a record, checked and read on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeadersView<'r> {
    count: usize,
    bytes: &'r [u8],
}

impl<'r> HeadersView<'r> {
    /// Takes the rest of a record's body, which must be just the headers that it counts.
    fn read(body: &mut SliceSource<'r>) -> Result<Self, RecordFault> {
        let count = usize::try_from(body.varint()?).map_err(|_| RecordFault::NegativeHeaderCount)?;
        if count > body.remaining() {
            return Err(RecordFault::TooManyHeaders);
        }
        let bytes = body.clone().take(body.remaining())?;
        for _ in 0..count {
            read_header(body)?;
        }
        Ok(Self { count, bytes })
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Headers whose number and [`HeadersView::bytes`] were kept.
    pub fn of(count: usize, bytes: &'r [u8]) -> Self {
        Self { count, bytes }
    }

    /// The headers as stored, without their count.
    pub fn bytes(&self) -> &'r [u8] {
        self.bytes
    }

    /// The headers in their order. Keys are UTF-8 by convention only.
    pub fn iter(&self) -> impl Iterator<Item = RecordHeader<'r>> + use<'r> {
        let mut source = SliceSource::new(self.bytes);
        // The walk in `read` has shown that none of these can fail, or the bytes are not those of headers.
        (0..self.count).map_while(move |_| read_header(&mut source).ok())
    }
}

/// One header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader<'r> {
    pub key: &'r [u8],
    pub value: Option<&'r [u8]>,
}

fn read_header<'r>(source: &mut SliceSource<'r>) -> Result<RecordHeader<'r>, RecordFault> {
    let key = source.nullable_bytes()?.ok_or(RecordFault::NullHeaderKey)?;
    let value = source.nullable_bytes()?;
    Ok(RecordHeader { key, value })
}

/// The numbers of a record, without its contents.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordShape {
    pub timestamp_delta: i64,
    pub offset_delta: i32,
    pub has_key: bool,
}

/// Walks over one record and checks its structure as [`RecordView`] does, but keeps nothing of its contents.
#[inline]
pub(crate) fn walk_record<S: Source>(source: &mut S) -> Result<RecordShape, S::Error> {
    let size = u64::try_from(source.varint()?).map_err(|_| RecordFault::NegativeLength)?;
    let end = source.position() + size;
    source.byte()?;
    let timestamp_delta = source.varlong()?;
    let offset_delta = source.varint()?;
    let key_len = source.nullable_len()?;
    skip_within(source, key_len, end)?;
    let value_len = source.nullable_len()?;
    skip_within(source, value_len, end)?;
    let header_count = source.varint()?;
    if header_count != 0 {
        walk_headers(source, header_count, end)?;
    }
    if source.position() != end {
        return Err(RecordFault::Size.into());
    }
    Ok(RecordShape { timestamp_delta, offset_delta, has_key: key_len.is_some() })
}

fn walk_headers<S: Source>(source: &mut S, count: i32, end: u64) -> Result<(), S::Error> {
    let count = u64::try_from(count).map_err(|_| RecordFault::NegativeHeaderCount)?;
    if count > end.saturating_sub(source.position()) {
        return Err(RecordFault::TooManyHeaders.into());
    }
    for _ in 0..count {
        let key_len = source.nullable_len()?;
        if key_len.is_none() {
            return Err(RecordFault::NullHeaderKey.into());
        }
        skip_within(source, key_len, end)?;
        let value_len = source.nullable_len()?;
        skip_within(source, value_len, end)?;
    }
    Ok(())
}

/// Passes over a field that must end within its record.
#[inline]
fn skip_within<S: Source>(source: &mut S, len: Option<usize>, end: u64) -> Result<(), S::Error> {
    let len = len.unwrap_or(0);
    if len as u64 > end.saturating_sub(source.position()) {
        return Err(RecordFault::Truncated.into());
    }
    source.skip(len)
}
