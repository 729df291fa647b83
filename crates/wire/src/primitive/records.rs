use bytes::Bytes;

/// Record batches inside a message that is to be encoded: in memory, or in a file that the sender will read from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Records {
    #[default]
    Null,
    Bytes(Bytes),
    Span(SpanRef),
}

impl Records {
    /// No batches, which for most clients is safer to receive than null.
    pub const EMPTY: Records = Records::Bytes(Bytes::new());

    /// How many bytes of records these are.
    pub fn len(&self) -> usize {
        match self {
            Records::Null => 0,
            Records::Bytes(bytes) => bytes.len(),
            Records::Span(span) => span.len as usize,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Records::Bytes(bytes)
    }
}

impl From<Option<Bytes>> for Records {
    fn from(bytes: Option<Bytes>) -> Self {
        bytes.map_or(Records::Null, Records::Bytes)
    }
}

/// Bytes that stand elsewhere; what `index` counts is between whoever encodes and whoever sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanRef {
    pub index: u32,
    pub len: u32,
}

/// A piece of an encoded message, to be sent in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    Bytes(Bytes),
    Span(SpanRef),
}
