//! CreatePartitions (key 37), versions 0 to 3.
//!
//! 2 flexible · 3 may be throttled (KIP-599)

use std::collections::BTreeSet;
use std::sync::Arc;

use metadata::controller::{CreatePartitions, MorePartitions, PartitionsReply, create_partitions};
use tracing::info;
use wire::messages::create_partitions_request::{CreatePartitionsRequestView, CreatePartitionsTopicView};
use wire::messages::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};

use crate::node::Node;
use crate::request::{Handled, Request};
use crate::told::{told, undecided, within};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = CreatePartitionsRequestView::decode(request.body(), request.version)?;
    let topics: Vec<MorePartitions> = asked.topics.iter().map(more_partitions).collect();
    let command = CreatePartitions { topics, validate_only: asked.validate_only };
    let change = node.change(|image, _| create_partitions(image, &command));
    let replies = within(asked.timeout_ms, change).await.unwrap_or_else(|code| {
        let mut seen = BTreeSet::new();
        let names = command.topics.iter().map(|topic| &topic.name).filter(|name| seen.insert(*name));
        names.map(|name| PartitionsReply { name: name.clone(), result: Err(undecided(code)) }).collect()
    });
    for reply in replies.iter().filter(|reply| reply.result.is_ok() && !command.validate_only) {
        info!(topic = %reply.name, "partitions added");
    }
    let results = replies.into_iter().map(|reply| {
        let (error_code, error_message) = told(&reply.result);
        CreatePartitionsTopicResult { name: reply.name, error_code, error_message }
    });
    request.reply(&CreatePartitionsResponse {
        results: results.collect(),
        ..CreatePartitionsResponse::default()
    })
}

fn more_partitions(topic: CreatePartitionsTopicView<'_>) -> MorePartitions {
    let assignments = topic.assignments.map(|all| all.iter().map(|one| one.broker_ids.iter().collect()));
    MorePartitions {
        name: topic.name.to_owned(),
        count: topic.count,
        assignments: assignments.map(Iterator::collect),
    }
}
