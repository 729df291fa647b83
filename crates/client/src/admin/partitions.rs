//! Topics with all that is known of their partitions, also who could lead them.

use std::collections::BTreeMap;

use kernel::{ErrorCode, LeaderEpoch, NodeId, Uuid};
use wire::messages::describe_topic_partitions_request::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};
use wire::messages::describe_topic_partitions_response::{
    DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};

use super::Admin;
use crate::metadata::Partition;
use crate::{BrokerError, Error};

/// A topic with its partitions, from [`Admin::describe_topic_partitions`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPartitions {
    /// Unique in the cluster, also among topics of the same name that are gone.
    pub id: Uuid,
    /// Whether the cluster made it for itself.
    pub internal: bool,
    /// By number.
    pub partitions: BTreeMap<i32, PartitionDescription>,
}

/// A partition, and who could lead it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionDescription {
    /// What metadata says of it as well.
    pub partition: Partition,
    /// Replicas out of sync that have all committed records, so that they may lead without loss (KIP-966). Nothing where
    /// the cluster does not keep them, as with `eligible.leader.replicas.version` 0.
    pub eligible_leaders: Option<Vec<NodeId>>,
    /// Those that were eligible before they came back from an unclean shutdown. Nothing where the cluster does not keep
    /// them.
    pub last_known_eligible_leaders: Option<Vec<NodeId>>,
}

/// How many partitions an answer may have; brokers may have a lower bound, by default the same.
const PAGE_PARTITIONS: i32 = 2000;

impl Admin {
    /// Describes topics, by name; all that there are without names. What is wrong with a topic stands in its place. As many
    /// pages are asked for as there are, so that topics may change between one and the next.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before Kafka 3.8; [`Admin::describe_topic`] does without eligible leaders. A topic's own is
    /// `UNKNOWN_TOPIC_OR_PARTITION`, `INVALID_TOPIC_EXCEPTION` for a name that none can have, or `TOPIC_AUTHORIZATION_FAILED`
    /// without `Describe` of it; without names, topics that one may not describe are left out.
    pub async fn describe_topic_partitions(
        &self,
        names: Option<&[&str]>,
    ) -> Result<BTreeMap<String, Result<TopicPartitions, BrokerError>>, Error> {
        let mut described = BTreeMap::new();
        // A broker would take no names for all of them.
        if names.is_some_and(<[&str]>::is_empty) {
            return Ok(described);
        }
        let topic = |name: &&str| TopicRequest { name: (*name).to_owned() };
        let mut request = DescribeTopicPartitionsRequest {
            topics: names.unwrap_or_default().iter().map(topic).collect(),
            response_partition_limit: PAGE_PARTITIONS,
            cursor: None,
        };
        loop {
            let answer = self.client.read_any(&request).await?;
            let next = next_cursor(&answer);
            for topic in answer.topics {
                add(&mut described, topic);
            }
            let Some(next) = next else { return Ok(described) };
            let place = |cursor: &Cursor| (cursor.topic_name.clone(), cursor.partition_index);
            if request.cursor.as_ref().is_some_and(|cursor| place(cursor) >= place(&next)) {
                // Pages that lead back would be asked for without end.
                let words = "the pages of the answer do not go on";
                return Err(BrokerError::new(ErrorCode::UnknownServerError.code())
                    .topic(next.topic_name)
                    .message(Some(words))
                    .into());
            }
            request.cursor = Some(next);
        }
    }
}

/// Where the next page begins.
fn next_cursor(answer: &DescribeTopicPartitionsResponse) -> Option<Cursor> {
    let next = answer.next_cursor.as_ref()?;
    Some(Cursor { topic_name: next.topic_name.clone(), partition_index: next.partition_index })
}

fn add(
    described: &mut BTreeMap<String, Result<TopicPartitions, BrokerError>>,
    topic: DescribeTopicPartitionsResponseTopic,
) {
    let name = topic.name.unwrap_or_default();
    if let Err(error) = BrokerError::check(topic.error_code) {
        described.insert(name.clone(), Err(error.topic(name)));
        return;
    }
    let partitions =
        topic.partitions.into_iter().map(|partition| (partition.partition_index, read(partition)));
    match described.get_mut(&name) {
        // A page ended within it.
        Some(Ok(begun)) if begun.id == topic.topic_id => begun.partitions.extend(partitions),
        _ => {
            let (id, internal) = (topic.topic_id, topic.is_internal);
            described.insert(name, Ok(TopicPartitions { id, internal, partitions: partitions.collect() }));
        }
    }
}

