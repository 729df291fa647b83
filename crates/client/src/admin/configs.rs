//! Settings as brokers hold them.

use std::sync::Arc;

use kernel::NodeId;
use wire::messages::alter_configs_request::{
    AlterConfigsRequest, AlterConfigsResource as ReplacedResource, AlterableConfig as ReplacingConfig,
};
use wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::messages::describe_configs_response::DescribeConfigsResourceResult;
use wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use wire::messages::list_config_resources_request::ListConfigResourcesRequest;

use super::Admin;
use crate::conn::Connection;
use crate::retry::Retry;
use crate::{BrokerError, Error};

/// What settings are of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigResource {
    /// By its name.
    Topic(String),
    /// By its id; that broker itself is asked.
    Broker(NodeId),
    /// What holds for all brokers that say nothing else.
    AllBrokers,
    /// The levels of a broker's log, by the names of loggers.
    BrokerLogger(NodeId),
    /// A group's settings for the newer group protocols.
    Group(String),
    /// A subscription to metrics of clients.
    ClientMetrics(String),
    /// Something that this client does not know, by its number and name.
    Other(i8, String),
}

impl ConfigResource {
    fn number_and_name(&self) -> (i8, String) {
        match self {
            ConfigResource::Topic(name) => (2, name.clone()),
            ConfigResource::Broker(id) => (4, id.0.to_string()),
            ConfigResource::AllBrokers => (4, String::new()),
            ConfigResource::BrokerLogger(id) => (8, id.0.to_string()),
            ConfigResource::ClientMetrics(name) => (16, name.clone()),
            ConfigResource::Group(name) => (32, name.clone()),
            ConfigResource::Other(number, name) => (*number, name.clone()),
        }
    }

    fn of(number: i8, name: String) -> ConfigResource {
        let id = || name.parse().map(NodeId);
        match (number, id()) {
            (2, _) => ConfigResource::Topic(name),
            (4, _) if name.is_empty() => ConfigResource::AllBrokers,
            (4, Ok(id)) => ConfigResource::Broker(id),
            (8, Ok(id)) => ConfigResource::BrokerLogger(id),
            (16, _) => ConfigResource::ClientMetrics(name),
            (32, _) => ConfigResource::Group(name),
            _ => ConfigResource::Other(number, name),
        }
    }

    /// Who alone can answer for it.
    fn broker(&self) -> Option<NodeId> {
        match self {
            ConfigResource::Broker(id) | ConfigResource::BrokerLogger(id) => Some(*id),
            _ => None,
        }
    }

    fn adorn(&self, error: BrokerError, message: Option<String>) -> BrokerError {
        let error = error.message(message);
        match self {
            ConfigResource::Topic(name) => error.topic(name),
            ConfigResource::Group(name) => error.group(name),
            _ => error,
        }
    }
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// In Kafka's name.
    pub name: String,
    /// Nothing for what is secret, or has no value.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it is secret, so that its value is never told.
    pub sensitive: bool,
    /// Whether it cannot be changed while the broker runs.
    pub read_only: bool,
    /// What a value looks like.
    pub kind: ConfigType,
    /// Every place that says something about it, the one that counts first.
    pub synonyms: Vec<ConfigSynonym>,
    /// What it does, in the broker's words; nothing where the cluster is too old to tell.
    pub documentation: Option<String>,
}

/// A place that says something about a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// Another name than the setting's own where it holds for more: `log.retention.ms` for `retention.ms`.
    pub name: String,
    /// Nothing for what is secret.
    pub value: Option<String>,
    /// What kind of place it is.
    pub source: ConfigSource,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set for the topic itself.
    Topic,
    /// Set for one broker while it runs.
    DynamicBroker,
    /// Set for all brokers while they run.
    DynamicDefaultBroker,
    /// From a broker's file.
    StaticBroker,
    /// Nobody has set it.
    Default,
    /// The level of a logger.
    BrokerLogger,
    /// Set for the subscription itself.
    ClientMetrics,
    /// Set for the group itself.
    Group,
    /// Something that this client does not know, by its number.
    Other(i8),
}

