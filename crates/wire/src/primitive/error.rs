//! Why bytes are not a message, or a message cannot become bytes.

/// Bytes that are not the message they should be; always the fault of who sent or wrote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{message} v{version} at byte {offset}: {kind}")]
pub struct DecodeError {
    pub message: &'static str,
    pub version: i16,
    /// Where in the input the first thing was found that does not fit.
    pub offset: usize,
    pub kind: DecodeErrorKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeErrorKind {
    #[error("the version is not supported")]
    UnsupportedVersion,
    #[error("no API has this key")]
    UnknownApiKey,
    #[error("no record has this type")]
    UnknownType,
    #[error("the input ends too early")]
    Truncated,
    #[error("a variable-length number has too many bytes")]
    VarintTooLong,
    #[error("null where a value is required")]
    UnexpectedNull,
    #[error("a string is longer than 32767 bytes")]
    StringTooLong,
    #[error("a string is not UTF-8")]
    NotUtf8,
    #[error("an array claims more elements than the rest of the input can hold")]
    ArrayTooLong,
    #[error("an array has more than 1000000 elements")]
    TooManyElements,
    #[error("a struct has more than 10000 tagged fields")]
    TooManyTags,
    #[error("the tags of tagged fields do not ascend")]
    TagsNotAscending,
    #[error("a tagged field is longer than its value")]
    TagSize,
}

/// A text that is too long, as it is told: how long it is, and how it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongText {
    pub size: usize,
    /// The first characters, as far as they fit, and zeros.
    start: [u8; LongText::START_BYTES],
}

impl LongText {
    const START_BYTES: usize = 16;

    pub fn new(text: &str) -> Self {
        let mut start = [0; Self::START_BYTES];
        let shown = text.get(..text.floor_char_boundary(Self::START_BYTES)).unwrap_or_default();
        for (to, from) in start.iter_mut().zip(shown.bytes()) {
            *to = from;
        }
        Self { size: text.len(), start }
    }

    pub fn start(&self) -> &str {
        str::from_utf8(&self.start).unwrap_or_default().trim_end_matches('\0')
    }
}

/// A value that has no form in the version asked for; always a fault of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{message} v{version}: {kind}")]
pub struct EncodeError {
    pub message: &'static str,
    pub version: i16,
    pub kind: EncodeErrorKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeErrorKind {
    #[error("the version is not supported")]
    UnsupportedVersion,
    #[error("no API has this key")]
    UnknownApiKey,
    #[error("`{0}` is set, but the version does not have it")]
    FieldNotInVersion(&'static str),
    #[error("null where a value is required")]
    UnexpectedNull,
    #[error("the string that begins with {:?} is longer than 32767 bytes", .0.start())]
    StringTooLong(LongText),
    #[error("the message is longer than 2147483647 bytes")]
    TooLong,
    #[error("a file span cannot be part of contiguous bytes")]
    SpanInBytes,
}
