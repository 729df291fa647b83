//! AlterConfigs (key 33), versions 0 to 2. IncrementalAlterConfigs came after it (KIP-339).
//!
//! 2 flexible

use std::sync::Arc;

use kernel::ErrorCode;
use metadata::controller::{
    AlterConfigs, ConfigChange, ConfigOp, ConfigReply, Refusal, ResourceConfigs, alter_configs,
};
use wire::messages::alter_configs_request::{AlterConfigsRequestView, AlterConfigsResourceView};
use wire::messages::alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse};

use super::k44_incremental_alter_configs::{Altered, alter, judge};
use crate::node::Node;
use crate::request::{Handled, Request};
use crate::told::told;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = AlterConfigsRequestView::decode(request.body(), request.version)?;
    let resources: Vec<_> = asked.resources.iter().map(resource).collect();
    // Loggers came with the newer request.
    let unknown = |_: &[ConfigChange]| Err(Refusal::invalid_request("Unknown resource type 8"));
    let judged = judge(&node, &resources, unknown);
    let altered = alter(&node, resources, judged, asked.validate_only, alter_legacy).await;
    let responses = altered.into_iter().map(|Altered { resource, result }| {
        let (error_code, error_message) = told(&result);
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: resource.kind,
            resource_name: resource.name,
        }
    });
    request.reply(&AlterConfigsResponse { responses: responses.collect(), ..AlterConfigsResponse::default() })
}

async fn alter_legacy(node: Arc<Node>, command: AlterConfigs) -> Result<Vec<ConfigReply>, ErrorCode> {
    node.change(|image, _| alter_configs(image, &*node.options(), &command)).await
}

fn resource(asked: AlterConfigsResourceView<'_>) -> ResourceConfigs {
    let changes = asked.configs.iter().map(|config| ConfigChange {
        name: config.name.to_owned(),
        op: ConfigOp::Set,
        value: config.value.map(str::to_owned),
    });
    ResourceConfigs {
        kind: asked.resource_type,
        name: asked.resource_name.to_owned(),
        changes: changes.collect(),
    }
}
