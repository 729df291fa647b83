//! Taking members out of a group, and who coordinates one.

use std::sync::Arc;

use kernel::{ErrorCode, NodeId};
use wire::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use wire::messages::leave_group_response::LeaveGroupResponse;

use super::Admin;
use crate::cluster::Lane;
use crate::conn::Connection;
use crate::metadata::Broker;
use crate::retry::Retry;
use crate::{BrokerError, Error};

/// A member that is to leave its group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaver {
    /// By the id that the broker drew for it, or that it drew for itself.
    Id(String),
    /// A static member, by its `group.instance.id`; whoever uses that id now.
    Instance(String),
}

/// The version from which several members can leave at once, and be named by instance id.
const SEVERAL_FROM: i16 = 3;

/// The version from which a reason can be given, and how many characters of it are sent.
const REASON_FROM: i16 = 5;
const REASON_CHARS_MAX: usize = 255;

impl Admin {
    /// Has members leave a classic group, so that the others share their partitions; returns what became of each, in the
    /// order in which they were given. The `reason`, of which 255 characters are sent, goes to the broker's log; brokers
    /// before Kafka 3.2 take none.
    ///
    /// A member that still runs joins again, and loses only what it has not committed.
    ///
    /// # Errors
    /// `GROUP_ID_NOT_FOUND`, and [`Error::Unsupported`] for instance ids before Kafka 2.4. A member's own is
    /// `UNKNOWN_MEMBER_ID`: no such one is in the group, so that nothing is left to do. `GROUP_AUTHORIZATION_FAILED` without
    /// `Read` of the group.
    pub async fn remove_members(
        &self,
        group: &str,
        members: &[Leaver],
        reason: &str,
    ) -> Result<Vec<Result<(), BrokerError>>, Error> {
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let connection = self.coordinator_connection(group).await?;
        if connection.version::<LeaveGroupRequest>()? >= SEVERAL_FROM {
            return self.leave(group, members, reason).await;
        }
        if members.iter().any(|member| matches!(member, Leaver::Instance(_))) {
            let address = connection.address().to_owned();
            return Err(Error::Unsupported { address, api: "LeaveGroup by group.instance.id" });
        }
        let mut left = Vec::new();
        for member in members.chunks(1) {
            left.extend(self.leave(group, member, reason).await?);
        }
        Ok(left)
    }

