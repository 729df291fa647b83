//! What the controller decides.
//!
//! Each decision is a function of the image and a command. It changes nothing: it returns the records that make the
//! change once they are committed and replayed, and the reply to give then. Whether the caller may ask is decided
//! before, by the broker.
//!
//! Not decided here yet: partition reassignments, and the upkeep of eligible leader replicas (KIP-966), for which
//! reason [`features::SERVED`] does not offer them.

mod assignment;
mod bootstrap;
mod brokers;
mod configs;
mod create_partitions;
mod create_topics;
mod decision;
mod delete_topics;
mod directories;
mod elect;
pub mod features;
mod placement;
mod producer_ids;
mod quotas;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod topic_name;

pub use bootstrap::{BOOTSTRAP_FEATURES, bootstrap, bootstrap_formatted};
pub use brokers::{BrokerChange, Registration, change_broker, register_broker, unregister_broker};
pub use configs::{
    AlterConfigs, ConfigChange, ConfigOp, ConfigReply, ConfigRules, ResourceConfigs, alter_configs,
    incremental_alter_configs,
};
pub use create_partitions::{CreatePartitions, MorePartitions, PartitionsReply, create_partitions};
pub use create_topics::{CreateTopics, CreatedTopic, NewTopic, TopicDefaults, TopicReply, create_topics};
pub use decision::{Decision, RECORDS_PER_DECISION_MAX, Refusal};
pub use delete_topics::{DeleteTopics, DeletedTopic, TopicRef, delete_topics};
pub use directories::{
    DirectoryAssignment, assign_replicas_to_dirs, cordon_directories, directories_offline,
};
pub use elect::{ElectLeaders, ElectionReply, ElectionType, elect_leaders};
pub use features::{FeatureUpdate, SupportedFeature, UpdateFeatures, UpgradeType, update_features};
pub use producer_ids::{PRODUCER_ID_BLOCK, ProducerIdBlock, allocate_producer_ids};
pub use quotas::{AlterClientQuotas, QuotaChange, QuotaReply, alter_client_quotas};
pub use topic_name::check_topic_name;
