//! Which API is answered, at which versions, and by whom. ApiVersions answers from this table, so that no client can
//! choose a path that nobody serves.

use std::ops::RangeInclusive;
use std::sync::Arc;

use wire::api_table::ApiKey;

use crate::api;
use crate::conn::{Outcome, Pending};
use crate::node::Node;
use crate::request::{Request, name_of, outcome};

/// A served API.
pub struct Route {
    pub key: ApiKey,
    pub versions: RangeInclusive<i16>,
    pub handler: fn(Arc<Node>, Request) -> Pending,
}

macro_rules! routes {
    ($($key:ident $min:literal..=$max:literal => $module:ident),* $(,)?) => {
        /// Every served API, by key.
        pub const ROUTES: &[Route] = &[$(Route {
            key: ApiKey::$key,
            versions: $min..=$max,
            handler: |node, request| {
                let version = request.version;
                Box::pin(async move {
                    outcome(api::$module::handle(node, request).await, ApiKey::$key, version)
                })
            },
        }),*];
    };
}

routes! {
    Produce 3..=13 => k00_produce,
    Fetch 4..=18 => k01_fetch,
    ListOffsets 1..=11 => k02_list_offsets,
    Metadata 0..=13 => k03_metadata,
    OffsetCommit 2..=10 => k08_offset_commit,
    OffsetFetch 1..=10 => k09_offset_fetch,
    FindCoordinator 0..=6 => k10_find_coordinator,
    JoinGroup 0..=9 => k11_join_group,
    Heartbeat 0..=4 => k12_heartbeat,
    LeaveGroup 0..=5 => k13_leave_group,
    SyncGroup 0..=5 => k14_sync_group,
    DescribeGroups 0..=6 => k15_describe_groups,
    ListGroups 0..=5 => k16_list_groups,
    ApiVersions 0..=5 => k18_api_versions,
    CreateTopics 2..=7 => k19_create_topics,
    DeleteTopics 1..=6 => k20_delete_topics,
    DeleteRecords 0..=2 => k21_delete_records,
    InitProducerId 0..=5 => k22_init_producer_id,
    OffsetForLeaderEpoch 2..=4 => k23_offset_for_leader_epoch,
    DescribeConfigs 1..=4 => k32_describe_configs,
    AlterConfigs 0..=2 => k33_alter_configs,
    DescribeLogDirs 1..=5 => k35_describe_log_dirs,
    CreatePartitions 0..=3 => k37_create_partitions,
    DeleteGroups 0..=3 => k42_delete_groups,
    ElectLeaders 0..=2 => k43_elect_leaders,
    IncrementalAlterConfigs 0..=1 => k44_incremental_alter_configs,
    ListPartitionReassignments 0..=0 => k46_list_partition_reassignments,
    OffsetDelete 0..=0 => k47_offset_delete,
    DescribeQuorum 0..=2 => k55_describe_quorum,
    UpdateFeatures 0..=2 => k57_update_features,
    DescribeCluster 0..=2 => k60_describe_cluster,
    DescribeProducers 0..=0 => k61_describe_producers,
    UnregisterBroker 0..=0 => k64_unregister_broker,
    ListConfigResources 0..=1 => k74_list_config_resources,
    DescribeTopicPartitions 0..=0 => k75_describe_topic_partitions,
}

/// The route of an API, if it is served.
pub fn route(api_key: i16) -> Option<&'static Route> {
    let index = ROUTES.binary_search_by_key(&api_key, |route| route.key.code()).ok()?;
    ROUTES.get(index)
}

/// Begins a request. What it asks for that is not served closes the connection, as a client that read ApiVersions never
/// asks for it; ApiVersions itself is answered at any version.
pub(crate) fn dispatch(node: &Arc<Node>, request: Request) -> Pending {
    match route(request.api_key) {
        Some(route) if route.versions.contains(&request.version) || route.key == ApiKey::ApiVersions => {
            (route.handler)(Arc::clone(node), request)
        }
        _ => {
            let reason = format!("{} v{} is not served", name_of(request.api_key), request.version);
            Box::pin(std::future::ready(Outcome::Close(reason)))
        }
    }
}