    async fn coordinator_connection(&self, group: &str) -> Result<Arc<Connection>, Error> {
        let mut retry = Retry::within(&self.client, self.client.config().default_api_timeout);
        loop {
            match retry.attempt(self.client.coordinator(group, Lane::General)).await {
                Ok(connection) => return Ok(connection),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    /// Has them leave in one request; where that takes one member only, there must be only one.
    async fn leave(
        &self,
        group: &str,
        members: &[Leaver],
        reason: &str,
    ) -> Result<Vec<Result<(), BrokerError>>, Error> {
        let time = self.client.config().default_api_timeout;
        let request = |version| leave_request(group, members, reason, version);
        let check = |answer: LeaveGroupResponse| {
            let code = answer.error_code;
            let unknown = code == ErrorCode::UnknownMemberId.code();
            match (answer.members.is_empty(), unknown) {
                // Before version 3 there is only one, and only one code.
                (true, true) => return Ok(vec![Err(BrokerError::new(code).group(group))]),
                _ => BrokerError::check(code)?,
            }
            let told = answer.members.into_iter();
            let mut outcomes: Vec<_> = told
                .map(|member| BrokerError::check(member.error_code).map_err(|error| error.group(group)))
                .collect();
            outcomes.resize(members.len(), Ok(()));
            Ok(outcomes)
        };
        self.client.ask_coordinator(group, time, request, i16::MAX, check).await
    }

    /// The broker that coordinates a group; also where the group is not there, as that follows from its name alone. A
    /// cluster that has no topic of offsets yet makes it for that.
    ///
    /// # Errors
    /// `COORDINATOR_NOT_AVAILABLE` if that topic has no leader until the time is up; `GROUP_AUTHORIZATION_FAILED` without
    /// `Describe` of the group.
    pub async fn group_coordinator(&self, group: &str) -> Result<Broker, Error> {
        let mut retry = Retry::within(&self.client, self.client.config().default_api_timeout);
        loop {
            match retry.attempt(self.find_coordinator(group)).await {
                Ok(broker) => return Ok(broker),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    async fn find_coordinator(&self, group: &str) -> Result<Broker, Error> {
        let found = self.client.find_coordinator(group).await?;
        let (id, port) = (NodeId(found.node_id), u16::try_from(found.port).unwrap_or_default());
        // Only metadata tells where it stands.
        let rack = self.client.metadata().brokers.get(&id).and_then(|broker| broker.rack.clone());
        Ok(Broker { id, host: found.host, port, rack })
    }
}

fn leave_request(group: &str, members: &[Leaver], reason: &str, version: i16) -> LeaveGroupRequest {
    let mut request = LeaveGroupRequest { group_id: group.to_owned(), ..Default::default() };
    if version < SEVERAL_FROM {
        if let Some(Leaver::Id(id)) = members.first() {
            request.member_id.clone_from(id);
        }
        return request;
    }
    let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
    let member = |member: &Leaver| {
        let (member_id, group_instance_id) = match member {
            Leaver::Id(id) => (id.clone(), None),
            Leaver::Instance(id) => (String::new(), Some(id.clone())),
        };
        let reason = (version >= REASON_FROM && !reason.is_empty()).then(|| reason.clone());
        MemberIdentity { member_id, group_instance_id, reason }
    };
    request.members = members.iter().map(member).collect();
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Cluster, metadata};
    use wire::api_table::ApiKey;
    use wire::messages::find_coordinator_request::FindCoordinatorRequest;
    use wire::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
    use wire::messages::leave_group_response::MemberResponse;
    use wire::messages::metadata_request::MetadataRequest;

    /// A cluster that serves these versions, whose group has the members a and b.
    fn cluster(leave: i16, find: i16) -> Cluster {
        let unknown = ErrorCode::UnknownMemberId.code();
        let code = move |known: bool| if known { 0 } else { unknown };
        Cluster::of_versions([(ApiKey::LeaveGroup, leave), (ApiKey::FindCoordinator, find)], move |asked| {
            if asked.is::<MetadataRequest>() {
                return asked.answer(&metadata(1, 1));
            }
            if asked.is::<FindCoordinatorRequest>() {
                let key = asked.read::<FindCoordinatorRequest>().coordinator_keys.into_iter().next();
                let (node_id, host, port) = (2, "node".to_owned(), 2);
                let found = Coordinator { node_id, host, port, ..Default::default() };
                return asked.answer(&match key {
                    Some(key) => FindCoordinatorResponse {
                        coordinators: vec![Coordinator { key, ..found }],
                        ..Default::default()
                    },
                    None => {
                        let (host, port) = (found.host, found.port);
                        FindCoordinatorResponse { node_id, host, port, ..Default::default() }
                    }
                });
            }
            let leave = asked.read::<LeaveGroupRequest>();
            let member = |member: MemberIdentity| MemberResponse {
                error_code: code(
                    ["a", "b"].contains(&member.group_instance_id.as_deref().unwrap_or(&member.member_id)),
                ),
                ..Default::default()
            };
            let error_code = if asked.version < SEVERAL_FROM { code(leave.member_id == "a") } else { 0 };
            let members = leave.members.into_iter().map(member).collect();
            asked.answer(&LeaveGroupResponse { error_code, members, ..Default::default() })
        })
    }

    #[tokio::test(start_paused = true)]
    async fn members_leave_together_and_of_old_brokers_one_by_one() {
        let all = [Leaver::Id("a".to_owned()), Leaver::Id("z".to_owned())];
        for (version, requests) in [(5, 1), (2, 2)] {
            let cluster = cluster(version, 6);
            let admin = Admin::new(&cluster.client().await);
            let left = admin.remove_members("g", &all, "it is slow").await.expect("the group is there");
            let codes: Vec<_> = left.into_iter().map(|left| left.err().map(|error| error.code)).collect();
            assert_eq!(codes, [None, Some(ErrorCode::UnknownMemberId)], "version {version}");
            assert_eq!(cluster.heard::<LeaveGroupRequest>().len(), requests, "version {version}");
            let instance = admin.remove_members("g", &[Leaver::Instance("b".to_owned())], "").await;
            match version {
                5 => assert_eq!(instance, Ok(vec![Ok(())])),
                _ => assert!(matches!(instance, Err(Error::Unsupported { .. })), "{instance:?}"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_coordinator_of_a_group_is_found_by_old_and_new_brokers() {
        for version in [6, 3] {
            let admin = Admin::new(&cluster(5, version).client().await);
            let broker = admin.group_coordinator("g").await.expect("there is one");
            let rack = Some("rack-2".to_owned());
            assert_eq!(broker, Broker { id: NodeId(2), host: "node".to_owned(), port: 2, rack });
        }
    }
}
