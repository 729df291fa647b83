//! Images and rules that the tests of this crate share.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::option::Overrides;
use kernel::{NodeId, Uuid};

use super::*;
use crate::image::{
    Broker, ConfigResource, ConfigResourceType, Endpoint, Image, Provenance, Quorum, QuorumRecord,
    QuotaEntity, quota_record,
};
use crate::record::*;
use crate::{Delta, MetadataRecord, MetadataVersion};
use wire::records::voters_record::{Voter, VotersRecord};

/// A broker that is registered and active, to be changed by what a test needs.
pub(crate) fn broker(id: i32) -> Broker {
    Broker {
        id: NodeId(id),
        epoch: i64::from(id) * 100,
        incarnation: uuid(1000 + id as u32),
        endpoints: vec![Endpoint {
            name: "PLAINTEXT".to_owned(),
            host: format!("host{id}"),
            port: 9092,
            security_protocol: 0,
        }],
        features: BTreeMap::from([("metadata.version".to_owned(), (7, 33))]),
        rack: None,
        fenced: false,
        in_controlled_shutdown: false,
        log_dirs: vec![directory(id)],
        cordoned_log_dirs: None,
        migrating_zk: false,
    }
}

impl Broker {
    pub(crate) fn rack(mut self, rack: &str) -> Self {
        self.rack = Some(rack.to_owned());
        self
    }

    pub(crate) fn fenced(mut self) -> Self {
        self.fenced = true;
        self
    }
}

/// The only log directory of a test's broker.
pub(crate) fn directory(broker: i32) -> Uuid {
    uuid(2000 + broker as u32)
}

pub(crate) fn uuid(number: u32) -> Uuid {
    let mut bytes = [0x40; 16];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    Uuid::from_bytes(bytes)
}

/// A cluster at the latest metadata version with these brokers.
pub(crate) fn cluster(brokers: impl IntoIterator<Item = Broker>) -> Image {
    let mut image = apply(&Image::default(), &bootstrap(BOOTSTRAP_FEATURES, 1));
    for broker in brokers {
        image = apply(&image, &[broker.to_record(MetadataVersion::LATEST).into()]);
    }
    image
}

/// The image after these records, each of which must have an effect.
pub(crate) fn apply(image: &Image, records: &[MetadataRecord]) -> Image {
    let mut delta = Delta::new(&Arc::new(image.clone()));
    records.iter().for_each(|record| delta.replay(record));
    assert_eq!(delta.notes().iter().collect::<Vec<_>>(), Vec::<&str>::new());
    delta.apply()
}

/// A cluster with one topic of one partition for each list of replicas.
pub(crate) fn with_topic(image: &Image, name: &str, partitions: &[&[i32]]) -> Image {
    let mut topic = NewTopic::new(name);
    topic.assignments = (0..).zip(partitions.iter().map(|replicas| replicas.to_vec())).collect();
    let command = CreateTopics { topics: vec![topic], ..Default::default() };
    let id = name.bytes().fold(5000, |id, byte| id * 31 % 10_007 + u32::from(byte));
    let mut ids = [uuid(id)].into_iter();
    let decision = create_topics(image, &Rules, &mut ids, &command);
    assert_eq!(decision.reply[0].result.as_ref().err(), None);
    apply(image, &decision.records)
}

/// Rules that know one list and refuse one value.
pub(crate) struct Rules;

impl ConfigRules for Rules {
    fn is_list(&self, _: ConfigResourceType, name: &str) -> bool {
        name == "cleanup.policy"
    }

    fn default_value(&self, _: ConfigResourceType, name: &str) -> Option<String> {
        (name == "cleanup.policy").then(|| "delete".to_owned())
    }

    fn validate(&self, _: &ConfigResource, _: &Overrides, new: &Overrides) -> Result<(), Refusal> {
        match new.iter().find(|(_, value)| *value == "bad") {
            Some((name, _)) => Err(Refusal::invalid_config(format!("bad value for {name}"))),
            None => Ok(()),
        }
    }
}

