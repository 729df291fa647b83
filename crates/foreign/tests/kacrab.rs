//! Against the crate `kacrab-protocol`, which knows some records as well.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../../wire/tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use support::{Random, random_bytes, schemas};

/// Reads and writes; nothing if they do not know the version.
type Again = fn(&[u8], i16) -> Option<Result<Vec<u8>, String>>;

fn theirs() -> BTreeMap<&'static str, Again> {
    let mut all: BTreeMap<&'static str, Again> = BTreeMap::new();
    macro_rules! know {
        ($($ours:ident $module:ident $type:ident)*) => {$(
            all.insert(stringify!($ours), |bytes, version| {
                use kacrab_protocol::generated::$module::$type as Theirs;
                let mut input = Bytes::copy_from_slice(bytes);
                let mut out = BytesMut::new();
                match Theirs::read(&mut input, version).and_then(|value| value.write(&mut out, version)) {
                    Err(kacrab_protocol::ProtocolError::Version(_)) => None,
                    done => Some(done.map(|()| out.to_vec()).map_err(|error| format!("{error:?}"))),
                }
            });
        )*};
    }
    every_message_they_know!(know);
    all
}

#[test]
fn what_kafka_would_write_is_read_and_written_alike() {
    let theirs = theirs();
    let mut compared = 0;
    let mut differences = Vec::new();
    for message in &schemas() {
        let Some(again) = theirs.get(message.module.as_str()) else {
            continue;
        };
        for version in message.versions.first..=message.versions.last {
            for seed in 0..10 {
                let bytes = random_bytes(message, version, &mut Random(seed));
                let Some(theirs) = again(&bytes, version) else {
                    continue;
                };
                compared += 1;
                if theirs.as_ref() != Ok(&bytes) {
                    differences
                        .push(format!("{} v{version}: {theirs:02x?} instead of {bytes:02x?}", message.name));
                    break;
                }
            }
        }
    }
    assert!(compared > 3000, "only {compared} were compared");
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

/// Calls the macro it is given with our module, their module and their type, for each message that both have.
macro_rules! every_message_they_know {
    ($visit:ident) => {
        $visit! {
            add_offsets_to_txn_request add_offsets_to_txn_request AddOffsetsToTxnRequestData
            add_offsets_to_txn_response add_offsets_to_txn_response AddOffsetsToTxnResponseData
            add_partitions_to_txn_request add_partitions_to_txn_request AddPartitionsToTxnRequestData
            add_partitions_to_txn_response add_partitions_to_txn_response AddPartitionsToTxnResponseData
            add_raft_voter_request add_raft_voter_request AddRaftVoterRequestData
            add_raft_voter_response add_raft_voter_response AddRaftVoterResponseData
            allocate_producer_ids_request allocate_producer_ids_request AllocateProducerIdsRequestData
            allocate_producer_ids_response allocate_producer_ids_response AllocateProducerIdsResponseData
            alter_client_quotas_request alter_client_quotas_request AlterClientQuotasRequestData
            alter_client_quotas_response alter_client_quotas_response AlterClientQuotasResponseData
            alter_configs_request alter_configs_request AlterConfigsRequestData
            alter_configs_response alter_configs_response AlterConfigsResponseData
            alter_partition_reassignments_request alter_partition_reassignments_request AlterPartitionReassignmentsRequestData
            alter_partition_reassignments_response alter_partition_reassignments_response AlterPartitionReassignmentsResponseData
            alter_partition_request alter_partition_request AlterPartitionRequestData
            alter_partition_response alter_partition_response AlterPartitionResponseData
            alter_replica_log_dirs_request alter_replica_log_dirs_request AlterReplicaLogDirsRequestData
            alter_replica_log_dirs_response alter_replica_log_dirs_response AlterReplicaLogDirsResponseData
            alter_share_group_offsets_request alter_share_group_offsets_request AlterShareGroupOffsetsRequestData
            alter_share_group_offsets_response alter_share_group_offsets_response AlterShareGroupOffsetsResponseData
            alter_user_scram_credentials_request alter_user_scram_credentials_request AlterUserScramCredentialsRequestData
            alter_user_scram_credentials_response alter_user_scram_credentials_response AlterUserScramCredentialsResponseData
            api_versions_request api_versions_request ApiVersionsRequestData
            api_versions_response api_versions_response ApiVersionsResponseData
            assign_replicas_to_dirs_request assign_replicas_to_dirs_request AssignReplicasToDirsRequestData
            assign_replicas_to_dirs_response assign_replicas_to_dirs_response AssignReplicasToDirsResponseData
            begin_quorum_epoch_request begin_quorum_epoch_request BeginQuorumEpochRequestData
            begin_quorum_epoch_response begin_quorum_epoch_response BeginQuorumEpochResponseData
            broker_heartbeat_request broker_heartbeat_request BrokerHeartbeatRequestData
            broker_heartbeat_response broker_heartbeat_response BrokerHeartbeatResponseData
            broker_registration_request broker_registration_request BrokerRegistrationRequestData
            broker_registration_response broker_registration_response BrokerRegistrationResponseData
            consumer_group_describe_request consumer_group_describe_request ConsumerGroupDescribeRequestData
            consumer_group_describe_response consumer_group_describe_response ConsumerGroupDescribeResponseData
            consumer_group_heartbeat_request consumer_group_heartbeat_request ConsumerGroupHeartbeatRequestData
            consumer_group_heartbeat_response consumer_group_heartbeat_response ConsumerGroupHeartbeatResponseData
            consumer_protocol_assignment consumer_protocol_assignment ConsumerProtocolAssignmentData
            consumer_protocol_subscription consumer_protocol_subscription ConsumerProtocolSubscriptionData
            control_record_type_schema control_record_type_schema ControlRecordTypeSchemaData
            controller_registration_request controller_registration_request ControllerRegistrationRequestData
            controller_registration_response controller_registration_response ControllerRegistrationResponseData
            create_acls_request create_acls_request CreateAclsRequestData
            create_acls_response create_acls_response CreateAclsResponseData
            create_delegation_token_request create_delegation_token_request CreateDelegationTokenRequestData
            create_delegation_token_response create_delegation_token_response CreateDelegationTokenResponseData
            create_partitions_request create_partitions_request CreatePartitionsRequestData
            create_partitions_response create_partitions_response CreatePartitionsResponseData
            create_topics_request create_topics_request CreateTopicsRequestData
            create_topics_response create_topics_response CreateTopicsResponseData
            default_principal_data default_principal_data DefaultPrincipalDataData
            delete_acls_request delete_acls_request DeleteAclsRequestData
            delete_acls_response delete_acls_response DeleteAclsResponseData
            delete_groups_request delete_groups_request DeleteGroupsRequestData
            delete_groups_response delete_groups_response DeleteGroupsResponseData
            delete_records_request delete_records_request DeleteRecordsRequestData
            delete_records_response delete_records_response DeleteRecordsResponseData
            delete_share_group_offsets_request delete_share_group_offsets_request DeleteShareGroupOffsetsRequestData
            delete_share_group_offsets_response delete_share_group_offsets_response DeleteShareGroupOffsetsResponseData
            delete_share_group_state_request delete_share_group_state_request DeleteShareGroupStateRequestData
            delete_share_group_state_response delete_share_group_state_response DeleteShareGroupStateResponseData
            delete_topics_request delete_topics_request DeleteTopicsRequestData
            delete_topics_response delete_topics_response DeleteTopicsResponseData
            describe_acls_request describe_acls_request DescribeAclsRequestData
            describe_acls_response describe_acls_response DescribeAclsResponseData
            describe_client_quotas_request describe_client_quotas_request DescribeClientQuotasRequestData
            describe_client_quotas_response describe_client_quotas_response DescribeClientQuotasResponseData
            describe_cluster_request describe_cluster_request DescribeClusterRequestData
            describe_cluster_response describe_cluster_response DescribeClusterResponseData
            describe_configs_request describe_configs_request DescribeConfigsRequestData
            describe_configs_response describe_configs_response DescribeConfigsResponseData
            describe_delegation_token_request describe_delegation_token_request DescribeDelegationTokenRequestData
            describe_delegation_token_response describe_delegation_token_response DescribeDelegationTokenResponseData
            describe_groups_request describe_groups_request DescribeGroupsRequestData
            describe_groups_response describe_groups_response DescribeGroupsResponseData
            describe_log_dirs_request describe_log_dirs_request DescribeLogDirsRequestData
            describe_log_dirs_response describe_log_dirs_response DescribeLogDirsResponseData
            describe_producers_request describe_producers_request DescribeProducersRequestData
            describe_producers_response describe_producers_response DescribeProducersResponseData
            describe_quorum_request describe_quorum_request DescribeQuorumRequestData
            describe_quorum_response describe_quorum_response DescribeQuorumResponseData
            describe_share_group_offsets_request describe_share_group_offsets_request DescribeShareGroupOffsetsRequestData
            describe_share_group_offsets_response describe_share_group_offsets_response DescribeShareGroupOffsetsResponseData
            describe_topic_partitions_request describe_topic_partitions_request DescribeTopicPartitionsRequestData
            describe_topic_partitions_response describe_topic_partitions_response DescribeTopicPartitionsResponseData
            describe_transactions_request describe_transactions_request DescribeTransactionsRequestData
            describe_transactions_response describe_transactions_response DescribeTransactionsResponseData
            describe_user_scram_credentials_request describe_user_scram_credentials_request DescribeUserScramCredentialsRequestData
            describe_user_scram_credentials_response describe_user_scram_credentials_response DescribeUserScramCredentialsResponseData
            elect_leaders_request elect_leaders_request ElectLeadersRequestData
            elect_leaders_response elect_leaders_response ElectLeadersResponseData
            end_quorum_epoch_request end_quorum_epoch_request EndQuorumEpochRequestData
            end_quorum_epoch_response end_quorum_epoch_response EndQuorumEpochResponseData
            end_txn_marker end_txn_marker EndTxnMarkerData
            end_txn_request end_txn_request EndTxnRequestData
            end_txn_response end_txn_response EndTxnResponseData
            envelope_request envelope_request EnvelopeRequestData
            envelope_response envelope_response EnvelopeResponseData
            expire_delegation_token_request expire_delegation_token_request ExpireDelegationTokenRequestData
            expire_delegation_token_response expire_delegation_token_response ExpireDelegationTokenResponseData
            fetch_request fetch_request FetchRequestData
            fetch_response fetch_response FetchResponseData
            fetch_snapshot_request fetch_snapshot_request FetchSnapshotRequestData
            fetch_snapshot_response fetch_snapshot_response FetchSnapshotResponseData
            find_coordinator_request find_coordinator_request FindCoordinatorRequestData
            find_coordinator_response find_coordinator_response FindCoordinatorResponseData
            get_telemetry_subscriptions_request get_telemetry_subscriptions_request GetTelemetrySubscriptionsRequestData
            get_telemetry_subscriptions_response get_telemetry_subscriptions_response GetTelemetrySubscriptionsResponseData
            heartbeat_request heartbeat_request HeartbeatRequestData
            heartbeat_response heartbeat_response HeartbeatResponseData
            incremental_alter_configs_request incremental_alter_configs_request IncrementalAlterConfigsRequestData
            incremental_alter_configs_response incremental_alter_configs_response IncrementalAlterConfigsResponseData
            init_producer_id_request init_producer_id_request InitProducerIdRequestData
            init_producer_id_response init_producer_id_response InitProducerIdResponseData
            initialize_share_group_state_request initialize_share_group_state_request InitializeShareGroupStateRequestData
            initialize_share_group_state_response initialize_share_group_state_response InitializeShareGroupStateResponseData
            join_group_request join_group_request JoinGroupRequestData
            join_group_response join_group_response JoinGroupResponseData
            kraft_version_record k_raft_version_record KRaftVersionRecordData
            leader_change_message leader_change_message LeaderChangeMessageData
            leave_group_request leave_group_request LeaveGroupRequestData
            leave_group_response leave_group_response LeaveGroupResponseData
            list_config_resources_request list_config_resources_request ListConfigResourcesRequestData
            list_config_resources_response list_config_resources_response ListConfigResourcesResponseData
            list_groups_request list_groups_request ListGroupsRequestData
            list_groups_response list_groups_response ListGroupsResponseData
            list_offsets_request list_offsets_request ListOffsetsRequestData
            list_offsets_response list_offsets_response ListOffsetsResponseData
            list_partition_reassignments_request list_partition_reassignments_request ListPartitionReassignmentsRequestData
            list_partition_reassignments_response list_partition_reassignments_response ListPartitionReassignmentsResponseData
            list_transactions_request list_transactions_request ListTransactionsRequestData
            list_transactions_response list_transactions_response ListTransactionsResponseData
            metadata_request metadata_request MetadataRequestData
            metadata_response metadata_response MetadataResponseData
            offset_commit_request offset_commit_request OffsetCommitRequestData
            offset_commit_response offset_commit_response OffsetCommitResponseData
            offset_delete_request offset_delete_request OffsetDeleteRequestData
            offset_delete_response offset_delete_response OffsetDeleteResponseData
            offset_fetch_request offset_fetch_request OffsetFetchRequestData
            offset_fetch_response offset_fetch_response OffsetFetchResponseData
            offset_for_leader_epoch_request offset_for_leader_epoch_request OffsetForLeaderEpochRequestData
            offset_for_leader_epoch_response offset_for_leader_epoch_response OffsetForLeaderEpochResponseData
            produce_request produce_request ProduceRequestData
            produce_response produce_response ProduceResponseData
            push_telemetry_request push_telemetry_request PushTelemetryRequestData
            push_telemetry_response push_telemetry_response PushTelemetryResponseData
            read_share_group_state_request read_share_group_state_request ReadShareGroupStateRequestData
            read_share_group_state_response read_share_group_state_response ReadShareGroupStateResponseData
            read_share_group_state_summary_request read_share_group_state_summary_request ReadShareGroupStateSummaryRequestData
            read_share_group_state_summary_response read_share_group_state_summary_response ReadShareGroupStateSummaryResponseData
            remove_raft_voter_request remove_raft_voter_request RemoveRaftVoterRequestData
            remove_raft_voter_response remove_raft_voter_response RemoveRaftVoterResponseData
            renew_delegation_token_request renew_delegation_token_request RenewDelegationTokenRequestData
            renew_delegation_token_response renew_delegation_token_response RenewDelegationTokenResponseData
            sasl_authenticate_request sasl_authenticate_request SaslAuthenticateRequestData
            sasl_authenticate_response sasl_authenticate_response SaslAuthenticateResponseData
            sasl_handshake_request sasl_handshake_request SaslHandshakeRequestData
            sasl_handshake_response sasl_handshake_response SaslHandshakeResponseData
            share_acknowledge_request share_acknowledge_request ShareAcknowledgeRequestData
            share_acknowledge_response share_acknowledge_response ShareAcknowledgeResponseData
            share_fetch_request share_fetch_request ShareFetchRequestData
            share_fetch_response share_fetch_response ShareFetchResponseData
            share_group_describe_request share_group_describe_request ShareGroupDescribeRequestData
            share_group_describe_response share_group_describe_response ShareGroupDescribeResponseData
            share_group_heartbeat_request share_group_heartbeat_request ShareGroupHeartbeatRequestData
            share_group_heartbeat_response share_group_heartbeat_response ShareGroupHeartbeatResponseData
            snapshot_footer_record snapshot_footer_record SnapshotFooterRecordData
            snapshot_header_record snapshot_header_record SnapshotHeaderRecordData
            streams_group_describe_request streams_group_describe_request StreamsGroupDescribeRequestData
            streams_group_describe_response streams_group_describe_response StreamsGroupDescribeResponseData
            streams_group_heartbeat_request streams_group_heartbeat_request StreamsGroupHeartbeatRequestData
            streams_group_heartbeat_response streams_group_heartbeat_response StreamsGroupHeartbeatResponseData
            sync_group_request sync_group_request SyncGroupRequestData
            sync_group_response sync_group_response SyncGroupResponseData
            txn_offset_commit_request txn_offset_commit_request TxnOffsetCommitRequestData
            txn_offset_commit_response txn_offset_commit_response TxnOffsetCommitResponseData
            unregister_broker_request unregister_broker_request UnregisterBrokerRequestData
            unregister_broker_response unregister_broker_response UnregisterBrokerResponseData
            update_features_request update_features_request UpdateFeaturesRequestData
            update_features_response update_features_response UpdateFeaturesResponseData
            update_raft_voter_request update_raft_voter_request UpdateRaftVoterRequestData
            update_raft_voter_response update_raft_voter_response UpdateRaftVoterResponseData
            vote_request vote_request VoteRequestData
            vote_response vote_response VoteResponseData
            voters_record voters_record VotersRecordData
            write_share_group_state_request write_share_group_state_request WriteShareGroupStateRequestData
            write_share_group_state_response write_share_group_state_response WriteShareGroupStateResponseData
            write_txn_markers_request write_txn_markers_request WriteTxnMarkersRequestData
            write_txn_markers_response write_txn_markers_response WriteTxnMarkersResponseData
        }
    };
}
use every_message_they_know;
