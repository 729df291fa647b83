//! IncrementalAlterConfigs: each value is set, deleted, appended to or subtracted from by itself.

use super::{AlterConfigs, Change, ConfigChange, ConfigOp, ConfigReply, ConfigRules, alter};
use crate::controller::{Decision, Refusal};
use crate::image::{ConfigResource, Image};

/// Changes single values and leaves the others as they are.
pub fn incremental_alter_configs(
    image: &Image,
    rules: &dyn ConfigRules,
    command: &AlterConfigs,
) -> Decision<Vec<ConfigReply>> {
    alter(image, rules, command, &|asked, resource| {
        let values = asked.changes.iter().map(|change| {
            let value = new_value(image, rules, resource, change)?;
            Ok((change.name.clone(), value))
        });
        Ok(Change { resource: resource.clone(), values: values.collect::<Result<_, Refusal>>()? })
    })
}

fn new_value(
    image: &Image,
    rules: &dyn ConfigRules,
    resource: &ConfigResource,
    change: &ConfigChange,
) -> Result<Option<String>, Refusal> {
    let given = change.value.as_deref().unwrap_or_default();
    let verb = match change.op {
        ConfigOp::Set => return Ok(Some(given.to_owned())),
        ConfigOp::Delete => return Ok(None),
        ConfigOp::Append => "append to",
        ConfigOp::Subtract => "subtract from",
        ConfigOp::Unknown(number) => {
            return Err(Refusal::invalid_request(format!("Unknown operation type {number}")));
        }
    };
    if !rules.is_list(resource.kind, &change.name) {
        return Err(Refusal::invalid_config(format!(
            "Can't {verb} {}: its type is not a list.",
            change.name
        )));
    }
    let current = match image.configs.value(resource, &change.name) {
        Some(set) => Some(set.to_owned()),
        None => rules.default_value(resource.kind, &change.name),
    };
    let mut items: Vec<&str> = current.as_deref().map(|list| split(list).collect()).unwrap_or_default();
    for item in split(given) {
        match change.op {
            ConfigOp::Append if items.contains(&item) => {}
            ConfigOp::Append => items.push(item),
            _ => {
                if let Some(position) = items.iter().position(|present| *present == item) {
                    items.remove(position);
                }
            }
        }
    }
    Ok(Some(items.join(",")))
}

fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}
