//! A record as a consumer gets it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use kernel::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};
use wire::batch::{BatchHeader, HeadersView, RecordHeader, TimestampType, encode_headers};
use wire::compress::Codec;

/// A record that was read. Key, value and headers share the memory of the answer that they came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerRecord {
    /// Where it was read.
    pub topic: Arc<str>,
    /// Its number, counted from 0.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: Offset,
    /// When it happened, or was written where the topic says so; milliseconds since 1970 (UTC).
    pub timestamp: Timestamp,
    /// In whose reign it was written; nothing if the server does not tell.
    pub leader_epoch: Option<LeaderEpoch>,
    /// Nothing where it was written without one.
    pub key: Option<Bytes>,
    /// Nothing for a tombstone.
    pub value: Option<Bytes>,
    /// In order; a name may come several times.
    pub headers: Headers,
    /// What it shares with the others of its batch.
    pub origin: Origin,
}

/// Who wrote a record, and how: what the header of its batch says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// -1 where no idempotent producer wrote it.
    pub producer_id: ProducerId,
    /// -1 where no idempotent producer wrote it.
    pub producer_epoch: ProducerEpoch,
    /// How the batch was compressed.
    pub codec: Codec,
    /// Whether the broker has set the time of the record (`message.timestamp.type=LogAppendTime`).
    pub log_append_time: bool,
    /// Whether it belongs to a transaction.
    pub transactional: bool,
}

impl Origin {
    /// An origin as of a producer that is not idempotent, without compression.
    pub const PLAIN: Origin = Origin {
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
        codec: Codec::None,
        log_append_time: false,
        transactional: false,
    };

    pub(super) fn of(batch: &BatchHeader) -> Origin {
        Origin {
            producer_id: batch.producer_id(),
            producer_epoch: batch.producer_epoch(),
            // A batch of another codec could not be read at all.
            codec: batch.codec().unwrap_or(Codec::None),
            log_append_time: batch.timestamp_type() == TimestampType::LogAppendTime,
            transactional: batch.is_transactional(),
        }
    }
}

/// The headers of a record that was read, as they came: they are taken apart when they are looked at.
#[derive(Clone, Default)]
pub struct Headers {
    count: usize,
    stored: Bytes,
}

impl Headers {
    /// Those of a record whose batch `shared` holds.
    pub(super) fn share(view: HeadersView<'_>, shared: &Bytes) -> Headers {
        match view.len() {
            0 => Headers::default(),
            count => Headers { count, stored: shared.slice_ref(view.bytes()) },
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Names and values in their order. Names that are not UTF-8 have a mark in place of what is not.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Option<&[u8]>)> {
        let headers = HeadersView::of(self.count, &self.stored).iter();
        headers.map(|header| (String::from_utf8_lossy(header.key), header.value))
    }
}

impl<'h> FromIterator<(&'h str, Option<&'h [u8]>)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'h str, Option<&'h [u8]>)>>(headers: I) -> Headers {
        let mut count = 0;
        let counted = headers.into_iter().inspect(|_| count += 1);
        let stored = encode_headers(counted.map(|(key, value)| RecordHeader { key: key.as_bytes(), value }));
        Headers { count, stored: stored.into() }
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Headers) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_out_as_they_went_in() {
        let given = [("a", Some(&b"1"[..])), ("", None), ("a", Some(b""))];
        let headers: Headers = given.into_iter().collect();
        let read: Vec<_> = headers.iter().map(|(key, value)| (key.into_owned(), value)).collect();
        let given = given.map(|(key, value)| (key.to_owned(), value));
        assert_eq!((headers.len(), read.as_slice()), (3, &given[..]));
        assert_ne!(headers, Headers::default());
        assert_eq!(Headers::default().iter().count(), 0);
    }
}
