//! Identifiers: nodes, topics, partitions and producers.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

/// A node of the cluster, as configured by `node.id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub i32);

/// The number that identifies an idempotent producer; -1 stands for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProducerId(pub i64);

impl ProducerId {
    /// What a batch of a producer that is not idempotent carries.
    pub const NONE: ProducerId = ProducerId(-1);

    /// Whether a producer is meant at all.
    pub fn is_some(self) -> bool {
        self.0 >= 0
    }
}

/// Which incarnation of a producer is meant; a newer one fences the older.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProducerEpoch(pub i16);

impl ProducerEpoch {
    /// What a batch of a producer that is not idempotent carries.
    pub const NONE: ProducerEpoch = ProducerEpoch(-1);
}

/// A partition by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    pub topic: Arc<str>,
    pub partition: i32,
}

impl TopicPartition {
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A 128-bit identifier, printed as Kafka prints it: URL-safe base64 without padding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// No identifier: what the wire carries where none is known.
    pub const ZERO: Uuid = Uuid([0; 16]);
    /// The topic id that the metadata topic has in every cluster.
    pub const METADATA_TOPIC: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A version 4 identifier from sixteen random bytes.
    ///
    /// Returns nothing for bytes that Kafka keeps for itself or that print with a leading dash, which command-line
    /// tools would take for an option; the caller draws again.
    pub fn from_random(mut bytes: [u8; 16]) -> Option<Self> {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let id = Self(bytes);
        (!id.to_string().starts_with('-')).then_some(id)
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        let mut text = ['A'; 22];
        // 21 digits of six bits from the top, then the last two bits as the high bits of a digit.
        for (digit, letter) in text.iter_mut().enumerate() {
            let six = if digit < 21 { value >> (122 - digit * 6) } else { value << 4 };
            *letter = base64_digit((six & 0x3f) as usize);
        }
        text.iter().try_for_each(|letter| f.write_char(*letter))
    }
}

fn base64_digit(index: usize) -> char {
    BASE64_URL.get(index).copied().map_or('A', char::from)
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not an identifier as Kafka prints them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an identifier: 22 characters of URL-safe base64 are expected")]
pub struct ParseUuidError(String);

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseUuidError(text.to_owned());
        let digits = text.trim_end_matches('=');
        if digits.len() != 22 {
            return Err(error());
        }
        let mut value: u128 = 0;
        for (position, byte) in digits.bytes().enumerate() {
            let digit = BASE64_URL.iter().position(|b| *b == byte).ok_or_else(error)? as u128;
            // The last digit carries two bits only.
            value = if position < 21 { (value << 6) | digit } else { (value << 2) | (digit >> 4) };
        }
        Ok(Self(value.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_prints_as_kafka_prints_it_and_parses_back() {
        // The id of the metadata topic is documented in KIP-516.
        assert_eq!(Uuid::METADATA_TOPIC.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        let id = Uuid::from_bytes([0xfb; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("short".parse::<Uuid>().is_err());
        assert!("!!!!!!!!!!!!!!!!!!!!!!".parse::<Uuid>().is_err());
    }

    #[test]
    fn a_random_identifier_is_version_4_and_never_looks_like_an_option() {
        assert_eq!(Uuid::from_random([0xff; 16]).map(|id| id.as_bytes()[6] >> 4), Some(4));
        assert_eq!(Uuid::from_random([0xfb; 16]), None);
    }
}
