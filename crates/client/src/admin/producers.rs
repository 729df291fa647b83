//! Who writes to a partition.

use std::collections::BTreeMap;

use kernel::{NodeId, Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use wire::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use wire::messages::describe_producers_response::ProducerState;

use super::Admin;
use super::leaders::{Answered, Each, all, ask_leaders};
use crate::cluster::Lane;
use crate::{BrokerError, Client, Error};

/// An idempotent or transactional producer, as a partition remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Drawn by the cluster for this producer.
    pub producer_id: ProducerId,
    /// Grows whenever the producer begins anew.
    pub epoch: ProducerEpoch,
    /// The sequence number of its last record; nothing if there is none that counts.
    pub last_sequence: Option<i32>,
    /// The largest time of its last batch.
    pub last_timestamp: Option<Timestamp>,
    /// The epoch of the last transaction coordinator that wrote a marker for it.
    pub coordinator_epoch: Option<i32>,
    /// Where its open transaction begins, if it has one.
    pub transaction_start: Option<Offset>,
}

impl Admin {
    /// The producers that the leaders of these partitions remember.
    ///
    /// # Errors
    /// That of the first partition that has one: [`Admin::describe_producers_each`] tells of each, and which there are.
    pub async fn describe_producers(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Vec<ActiveProducer>>, Error> {
        all(self.describe_producers_each(partitions).await)
    }

    /// As [`Admin::describe_producers`], with what became of each partition: no partition waits for another one's leader.
    ///
    /// # Errors
    /// A partition's own are `UNKNOWN_TOPIC_OR_PARTITION` and `LEADER_NOT_AVAILABLE`, once the time is up, and
    /// `TOPIC_AUTHORIZATION_FAILED` without `Read` of the topic; [`Error::Unsupported`] before Kafka 2.8.
    pub async fn describe_producers_each(&self, partitions: &[TopicPartition]) -> Each<Vec<ActiveProducer>> {
        let wanted = partitions.iter().map(|name| (name.clone(), ())).collect();
        ask_leaders(&self.client, wanted, describe).await
    }
}

async fn describe(
    client: Client,
    leader: NodeId,
    partitions: Vec<(TopicPartition, ())>,
) -> Result<Answered<Vec<ActiveProducer>>, Error> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (name, ()) in &partitions {
        topics.entry(&name.topic).or_default().push(name.partition);
    }
    let topic =
        |(name, partition_indexes): (&str, _)| TopicRequest { name: name.to_owned(), partition_indexes };
    let request = DescribeProducersRequest { topics: topics.into_iter().map(topic).collect() };
    let connection = client.broker(leader, Lane::General).await?;
    let mut answered = BTreeMap::new();
    for topic in connection.ask(&request).await?.topics {
        for partition in topic.partitions {
            let index = partition.partition_index;
            let checked = BrokerError::check(partition.error_code)
                .map_err(|error| error.partition(&topic.name, index).message(partition.error_message));
            let producers = || partition.active_producers.into_iter().map(active).collect();
            answered.insert(TopicPartition::new(topic.name.as_str(), index), checked.map(|()| producers()));
        }
    }
    Ok(answered)
}

fn active(producer: ProducerState) -> ActiveProducer {
    ActiveProducer {
        producer_id: ProducerId(producer.producer_id),
        epoch: ProducerEpoch(i16::try_from(producer.producer_epoch).unwrap_or(-1)),
        last_sequence: (producer.last_sequence >= 0).then_some(producer.last_sequence),
        last_timestamp: (producer.last_timestamp >= 0).then_some(Timestamp(producer.last_timestamp)),
        coordinator_epoch: (producer.coordinator_epoch >= 0).then_some(producer.coordinator_epoch),
        transaction_start: (producer.current_txn_start_offset >= 0)
            .then_some(Offset(producer.current_txn_start_offset)),
    }
}
