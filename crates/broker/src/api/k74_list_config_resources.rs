//! ListConfigResources (key 74), versions 0 to 1.
//!
//! 0 client-metrics subscriptions only (KIP-714) · 1 every kind of resource (KIP-1142)

use std::sync::Arc;

use kernel::ErrorCode;
use metadata::Image;
use metadata::image::ConfigResourceType;
use wire::messages::list_config_resources_request::ListConfigResourcesRequestView;
use wire::messages::list_config_resources_response::{ConfigResource, ListConfigResourcesResponse};

use crate::node::Node;
use crate::request::{Handled, Request};

/// Every kind, in the order in which Kafka lists them.
const KINDS: [ConfigResourceType; 5] = [
    ConfigResourceType::Group,
    ConfigResourceType::ClientMetrics,
    ConfigResourceType::BrokerLogger,
    ConfigResourceType::Broker,
    ConfigResourceType::Topic,
];

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = ListConfigResourcesRequestView::decode(request.body(), request.version)?;
    let kinds: &[_] = if request.version == 0 { &[ConfigResourceType::ClientMetrics] } else { &KINDS };
    let wanted: Vec<i8> = asked.resource_types.iter().collect();
    let known = |number: &i8| kinds.iter().any(|kind| kind.number() == *number);
    if !wanted.iter().all(known) {
        return request.reply(&ListConfigResourcesResponse {
            error_code: ErrorCode::UnsupportedVersion.code(),
            ..ListConfigResourcesResponse::default()
        });
    }
    let image = node.image();
    let listener = &*request.peer.listener;
    let asked_for = kinds.iter().filter(|kind| wanted.is_empty() || wanted.contains(&kind.number()));
    let resources = asked_for.flat_map(|kind| {
        names(&image, *kind, listener)
            .into_iter()
            .map(|resource_name| ConfigResource { resource_name, resource_type: kind.number() })
    });
    request.reply(&ListConfigResourcesResponse {
        config_resources: resources.collect(),
        ..ListConfigResourcesResponse::default()
    })
}

fn names(image: &Image, kind: ConfigResourceType, listener: &str) -> Vec<String> {
    match kind {
        ConfigResourceType::Topic => image.topics.iter().map(|topic| topic.name.to_string()).collect(),
        ConfigResourceType::Broker | ConfigResourceType::BrokerLogger => {
            let reachable = image.brokers.iter().filter(|broker| broker.endpoint(listener).is_some());
            reachable.map(|broker| broker.id.0.to_string()).collect()
        }
        // Of these there are only those on which something is set.
        ConfigResourceType::Group | ConfigResourceType::ClientMetrics => {
            let set = image.configs.iter().filter(|(resource, _)| resource.kind == kind);
            set.map(|(resource, _)| resource.name.clone()).collect()
        }
    }
}
