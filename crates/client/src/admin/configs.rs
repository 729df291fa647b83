//! Settings as brokers hold them.

use wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};

use super::Admin;
use crate::{BrokerError, Error};

/// One setting of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    pub name: String,
    /// Nothing for what is secret, or has no value.
    pub value: Option<String>,
    pub source: ConfigSource,
    pub sensitive: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set for the topic itself.
    Topic,
    /// Set for brokers while they run.
    DynamicBroker,
    /// From a broker's file.
    StaticBroker,
    Default,
    /// Something that this client does not know, by its number.
    Other(i8),
}

const TOPIC_RESOURCE: i8 = 2;

impl Admin {
    /// Every setting of a topic with its value, also those that nobody has set.
    pub async fn describe_topic_configs(&self, topic: &str) -> Result<Vec<ConfigEntry>, Error> {
        let resource = DescribeConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: topic.to_owned(),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
        let answer = self.client.ask_any(&request).await?;
        let mut entries = Vec::new();
        for result in answer.results {
            BrokerError::check(result.error_code)
                .map_err(|error| error.topic(topic).message(result.error_message))?;
            entries.extend(result.configs.into_iter().map(|config| ConfigEntry {
                name: config.name,
                value: config.value,
                sensitive: config.is_sensitive,
                source: match config.config_source {
                    1 => ConfigSource::Topic,
                    2 | 3 => ConfigSource::DynamicBroker,
                    4 => ConfigSource::StaticBroker,
                    5 => ConfigSource::Default,
                    other => ConfigSource::Other(other),
                },
            }));
        }
        Ok(entries)
    }
}
