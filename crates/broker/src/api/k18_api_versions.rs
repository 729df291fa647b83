//! ApiVersions (key 18), versions 0 to 5.
//!
//! 3 flexible, the client's software (KIP-511), features (KIP-584) · 4 features that begin at 0 · 5 the client says which
//! cluster and node it means to talk to (KIP-1242)
//!
//! A version that is not known is answered in the form of version 0, with the versions that are: that is how a newer
//! client finds out.

use std::ops::RangeInclusive;
use std::sync::Arc;

use kernel::ErrorCode;
use metadata::controller::features::SERVED;
use wire::api_table::ApiKey;
use wire::messages::api_versions_request::ApiVersionsRequestView;
use wire::messages::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};

use crate::dispatch::{ROUTES, route};
use crate::node::Node;
use crate::request::{ClientSoftware, Handled, Request};

/// What stands for a node where a client does not say which one it means.
const ANY_NODE: i32 = -1;

/// How much is kept of the name and of the version of a client's software.
const SOFTWARE_LEN_MAX: usize = 128;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let served = route(ApiKey::ApiVersions.code()).map_or(0..=0, |route| route.versions());
    if !served.contains(&request.version) {
        return request.reply_at(0, &unsupported(&served), &[]);
    }
    let asked = ApiVersionsRequestView::decode(request.body(), request.version)?;
    if request.version >= 3 {
        let (name, version) = (asked.client_software_name, asked.client_software_version);
        // A client says whom it means to talk to in full or not at all.
        let half_meant = request.version >= 5 && asked.cluster_id.is_some() != (asked.node_id != ANY_NODE);
        if !is_software_name(name) || !is_software_name(version) || half_meant {
            return request.reply(&failed(ErrorCode::InvalidRequest));
        }
        let kept = |text: &str| text.chars().take(SOFTWARE_LEN_MAX).collect();
        *request.peer.software.lock() = Some(ClientSoftware { name: kept(name), version: kept(version) });
    }
    let other = asked.cluster_id.is_some_and(|id| id != &*node.cluster_id || asked.node_id != node.id.0);
    if request.version >= 5 && other {
        return request.reply(&failed(ErrorCode::RebootstrapRequired));
    }
    request.reply(&describe(&node, &request))
}

/// Letters, digits, dots and dashes, as KIP-511 asks.
fn is_software_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    bytes.iter().copied().all(legal) && ends(bytes.first()) && ends(bytes.last())
}

fn failed(code: ErrorCode) -> ApiVersionsResponse {
    ApiVersionsResponse { error_code: code.code(), ..ApiVersionsResponse::default() }
}

fn unsupported(served: &RangeInclusive<i16>) -> ApiVersionsResponse {
    let own = version(ApiKey::ApiVersions.code(), *served.start(), *served.end());
    ApiVersionsResponse { api_keys: vec![own], ..failed(ErrorCode::UnsupportedVersion) }
}

fn version(api_key: i16, min_version: i16, max_version: i16) -> ApiVersion {
    ApiVersion { api_key, min_version, max_version }
}

fn describe(node: &Node, request: &Request) -> ApiVersionsResponse {
    let (image, api_version) = (node.image(), request.version);
    // What is advertised below what is served is there for clients that look for it and then use newer ones.
    let open = ROUTES.iter().filter(|route| route.serves(request.peer.listener_type));
    let api_keys = open.map(|route| {
        let versions = route.versions();
        let lowest = route.key.api().advertised_min.min(*versions.start());
        version(route.key.code(), lowest, *versions.end())
    });
    let supported = SERVED.iter().filter(|feature| api_version >= 4 || feature.min > 0);
    let supported_features = supported.map(|feature| SupportedFeatureKey {
        name: feature.name.to_owned(),
        min_version: feature.min,
        max_version: feature.max,
    });
    // A feature that is finalized by another kind of node and not served here must not lead a client to use it.
    let served = |name: &str| SERVED.iter().any(|feature| feature.name == name);
    let finalized = image.finalized_features().filter(|(name, _)| served(name));
    let finalized_features = finalized.map(|(name, level)| FinalizedFeatureKey {
        name: name.to_owned(),
        min_version_level: level,
        max_version_level: level,
    });
    ApiVersionsResponse {
        api_keys: api_keys.collect(),
        supported_features: supported_features.collect(),
        finalized_features_epoch: image.provenance.offset.get(),
        finalized_features: finalized_features.collect(),
        ..ApiVersionsResponse::default()
    }
}
