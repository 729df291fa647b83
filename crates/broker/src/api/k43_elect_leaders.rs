//! ElectLeaders (key 43), versions 0 to 2.
//!
//! 0 preferred leaders only · 1 unclean elections, an error for the whole reply (KIP-460) · 2 flexible

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel::ErrorCode;
use metadata::controller::{ElectLeaders, ElectionReply, ElectionType, Refusal, elect_leaders};
use wire::messages::elect_leaders_request::ElectLeadersRequestView;
use wire::messages::elect_leaders_response::{ElectLeadersResponse, PartitionResult, ReplicaElectionResult};

use crate::node::Node;
use crate::request::{Handled, Request};
use crate::told::{told, undecided, within};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = ElectLeadersRequestView::decode(request.body(), request.version)?;
    let partitions: Option<Vec<(String, Vec<i32>)>> = asked.topic_partitions.map(|topics| {
        topics.iter().map(|topic| (topic.topic.to_owned(), topic.partitions.iter().collect())).collect()
    });
    let all = partitions.is_none();
    let election = match asked.election_type {
        0 => Ok(ElectionType::Preferred),
        1 if request.version >= 1 => Ok(ElectionType::Unclean),
        other => Err(Refusal::invalid_request(format!("Unknown election type {other}"))),
    };
    let decided = match election {
        Ok(election) => {
            let command = ElectLeaders { election, partitions: partitions.clone() };
            let change = node.change(|image, _| elect_leaders(image, &command));
            within(asked.timeout_ms, change).await.map_err(undecided)
        }
        Err(refusal) => Err(refusal),
    };
    let (error_code, replies) = match decided {
        Ok(replies) => (ErrorCode::None, replies),
        Err(refusal) => (refusal.code, refuse_all(partitions.unwrap_or_default(), &refusal)),
    };
    let mut results = by_topic(&replies);
    if all && error_code == ErrorCode::None {
        // Who asks for all topics hears of each, also where nothing had to be elected.
        let told: BTreeSet<String> = results.iter().map(|result| result.topic.clone()).collect();
        let image = node.image();
        let quiet = image.topics.iter().filter(|topic| !told.contains(&*topic.name));
        results.extend(quiet.map(|topic| ReplicaElectionResult {
            topic: topic.name.to_string(),
            partition_result: Vec::new(),
        }));
    }
    request.reply(&ElectLeadersResponse {
        error_code: error_code.code(),
        replica_election_results: results,
        ..ElectLeadersResponse::default()
    })
}

fn refuse_all(topics: Vec<(String, Vec<i32>)>, refusal: &Refusal) -> Vec<ElectionReply> {
    let mut replies = Vec::new();
    for (topic, partitions) in topics {
        replies.extend(partitions.into_iter().map(|partition| ElectionReply {
            topic: topic.clone(),
            partition,
            result: Err(refusal.clone()),
        }));
    }
    replies
}

fn by_topic(replies: &[ElectionReply]) -> Vec<ReplicaElectionResult> {
    let topics = replies.chunk_by(|a, b| a.topic == b.topic);
    topics
        .map(|replies| ReplicaElectionResult {
            topic: replies.first().map(|reply| reply.topic.clone()).unwrap_or_default(),
            partition_result: replies.iter().map(partition_result).collect(),
        })
        .collect()
}

fn partition_result(reply: &ElectionReply) -> PartitionResult {
    let (error_code, error_message) = told(&reply.result);
    PartitionResult { partition_id: reply.partition, error_code, error_message }
}
