//! AlterConfigs: what a request does not name is deleted.

use super::{AlterConfigs, Change, ConfigReply, ConfigRules, alter};
use crate::controller::Decision;
use crate::image::Image;

/// Replaces all values of each resource by those of the request.
pub fn alter_configs(
    image: &Image,
    rules: &dyn ConfigRules,
    command: &AlterConfigs,
) -> Decision<Vec<ConfigReply>> {
    alter(image, rules, command, &|asked, resource| {
        let current = image.configs.get(resource);
        let gone = current.iter().flat_map(|values| values.iter()).map(|(name, _)| (name.to_owned(), None));
        let mut change = Change { resource: resource.clone(), values: gone.collect() };
        change.values.extend(asked.changes.iter().map(|asked| (asked.name.clone(), asked.value.clone())));
        Ok(change)
    })
}
