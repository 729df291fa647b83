//! One file for each API, numbered as the protocol numbers them. Each begins with the versions it serves and what each
//! version added, and offers `handle`, which the table in [`crate::dispatch`] names.

pub mod k00_produce;
pub mod k01_fetch;
pub mod k02_list_offsets;
pub mod k03_metadata;
pub mod k08_offset_commit;
pub mod k09_offset_fetch;
pub mod k10_find_coordinator;
pub mod k11_join_group;
pub mod k12_heartbeat;
pub mod k13_leave_group;
pub mod k14_sync_group;
pub mod k15_describe_groups;
pub mod k16_list_groups;
pub mod k18_api_versions;
pub mod k19_create_topics;
pub mod k20_delete_topics;
pub mod k21_delete_records;
pub mod k22_init_producer_id;
pub mod k23_offset_for_leader_epoch;
pub mod k32_describe_configs;
pub mod k33_alter_configs;
pub mod k35_describe_log_dirs;
pub mod k37_create_partitions;
pub mod k42_delete_groups;
pub mod k43_elect_leaders;
pub mod k44_incremental_alter_configs;
pub mod k46_list_partition_reassignments;
pub mod k47_offset_delete;
pub mod k55_describe_quorum;
pub mod k57_update_features;
pub mod k60_describe_cluster;
pub mod k61_describe_producers;
pub mod k64_unregister_broker;
pub mod k74_list_config_resources;
pub mod k75_describe_topic_partitions;
