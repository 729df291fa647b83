//! Which names a topic may have.

use kernel::ErrorCode;
use kernel::limits::MAX_TOPIC_NAME_BYTES;

use super::Refusal;
use crate::image::Topics;

/// Says what is wrong with a topic's name, if anything is.
pub fn check_topic_name(name: &str) -> Result<(), Refusal> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let reason = if name.is_empty() {
        "it is empty".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.len() > MAX_TOPIC_NAME_BYTES {
        format!("it is longer than {MAX_TOPIC_NAME_BYTES} characters")
    } else if !name.bytes().all(legal) {
        format!("'{name}' contains a character other than ASCII letters, digits, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    Err(Refusal::new(ErrorCode::InvalidTopicException, format!("Topic name is invalid: {reason}")))
}

/// Refuses a name that differs from another topic's only by '.' instead of '_': metrics could not tell them apart.
pub(super) fn check_collision(name: &str, topics: &Topics) -> Result<(), Refusal> {
    // Names that collide are the same up to the first such character, so only their neighbourhood is looked at.
    let Some((same, _)) = name.split_once(['.', '_']) else {
        return Ok(());
    };
    let unified = unify(name);
    let other = topics
        .iter_from(same)
        .take_while(|topic| topic.name.starts_with(same))
        .find(|topic| unify(&topic.name) == unified && *topic.name != *name);
    other.map_or(Ok(()), |other| Err(collision(name, &other.name)))
}

pub(super) fn collision(name: &str, other: &str) -> Refusal {
    Refusal::new(
        ErrorCode::InvalidTopicException,
        format!("Topic '{name}' collides with existing topic '{other}': '.' and '_' count as the same."),
    )
}

pub(super) fn unify(name: &str) -> String {
    name.replace('.', "_")
}
