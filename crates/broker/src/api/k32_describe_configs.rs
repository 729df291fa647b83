//! DescribeConfigs (key 32), versions 1 to 4.
//!
//! 1 sources and synonyms (KIP-226) · 3 types and documentation (KIP-569) · 4 flexible

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel::ErrorCode;
use kernel::option::Described;
use metadata::Image;
use metadata::controller::{Refusal, check_topic_name};
use metadata::image::{ConfigResource, ConfigResourceType};
use wire::messages::describe_configs_request::{DescribeConfigsRequestView, DescribeConfigsResourceView};
use wire::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};

use crate::apply::overrides;
use crate::node::Node;
use crate::request::{Handled, Request};

/// How much one answer may hold, as far as it is known before it is encoded. A short request can ask for a long answer
/// many times over.
const ANSWER_BYTES_MAX: usize = 64 << 20;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = DescribeConfigsRequestView::decode(request.body(), request.version)?;
    let image = node.image();
    let include = Include { synonyms: asked.include_synonyms, documentation: asked.include_documentation };
    let mut room = ANSWER_BYTES_MAX;
    let mut results = Vec::new();
    for resource in asked.resources {
        let described = if room == 0 {
            Err(Some(Refusal::invalid_request(
                "The answer would be too long; ask for fewer resources at a time.",
            )))
        } else {
            describe(&node, &image, &resource)
        };
        let result = result(&resource, described, &include);
        room = room.saturating_sub(size(&result));
        results.push(result);
    }
    request.reply(&DescribeConfigsResponse { results, ..DescribeConfigsResponse::default() })
}

struct Include {
    synonyms: bool,
    documentation: bool,
}

/// Everything about a resource; or why not, where Kafka says why.
fn describe(
    node: &Node,
    image: &Image,
    asked: &DescribeConfigsResourceView<'_>,
) -> Result<Vec<Described>, Option<Refusal>> {
    let (options, name) = (node.options(), asked.resource_name);
    let refused = |message: String| Err(Some(Refusal::invalid_request(message)));
    let Some(kind) = ConfigResourceType::from_number(asked.resource_type) else {
        return refused(format!("Unknown resource type {}.", asked.resource_type));
    };
    let set = || overrides(image, &ConfigResource::new(kind, name));
    match kind {
        ConfigResourceType::Topic => {
            check_topic_name(name)?;
            if image.topic(name).is_none() {
                return Err(None);
            }
            Ok(options.describe_topic(&set()))
        }
        ConfigResourceType::Broker if name.is_empty() => Ok(options.describe_cluster()),
        ConfigResourceType::Broker => {
            check_own_id(node, name, " or empty string")?;
            Ok(options.describe_broker())
        }
        ConfigResourceType::BrokerLogger if name.is_empty() => {
            refused("Broker id must not be empty".to_owned())
        }
        ConfigResourceType::BrokerLogger => {
            check_own_id(node, name, "")?;
            Ok(node.log_levels().describe())
        }
        ConfigResourceType::ClientMetrics if name.is_empty() => {
            refused("Client metrics subscription name must not be empty".to_owned())
        }
        ConfigResourceType::ClientMetrics => Ok(options.describe_client_metrics(&set())),
        ConfigResourceType::Group if name.is_empty() => refused("Group name must not be empty".to_owned()),
        ConfigResourceType::Group => Ok(options.describe_group(&set())),
    }
}

/// Only a broker itself knows its options.
fn check_own_id(node: &Node, name: &str, alternative: &str) -> Result<(), Refusal> {
    match name.parse::<i32>() {
        Ok(id) if id == node.id.0 => Ok(()),
        Ok(_) => Err(Refusal::invalid_request(format!(
            "Unexpected broker id, expected {}{alternative}, but received {name}",
            node.id.0
        ))),
        Err(_) => Err(Refusal::invalid_request(format!("Broker id must be an integer, but it is: {name}"))),
    }
}

fn result(
    asked: &DescribeConfigsResourceView<'_>,
    described: Result<Vec<Described>, Option<Refusal>>,
    include: &Include,
) -> DescribeConfigsResult {
    let (error_code, error_message, described) = match described {
        // An empty text, as Kafka has it: clients may expect one.
        Ok(described) => (ErrorCode::None, Some(String::new()), described),
        Err(None) => (ErrorCode::UnknownTopicOrPartition, Some(String::new()), Vec::new()),
        Err(Some(refusal)) => (refusal.code, Some(refusal.message), Vec::new()),
    };
    let wanted: Option<BTreeSet<&str>> =
        asked.configuration_keys.filter(|keys| !keys.is_empty()).map(|keys| keys.iter().collect());
    let wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted.contains(name));
    let configs = described.into_iter().filter(|option| wanted(&option.name));
    DescribeConfigsResult {
        error_code: error_code.code(),
        error_message,
        resource_type: asked.resource_type,
        resource_name: asked.resource_name.to_owned(),
        configs: configs.map(|option| line(option, include)).collect(),
    }
}

fn line(option: Described, include: &Include) -> DescribeConfigsResourceResult {
    let synonyms = option.synonyms.into_iter().filter(|_| include.synonyms);
    DescribeConfigsResourceResult {
        read_only: option.is_read_only,
        config_source: option.source.code(),
        is_sensitive: option.is_sensitive,
        synonyms: synonyms
            .map(|synonym| DescribeConfigsSynonym {
                name: synonym.name,
                value: synonym.value,
                source: synonym.source.code(),
            })
            .collect(),
        config_type: option.kind_code,
        documentation: option.doc.filter(|_| include.documentation).map(str::to_owned),
        name: option.name,
        value: option.value,
    }
}

/// About what a result occupies.
fn size(result: &DescribeConfigsResult) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let line = |line: &DescribeConfigsResourceResult| {
        let synonyms = line
            .synonyms
            .iter()
            .map(|synonym| size_of::<DescribeConfigsSynonym>() + synonym.name.len() + text(&synonym.value));
        size_of_val(line)
            + line.name.len()
            + text(&line.value)
            + text(&line.documentation)
            + synonyms.sum::<usize>()
    };
    size_of_val(result) + result.resource_name.len() + result.configs.iter().map(line).sum::<usize>()
}