impl ConfigSource {
    fn of(number: i8) -> ConfigSource {
        match number {
            1 => ConfigSource::Topic,
            2 => ConfigSource::DynamicBroker,
            3 => ConfigSource::DynamicDefaultBroker,
            4 => ConfigSource::StaticBroker,
            5 => ConfigSource::Default,
            6 => ConfigSource::BrokerLogger,
            7 => ConfigSource::ClientMetrics,
            8 => ConfigSource::Group,
            other => ConfigSource::Other(other),
        }
    }
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigType {
    /// `true` or `false`.
    Boolean,
    /// Any text.
    String,
    /// A number of 32 bits.
    Int,
    /// A number of 16 bits.
    Short,
    /// A number of 64 bits.
    Long,
    /// A number with a fraction.
    Double,
    /// Values separated by commas.
    List,
    /// The name of a Java class.
    Class,
    /// A secret.
    Password,
    /// The cluster does not tell, or something that this client does not know.
    Unknown,
}

impl ConfigType {
    fn of(number: i8) -> ConfigType {
        match number {
            1 => ConfigType::Boolean,
            2 => ConfigType::String,
            3 => ConfigType::Int,
            4 => ConfigType::Short,
            5 => ConfigType::Long,
            6 => ConfigType::Double,
            7 => ConfigType::List,
            8 => ConfigType::Class,
            9 => ConfigType::Password,
            _ => ConfigType::Unknown,
        }
    }
}

/// A change of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigChange {
    /// Gives it a value.
    Set {
        /// The setting, in Kafka's name.
        name: String,
        /// As somebody would write it in a file.
        value: String,
    },
    /// What nobody has set comes from elsewhere, in the end from the default.
    Delete {
        /// The setting, in Kafka's name.
        name: String,
    },
    /// Adds to a list.
    Append {
        /// The setting, in Kafka's name.
        name: String,
        /// One value, or several separated by commas.
        value: String,
    },
    /// Takes from a list.
    Subtract {
        /// The setting, in Kafka's name.
        name: String,
        /// One value, or several separated by commas.
        value: String,
    },
}

/// The version from which a request can ask for what settings do.
const DOCUMENTATION_FROM: i16 = 3;

impl Admin {
    /// Every setting of a topic with its value, also those that nobody has set.
    ///
    /// # Errors
    /// Those of [`Admin::describe_configs`].
    pub async fn describe_topic_configs(&self, topic: &str) -> Result<Vec<ConfigEntry>, Error> {
        self.describe_configs(&ConfigResource::Topic(topic.to_owned())).await
    }

    /// Every setting of something, with its value, where that comes from, and what it does.
    ///
    /// # Errors
    /// `UNKNOWN_TOPIC_OR_PARTITION` for a topic that is not there; a group and a subscription need not be.
    /// [`Error::Connection`] for a broker, or its loggers, that the cluster does not have. Without `DescribeConfigs` of it,
    /// `TOPIC_AUTHORIZATION_FAILED` for a topic, `GROUP_AUTHORIZATION_FAILED` for a group, and else
    /// `CLUSTER_AUTHORIZATION_FAILED`.
    pub async fn describe_configs(&self, resource: &ConfigResource) -> Result<Vec<ConfigEntry>, Error> {
        let (resource_type, resource_name) = resource.number_and_name();
        let asked = DescribeConfigsResource { resource_type, resource_name, configuration_keys: None };
        let request = DescribeConfigsRequest {
            resources: vec![asked],
            include_synonyms: true,
            include_documentation: true,
        };
        // The oldest versions have no way to ask for what the setting does.
        let undocumented = DescribeConfigsRequest { include_documentation: false, ..request.clone() };
        let (request, undocumented) = (&request, &undocumented);
        let ask = |connection: Arc<Connection>| async move {
            let tells = connection.version::<DescribeConfigsRequest>()? >= DOCUMENTATION_FROM;
            connection.ask(if tells { request } else { undocumented }).await
        };
        let answer = match resource.broker() {
            Some(id) => {
                let retry = Retry::within(&self.client, self.client.config().default_api_timeout);
                self.client.ask_broker_by(id, retry, ask).await?
            }
            None => self.client.read_any_by(ask).await?,
        };
        let mut entries = Vec::new();
        for result in answer.results {
            BrokerError::check(result.error_code)
                .map_err(|error| resource.adorn(error, result.error_message))?;
            entries.extend(result.configs.into_iter().map(entry));
        }
        Ok(entries)
    }

