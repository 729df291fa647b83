//! A member of a group, as a client's library would play it.

use bytes::Bytes;
use kernel::ErrorCode;
use wire::messages::heartbeat_request::HeartbeatRequest;
use wire::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use wire::messages::join_group_response::JoinGroupResponse;
use wire::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use wire::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use wire::messages::sync_group_response::SyncGroupResponse;

use crate::support::{Client, Sent, TestNode};

/// How often something is asked for before the test gives up: there is no other sign that a request of somebody else has
/// arrived.
const ASKED_MAX: usize = 100_000;

pub struct Member {
    pub client: Client,
    group: String,
    pub id: String,
    instance: Option<String>,
    pub generation: i32,
}

impl Member {
    pub fn new(node: &TestNode, group: &str) -> Self {
        let client = node.client();
        Self { client, group: group.to_owned(), id: String::new(), instance: None, generation: -1 }
    }

    pub fn with_instance(node: &TestNode, group: &str, instance: &str) -> Self {
        Self { instance: Some(instance.to_owned()), ..Self::new(node, group) }
    }

    /// A dynamic member that is alone in its group, with an assignment.
    pub fn alone(node: &TestNode, group: &str) -> Self {
        let mut member = Self::new(node, group);
        member.take_id();
        let joined = member.join();
        assert_eq!((joined.error_code, &joined.leader), (0, &member.id));
        let synced = member.sync(&[(&member.id.clone(), "everything")]);
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"everything"[..]));
        member
    }

    fn join_request(&self) -> JoinGroupRequest {
        let protocol =
            JoinGroupRequestProtocol { name: "range".into(), metadata: Bytes::from_static(b"about me") };
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 60_000,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            ..JoinGroupRequest::default()
        }
    }

    /// The first join of a dynamic member, which gets it nothing but an id.
    pub fn take_id(&mut self) {
        let refused = self.client.call(9, &self.join_request());
        assert_eq!(refused.error_code, ErrorCode::MemberIdRequired.code());
        assert!(refused.member_id.starts_with("test-"), "{} begins with the client's id", refused.member_id);
        self.id = refused.member_id;
    }

    pub fn begin_join(&mut self) -> Sent<JoinGroupRequest> {
        self.client.send(9, &self.join_request())
    }

    pub fn end_join(&mut self, sent: Sent<JoinGroupRequest>) -> JoinGroupResponse {
        let joined = self.client.receive(sent);
        self.id = joined.member_id.clone();
        self.generation = joined.generation_id;
        joined
    }

    pub fn join(&mut self) -> JoinGroupResponse {
        let sent = self.begin_join();
        self.end_join(sent)
    }

    pub fn begin_sync(&mut self, assignments: &[(&str, &str)]) -> Sent<SyncGroupRequest> {
        let assignments = assignments.iter().map(|(member, assignment)| SyncGroupRequestAssignment {
            member_id: (*member).to_owned(),
            assignment: Bytes::copy_from_slice(assignment.as_bytes()),
        });
        let request = SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: assignments.collect(),
        };
        self.client.send(5, &request)
    }

    pub fn sync(&mut self, assignments: &[(&str, &str)]) -> SyncGroupResponse {
        let sent = self.begin_sync(assignments);
        self.client.receive(sent)
    }

    pub fn heartbeat(&mut self) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
        };
        ErrorCode::from_code(self.client.call(4, &request).error_code).expect("a known code")
    }

    /// Sends heartbeats until it is told this.
    pub fn heartbeat_until(&mut self, code: ErrorCode) {
        let told = (0..ASKED_MAX).any(|_| self.heartbeat() == code);
        assert!(told, "{} is never told {code}", self.id);
    }

    pub fn leave(&mut self) {
        let member = MemberIdentity { member_id: self.id.clone(), ..MemberIdentity::default() };
        let request = LeaveGroupRequest {
            group_id: self.group.clone(),
            members: vec![member],
            ..LeaveGroupRequest::default()
        };
        let left = self.client.call(5, &request);
        assert_eq!((left.error_code, left.members[0].error_code), (0, 0));
    }
}
