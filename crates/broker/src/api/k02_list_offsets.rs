//! ListOffsets (key 2), versions 1 to 11.
//!
//! 2 isolation level · 4 leader epochs · 5 offsets that are not available yet · 6 flexible · 7 the largest timestamp
//! (-3) · 8 the first offset on local disk (-4) · 9 the last one in tiered storage (-5) · 10 a timeout · 11 the first
//! one still to be tiered (-6)

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel::{ErrorCode, IsolationLevel};
use storage::OffsetQuery;
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequestView};
use wire::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};

use crate::hosted::Named;
use crate::node::Node;
use crate::partition::Partition;
use crate::request::{Handled, Request};

/// The `replica_id` of a consumer.
const CONSUMER: i32 = -1;

/// Up to where the asker may see.
#[derive(Clone, Copy)]
enum Sight {
    Committed,
    Replicated,
    /// Nodes and debugging tools see everything.
    All,
}

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = ListOffsetsRequestView::decode(request.body(), request.version)?;
    let level = IsolationLevel::from_number(asked.isolation_level);
    let sight = match (asked.replica_id, level) {
        (CONSUMER, Some(IsolationLevel::ReadCommitted)) => Sight::Committed,
        (CONSUMER, _) => Sight::Replicated,
        _ => Sight::All,
    };
    let duplicates = duplicates(&asked);
    let topics = asked.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let found = if level.is_none() || duplicates.contains(&(topic.name, wanted.partition_index)) {
                Err(ErrorCode::InvalidRequest)
            } else {
                query(&wanted, request.version).and_then(|query| {
                    let partition = node.find(Named::Name(topic.name), wanted.partition_index)?;
                    find(&partition, &wanted, query, sight)
                })
            };
            answer(&wanted, found, request.version)
        });
        ListOffsetsTopicResponse { name: topic.name.to_owned(), partitions: partitions.collect() }
    });
    request.reply(&ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() })
}

/// Partitions that are named more than once.
fn duplicates<'a>(asked: &ListOffsetsRequestView<'a>) -> BTreeSet<(&'a str, i32)> {
    let mut seen = BTreeSet::new();
    let named =
        asked.topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (t.name, p.partition_index)));
    named.filter(|name| !seen.insert(*name)).collect()
}

/// What a timestamp means, if the version of the request knows it.
fn query(wanted: &ListOffsetsPartition, version: i16) -> Result<OffsetQuery, ErrorCode> {
    let query = OffsetQuery::from_timestamp(wanted.timestamp).ok_or(ErrorCode::UnsupportedVersion)?;
    let since = match query {
        OffsetQuery::Latest | OffsetQuery::Earliest | OffsetQuery::At(_) => 0,
        OffsetQuery::MaxTimestamp => 7,
        OffsetQuery::EarliestLocal => 8,
        OffsetQuery::LatestTiered => 9,
        OffsetQuery::EarliestPendingUpload => 11,
    };
    if version >= since { Ok(query) } else { Err(ErrorCode::UnsupportedVersion) }
}

/// Offset, timestamp and epoch of what was found.
type Found = (i64, i64, i32);

fn find(
    partition: &Partition,
    wanted: &ListOffsetsPartition,
    query: OffsetQuery,
    sight: Sight,
) -> Result<Option<Found>, ErrorCode> {
    partition.check_epoch(wanted.current_leader_epoch)?;
    let known = partition.glance();
    if query == OffsetQuery::Latest && known.quiet && !partition.is_ended() {
        let end = if matches!(sight, Sight::All) { known.end } else { partition.high_watermark() };
        return Ok(Some((end.get(), -1, partition.leader_epoch().0)));
    }
    let mut log = partition.serving()?;
    let high_watermark = partition.high_watermark();
    let readable = match sight {
        Sight::Committed => log.last_stable_offset(high_watermark),
        Sight::Replicated => high_watermark,
        Sight::All => log.end_offset(),
    };
    let own = partition.leader_epoch();
    if query == OffsetQuery::Latest {
        return Ok(Some((readable.get(), -1, own.0)));
    }
    let found = match log.list_offset(query) {
        Ok(found) => found,
        Err(problem) => {
            // Whoever waits for its directory is told, and may ask the log.
            drop(log);
            tracing::error!(partition = %partition.name(), %problem, "an offset lookup failed");
            partition.home().blame(&problem);
            return Err(problem.code());
        }
    };
    let beginning = matches!(query, OffsetQuery::Earliest | OffsetQuery::EarliestLocal);
    // Where nothing was appended yet, this leader's epoch begins.
    let fallback =
        (beginning && log.epochs().is_empty() && log.start_offset() == log.end_offset()).then_some(own);
    let visible = found.filter(|found| beginning || found.offset < readable);
    Ok(visible.map(|found| {
        let epoch = found.leader_epoch.or(fallback).map_or(-1, |epoch| epoch.0);
        (found.offset.get(), found.timestamp.millis(), epoch)
    }))
}

fn answer(
    wanted: &ListOffsetsPartition,
    found: Result<Option<Found>, ErrorCode>,
    version: i16,
) -> ListOffsetsPartitionResponse {
    const NOTHING: Found = (-1, -1, -1);
    let (code, (offset, timestamp, epoch)) = match found {
        Ok(found) => (ErrorCode::None, found.unwrap_or(NOTHING)),
        Err(code) => (code, NOTHING),
    };
    ListOffsetsPartitionResponse {
        partition_index: wanted.partition_index,
        error_code: code.code(),
        timestamp,
        offset,
        leader_epoch: if version >= 4 { epoch } else { -1 },
    }
}
