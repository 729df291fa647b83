//! Where a reader without a group begins in each partition.

use client::{Offset, Start, TopicPartition};

use super::places::say_gone;
use super::range::Begin;
use super::{Consume, failed};
use crate::command::place::{Where, resolve, resolve_as};
use crate::command::{Failure, Session};

fn past_the_end(what: String) -> Failure {
    Failure::not_there(what).next("--from end waits for new records")
}

/// Where to begin in each partition.
pub(super) async fn starts(
    consume: &Consume,
    partitions: &[TopicPartition],
    session: &Session,
) -> Result<Vec<(TopicPartition, Start)>, Failure> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    // An offset is there, and may be waited at, also behind a transaction that is open.
    let find = async |place| resolve(partitions, place, session).await.map_err(failed);
    let everywhere = |start: Start| partitions.iter().map(|name| (name.clone(), start)).collect();
    let place = match (consume.tail, consume.from.begin) {
        (Some(_), _) | (None, Begin::BeforeEnd(_)) => {
            let back = i64::from(consume.tail.unwrap_or_default());
            let end = resolve_as(consume.isolation(), partitions, Where::End, session);
            let (starts, ends) = (find(Where::Start).await?, end.await.map_err(failed)?);
            let start = |(name, end): (TopicPartition, Offset)| {
                let first = starts.get(&name).copied().unwrap_or_default();
                let offset = Offset(end.0.saturating_sub(back)).max(first);
                (name, Start::Offset(offset))
            };
            return Ok(ends.into_iter().map(start).collect());
        }
        (None, Begin::AfterStart(count)) => {
            let (starts, ends) = (find(Where::Start).await?, find(Where::End).await?);
            let there = |(name, first): (&TopicPartition, &Offset)| {
                ends.get(name).map_or(0, |end| end.0.saturating_sub(first.0))
            };
            let most = starts.iter().map(there).max().unwrap_or_default();
            if i64::from(count) > most {
                return Err(past_the_end(format!("+{count} is past the end, which is +{most}")));
            }
            let start = |(name, first): (TopicPartition, Offset)| {
                let end = ends.get(&name).copied().unwrap_or(first);
                let offset = Offset(first.0.saturating_add(i64::from(count))).min(end);
                (name, Start::Offset(offset))
            };
            return Ok(starts.into_iter().map(start).collect());
        }
        (None, Begin::At(place)) => place,
    };
    match place {
        Where::Start => Ok(everywhere(Start::Earliest)),
        Where::End => Ok(everywhere(Start::Latest)),
        Where::At(time) => Ok(everywhere(Start::At(session.zone.instant(time)))),
        Where::Offset(offset) => {
            let ends = find(Where::End).await?;
            let end = ends.values().max().copied().unwrap_or_default();
            if offset > end.0 {
                return Err(past_the_end(format!("offset {offset} is past the end, which is {end}")));
            }
            // What is gone by now, or not there yet, would send the reader to the end.
            let found = find(place).await?;
            for (name, first) in found.iter().filter(|(_, first)| first.0 > offset) {
                say_gone(name, offset, *first);
            }
            Ok(found.into_iter().map(|(name, offset)| (name, Start::Offset(offset))).collect())
        }
    }
}
