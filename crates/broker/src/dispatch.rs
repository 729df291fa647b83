//! Which API is answered, and by whom; the versions are those of its declaration in `crates/wire/schema`. ApiVersions
//! answers from this table, so that no client can choose a path that nobody serves.

use std::ops::RangeInclusive;
use std::sync::Arc;

use wire::api_table::ApiKey;

use crate::api;
use crate::conn::{Outcome, Pending};
use crate::node::Node;
use crate::request::{ListenerType, Request, name_of, outcome};

/// A served API.
pub struct Route {
    pub key: ApiKey,
    pub handler: fn(Arc<Node>, Request) -> Pending,
}

impl Route {
    /// The versions that are answered: all that the API's own declaration has.
    pub fn versions(&self) -> RangeInclusive<i16> {
        let api = self.key.api();
        api.min..=api.max
    }

    /// Whether a listener of this kind answers.
    pub fn serves(&self, listener: ListenerType) -> bool {
        let open = self.key.api().listeners;
        match listener {
            ListenerType::Broker => open.broker,
            // Controllers fetch the metadata log from each other; a lone one has nobody to send it to.
            ListenerType::Controller => open.controller && self.key != ApiKey::Fetch,
        }
    }
}

macro_rules! routes {
    ($($key:ident => $module:ident),* $(,)?) => {
        /// Every served API, by key.
        pub const ROUTES: &[Route] = &[$(Route {
            key: ApiKey::$key,
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
    Produce => k00_produce,
    Fetch => k01_fetch,
    ListOffsets => k02_list_offsets,
    Metadata => k03_metadata,
    OffsetCommit => k08_offset_commit,
    OffsetFetch => k09_offset_fetch,
    FindCoordinator => k10_find_coordinator,
    JoinGroup => k11_join_group,
    Heartbeat => k12_heartbeat,
    LeaveGroup => k13_leave_group,
    SyncGroup => k14_sync_group,
    DescribeGroups => k15_describe_groups,
    ListGroups => k16_list_groups,
    ApiVersions => k18_api_versions,
    CreateTopics => k19_create_topics,
    DeleteTopics => k20_delete_topics,
    DeleteRecords => k21_delete_records,
    InitProducerId => k22_init_producer_id,
    OffsetForLeaderEpoch => k23_offset_for_leader_epoch,
    DescribeConfigs => k32_describe_configs,
    AlterConfigs => k33_alter_configs,
    AlterReplicaLogDirs => k34_alter_replica_log_dirs,
    DescribeLogDirs => k35_describe_log_dirs,
    CreatePartitions => k37_create_partitions,
    DeleteGroups => k42_delete_groups,
    ElectLeaders => k43_elect_leaders,
    IncrementalAlterConfigs => k44_incremental_alter_configs,
    ListPartitionReassignments => k46_list_partition_reassignments,
    OffsetDelete => k47_offset_delete,
    DescribeQuorum => k55_describe_quorum,
    UpdateFeatures => k57_update_features,
    DescribeCluster => k60_describe_cluster,
    DescribeProducers => k61_describe_producers,
    UnregisterBroker => k64_unregister_broker,
    AssignReplicasToDirs => k73_assign_replicas_to_dirs,
    ListConfigResources => k74_list_config_resources,
    DescribeTopicPartitions => k75_describe_topic_partitions,
}

/// The route of an API, if it is served.
pub fn route(api_key: i16) -> Option<&'static Route> {
    numbered(api_key).map(|(_, route)| route)
}

/// The same with its place among all.
fn numbered(api_key: i16) -> Option<(usize, &'static Route)> {
    let index = ROUTES.binary_search_by_key(&api_key, |route| route.key.code()).ok()?;
    ROUTES.get(index).map(|route| (index, route))
}

/// Whether requests of the same connection may begin while one of this API waits. The others see all that was asked
/// before them: a topic that is being created, an offset that is being committed.
///
/// What is appended is in its place before a producer's request waits, and a long poll or a rebalance changes nothing
/// that a later request could miss.
pub(crate) fn may_be_overtaken(api_key: i16) -> bool {
    const OVERTAKEN: [ApiKey; 5] =
        [ApiKey::Produce, ApiKey::Fetch, ApiKey::JoinGroup, ApiKey::SyncGroup, ApiKey::Heartbeat];
    OVERTAKEN.iter().any(|api| api.code() == api_key)
}

/// Begins a request. What it asks for that is not served closes the connection, as a client that read ApiVersions never
/// asks for it; ApiVersions itself is answered at any version.
pub(crate) fn dispatch(node: &Arc<Node>, request: Request) -> Pending {
    match numbered(request.api_key).filter(|(_, route)| route.serves(request.peer.listener_type)) {
        Some((number, route))
            if route.versions().contains(&request.version) || route.key == ApiKey::ApiVersions =>
        {
            node.traffic.began(number);
            (route.handler)(Arc::clone(node), request)
        }
        _ => {
            let reason = format!("{} v{} is not served", name_of(request.api_key), request.version);
            Box::pin(std::future::ready(Outcome::Close(reason)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_by_its_key_and_serves_somebody() {
        for row in ROUTES {
            assert_eq!(
                route(row.key.code()).map(|found| found.key),
                Some(row.key),
                "the rows are sorted by key"
            );
            let somewhere =
                [ListenerType::Broker, ListenerType::Controller].iter().any(|kind| row.serves(*kind));
            assert!(somewhere, "{:?} is not answered anywhere", row.key);
        }
        assert!(route(-1).is_none());
    }

    #[test]
    fn a_controller_answers_what_administers_the_cluster_and_nothing_about_data() {
        let answered: Vec<ApiKey> =
            ROUTES.iter().filter(|row| row.serves(ListenerType::Controller)).map(|row| row.key).collect();
        use ApiKey::{ApiVersions, AssignReplicasToDirs, CreateTopics, DescribeCluster, UpdateFeatures};
        for key in [ApiVersions, AssignReplicasToDirs, CreateTopics, DescribeCluster, UpdateFeatures] {
            assert!(answered.contains(&key), "{key:?}");
        }
        use ApiKey::{Fetch, FindCoordinator, Metadata, Produce};
        for key in [Fetch, FindCoordinator, Metadata, Produce] {
            assert!(!answered.contains(&key), "{key:?}");
        }
    }
}
