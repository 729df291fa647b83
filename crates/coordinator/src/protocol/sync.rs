//! SyncGroup and Heartbeat.

use kernel::ErrorCode;
use wire::messages::heartbeat_request::HeartbeatRequestView;
use wire::messages::sync_group_request::SyncGroupRequestView;
use wire::messages::sync_group_response::SyncGroupResponse;

use super::join::owned;
use crate::reply::SyncReply;
use crate::request::{HeartbeatRequest, SyncRequest};

/// From this version on, the member says which protocol it means.
const PROTOCOL_REQUIRED_FROM: i16 = 5;

impl<'a> SyncRequest<'a> {
    /// Refuses a request that has to name its protocol and does not.
    pub fn from_view(version: i16, view: &SyncGroupRequestView<'a>) -> Result<Self, ErrorCode> {
        let named = view.protocol_type.is_some() && view.protocol_name.is_some();
        if version >= PROTOCOL_REQUIRED_FROM && !named {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(Self {
            group_id: view.group_id,
            generation: view.generation_id,
            member_id: view.member_id,
            instance_id: view.group_instance_id,
            protocol_type: view.protocol_type,
            protocol: view.protocol_name,
            assignments: view.assignments.iter().map(|one| (one.member_id, one.assignment)).collect(),
        })
    }
}

impl SyncReply {
    pub fn into_response(self) -> SyncGroupResponse {
        SyncGroupResponse {
            throttle_time_ms: 0,
            error_code: self.error.code(),
            protocol_type: owned(self.protocol_type),
            protocol_name: owned(self.protocol),
            assignment: self.assignment,
        }
    }
}

impl<'a> HeartbeatRequest<'a> {
    pub fn from_view(view: &HeartbeatRequestView<'a>) -> Self {
        Self {
            group_id: view.group_id,
            generation: view.generation_id,
            member_id: view.member_id,
            instance_id: view.group_instance_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::messages::sync_group_request::SyncGroupRequest;

    use super::*;

    fn checked(version: i16, request: &SyncGroupRequest) -> Option<ErrorCode> {
        let mut out = wire::Writer::new();
        request.encode(&mut out, version).expect("it is small");
        let bytes = out.into_bytes().expect("it has no spans");
        let view = SyncGroupRequestView::decode(&bytes, version).expect("it is whole");
        SyncRequest::from_view(version, &view).err()
    }

    #[test]
    fn from_version_5_on_a_sync_names_its_protocol() {
        let mut request = SyncGroupRequest { protocol_type: None, protocol_name: None, ..Default::default() };
        assert_eq!(checked(4, &request), None);
        assert_eq!(checked(5, &request), Some(ErrorCode::InconsistentGroupProtocol));
        request.protocol_type = Some("consumer".into());
        assert_eq!(checked(5, &request), Some(ErrorCode::InconsistentGroupProtocol));
        request.protocol_name = Some("range".into());
        assert_eq!(checked(5, &request), None);
    }
}
