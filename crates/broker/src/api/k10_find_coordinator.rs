//! FindCoordinator (key 10), versions 0 to 6.
//!
//! 1 coordinators of transactions, and what is wrong in words · 2 throttle time · 3 flexible · 4 several keys (KIP-699) ·
//! 5 one more code for transactions (KIP-890) · 6 coordinators of share groups (KIP-932)
//!
//! Coordinators of transactions and share groups are not served. Codes that mean "not now" would let their clients ask
//! for ever; with UNSUPPORTED_VERSION they give up and show it.

use std::sync::Arc;

use kernel::ErrorCode;
use wire::messages::find_coordinator_request::FindCoordinatorRequestView;
use wire::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};

use crate::groups::OFFSETS_TOPIC;
use crate::node::{Advertised, Node};
use crate::request::{Handled, Request};
use crate::topic_creation;

/// From this version on, a request asks for several keys.
const SEVERAL_KEYS_FROM: i16 = 4;
/// From this version on, a client may ask for the coordinator of a share group.
const SHARE_FROM: i16 = 6;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = FindCoordinatorRequestView::decode(request.body(), request.version)?;
    let mut found = check_key_type(asked.key_type, request.version);
    if found.is_ok()
        && let Err(code) = topic_creation::ensure_offsets_topic(&node).await
    {
        tracing::warn!(%code, "the topic of committed offsets cannot be created");
        found = Err(Unfound::NOT_YET);
    }
    let find = |key: &str| found.and_then(|()| locate(&node, &request, key));
    if request.version < SEVERAL_KEYS_FROM {
        return request.reply(&single(find(asked.key)));
    }
    let coordinators = asked.coordinator_keys.iter().map(|key| coordinator(key, find(key)));
    request.reply(&FindCoordinatorResponse {
        coordinators: coordinators.collect(),
        ..FindCoordinatorResponse::default()
    })
}

/// Why there is no coordinator.
#[derive(Debug, Clone, Copy)]
struct Unfound {
    code: ErrorCode,
    message: &'static str,
}

impl Unfound {
    const NOT_YET: Self =
        Self { code: ErrorCode::CoordinatorNotAvailable, message: "The coordinator is not available." };
}

fn check_key_type(key_type: i8, version: i16) -> Result<(), Unfound> {
    match key_type {
        GROUP => Ok(()),
        TRANSACTION => Err(Unfound {
            code: ErrorCode::UnsupportedVersion,
            message: "This broker does not serve transactions.",
        }),
        SHARE if version >= SHARE_FROM => Err(Unfound {
            code: ErrorCode::UnsupportedVersion,
            message: "This broker does not serve share groups.",
        }),
        _ => {
            Err(Unfound { code: ErrorCode::InvalidRequest, message: "There is no such type of coordinator." })
        }
    }
}

/// The node that coordinates a group: the leader of the group's partition.
fn locate<'a>(node: &'a Node, request: &Request, group: &str) -> Result<(i32, &'a Advertised), Unfound> {
    let image = node.image();
    let topic = image.topic(OFFSETS_TOPIC).ok_or(Unfound::NOT_YET)?;
    let index = node.groups.partition_of(group).ok_or(Unfound::NOT_YET)?;
    let leader = topic.partition(index).and_then(|partition| partition.leader);
    if leader != Some(node.id) {
        return Err(Unfound::NOT_YET);
    }
    // Nobody is sent to where he would be turned away, as after a log that could not be read.
    node.groups.find(group).map_err(|_| Unfound::NOT_YET)?;
    let address = node.advertised_to(&request.peer).ok_or(Unfound::NOT_YET)?;
    Ok((node.id.0, address))
}

/// Kafka's text for no error.
const NO_ERROR: &str = "NONE";

fn single(found: Result<(i32, &Advertised), Unfound>) -> FindCoordinatorResponse {
    match found {
        Ok((node_id, address)) => FindCoordinatorResponse {
            error_message: Some(NO_ERROR.to_owned()),
            node_id,
            host: address.host.clone(),
            port: i32::from(address.port),
            ..FindCoordinatorResponse::default()
        },
        Err(why) => FindCoordinatorResponse {
            error_code: why.code.code(),
            error_message: Some(why.message.to_owned()),
            node_id: -1,
            port: -1,
            ..FindCoordinatorResponse::default()
        },
    }
}

fn coordinator(key: &str, found: Result<(i32, &Advertised), Unfound>) -> Coordinator {
    let key = key.to_owned();
    match found {
        Ok((node_id, address)) => Coordinator {
            key,
            node_id,
            host: address.host.clone(),
            port: i32::from(address.port),
            ..Coordinator::default()
        },
        Err(why) => Coordinator {
            key,
            node_id: -1,
            port: -1,
            error_code: why.code.code(),
            error_message: Some(why.message.to_owned()),
            ..Coordinator::default()
        },
    }
}
