//! DeleteGroups (key 42), versions 0 to 3.
//!
//! 1 throttle time · 2 flexible · 3 what is wrong in words (KIP-1331), which Kafka has only for streams groups

use std::collections::BTreeMap;
use std::sync::Arc;

use coordinator::Reply;
use kernel::ErrorCode;
use wire::messages::delete_groups_request::DeleteGroupsRequestView;
use wire::messages::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};

use crate::node::Node;
use crate::request::{Handled, Request};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = DeleteGroupsRequestView::decode(request.body(), request.version)?;
    let mut by_partition: BTreeMap<Option<i32>, Vec<&str>> = BTreeMap::new();
    for group in asked.groups_names {
        by_partition.entry(node.groups.partition_of(group)).or_default().push(group);
    }
    let mut results = Vec::with_capacity(asked.groups_names.len());
    for mut groups in by_partition.into_values() {
        groups.sort_unstable();
        groups.dedup();
        results.extend(delete(&node, &groups).await);
    }
    request.reply(&DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() })
}

/// Deletes groups that have one coordinator.
async fn delete(node: &Node, groups: &[&str]) -> Vec<DeletableGroupResult> {
    let Some(first) = groups.first() else { return Vec::new() };
    let told = node.groups.ask(first, |shard, now, token| shard.on_delete_groups(now, groups, token)).await;
    let code = match told {
        Ok(Reply::DeleteGroups(results)) => {
            return results.iter().map(|(group, code)| result(group, *code)).collect();
        }
        Ok(_) => ErrorCode::UnknownServerError,
        Err(code) => code,
    };
    groups.iter().map(|group| result(group, code)).collect()
}

fn result(group: &str, code: ErrorCode) -> DeletableGroupResult {
    DeletableGroupResult { group_id: group.to_owned(), error_code: code.code(), error_message: None }
}
