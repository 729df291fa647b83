//! Topics: list, describe, create, grow, delete.

use kernel::{ErrorCode, Uuid};
use wire::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};

use super::Admin;
use crate::config::millis;
use crate::metadata::Topic;
use crate::{BrokerError, Error};

/// A topic to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// At most 249 letters, digits, dots, underscores and dashes.
    pub name: String,
    /// Nothing for the cluster's `num.partitions`.
    pub partitions: Option<i32>,
    /// Nothing for the cluster's `default.replication.factor`.
    pub replication_factor: Option<i16>,
    /// Settings in Kafka's names, with their values.
    pub configs: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic as the cluster makes them by default.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), partitions: None, replication_factor: None, configs: Vec::new() }
    }
}

/// The version from which a cluster's own defaults can be asked for.
const DEFAULTS_FROM: i16 = 4;

/// The version from which topics go by id or name.
const TOPIC_STATES_FROM: i16 = 6;

impl Admin {
    /// Every topic that there is, by name; those that the cluster made for itself as well.
    pub async fn list_topics(&self) -> Result<Vec<Topic>, Error> {
        let metadata = self.client.fetch_metadata(None).await?;
        let mut topics: Vec<Topic> = metadata.topics().cloned().collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// Describes a topic. One that is not there is `UNKNOWN_TOPIC_OR_PARTITION`.
    pub async fn describe_topic(&self, name: &str) -> Result<Topic, Error> {
        let metadata = self.client.fetch_metadata(Some(&[name.to_owned()])).await?;
        let unknown = || {
            let code = metadata.error(name).unwrap_or(ErrorCode::UnknownTopicOrPartition);
            BrokerError::new(code.code()).topic(name).into()
        };
        metadata.topic(name).cloned().ok_or_else(unknown)
    }

    /// Creates a topic; with `validate_only`, only says whether it could be. Returns the number of its partitions, if
    /// the cluster tells.
    pub async fn create_topic(&self, topic: &NewTopic, validate_only: bool) -> Result<Option<i32>, Error> {
        let connection = self.client.any().await?;
        let version = connection.version::<CreateTopicsRequest>()?;
        let unset = if version >= DEFAULTS_FROM { -1 } else { 1 };
        let config = |(name, value): &(String, String)| CreatableTopicConfig {
            name: name.clone(),
            value: Some(value.clone()),
        };
        let request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: topic.name.clone(),
                num_partitions: topic.partitions.unwrap_or(unset),
                replication_factor: topic.replication_factor.unwrap_or(unset as i16),
                configs: topic.configs.iter().map(config).collect(),
                ..Default::default()
            }],
            timeout_ms: millis(self.client.config().request_timeout),
            validate_only,
        };
        // Not tried again: a repetition of what succeeded unseen would fail as a duplicate.
        let answer = connection.ask_in(&request, version, connection.request_timeout()).await?;
        let result = answer.topics.into_iter().find(|result| result.name == topic.name);
        let result = result.ok_or_else(|| missing(&topic.name))?;
        BrokerError::check(result.error_code)
            .map_err(|error| error.topic(&topic.name).message(result.error_message))?;
        Ok((result.num_partitions > 0).then_some(result.num_partitions))
    }

    /// Gives a topic more partitions, so that it has `total`; with `validate_only`, only says whether it could be. Records
    /// that are there stay where they are, and keys may go to other partitions from now on.
    ///
    /// # Errors
    /// `INVALID_PARTITIONS` if it has as many already: partitions cannot be taken away.
    pub async fn create_partitions(&self, name: &str, total: i32, validate_only: bool) -> Result<(), Error> {
        let connection = self.client.any().await?;
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic { name: name.to_owned(), count: total, assignments: None }],
            timeout_ms: millis(self.client.config().request_timeout),
            validate_only,
        };
        let answer = connection.ask(&request).await?;
        let result = answer.results.into_iter().find(|result| result.name == name);
        let result = result.ok_or_else(|| missing(name))?;
        BrokerError::check(result.error_code)
            .map_err(|error| Error::from(error.topic(name).message(result.error_message)))
    }

    /// Deletes a topic with all its records. It may take a moment until every broker knows.
    pub async fn delete_topic(&self, name: &str) -> Result<(), Error> {
        let connection = self.client.any().await?;
        let version = connection.version::<DeleteTopicsRequest>()?;
        let mut request = DeleteTopicsRequest {
            timeout_ms: millis(self.client.config().request_timeout),
            ..Default::default()
        };
        if version >= TOPIC_STATES_FROM {
            request.topics = vec![DeleteTopicState { name: Some(name.to_owned()), topic_id: Uuid::ZERO }];
        } else {
            request.topic_names = vec![name.to_owned()];
        }
        let answer = connection.ask_in(&request, version, connection.request_timeout()).await?;
        let result = answer.responses.into_iter().next().ok_or_else(|| missing(name))?;
        BrokerError::check(result.error_code)
            .map_err(|error| Error::from(error.topic(name).message(result.error_message)))
    }
}

fn missing(name: &str) -> Error {
    let words = Some("the answer does not mention the topic");
    BrokerError::new(ErrorCode::UnknownServerError.code()).topic(name).message(words).into()
}
