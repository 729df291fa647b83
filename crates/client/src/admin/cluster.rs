//! What a cluster and its brokers serve, and the brokers' directories.

use std::collections::BTreeMap;

use kernel::{NodeId, TopicPartition};
use wire::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use wire::messages::api_versions_request::ApiVersionsRequest;
use wire::messages::api_versions_response::ApiVersionsResponse;
use wire::messages::describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest};
use wire::messages::unregister_broker_request::UnregisterBrokerRequest;

use super::Admin;
use crate::{BrokerError, Error};

/// What a broker answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiVersions {
    /// By API key: its name, if this client knows it, and the lowest and the highest version.
    pub apis: BTreeMap<i16, (Option<&'static str>, i16, i16)>,
}

/// What the cluster has agreed on, and what its brokers could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Features {
    /// Those that are agreed on, and those that the broker that was asked could have.
    pub by_name: BTreeMap<String, Feature>,
    /// Grows with each change; nothing where the cluster is too old to tell.
    pub epoch: Option<i64>,
}

impl Features {
    /// The level of a feature: 0 where it is off; nothing where the cluster is too old to tell.
    pub fn level(&self, name: &str) -> Option<i16> {
        let off = self.epoch.map(|_| 0);
        self.by_name.get(name)?.finalized.or(off)
    }
}

/// A feature, and its level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Feature {
    /// The level that is agreed on; nothing for a feature that is off.
    pub finalized: Option<i16>,
    /// The lowest and highest level that the broker that was asked supports.
    pub supported: Option<(i16, i16)>,
}

/// A directory in which a broker keeps logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDir {
    /// As the broker's configuration names it.
    pub path: String,
    /// What is wrong with it, if anything is.
    pub error: Option<BrokerError>,
    /// The logs in it.
    pub replicas: BTreeMap<TopicPartition, LogDirReplica>,
    /// The size of its volume, in bytes; nothing where the broker does not tell.
    pub total_bytes: Option<u64>,
    /// What is left of it, in bytes.
    pub usable_bytes: Option<u64>,
    /// Whether nothing new is put there.
    pub cordoned: bool,
}

/// A partition's log in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogDirReplica {
    /// The size of all its segments, in bytes.
    pub size_bytes: u64,
    /// How many records it is behind what it copies.
    pub offset_lag: i64,
    /// Whether it is being copied from another directory, to take its place.
    pub future: bool,
}

impl Admin {
    /// What a broker answers, and in which versions.
    ///
    /// # Errors
    /// [`Error::Connection`] where the cluster has no such broker, or it cannot be reached. It needs no right.
    pub async fn api_versions(&self, broker: NodeId) -> Result<ApiVersions, Error> {
        let answer = self.ask_versions(broker).await?;
        let api = |api: wire::messages::api_versions_response::ApiVersion| {
            let name = wire::api_table::lookup(api.api_key).map(|known| known.name);
            (api.api_key, (name, api.min_version, api.max_version))
        };
        Ok(ApiVersions { apis: answer.api_keys.into_iter().map(api).collect() })
    }

    async fn ask_versions(&self, broker: NodeId) -> Result<ApiVersionsResponse, Error> {
        let request = ApiVersionsRequest {
            client_software_name: "riverrun".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Default::default()
        };
        let answer = self.client.ask_broker(broker, &request).await?;
        BrokerError::check(answer.error_code)?;
        Ok(answer)
    }

    /// The features of the cluster, as any of its brokers knows them.
    ///
    /// # Errors
    /// Only those of all calls: a broker before Kafka 2.7 tells of no features. It needs no right.
    pub async fn describe_features(&self) -> Result<Features, Error> {
        let request = ApiVersionsRequest {
            client_software_name: "riverrun".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Default::default()
        };
        let answer = self.client.read_any(&request).await?;
        BrokerError::check(answer.error_code)?;
        let mut by_name: BTreeMap<String, Feature> = BTreeMap::new();
        for feature in answer.supported_features {
            by_name.entry(feature.name).or_default().supported =
                Some((feature.min_version, feature.max_version));
        }
        for feature in answer.finalized_features {
            by_name.entry(feature.name).or_default().finalized = Some(feature.max_version_level);
        }
        let epoch = answer.finalized_features_epoch;
        Ok(Features { by_name, epoch: (epoch >= 0).then_some(epoch) })
    }

    /// The directories of a broker, and what is in them. Sizes are in bytes.
    ///
    /// # Errors
    /// [`Error::Connection`] where the cluster has no such broker; `CLUSTER_AUTHORIZATION_FAILED` without `Describe` of the
    /// cluster. A directory's own, such as `KAFKA_STORAGE_ERROR` for one that is offline, stands in [`LogDir::error`].
    pub async fn describe_log_dirs(&self, broker: NodeId) -> Result<Vec<LogDir>, Error> {
        self.log_dirs(broker, None).await
    }

