//! Topics: list, describe, create, grow, delete.

use std::time::Duration;

use kernel::{ErrorCode, NodeId, Uuid};
use wire::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use wire::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
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
    /// The brokers that keep each partition, from partition 0 on, the preferred leader first. Where there are any, the
    /// cluster chooses nothing, and `partitions` and `replication_factor` are left out.
    pub replicas: Vec<Vec<NodeId>>,
}

impl NewTopic {
    /// A topic as the cluster makes them by default.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            partitions: None,
            replication_factor: None,
            configs: Vec::new(),
            replicas: Vec::new(),
        }
    }
}

/// A topic that was created, from [`Admin::create_topic`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Which one of its name it is; nothing where it was only validated, or before Kafka 2.8.
    pub id: Option<Uuid>,
    /// How many partitions it has, if the cluster tells.
    pub partitions: Option<i32>,
}

/// The version from which a cluster's own defaults can be asked for.
const DEFAULTS_FROM: i16 = 4;

/// The version from which topics go by id or name.
const TOPIC_STATES_FROM: i16 = 6;

impl Admin {
    /// Every topic that there is, by name; those that the cluster made for itself as well.
    ///
    /// # Errors
    /// Only those of all calls. Topics that the caller has no right to describe are left out.
    pub async fn list_topics(&self) -> Result<Vec<Topic>, Error> {
        let metadata = self.client.fetch_metadata(None).await?;
        let mut topics: Vec<Topic> = metadata.topics().cloned().collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// Describes a topic.
    ///
    /// # Errors
    /// `UNKNOWN_TOPIC_OR_PARTITION` for one that is not there, or so new that the broker does not know it yet;
    /// `INVALID_TOPIC_EXCEPTION` for a name that none can have; `TOPIC_AUTHORIZATION_FAILED` without `Describe` of it.
    pub async fn describe_topic(&self, name: &str) -> Result<Topic, Error> {
        let metadata = self.client.fetch_metadata(Some(&[name.to_owned()])).await?;
        let unknown = || {
            let code = metadata.error(name).unwrap_or(ErrorCode::UnknownTopicOrPartition);
            BrokerError::new(code.code()).topic(name).into()
        };
        metadata.topic(name).cloned().ok_or_else(unknown)
    }

    /// Creates a topic; with `validate_only`, only says whether it could be.
    ///
    /// # Errors
    /// `TOPIC_ALREADY_EXISTS`, `INVALID_TOPIC_EXCEPTION` for its name, `INVALID_CONFIG` for its settings,
    /// `INVALID_REPLICATION_FACTOR` where there are not so many brokers, `INVALID_REPLICA_ASSIGNMENT` where a broker is named
    /// that there is not, `INVALID_PARTITIONS` for less than one, `INVALID_REQUEST` where both replicas and their number are
    /// given, and `POLICY_VIOLATION` where the cluster's `create.topic.policy.class.name` forbids it.
    /// `TOPIC_AUTHORIZATION_FAILED` without `Create` of the cluster or of the topic.
    pub async fn create_topic(&self, topic: &NewTopic, validate_only: bool) -> Result<CreatedTopic, Error> {
        let connection = self.client.any().await?;
        let version = connection.version::<CreateTopicsRequest>()?;
        let unset = if version >= DEFAULTS_FROM || !topic.replicas.is_empty() { -1 } else { 1 };
        let config = |(name, value): &(String, String)| CreatableTopicConfig {
            name: name.clone(),
            value: Some(value.clone()),
        };
        let assigned = |(brokers, partition_index): (&Vec<NodeId>, i32)| CreatableReplicaAssignment {
            partition_index,
            broker_ids: numbers(brokers),
        };
        let request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: topic.name.clone(),
                num_partitions: topic.partitions.unwrap_or(unset),
                replication_factor: topic.replication_factor.unwrap_or(unset as i16),
                configs: topic.configs.iter().map(config).collect(),
                assignments: topic.replicas.iter().zip(0..).map(assigned).collect(),
            }],
            timeout_ms: millis(self.patience()),
            validate_only,
        };
        // Not tried again: a repetition of what succeeded unseen would fail as a duplicate.
        let answer = connection.ask_in(&request, version, self.patience()).await?;
        let result = answer.topics.into_iter().find(|result| result.name == topic.name);
        let result = result.ok_or_else(|| missing(&topic.name))?;
        BrokerError::check(result.error_code)
            .map_err(|error| error.topic(&topic.name).message(result.error_message))?;
        Ok(CreatedTopic {
            // Kafka's controller names one also for a topic that it does not make.
            id: Some(result.topic_id).filter(|id| !validate_only && !id.is_zero()),
            partitions: (result.num_partitions > 0).then_some(result.num_partitions),
        })
    }

    /// Gives a topic more partitions, so that it has `total`; with `validate_only`, only says whether it could be. Records
    /// that are there stay where they are, and keys may go to other partitions from now on.
    ///
    /// # Errors
    /// `INVALID_PARTITIONS` if it has as many already: partitions cannot be taken away. `UNKNOWN_TOPIC_OR_PARTITION`,
    /// and `TOPIC_AUTHORIZATION_FAILED` without `Alter` of the topic.
    pub async fn create_partitions(&self, name: &str, total: i32, validate_only: bool) -> Result<(), Error> {
        self.add_partitions(name, total, None, validate_only).await
    }

    /// As [`Admin::create_partitions`], on brokers that are named: `replicas` are those of each new partition, the preferred
    /// leader first.
    ///
    /// # Errors
    /// `INVALID_REPLICA_ASSIGNMENT` where they are not as many as there are new partitions, or a broker is named that there
    /// is not; and as for [`Admin::create_partitions`].
    pub async fn create_partitions_on(
        &self,
        name: &str,
        total: i32,
        replicas: &[Vec<NodeId>],
        validate_only: bool,
    ) -> Result<(), Error> {
        let assignment = |brokers: &Vec<NodeId>| CreatePartitionsAssignment { broker_ids: numbers(brokers) };
        let assignments = replicas.iter().map(assignment).collect();
        self.add_partitions(name, total, Some(assignments), validate_only).await
    }

    async fn add_partitions(
        &self,
        name: &str,
        count: i32,
        assignments: Option<Vec<CreatePartitionsAssignment>>,
        validate_only: bool,
    ) -> Result<(), Error> {
        let connection = self.client.any().await?;
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic { name: name.to_owned(), count, assignments }],
            timeout_ms: millis(self.patience()),
            validate_only,
        };
        let version = connection.version::<CreatePartitionsRequest>()?;
        let answer = connection.ask_in(&request, version, self.patience()).await?;
        let result = answer.results.into_iter().find(|result| result.name == name);
        let result = result.ok_or_else(|| missing(name))?;
        BrokerError::check(result.error_code)
            .map_err(|error| Error::from(error.topic(name).message(result.error_message)))
    }

    /// Deletes a topic with all its records. It may take a moment until every broker knows.
    ///
    /// # Errors
    /// `UNKNOWN_TOPIC_OR_PARTITION`; `TOPIC_DELETION_DISABLED` where `delete.topic.enable` is false;
    /// `TOPIC_AUTHORIZATION_FAILED` without `Delete` of the topic.
    pub async fn delete_topic(&self, name: &str) -> Result<(), Error> {
        let state = DeleteTopicState { name: Some(name.to_owned()), topic_id: Uuid::ZERO };
        self.delete(state).await.map_err(|error| match error {
            Error::Broker(error) => error.topic(name).into(),
            error => error,
        })
    }

    /// As [`Admin::delete_topic`], the topic of this id: one that took its name since then is left alone.
    ///
    /// # Errors
    /// `UNKNOWN_TOPIC_ID`, and [`Error::Unsupported`] before Kafka 2.8; and as for [`Admin::delete_topic`].
    pub async fn delete_topic_by_id(&self, id: Uuid) -> Result<(), Error> {
        self.delete(DeleteTopicState { name: None, topic_id: id }).await
    }

    /// How long a change may take that is not tried again.
    fn patience(&self) -> Duration {
        let config = self.client.config();
        config.request_timeout.min(config.default_api_timeout)
    }

    async fn delete(&self, topic: DeleteTopicState) -> Result<(), Error> {
        let connection = self.client.any().await?;
        let version = connection.version::<DeleteTopicsRequest>()?;
        let mut request = DeleteTopicsRequest { timeout_ms: millis(self.patience()), ..Default::default() };
        match topic.name {
            _ if version >= TOPIC_STATES_FROM => request.topics = vec![topic],
            Some(name) => request.topic_names = vec![name],
            None => {
                let address = connection.address().to_owned();
                return Err(Error::Unsupported { address, api: "DeleteTopics by id" });
            }
        }
        let answer = connection.ask_in(&request, version, self.patience()).await?;
        let result = answer.responses.into_iter().next().ok_or_else(|| missing(""))?;
        BrokerError::check(result.error_code)
            .map_err(|error| Error::from(error.message(result.error_message)))
    }
}

fn numbers(brokers: &[NodeId]) -> Vec<i32> {
    brokers.iter().map(|id| id.0).collect()
}

fn missing(name: &str) -> Error {
    let words = Some("the answer does not mention the topic");
    BrokerError::new(ErrorCode::UnknownServerError.code()).topic(name).message(words).into()
}