/// An image in which every part has something.
pub(crate) fn image_with_everything() -> Image {
    let image = cluster([broker(1).rack("a"), broker(2), broker(3).fenced()]);
    let image = with_topic(&image, "plain", &[&[1], &[2], &[1]]);
    let image = with_topic(&image, "__replicated", &[&[1, 2, 3], &[3, 1, 2]]);
    let topic_id = image.topics.id_of("__replicated").expect("it was created");
    let topic = ConfigResource::topic("plain");
    let config = |resource: &ConfigResource, name: &str, value: &str| {
        configs::config_record(resource, name, Some(value))
    };
    let user = QuotaEntity::new([("user".to_owned(), None), ("client-id".to_owned(), Some("c".to_owned()))]);
    let records = [
        FeatureLevelRecord { name: "group.version".to_owned(), feature_level: 1 }.into(),
        PartitionChangeRecord {
            partition_id: 1,
            topic_id,
            isr: Some(vec![]),
            leader: -1,
            adding_replicas: Some(vec![2]),
            removing_replicas: Some(vec![3]),
            replicas: Some(vec![3, 1, 2]),
            eligible_leader_replicas: Some(vec![1]),
            last_known_elr: Some(vec![3]),
            leader_recovery_state: 1,
            ..Default::default()
        }
        .into(),
        BrokerRegistrationChangeRecord {
            broker_id: 2,
            broker_epoch: 200,
            in_controlled_shutdown: 1,
            log_dirs: vec![directory(2), uuid(9)],
            cordoned_log_dirs: Some(vec![uuid(9)]),
            ..Default::default()
        }
        .into(),
        config(&topic, "retention.ms", "1"),
        config(&topic, "cleanup.policy", ""),
        config(&ConfigResource::all_brokers(), "min.insync.replicas", "2"),
        config(&ConfigResource::new(ConfigResourceType::Broker, "1"), "log.retention.ms", "3"),
        config(&ConfigResource::new(ConfigResourceType::Group, "g"), "consumer.session.timeout.ms", "4"),
        quota_record(&user, "request_percentage", Some(12.5)).into(),
        ProducerIdsRecord { broker_id: 1, broker_epoch: 100, next_producer_id: 3000 }.into(),
    ];
    let mut image = apply(&apply(&image, &records), &security_records());
    image.quorum = quorum();
    image.provenance = Provenance {
        offset: kernel::Offset(99),
        epoch: kernel::LeaderEpoch(3),
        timestamp: kernel::Timestamp(1_700_000_000_000),
    };
    image
}

/// A quorum whose voters the log names.
fn quorum() -> Quorum {
    let voter = Voter { voter_id: 1, voter_directory_id: directory(1), ..Default::default() };
    let voters = VotersRecord { version: 0, voters: vec![voter] };
    let mut quorum = Quorum::default();
    quorum.replay(&QuorumRecord::Version(1));
    quorum.replay(&QuorumRecord::voters(&voters).expect("it can be written"));
    quorum
}

fn security_records() -> [MetadataRecord; 4] {
    [
        AccessControlEntryRecord {
            id: uuid(1),
            resource_type: 2,
            resource_name: "*".to_owned(),
            pattern_type: 3,
            principal: "User:a".to_owned(),
            host: "*".to_owned(),
            operation: 3,
            permission_type: 3,
        }
        .into(),
        UserScramCredentialRecord {
            name: "a".to_owned(),
            mechanism: 1,
            salt: vec![1].into(),
            stored_key: vec![2].into(),
            server_key: vec![3].into(),
            iterations: 4096,
        }
        .into(),
        DelegationTokenRecord {
            owner: "User:a".to_owned(),
            requester: "User:b".to_owned(),
            renewers: vec!["User:c".to_owned()],
            issue_timestamp: 1,
            max_timestamp: 2,
            expiration_timestamp: 3,
            token_id: "t".to_owned(),
        }
        .into(),
        RegisterControllerRecord {
            controller_id: 1,
            incarnation_id: uuid(2),
            zk_migration_ready: false,
            end_points: vec![ControllerEndpoint {
                name: "CONTROLLER".to_owned(),
                host: "h".to_owned(),
                port: 9093,
                security_protocol: 0,
            }],
            features: vec![ControllerFeature {
                name: "metadata.version".to_owned(),
                min_supported_version: 7,
                max_supported_version: 33,
            }],
        }
        .into(),
    ]
}
