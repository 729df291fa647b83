//! The records of the metadata log.
//!
//! A record's value is framed as Kafka frames it: three unsigned varints (the frame's version, always 1; the record's
//! type; the version of its body), then the body.

mod frame;
mod kind;

pub use frame::RecordError;
pub use kind::MetadataRecord;
pub use wire::records::{
    abort_transaction_record::AbortTransactionRecord,
    access_control_entry_record::AccessControlEntryRecord,
    begin_transaction_record::BeginTransactionRecord,
    broker_registration_change_record::BrokerRegistrationChangeRecord,
    clear_elr_record::ClearElrRecord,
    client_quota_record::{ClientQuotaRecord, EntityData},
    config_record::ConfigRecord,
    delegation_token_record::DelegationTokenRecord,
    end_transaction_record::EndTransactionRecord,
    feature_level_record::FeatureLevelRecord,
    fence_broker_record::FenceBrokerRecord,
    no_op_record::NoOpRecord,
    partition_change_record::PartitionChangeRecord,
    partition_record::PartitionRecord,
    producer_ids_record::ProducerIdsRecord,
    register_broker_record::{BrokerEndpoint, BrokerFeature, RegisterBrokerRecord},
    register_controller_record::{ControllerEndpoint, ControllerFeature, RegisterControllerRecord},
    remove_access_control_entry_record::RemoveAccessControlEntryRecord,
    remove_delegation_token_record::RemoveDelegationTokenRecord,
    remove_topic_record::RemoveTopicRecord,
    remove_user_scram_credential_record::RemoveUserScramCredentialRecord,
    topic_record::TopicRecord,
    unfence_broker_record::UnfenceBrokerRecord,
    unregister_broker_record::UnregisterBrokerRecord,
    unregister_controller_record::UnregisterControllerRecord,
    user_scram_credential_record::UserScramCredentialRecord,
    zk_migration_state_record::ZkMigrationStateRecord,
};
