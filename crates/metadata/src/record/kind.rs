//! All types of records, declared once.

use bytes::Bytes;
use wire::records::encode_metadata;
use wire::{DecodeError, EncodeError};

use super::*;
use crate::version::MetadataVersion;

macro_rules! metadata_records {
    ($($key:literal $variant:ident $record:ident),* $(,)?) => {
        /// One record of the metadata log.
        #[derive(Debug, Clone, PartialEq)]
        pub enum MetadataRecord {
            $(
                #[doc = concat!("`", stringify!($record), "`, type ", stringify!($key), ".")]
                $variant($record),
            )*
        }

        impl MetadataRecord {
            /// Kafka's name of a type, if there is one with this number.
            pub(super) fn name_of(key: i16) -> Option<&'static str> {
                match key {
                    $($key => Some(stringify!($record)),)*
                    _ => None,
                }
            }

            /// The body of a record of a type, in a version; nothing if there is no such type.
            pub(super) fn decode_body(key: i16, body: &[u8], version: i16) -> Option<Result<Self, DecodeError>> {
                match key {
                    $($key => Some($record::decode(body, version).map(MetadataRecord::$variant)),)*
                    _ => None,
                }
            }

            /// The framed record in a version.
            pub(super) fn encode_framed(&self, version: i16) -> Result<Bytes, EncodeError> {
                match self {
                    $(MetadataRecord::$variant(record) => encode_metadata($key, record, version),)*
                }
            }

            /// The number that says in a frame which type follows.
            pub fn key(&self) -> i16 {
                match self {
                    $(MetadataRecord::$variant(_) => $key,)*
                }
            }

            /// Kafka's name of this type.
            pub fn name(&self) -> &'static str {
                match self {
                    $(MetadataRecord::$variant(_) => stringify!($record),)*
                }
            }
        }

        $(
            impl From<$record> for MetadataRecord {
                fn from(record: $record) -> Self {
                    MetadataRecord::$variant(record)
                }
            }
        )*
    };
}

metadata_records! {
    0 RegisterBroker RegisterBrokerRecord,
    1 UnregisterBroker UnregisterBrokerRecord,
    2 Topic TopicRecord,
    3 Partition PartitionRecord,
    4 Config ConfigRecord,
    5 PartitionChange PartitionChangeRecord,
    7 FenceBroker FenceBrokerRecord,
    8 UnfenceBroker UnfenceBrokerRecord,
    9 RemoveTopic RemoveTopicRecord,
    10 DelegationToken DelegationTokenRecord,
    11 UserScramCredential UserScramCredentialRecord,
    12 FeatureLevel FeatureLevelRecord,
    14 ClientQuota ClientQuotaRecord,
    15 ProducerIds ProducerIdsRecord,
    17 BrokerRegistrationChange BrokerRegistrationChangeRecord,
    18 AccessControlEntry AccessControlEntryRecord,
    19 RemoveAccessControlEntry RemoveAccessControlEntryRecord,
    20 NoOp NoOpRecord,
    21 ZkMigrationState ZkMigrationStateRecord,
    22 RemoveUserScramCredential RemoveUserScramCredentialRecord,
    23 BeginTransaction BeginTransactionRecord,
    24 EndTransaction EndTransactionRecord,
    25 AbortTransaction AbortTransactionRecord,
    26 RemoveDelegationToken RemoveDelegationTokenRecord,
    27 RegisterController RegisterControllerRecord,
    28 ClearElr ClearElrRecord,
    29 UnregisterController UnregisterControllerRecord,
}

impl MetadataRecord {
    /// The version in which this record is written in a cluster at `level`.
    pub fn version(&self, level: MetadataVersion) -> i16 {
        match self {
            MetadataRecord::RegisterBroker(_) => level.register_broker_version(),
            MetadataRecord::Partition(_) | MetadataRecord::PartitionChange(_) => level.partition_version(),
            MetadataRecord::BrokerRegistrationChange(change) => {
                // The lowest version that can say it: older nodes then understand as much as possible.
                if change.cordoned_log_dirs.is_some() {
                    3
                } else if !change.log_dirs.is_empty() {
                    2
                } else {
                    i16::from(change.in_controlled_shutdown != 0)
                }
            }
            _ => 0,
        }
    }
}
