//! DescribeCluster (key 60), versions 0 to 2.
//!
//! 1 the kind of endpoint that is meant (KIP-919) · 2 fenced brokers (KIP-1073)

use std::sync::Arc;

use kernel::ErrorCode;
use wire::messages::describe_cluster_request::DescribeClusterRequestView;
use wire::messages::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};

use super::k03_metadata::{ALL_CLUSTER_OPERATIONS, NOT_ASKED};
use crate::node::Node;
use crate::request::{Handled, Request};

/// The kinds of endpoints, by their numbers.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = DescribeClusterRequestView::decode(request.body(), request.version)?;
    match asked.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            let message = "This endpoint is one of a broker, not of a controller.";
            return request.reply(&refused(ErrorCode::MismatchedEndpointType, message.to_owned()));
        }
        other => {
            let message = format!("Unsupported endpoint type {other}");
            return request.reply(&refused(ErrorCode::UnsupportedEndpointType, message));
        }
    }
    let image = node.image();
    let fenced_too = request.version >= 2 && asked.include_fenced_brokers;
    let shown = image.brokers.iter().filter(|broker| fenced_too || !broker.fenced);
    let brokers: Vec<_> = shown
        .filter_map(|broker| {
            let endpoint = broker.endpoint(&request.peer.listener)?;
            Some(DescribeClusterBroker {
                broker_id: broker.id.0,
                host: endpoint.host.clone(),
                port: i32::from(endpoint.port),
                rack: broker.rack.clone(),
                is_fenced: broker.fenced,
            })
        })
        .collect();
    let known = brokers.iter().any(|broker| broker.broker_id == node.id.0);
    request.reply(&DescribeClusterResponse {
        error_message: None,
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

fn refused(code: ErrorCode, message: String) -> DescribeClusterResponse {
    DescribeClusterResponse {
        error_code: code.code(),
        error_message: Some(message),
        ..DescribeClusterResponse::default()
    }
}
