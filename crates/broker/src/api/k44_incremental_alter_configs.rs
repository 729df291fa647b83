//! IncrementalAlterConfigs (key 44), versions 0 to 1.
//!
//! 1 flexible
//!
//! What belongs to one broker alone (its log levels, its own options) is judged here; everything else is the
//! controller's.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::ErrorCode;
use metadata::controller::{
    AlterConfigs, ConfigChange, ConfigOp, ConfigReply, Refusal, ResourceConfigs, incremental_alter_configs,
};
use metadata::image::ConfigResourceType;
use tracing::info;
use wire::messages::incremental_alter_configs_request::{
    AlterConfigsResourceView, IncrementalAlterConfigsRequestView,
};
use wire::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
};

use crate::node::Node;
use crate::request::{Handled, Request};
use crate::told::{told, undecided};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = IncrementalAlterConfigsRequestView::decode(request.body(), request.version)?;
    let resources: Vec<_> = asked.resources.iter().map(resource).collect();
    let judged = judge(&node, &resources, |changes| node.log_levels().alter(changes, asked.validate_only));
    let altered = alter(&node, resources, judged, asked.validate_only, alter_incrementally).await;
    let responses = altered.into_iter().map(|Altered { resource, result }| {
        let (error_code, error_message) = told(&result);
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: resource.kind,
            resource_name: resource.name,
        }
    });
    request.reply(&IncrementalAlterConfigsResponse {
        responses: responses.collect(),
        ..IncrementalAlterConfigsResponse::default()
    })
}

async fn alter_incrementally(node: Arc<Node>, command: AlterConfigs) -> Result<Vec<ConfigReply>, ErrorCode> {
    node.change(|image, _| incremental_alter_configs(image, &*node.options(), &command)).await
}

fn resource(asked: AlterConfigsResourceView<'_>) -> ResourceConfigs {
    let changes = asked.configs.iter().map(|config| ConfigChange {
        name: config.name.to_owned(),
        op: ConfigOp::from_number(config.config_operation),
        value: config.value.map(str::to_owned),
    });
    ResourceConfigs {
        kind: asked.resource_type,
        name: asked.resource_name.to_owned(),
        changes: changes.collect(),
    }
}

/// What became of a resource.
pub(super) struct Altered {
    pub resource: ResourceConfigs,
    pub result: Result<(), Refusal>,
}

/// The result of a resource that the controller need not see.
pub(super) type Judgement = Option<Result<(), Refusal>>;

/// Changes the resources that are not judged yet by `change`; in the order of the request.
pub(super) async fn alter<F, W>(
    node: &Arc<Node>,
    resources: Vec<ResourceConfigs>,
    judged: Vec<Judgement>,
    validate_only: bool,
    change: F,
) -> Vec<Altered>
where
    F: FnOnce(Arc<Node>, AlterConfigs) -> W,
    W: Future<Output = Result<Vec<ConfigReply>, ErrorCode>>,
{
    let left: Vec<ResourceConfigs> = resources
        .iter()
        .zip(&judged)
        .filter(|(_, judgement)| judgement.is_none())
        .map(|(resource, _)| resource.clone())
        .collect();
    let decided = if left.is_empty() {
        Ok(Vec::new())
    } else {
        change(Arc::clone(node), AlterConfigs { resources: left, validate_only }).await
    };
    let (mut decided, failed) = match decided {
        Ok(replies) => (replies.into_iter(), ErrorCode::UnknownServerError),
        Err(code) => (Vec::new().into_iter(), code),
    };
    let mut next = || decided.next().map_or_else(|| Err(undecided(failed)), |reply| reply.result);
    let altered: Vec<Altered> = resources
        .into_iter()
        .zip(judged)
        .map(|(resource, judgement)| Altered { resource, result: judgement.unwrap_or_else(&mut next) })
        .collect();
    for one in altered.iter().filter(|one| one.result.is_ok() && !validate_only) {
        let changed: Vec<&str> = one.resource.changes.iter().map(|change| change.name.as_str()).collect();
        // Names only: a value may be a password.
        info!(kind = one.resource.kind, name = %one.resource.name, changed = %changed.join(","), "configuration altered");
    }
    altered
}

/// Judges what is this broker's own matter.
pub(super) fn judge(
    node: &Node,
    resources: &[ResourceConfigs],
    alter_loggers: impl Fn(&[ConfigChange]) -> Result<(), Refusal>,
) -> Vec<Judgement> {
    let mut counts: BTreeMap<(i8, &str), usize> = BTreeMap::new();
    for resource in resources {
        *counts.entry((resource.kind, resource.name.as_str())).or_default() += 1;
    }
    let judge_one = |resource: &ResourceConfigs| {
        if counts.get(&(resource.kind, resource.name.as_str())) != Some(&1) {
            return Some(Err(Refusal::invalid_request("Each resource must appear at most once.")));
        }
        match ConfigResourceType::from_number(resource.kind)? {
            ConfigResourceType::BrokerLogger => {
                Some(check_node_id(node, &resource.name).and_then(|()| alter_loggers(&resource.changes)))
            }
            ConfigResourceType::Broker if !resource.name.is_empty() => {
                check_node_id(node, &resource.name).err().map(Err)
            }
            _ => None,
        }
    };
    resources.iter().map(judge_one).collect()
}

/// A broker judges its own options only: another one may have been started with others.
fn check_node_id(node: &Node, name: &str) -> Result<(), Refusal> {
    match name.parse::<i32>() {
        Ok(id) if id == node.id.0 => Ok(()),
        Ok(_) => Err(Refusal::invalid_request(format!(
            "Unexpected broker id, expected {}, but received {name}",
            node.id.0
        ))),
        Err(_) => Err(Refusal::invalid_request(format!("Node id must be an integer, but it is: {name}"))),
    }
}
