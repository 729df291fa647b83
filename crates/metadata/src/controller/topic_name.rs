//! Which names a topic may have.

use kernel::{ErrorCode, topic_name};

use super::Refusal;
use crate::image::Topics;

/// Says what is wrong with a topic's name, if anything is.
pub fn check_topic_name(name: &str) -> Result<(), Refusal> {
    let refusal =
        |reason| Refusal::new(ErrorCode::InvalidTopicException, format!("Topic name is invalid: {reason}"));
    topic_name::check(name).map_err(refusal)
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
