//! Where a walk over records takes its bytes from.
//!
//! The checks on a produced batch need no record as a whole, only its numbers and the length of what lies between them.
//! One walk serves both the bytes of a request, in place, and a decompressor's output, window by window.

use super::RecordFault;
use super::varint::{VARINT_BYTES_MAX, VARLONG_BYTES_MAX, unzigzag_32, unzigzag_64};
use crate::compress::{CompressError, Decoder};

/// A run of bytes that is read once, from front to end.
pub(crate) trait Source {
    type Error: From<RecordFault>;

    fn byte(&mut self) -> Result<u8, Self::Error>;

    /// Passes over `count` bytes, which must be there.
    fn skip(&mut self, count: usize) -> Result<(), Self::Error>;

    /// How many bytes were read or passed over so far.
    fn position(&self) -> u64;

    /// Whether nothing is left.
    fn at_end(&mut self) -> Result<bool, Self::Error>;

    #[inline]
    fn varint(&mut self) -> Result<i32, Self::Error> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(unzigzag_32(u32::from(first)));
        }
        let mut raw = u32::from(first & 0x7f);
        for place in 1..VARINT_BYTES_MAX {
            let byte = self.byte()?;
            if place == VARINT_BYTES_MAX - 1 && byte > 0x0f {
                break;
            }
            raw |= u32::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Ok(unzigzag_32(raw));
            }
        }
        Err(RecordFault::LongVarint.into())
    }

    #[inline]
    fn varlong(&mut self) -> Result<i64, Self::Error> {
        let mut raw = 0;
        for place in 0..VARLONG_BYTES_MAX {
            let byte = self.byte()?;
            if place == VARLONG_BYTES_MAX - 1 && byte > 0x01 {
                break;
            }
            raw |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Ok(unzigzag_64(raw));
            }
        }
        Err(RecordFault::LongVarint.into())
    }

    /// A length that may be -1 for "null".
    #[inline]
    fn nullable_len(&mut self) -> Result<Option<usize>, Self::Error> {
        match self.varint()? {
            -1 => Ok(None),
            len => usize::try_from(len).map(Some).map_err(|_| RecordFault::NegativeLength.into()),
        }
    }
}

/// Bytes that are all there.
#[derive(Debug, Clone)]
pub(crate) struct SliceSource<'a> {
    rest: &'a [u8],
    total: usize,
}

impl<'a> SliceSource<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, total: bytes.len() }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], RecordFault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(RecordFault::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next bytes after their length, or nothing for a length of -1.
    #[inline]
    pub(crate) fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, RecordFault> {
        match self.nullable_len()? {
            Some(len) => self.take(len).map(Some),
            None => Ok(None),
        }
    }
}

impl Source for SliceSource<'_> {
    type Error = RecordFault;

    #[inline]
    fn byte(&mut self) -> Result<u8, RecordFault> {
        let (byte, rest) = self.rest.split_first().ok_or(RecordFault::Truncated)?;
        self.rest = rest;
        Ok(*byte)
    }

    #[inline]
    fn skip(&mut self, count: usize) -> Result<(), RecordFault> {
        self.take(count).map(|_| ())
    }

    fn position(&self) -> u64 {
        (self.total - self.rest.len()) as u64
    }

    fn at_end(&mut self) -> Result<bool, RecordFault> {
        Ok(self.rest.is_empty())
    }
}

/// What a walk over a decompressor's output can meet.
#[derive(Debug)]
pub(crate) enum StreamFault {
    Record(RecordFault),
    Decompress(CompressError),
}

impl From<RecordFault> for StreamFault {
    fn from(fault: RecordFault) -> Self {
        StreamFault::Record(fault)
    }
}

impl From<CompressError> for StreamFault {
    fn from(error: CompressError) -> Self {
        StreamFault::Decompress(error)
    }
}

/// A decompressor's output, of which one window is held at a time.
pub(crate) struct StreamSource<'a> {
    decoder: Decoder<'a>,
    window: Vec<u8>,
    at: usize,
    /// The bytes of the windows before this one.
    passed: u64,
}

impl<'a> StreamSource<'a> {
    pub(crate) fn new(decoder: Decoder<'a>) -> Self {
        Self { decoder, window: Vec::new(), at: 0, passed: 0 }
    }

    /// Replaces the used window by the next one that has bytes, if there is one.
    fn refill(&mut self) -> Result<bool, CompressError> {
        loop {
            self.passed += self.window.len() as u64;
            self.window.clear();
            self.at = 0;
            if !self.decoder.next_chunk(&mut self.window)? {
                return Ok(false);
            }
            if !self.window.is_empty() {
                return Ok(true);
            }
        }
    }
}

impl Source for StreamSource<'_> {
    type Error = StreamFault;

    #[inline]
    fn byte(&mut self) -> Result<u8, StreamFault> {
        loop {
            if let Some(byte) = self.window.get(self.at) {
                self.at += 1;
                return Ok(*byte);
            }
            if !self.refill()? {
                return Err(RecordFault::Truncated.into());
            }
        }
    }

    #[inline]
    fn skip(&mut self, mut count: usize) -> Result<(), StreamFault> {
        loop {
            let here = self.window.len().saturating_sub(self.at);
            if count <= here {
                self.at += count;
                return Ok(());
            }
            count -= here;
            if !self.refill()? {
                return Err(RecordFault::Truncated.into());
            }
        }
    }

    fn position(&self) -> u64 {
        self.passed + self.at as u64
    }

    /// Decompresses on if the window is used up, to see what comes.
    fn at_end(&mut self) -> Result<bool, StreamFault> {
        Ok(self.at >= self.window.len() && !self.refill()?)
    }
}
