//! JoinGroup.

use std::sync::Arc;

use wire::messages::join_group_request::JoinGroupRequestView;
use wire::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};

use crate::reply::JoinReply;
use crate::request::{JoinProtocol, JoinRequest};

/// From this version on, the name of the protocol may be null.
const NULLABLE_PROTOCOL_FROM: i16 = 7;

impl<'a> JoinRequest<'a> {
    /// `client_id` is of the request's header, `client_host` the address as Kafka shows it: a slash before the number.
    pub fn from_view(
        version: i16,
        view: &JoinGroupRequestView<'a>,
        client_id: &'a str,
        client_host: &'a str,
        entropy: [u8; 16],
    ) -> Self {
        let protocols = view.protocols.iter();
        Self {
            version,
            group_id: view.group_id,
            member_id: view.member_id,
            instance_id: view.group_instance_id,
            client_id,
            client_host,
            session_timeout_ms: view.session_timeout_ms,
            rebalance_timeout_ms: view.rebalance_timeout_ms,
            protocol_type: view.protocol_type,
            protocols: protocols
                .map(|offer| JoinProtocol { name: offer.name, metadata: offer.metadata })
                .collect(),
            reason: view.reason,
            entropy,
        }
    }
}

impl JoinReply {
    pub fn into_response(self, version: i16) -> JoinGroupResponse {
        let members = self.members.into_iter().map(|member| JoinGroupResponseMember {
            member_id: member.member_id.to_string(),
            group_instance_id: owned(member.instance_id),
            metadata: member.metadata,
        });
        let protocol_name = match owned(self.protocol) {
            None if version < NULLABLE_PROTOCOL_FROM => Some(String::new()),
            Some(name) if version >= NULLABLE_PROTOCOL_FROM && name.is_empty() => None,
            name => name,
        };
        JoinGroupResponse {
            throttle_time_ms: 0,
            error_code: self.error.code(),
            generation_id: self.generation,
            protocol_type: owned(self.protocol_type),
            protocol_name,
            leader: self.leader.to_string(),
            skip_assignment: self.skip_assignment,
            member_id: self.member_id.to_string(),
            members: members.collect(),
        }
    }
}

pub(super) fn owned(text: Option<Arc<str>>) -> Option<String> {
    text.map(|text| text.to_string())
}

#[cfg(test)]
mod tests {
    use kernel::ErrorCode;

    use super::*;

    #[test]
    fn a_refusal_names_no_protocol_in_the_way_its_version_can_say() {
        let refusal = || JoinReply::error(ErrorCode::MemberIdRequired, "m");
        assert_eq!(refusal().into_response(6).protocol_name.as_deref(), Some(""));
        assert_eq!(refusal().into_response(7).protocol_name, None);
        assert_eq!(refusal().into_response(7).error_code, 79);
    }

    #[test]
    fn every_version_can_be_written() {
        for version in 0..=9 {
            let mut reply = JoinReply::error(ErrorCode::None, "m");
            reply.protocol_type = Some("consumer".into());
            let mut out = wire::Writer::new();
            assert_eq!(reply.into_response(version).encode(&mut out, version), Ok(()), "version {version}");
        }
    }
}
