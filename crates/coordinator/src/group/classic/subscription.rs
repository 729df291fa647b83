//! The topics that consumers say they read.
//!
//! A member's metadata is opaque to the coordinator, except for groups of the `consumer` type: their subscription is read, in
//! the layout of version 0 that every later version begins with, to know which offsets are still needed.

use std::collections::BTreeSet;

use crate::group::Subscription;
use crate::group::classic::members::Members;
use crate::limits;

/// The protocol type of consumers.
pub(crate) const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// What all members together read; nothing where one cannot be understood.
pub(crate) fn subscription(
    members: &Members,
    protocol_type: Option<&str>,
    protocol: Option<&str>,
) -> Subscription {
    if protocol_type != Some(CONSUMER_PROTOCOL_TYPE) {
        return None;
    }
    if members.is_empty() {
        return Some(BTreeSet::new());
    }
    let protocol = protocol?;
    let mut topics = BTreeSet::new();
    for member in members.iter() {
        read_topics(&member.metadata(Some(protocol)), &mut topics)?;
    }
    (topics.len() <= limits::SUBSCRIBED_TOPICS_MAX).then_some(topics)
}

/// Reads a subscription: its version, the topics, and bytes of the assignor's own that must be whole but do not matter.
fn read_topics(metadata: &[u8], topics: &mut BTreeSet<String>) -> Option<()> {
    let (_version, rest) = metadata.split_first_chunk::<2>()?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let count = u32::try_from(i32::from_be_bytes(*count)).ok()?;
    for _ in 0..count {
        let (length, tail) = rest.split_first_chunk::<2>()?;
        let length = usize::try_from(i16::from_be_bytes(*length)).ok()?;
        let (name, tail) = tail.split_at_checked(length)?;
        topics.insert(std::str::from_utf8(name).ok()?.to_owned());
        rest = tail;
    }
    let (length, rest) = rest.split_first_chunk::<4>()?;
    match i32::from_be_bytes(*length) {
        -1 => Some(()),
        length => rest.get(..usize::try_from(length).ok()?).map(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(metadata: &[u8]) -> Option<Vec<String>> {
        let mut topics = BTreeSet::new();
        read_topics(metadata, &mut topics)?;
        Some(topics.into_iter().collect())
    }

    #[test]
    fn a_subscription_of_any_version_names_its_topics() {
        let version_0 = b"\x00\x00\x00\x00\x00\x02\x00\x01b\x00\x01a\xff\xff\xff\xff";
        assert_eq!(read(version_0), Some(vec!["a".to_owned(), "b".to_owned()]));
        let newer = b"\x00\x03\x00\x00\x00\x01\x00\x01a\x00\x00\x00\x01u\x00\x00\x00\x00more";
        assert_eq!(read(newer), Some(vec!["a".to_owned()]));
    }

    #[test]
    fn a_subscription_that_is_cut_or_lies_about_its_length_is_none() {
        let whole = b"\x00\x00\x00\x00\x00\x01\x00\x01a\x00\x00\x00\x01u";
        assert!(read(whole).is_some());
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]), None, "{length} bytes");
        }
        assert_eq!(read(b"\x00\x00\x7f\xff\xff\xff\x00\x01a\xff\xff\xff\xff"), None);
        assert_eq!(read(b"\x00\x00\xff\xff\xff\xff"), None);
        assert_eq!(read(b"\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff"), None);
    }
}
