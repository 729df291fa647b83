//! Deleting records from the front of partitions.

use std::collections::BTreeMap;

use kernel::{NodeId, Offset, TopicPartition};
use wire::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};

use super::Admin;
use super::leaders::{Answered, Each, all, ask_leaders};
use crate::cluster::Lane;
use crate::config::millis;
use crate::{BrokerError, Client, Error};

/// What stands for the high watermark in place of an offset.
const HIGH_WATERMARK: i64 = -1;

impl Admin {
    /// Deletes all records before an offset, in each partition; `None` deletes all that are there now. Returns where
    /// the partitions begin from then on.
    ///
    /// It is tried again where a partition moves: what is gone stays gone.
    ///
    /// # Errors
    /// That of the first partition that has one, while in others records may be deleted:
    /// [`Admin::delete_records_each`] tells of each. `OFFSET_OUT_OF_RANGE` beyond the high watermark; `POLICY_VIOLATION`
    /// for a topic that is only compacted, which `cleanup.policy` has to have `delete` for. `TOPIC_AUTHORIZATION_FAILED` without
    /// `Delete` of the topic.
    pub async fn delete_records(
        &self,
        before: &BTreeMap<TopicPartition, Option<Offset>>,
    ) -> Result<BTreeMap<TopicPartition, Offset>, Error> {
        all(self.delete_records_each(before).await)
    }

    /// As [`Admin::delete_records`], with what became of each partition: no partition waits for another one's leader.
    ///
    /// # Errors
    /// A partition's own are those of [`Admin::delete_records`], and `UNKNOWN_TOPIC_OR_PARTITION` and `LEADER_NOT_AVAILABLE`,
    /// once the time is up.
    pub async fn delete_records_each(
        &self,
        before: &BTreeMap<TopicPartition, Option<Offset>>,
    ) -> Each<Offset> {
        let offset = |offset: &Option<Offset>| offset.map_or(HIGH_WATERMARK, |offset| offset.0);
        let wanted = before.iter().map(|(name, before)| (name.clone(), offset(before))).collect();
        ask_leaders(&self.client, wanted, delete).await
    }
}

async fn delete(
    client: Client,
    leader: NodeId,
    partitions: Vec<(TopicPartition, i64)>,
) -> Result<Answered<Offset>, Error> {
    let connection = client.broker(leader, Lane::General).await?;
    let mut topics: BTreeMap<&str, Vec<DeleteRecordsPartition>> = BTreeMap::new();
    for (name, offset) in &partitions {
        let partition = DeleteRecordsPartition { partition_index: name.partition, offset: *offset };
        topics.entry(&name.topic).or_default().push(partition);
    }
    let topic = |(name, partitions): (&str, _)| DeleteRecordsTopic { name: name.to_owned(), partitions };
    let request = DeleteRecordsRequest {
        topics: topics.into_iter().map(topic).collect(),
        timeout_ms: millis(connection.request_timeout()),
    };
    let mut answered = BTreeMap::new();
    for topic in connection.ask(&request).await?.topics {
        for partition in topic.partitions {
            let index = partition.partition_index;
            let result = BrokerError::check(partition.error_code)
                .map(|()| Offset(partition.low_watermark))
                .map_err(|error| error.partition(&topic.name, index));
            answered.insert(TopicPartition::new(topic.name.as_str(), index), result);
        }
    }
    Ok(answered)
}
