//! Lists of groups, which each broker tells of those that it coordinates.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::NodeId;
use tokio::task::JoinSet;
use wire::messages::list_groups_request::ListGroupsRequest;
use wire::messages::list_groups_response::ListedGroup;

use super::Admin;
use crate::conn::Connection;
use crate::retry::Retry;
use crate::{BrokerError, Error};

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupListing {
    /// Its name.
    pub group: String,
    /// `consumer` for groups of consumers; empty for one that only keeps offsets.
    pub protocol_type: String,
    /// Empty where the cluster is too old to tell.
    pub state: String,
    /// `Classic`, `Consumer` and so on; empty where the cluster is too old to tell.
    pub group_type: String,
}

/// Which groups are listed: those that have one of the states and are of one of the types. Words are taken in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFilter {
    /// `Stable`, `Empty` and so on; all of them if there is none. Needs Kafka 2.6.
    pub states: Vec<String>,
    /// `Classic`, `Consumer` and so on; all of them if there is none. Needs Kafka 3.8.
    pub types: Vec<String>,
}

impl GroupFilter {
    /// The version from which a request can say it.
    fn version(&self) -> i16 {
        match (self.states.is_empty(), self.types.is_empty()) {
            (_, false) => 5,
            (false, true) => 4,
            (true, true) => 0,
        }
    }
}

/// The groups of those brokers that answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupListings {
    /// By name.
    pub groups: Vec<GroupListing>,
    /// The brokers whose groups are missing, and why.
    pub failed: BTreeMap<NodeId, Error>,
}

impl Admin {
    /// The groups of all brokers, by name.
    ///
    /// # Errors
    /// That of the first broker that does not answer: without it the list would not be whole. A broker that loads its groups
    /// yet is asked again. Groups that the caller has no right to describe are left out.
    pub async fn list_groups(&self) -> Result<Vec<GroupListing>, Error> {
        self.list_groups_where(&GroupFilter::default()).await
    }

    /// As [`Admin::list_groups`], only those that the brokers select.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where a broker is too old for the filter; and as for [`Admin::list_groups`].
    pub async fn list_groups_where(&self, filter: &GroupFilter) -> Result<Vec<GroupListing>, Error> {
        let listed = self.list_groups_each(filter).await?;
        listed.failed.into_values().next().map_or(Ok(listed.groups), Err)
    }

    /// As [`Admin::list_groups_where`], for who would rather have a part of the list than none.
    ///
    /// # Errors
    /// Those for which it is not known which brokers there are.
    pub async fn list_groups_each(&self, filter: &GroupFilter) -> Result<GroupListings, Error> {
        let mut retry = Retry::within(&self.client, self.client.config().default_api_timeout);
        loop {
            let metadata = retry.attempt(self.client.fetch_metadata(Some(&[]))).await?;
            let (groups, failed) = self.list_groups_at(metadata.brokers.keys(), filter, &retry).await;
            let there = &self.client.metadata().brokers;
            let gone = failed.iter().find(|(broker, _)| !there.contains_key(broker));
            // Another broker has its groups now, and may have been asked before it had.
            if let Some((_, error)) = gone
                && retry.after(error.clone()).await.is_ok()
            {
                continue;
            }
            return Ok(GroupListings { groups: groups.into_values().collect(), failed });
        }
    }

    /// What brokers list, all asked at once.
    async fn list_groups_at(
        &self,
        brokers: impl Iterator<Item = &NodeId>,
        filter: &GroupFilter,
        retry: &Retry,
    ) -> (BTreeMap<String, GroupListing>, BTreeMap<NodeId, Error>) {
        let mut asked = JoinSet::new();
        for broker in brokers.copied() {
            let (client, filter, part) = (self.client.clone(), filter.clone(), retry.part());
            asked.spawn(async move {
                let ask = |connection| list_groups_by(connection, filter.clone());
                (broker, client.ask_broker_by(broker, part, ask).await)
            });
        }
        let (mut groups, mut failed) = (BTreeMap::new(), BTreeMap::new());
        while let Some(Ok((broker, listed))) = asked.join_next().await {
            match listed {
                Ok(listed) => {
                    groups.extend(listed.into_iter().map(|group| (group.group_id.clone(), listing(group))));
                }
                Err(error) => drop(failed.insert(broker, error)),
            }
        }
        (groups, failed)
    }
}

fn listing(group: ListedGroup) -> GroupListing {
    GroupListing {
        group: group.group_id,
        protocol_type: group.protocol_type,
        state: group.group_state,
        group_type: group.group_type,
    }
}

async fn list_groups_by(connection: Arc<Connection>, filter: GroupFilter) -> Result<Vec<ListedGroup>, Error> {
    let version = connection.version::<ListGroupsRequest>()?;
    if version < filter.version() {
        let address = connection.address().to_owned();
        return Err(Error::Unsupported { address, api: "ListGroups with this filter" });
    }
    let request = ListGroupsRequest { states_filter: filter.states, types_filter: filter.types };
    let answer = connection.ask_in(&request, version, connection.request_timeout()).await?;
    BrokerError::check(answer.error_code)?;
    Ok(answer.groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::scripted::{Cluster, metadata};
    use wire::messages::list_groups_response::ListGroupsResponse;
    use wire::messages::metadata_request::MetadataRequest;

    #[tokio::test(start_paused = true)]
    async fn groups_are_listed_without_those_of_a_broker_that_does_not_answer_and_that_is_told() {
        let cluster = Cluster::new(|asked| {
            if asked.is::<MetadataRequest>() {
                return asked.answer(&metadata(1, 1));
            }
            let group = ListedGroup { group_id: format!("of {}", asked.node), ..Default::default() };
            asked.answer(&ListGroupsResponse { groups: vec![group], ..Default::default() })
        });
        let admin = Admin::new(&cluster.client().await);
        let names =
            |listed: &[GroupListing]| listed.iter().map(|listing| listing.group.clone()).collect::<Vec<_>>();
        let all = admin.list_groups().await.expect("all answer");
        assert_eq!(names(&all), ["of 1", "of 2"]);
        cluster.take_down(2);
        let part = admin.within(Duration::from_secs(5)).list_groups_each(&GroupFilter::default()).await;
        let part = part.expect("one answers");
        assert_eq!(names(&part.groups), ["of 1"]);
        assert_eq!(part.failed.keys().collect::<Vec<_>>(), [&NodeId(2)]);
        assert!(matches!(admin.list_groups().await, Err(Error::Connection { .. })));
    }
}
