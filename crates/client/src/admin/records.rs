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
    /// once the time is up; and `KAFKA_STORAGE_ERROR` where the leader cannot use its log and nobody takes over within two
    /// seconds.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Cluster, TOPIC, metadata};
    use kernel::ErrorCode;
    use wire::messages::delete_records_response::{
        DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
    };
    use wire::messages::metadata_request::MetadataRequest;

    /// Partition 1 has no record at the offset.
    fn cluster() -> Cluster {
        Cluster::new(|asked| {
            if asked.is::<MetadataRequest>() {
                let mut answer = metadata(1, 1);
                let partitions = &mut answer.topics[0].partitions;
                let mut other = partitions[0].clone();
                other.partition_index = 1;
                partitions.push(other);
                return asked.answer(&answer);
            }
            let request: DeleteRecordsRequest = asked.read();
            let result = |wanted: &DeleteRecordsPartition| DeleteRecordsPartitionResult {
                partition_index: wanted.partition_index,
                low_watermark: wanted.offset,
                error_code: if wanted.partition_index == 1 { ErrorCode::OffsetOutOfRange.code() } else { 0 },
            };
            let partitions = request.topics[0].partitions.iter().map(result).collect();
            let topic = DeleteRecordsTopicResult { name: TOPIC.to_owned(), partitions };
            asked.answer(&DeleteRecordsResponse { topics: vec![topic], ..Default::default() })
        })
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_deleted_is_told_beside_what_was_not() {
        let cluster = cluster();
        let admin = Admin::new(&cluster.client().await);
        let name = |partition| TopicPartition::new(TOPIC, partition);
        let before = [0, 1].map(|partition| (name(partition), Some(Offset(7)))).into();
        let each = admin.delete_records_each(&before).await;
        assert_eq!(each[&name(0)], Ok(Offset(7)));
        let refused = each[&name(1)].as_ref().err().map(|error| (error.code(), error.partition()));
        assert_eq!(refused, Some((Some(ErrorCode::OffsetOutOfRange), Some(1))));
        let all = admin.delete_records(&before).await;
        assert_eq!(all.err().and_then(|error| error.code()), Some(ErrorCode::OffsetOutOfRange));
        assert_eq!(cluster.heard::<DeleteRecordsRequest>().len(), 2, "once for each call");
    }
}