    /// Changes settings of something, all or none; with `validate_only`, only says whether that could be.
    ///
    /// # Errors
    /// `INVALID_CONFIG` for a name or a value that cannot be, of a broker also `INVALID_REQUEST`, as where a setting is named
    /// twice: the message says which, and nothing is changed. `POLICY_VIOLATION` where the cluster's
    /// `alter.config.policy.class.name` forbids it, `UNKNOWN_TOPIC_OR_PARTITION`. Without `AlterConfigs` of it, as
    /// [`Admin::describe_configs`] fails without its right.
    pub async fn alter_configs(
        &self,
        resource: &ConfigResource,
        changes: &[ConfigChange],
        validate_only: bool,
    ) -> Result<(), Error> {
        let (resource_type, resource_name) = resource.number_and_name();
        let asked = AlterConfigsResource {
            resource_type,
            resource_name,
            configs: changes.iter().map(change).collect(),
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![asked], validate_only };
        let answer = self.client.ask_once(resource.broker(), &request).await?;
        for result in answer.responses {
            BrokerError::check(result.error_code)
                .map_err(|error| resource.adorn(error, result.error_message))?;
        }
        Ok(())
    }

    /// Gives something these settings and no others: what is set now and not named comes from elsewhere again. Several who
    /// do so undo each other's changes; [`Admin::alter_configs`] changes only what it names. With `validate_only`, only says
    /// whether that could be.
    ///
    /// # Errors
    /// Those of [`Admin::alter_configs`], and `INVALID_REQUEST` for loggers, which can only be changed one by one.
    pub async fn replace_configs(
        &self,
        resource: &ConfigResource,
        configs: &[(String, String)],
        validate_only: bool,
    ) -> Result<(), Error> {
        let (resource_type, resource_name) = resource.number_and_name();
        let config = |(name, value): &(String, String)| ReplacingConfig {
            name: name.clone(),
            value: Some(value.clone()),
        };
        let asked =
            ReplacedResource { resource_type, resource_name, configs: configs.iter().map(config).collect() };
        let request = AlterConfigsRequest { resources: vec![asked], validate_only };
        for result in self.client.ask_once(resource.broker(), &request).await?.responses {
            BrokerError::check(result.error_code)
                .map_err(|error| resource.adorn(error, result.error_message))?;
        }
        Ok(())
    }

    /// Everything that settings can be of, as far as the cluster lists it: since Kafka 4.1 all kinds, before that
    /// subscriptions to client metrics only. Of groups and subscriptions there are those that have settings; what holds for
    /// all brokers is not among them.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before Kafka 3.7; `CLUSTER_AUTHORIZATION_FAILED` without `DescribeConfigs` of the cluster.
    pub async fn list_config_resources(&self) -> Result<Vec<ConfigResource>, Error> {
        let answer = self.client.read_any(&ListConfigResourcesRequest::default()).await?;
        BrokerError::check(answer.error_code)?;
        let resources = answer.config_resources.into_iter();
        let mut resources: Vec<ConfigResource> =
            resources.map(|found| ConfigResource::of(found.resource_type, found.resource_name)).collect();
        resources.sort();
        Ok(resources)
    }
}

fn entry(config: DescribeConfigsResourceResult) -> ConfigEntry {
    ConfigEntry {
        name: config.name,
        value: config.value,
        source: ConfigSource::of(config.config_source),
        sensitive: config.is_sensitive,
        read_only: config.read_only,
        kind: ConfigType::of(config.config_type),
        synonyms: config
            .synonyms
            .into_iter()
            .map(|synonym| ConfigSynonym {
                name: synonym.name,
                value: synonym.value,
                source: ConfigSource::of(synonym.source),
            })
            .collect(),
        documentation: config.documentation.filter(|text| !text.is_empty()),
    }
}

fn change(change: &ConfigChange) -> AlterableConfig {
    let (name, config_operation, value) = match change {
        ConfigChange::Set { name, value } => (name, 0, Some(value.clone())),
        ConfigChange::Delete { name } => (name, 1, None),
        ConfigChange::Append { name, value } => (name, 2, Some(value.clone())),
        ConfigChange::Subtract { name, value } => (name, 3, Some(value.clone())),
    };
    AlterableConfig { name: name.clone(), config_operation, value }
}