    /// The directories of a broker, and what is in them of these partitions; what the broker does not have is left out.
    ///
    /// # Errors
    /// As for [`Admin::describe_log_dirs`].
    pub async fn describe_log_dirs_of(
        &self,
        broker: NodeId,
        partitions: &[TopicPartition],
    ) -> Result<Vec<LogDir>, Error> {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for name in partitions {
            topics.entry(&name.topic).or_default().push(name.partition);
        }
        let topic =
            |(topic, partitions): (&str, _)| DescribableLogDirTopic { topic: topic.to_owned(), partitions };
        self.log_dirs(broker, Some(topics.into_iter().map(topic).collect())).await
    }

    async fn log_dirs(
        &self,
        broker: NodeId,
        topics: Option<Vec<DescribableLogDirTopic>>,
    ) -> Result<Vec<LogDir>, Error> {
        let answer = self.client.ask_broker(broker, &DescribeLogDirsRequest { topics }).await?;
        BrokerError::check(answer.error_code)?;
        let mut dirs = Vec::new();
        for dir in answer.results {
            let mut replicas = BTreeMap::new();
            for topic in dir.topics {
                for partition in topic.partitions {
                    let name = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                    let replica = LogDirReplica {
                        size_bytes: u64::try_from(partition.partition_size).unwrap_or(0),
                        offset_lag: partition.offset_lag,
                        future: partition.is_future_key,
                    };
                    replicas.insert(name, replica);
                }
            }
            dirs.push(LogDir {
                path: dir.log_dir,
                error: BrokerError::check(dir.error_code).err(),
                replicas,
                total_bytes: u64::try_from(dir.total_bytes).ok(),
                usable_bytes: u64::try_from(dir.usable_bytes).ok(),
                cordoned: dir.is_cordoned,
            });
        }
        Ok(dirs)
    }

    /// Has a broker move its replicas of partitions into other of its log directories, which are named by their whole paths.
    /// Returns what became of each wish; a move that was begun goes on for as long as it takes, and
    /// [`Admin::describe_log_dirs`] shows how far it is.
    ///
    /// # Errors
    /// If the broker cannot be asked. A partition's own are `LOG_DIR_NOT_FOUND` for a path that is none of the broker's,
    /// `KAFKA_STORAGE_ERROR` where a directory is offline, `REPLICA_NOT_AVAILABLE` where the broker has no replica of it yet
    /// (one that it gets goes there), and `CLUSTER_AUTHORIZATION_FAILED` without `Alter` of the cluster.
    pub async fn alter_replica_log_dirs(
        &self,
        broker: NodeId,
        moves: &BTreeMap<TopicPartition, String>,
    ) -> Result<BTreeMap<TopicPartition, Result<(), BrokerError>>, Error> {
        let mut wanted: BTreeMap<&str, BTreeMap<&str, Vec<i32>>> = BTreeMap::new();
        for (name, path) in moves {
            wanted.entry(path).or_default().entry(&name.topic).or_default().push(name.partition);
        }
        let dirs = wanted.into_iter().map(|(path, topics)| {
            let topic =
                |(name, partitions): (&str, _)| AlterReplicaLogDirTopic { name: name.to_owned(), partitions };
            AlterReplicaLogDir { path: path.to_owned(), topics: topics.into_iter().map(topic).collect() }
        });
        let request = AlterReplicaLogDirsRequest { dirs: dirs.collect() };
        let answer = self.client.ask_broker(broker, &request).await?;
        let mut altered = BTreeMap::new();
        for topic in answer.results {
            for result in topic.partitions {
                let outcome = BrokerError::check(result.error_code)
                    .map_err(|error| error.partition(&topic.topic_name, result.partition_index));
                altered
                    .insert(TopicPartition::new(topic.topic_name.as_str(), result.partition_index), outcome);
            }
        }
        Ok(altered)
    }

    /// Takes a broker that is gone for good out of the cluster's metadata. Whatever it still leads has no leader then.
    ///
    /// # Errors
    /// `BROKER_ID_NOT_REGISTERED` where there is none of this number (any more), `CLUSTER_AUTHORIZATION_FAILED` without `Alter`
    /// of the cluster. Riverrun refuses it for a broker that is alive, too, with `INVALID_REQUEST`: stop it first.
    pub async fn unregister_broker(&self, broker: NodeId) -> Result<(), Error> {
        let connection = self.client.any().await?;
        let answer = connection.ask(&UnregisterBrokerRequest { broker_id: broker.0 }).await?;
        BrokerError::check(answer.error_code)
            .map_err(|error| Error::from(error.message(answer.error_message)))
    }
}
