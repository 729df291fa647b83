//! Deleting records from the front of partitions.

use std::collections::BTreeMap;

use kernel::{ErrorCode, NodeId, Offset, TopicPartition};
use wire::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};

use super::Admin;
use crate::cluster::{Lane, Wanted};
use crate::config::millis;
use crate::retry::Retry;
use crate::{BrokerError, Client, Error};

impl Admin {
    /// Deletes all records before an offset, in each partition; `None` deletes all that are there now. Returns where
    /// the partitions begin from then on.
    ///
    /// It is tried again where a partition moves: what is gone stays gone.
    ///
    /// # Errors
    /// `OFFSET_OUT_OF_RANGE` beyond the high watermark; `POLICY_VIOLATION` for a topic that is only compacted.
    pub async fn delete_records(
        &self,
        before: &BTreeMap<TopicPartition, Option<Offset>>,
    ) -> Result<BTreeMap<TopicPartition, Offset>, Error> {
        const HIGH_WATERMARK: i64 = -1;
        let mut retry = Retry::within(&self.client, self.client.config().default_api_timeout);
        let mut done = BTreeMap::new();
        loop {
            let open: Vec<(TopicPartition, i64)> = before
                .iter()
                .filter(|(name, _)| !done.contains_key(*name))
                .map(|(name, offset)| (name.clone(), offset.map_or(HIGH_WATERMARK, |offset| offset.0)))
                .collect();
            if open.is_empty() {
                return Ok(done);
            }
            if let Err(error) = self.delete_open(&open, &mut done).await {
                retry.after(error).await?;
                let topics: Vec<String> = open.iter().map(|(name, _)| name.topic.to_string()).collect();
                // What is wrong with it shows at the next attempt.
                let _ = self.client.refresh(Wanted::Topics { names: &topics, create: false }).await;
            }
        }
    }

    async fn delete_open(
        &self,
        open: &[(TopicPartition, i64)],
        done: &mut BTreeMap<TopicPartition, Offset>,
    ) -> Result<(), Error> {
        for (leader, partitions) in by_leader(&self.client, open).await? {
            let connection = self.client.broker(leader, Lane::General).await?;
            let mut topics: BTreeMap<&str, Vec<DeleteRecordsPartition>> = BTreeMap::new();
            for (name, offset) in &partitions {
                let partition = DeleteRecordsPartition { partition_index: name.partition, offset: *offset };
                topics.entry(&name.topic).or_default().push(partition);
            }
            let topic =
                |(name, partitions): (&str, _)| DeleteRecordsTopic { name: name.to_owned(), partitions };
            let request = DeleteRecordsRequest {
                topics: topics.into_iter().map(topic).collect(),
                timeout_ms: millis(connection.request_timeout()),
            };
            for topic in connection.ask(&request).await?.topics {
                for partition in topic.partitions {
                    let index = partition.partition_index;
                    BrokerError::check(partition.error_code)
                        .map_err(|error| error.partition(&topic.name, index))?;
                    done.insert(
                        TopicPartition::new(topic.name.as_str(), index),
                        Offset(partition.low_watermark),
                    );
                }
            }
        }
        Ok(())
    }
}

/// What belongs to partitions, by their leaders.
pub(super) async fn by_leader<T: Clone>(
    client: &Client,
    wanted: &[(TopicPartition, T)],
) -> Result<BTreeMap<NodeId, Vec<(TopicPartition, T)>>, Error> {
    let mut by_leader: BTreeMap<NodeId, Vec<(TopicPartition, T)>> = BTreeMap::new();
    for (name, what) in wanted {
        client.topic(&name.topic, false, client.config().default_api_timeout).await?;
        let metadata = client.metadata();
        let refuse = |code: ErrorCode| {
            Error::from(BrokerError::new(code.code()).partition(name.topic.as_ref(), name.partition))
        };
        let partition = metadata.partition(&name.topic, name.partition);
        let partition = partition.ok_or_else(|| refuse(ErrorCode::UnknownTopicOrPartition))?;
        let leader = partition.leader.ok_or_else(|| refuse(ErrorCode::LeaderNotAvailable))?;
        by_leader.entry(leader).or_default().push((name.clone(), what.clone()));
    }
    Ok(by_leader)
}
