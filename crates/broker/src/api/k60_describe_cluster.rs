//! DescribeCluster (key 60), versions 0 to 2.
//!
//! 1 the kind of endpoint that is meant (KIP-919) · 2 fenced brokers (KIP-1073)
//!
//! A listener for clients tells of brokers, one for controllers of controllers; who means the other kind has connected to
//! the wrong place.

use std::sync::Arc;

use kernel::ErrorCode;
use metadata::MetadataVersion;
use wire::messages::describe_cluster_request::DescribeClusterRequestView;
use wire::messages::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};

use super::k03_metadata::{ALL_CLUSTER_OPERATIONS, NOT_ASKED};
use crate::node::Node;
use crate::request::{Handled, ListenerType, Request};

/// The kinds of endpoints, by their numbers.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = DescribeClusterRequestView::decode(request.body(), request.version)?;
    let here = match request.peer.listener_type {
        ListenerType::Broker => BROKERS,
        ListenerType::Controller => CONTROLLERS,
    };
    let version = node.image().features.metadata_version();
    if here == CONTROLLERS && !version.is_some_and(MetadataVersion::controller_registration) {
        let message = "Direct-to-controller communication is not supported with the current MetadataVersion.";
        return request.reply(&refused(ErrorCode::UnsupportedVersion, message.to_owned()));
    }
    if let Err(refusal) = check_endpoint_type(asked.endpoint_type, here, request.version) {
        return request.reply(&refusal);
    }
    let fenced_too = request.version >= 2 && asked.include_fenced_brokers;
    let brokers = match request.peer.listener_type {
        ListenerType::Broker => brokers(&node, &request.peer.listener, fenced_too),
        ListenerType::Controller => controllers(&node, &request.peer.listener),
    };
    let known = brokers.iter().any(|broker| broker.broker_id == node.id.0);
    request.reply(&DescribeClusterResponse {
        error_message: None,
        endpoint_type: here,
        cluster_id: node.cluster_id.to_string(),
        controller_id: if known { node.id.0 } else { -1 },
        brokers,
        cluster_authorized_operations: if asked.include_cluster_authorized_operations {
            ALL_CLUSTER_OPERATIONS
        } else {
            NOT_ASKED
        },
        ..DescribeClusterResponse::default()
    })
}

fn check_endpoint_type(wanted: i8, here: i8, version: i16) -> Result<(), DescribeClusterResponse> {
    // Version 0 could not say what it means, and knows no code for it.
    let code = |code| if version == 0 { ErrorCode::InvalidRequest } else { code };
    let name = |kind| if kind == BROKERS { "BROKER" } else { "CONTROLLER" };
    match wanted {
        BROKERS | CONTROLLERS if wanted == here => Ok(()),
        BROKERS | CONTROLLERS => {
            let message = format!(
                "The request was sent to an endpoint of type {}, but we wanted an endpoint of type {}",
                name(here),
                name(wanted)
            );
            Err(refused(code(ErrorCode::MismatchedEndpointType), message))
        }
        other => {
            let message = format!("Unsupported endpoint type {other}");
            Err(refused(code(ErrorCode::UnsupportedEndpointType), message))
        }
    }
}

fn brokers(node: &Node, listener: &str, fenced_too: bool) -> Vec<DescribeClusterBroker> {
    let image = node.image();
    let shown = image.brokers.iter().filter(|broker| fenced_too || !broker.fenced);
    let reachable = shown.filter_map(|broker| {
        let endpoint = broker.endpoint(listener)?;
        Some(DescribeClusterBroker {
            broker_id: broker.id.0,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            rack: broker.rack.clone(),
            is_fenced: broker.fenced,
        })
    });
    reachable.collect()
}

/// A lone node is the only controller.
fn controllers(node: &Node, listener: &str) -> Vec<DescribeClusterBroker> {
    let told = node.controller_advertised.iter().filter(|one| one.listener == listener);
    let told = told.map(|one| DescribeClusterBroker {
        broker_id: node.id.0,
        host: one.host.clone(),
        port: i32::from(one.port),
        ..DescribeClusterBroker::default()
    });
    told.collect()
}

fn refused(code: ErrorCode, message: String) -> DescribeClusterResponse {
    DescribeClusterResponse {
        error_code: code.code(),
        error_message: Some(message),
        ..DescribeClusterResponse::default()
    }
}