fn read(partition: DescribeTopicPartitionsResponsePartition) -> PartitionDescription {
    let ids = |ids: Vec<i32>| ids.into_iter().map(NodeId).collect::<Vec<_>>();
    PartitionDescription {
        partition: Partition {
            partition: partition.partition_index,
            leader: (partition.leader_id >= 0).then_some(NodeId(partition.leader_id)),
            leader_epoch: LeaderEpoch(partition.leader_epoch),
            replicas: ids(partition.replica_nodes),
            isr: ids(partition.isr_nodes),
            offline: ids(partition.offline_replicas),
        },
        eligible_leaders: partition.eligible_leader_replicas.map(ids),
        last_known_eligible_leaders: partition.last_known_elr.map(ids),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Cluster, metadata};
    use wire::messages::describe_topic_partitions_response::Cursor as NextCursor;
    use wire::messages::metadata_request::MetadataRequest;

    fn page(topics: &[(&str, i32)], next: Option<(&str, i32)>) -> DescribeTopicPartitionsResponse {
        let topic = |(name, index): &(&str, i32)| DescribeTopicPartitionsResponseTopic {
            name: Some((*name).to_owned()),
            error_code: if *index < 0 { ErrorCode::UnknownTopicOrPartition.code() } else { 0 },
            partitions: vec![DescribeTopicPartitionsResponsePartition {
                partition_index: *index,
                leader_id: -1,
                eligible_leader_replicas: Some(vec![2]),
                ..Default::default()
            }],
            ..Default::default()
        };
        DescribeTopicPartitionsResponse {
            topics: topics.iter().map(topic).collect(),
            next_cursor: next
                .map(|(name, partition_index)| NextCursor { topic_name: name.to_owned(), partition_index }),
            ..Default::default()
        }
    }

    /// A cluster whose answer after a cursor is that of `after`.
    async fn admin(
        after: impl Fn(Option<(&str, i32)>) -> DescribeTopicPartitionsResponse + Send + Sync + 'static,
    ) -> Admin {
        let cluster = Cluster::new(move |asked| {
            if asked.is::<MetadataRequest>() {
                return asked.answer(&metadata(1, 1));
            }
            let cursor = asked.read::<DescribeTopicPartitionsRequest>().cursor;
            asked.answer(&after(cursor.as_ref().map(|at| (at.topic_name.as_str(), at.partition_index))))
        });
        Admin::new(&cluster.client().await)
    }

    #[tokio::test(start_paused = true)]
    async fn pages_are_put_together_also_within_a_topic() {
        let admin = admin(|cursor| match cursor {
            None => page(&[("a", 0)], Some(("a", 1))),
            Some(("a", 1)) => page(&[("a", 1)], Some(("b", 0))),
            _ => page(&[("b", 0), ("c", -1)], None),
        });
        let all = admin.await.describe_topic_partitions(None).await.expect("it is served");
        let topic = |name: &str| all.get(name).and_then(|topic| topic.as_ref().ok()).expect("it is there");
        assert_eq!(topic("a").partitions.keys().copied().collect::<Vec<_>>(), [0, 1]);
        let partition = topic("b").partitions.get(&0).expect("it has one");
        assert_eq!((partition.partition.leader, &partition.last_known_eligible_leaders), (None, &None));
        assert_eq!(partition.eligible_leaders, Some(vec![NodeId(2)]));
        let error = all.get("c").and_then(|topic| topic.as_ref().err()).expect("it is not there");
        assert_eq!(error.code, ErrorCode::UnknownTopicOrPartition);
    }

    #[tokio::test(start_paused = true)]
    async fn pages_that_lead_back_end_the_call() {
        let admin = admin(|_| page(&[("a", 0)], Some(("a", 1)))).await;
        let error = admin.describe_topic_partitions(None).await.expect_err("there is no end");
        assert_eq!(error.code(), Some(ErrorCode::UnknownServerError));
        assert_eq!(admin.describe_topic_partitions(Some(&[])).await, Ok(BTreeMap::new()));
    }
}
