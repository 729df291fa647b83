//! ListGroups and DescribeGroups.

use wire::messages::describe_groups_response as describe;
use wire::messages::list_groups_response as list;

use super::join::owned;
use crate::reply::{DescribedGroup, ListedGroup};

impl ListedGroup {
    pub fn into_message(self) -> list::ListedGroup {
        list::ListedGroup {
            group_id: self.group_id.to_string(),
            protocol_type: self.protocol_type.to_string(),
            group_state: self.state.to_owned(),
            group_type: self.group_type.to_owned(),
        }
    }
}

impl DescribedGroup {
    /// What the client may do with the group is for the caller to add.
    pub fn into_message(self) -> describe::DescribedGroup {
        let members = self.members.into_iter().map(|member| describe::DescribedGroupMember {
            member_id: member.member_id.to_string(),
            group_instance_id: owned(member.instance_id),
            client_id: member.client_id.to_string(),
            client_host: member.client_host.to_string(),
            member_metadata: member.metadata,
            member_assignment: member.assignment,
        });
        describe::DescribedGroup {
            error_code: self.error.code(),
            error_message: self.error_message,
            group_id: self.group_id.to_string(),
            group_state: self.state.to_owned(),
            protocol_type: self.protocol_type.to_string(),
            protocol_data: self.protocol.to_string(),
            members: members.collect(),
            ..describe::DescribedGroup::default()
        }
    }
}
