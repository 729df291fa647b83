//! Random requests: values of the right type from the pools, by the names of the fields.

use wire::compress::Codec;

use super::catalog::Api;
use super::codec;
use super::pools;
use super::random::Random;
use super::records::{self, Plan};
use super::value::{Fields, Value, int, text};
use crate::r#gen::schema::{Field, Struct, Type};

/// How many of a hundred fields that may be null are.
const NULLS: u64 = 12;
/// How many of a hundred structs carry a tag that nobody knows.
const UNKNOWN_TAGS: u64 = 3;

/// A request of an API: what a client could say, right or wrong.
pub fn request(random: &mut Random, api: &Api, version: i16) -> Value {
    let mut fill = Fill { random, api, version };
    match api.request.structs.first() {
        Some(root) => fill.fields(root),
        None => Value::Null,
    }
}

struct Fill<'a> {
    random: &'a mut Random,
    api: &'a Api,
    version: i16,
}

impl Fill<'_> {
    fn fields(&mut self, s: &Struct) -> Value {
        let mut fields = Fields::default();
        let version = self.version;
        for field in s.fields.iter().filter(|field| field.versions.contains(version)) {
            if field.tag.is_some() && self.random.percent(60) {
                continue;
            }
            let value = self.field(field);
            fields.named.push((field.name.clone(), value));
        }
        if self.api.request.is_flexible(self.version) && self.random.percent(UNKNOWN_TAGS) {
            let len = self.random.below(4);
            fields.unknown.push((77, self.random.bytes(len)));
        }
        Value::Struct(fields)
    }

    fn field(&mut self, field: &Field) -> Value {
        // Kafka never answers a batch that is null.
        let nullable = field.ty != Type::Records
            && field.nullable.is_some_and(|versions| versions.contains(self.version));
        let chance = if field.default == crate::r#gen::schema::Default::Null { 5 * NULLS } else { NULLS };
        if nullable && self.random.percent(chance) {
            return Value::Null;
        }
        if !field.array {
            return self.one(field);
        }
        let count = match self.random.below(100) {
            0..8 => 0,
            8..65 => 1,
            65..88 => 2,
            _ => 3,
        };
        let mut items: Vec<Value> = (0..count).map(|_| self.one(field)).collect();
        if items.len() == 3 && self.random.percent(30) {
            items.extend(items.first().cloned());
        }
        Value::Array(items)
    }

    fn one(&mut self, field: &Field) -> Value {
        if let Type::Struct(name) = &field.ty {
            return match self.api.request.find(name) {
                Some(s) => self.fields(s),
                None => Value::Null,
            };
        }
        self.by_name(field).unwrap_or_else(|| self.by_type(field))
    }

    /// What fields of this name hold in this API.
    fn by_api(&mut self, field: &Field) -> Option<Value> {
        let random = &mut *self.random;
        Some(match (self.api.name.as_str(), field.name.as_str()) {
            ("ApiVersions", "ClientSoftwareName" | "ClientSoftwareVersion") => {
                text(random.pick(&["client", "1.2.3", "", "-a", "a b", "ünï"]))
            }
            ("ApiVersions", "ClusterId") => Value::Slot("cluster".to_owned()),
            ("DescribeConfigs" | "AlterConfigs" | "IncrementalAlterConfigs" | "CreateTopics", _) => {
                return self.config_field(field);
            }
            ("UpdateFeatures", "Feature") => text(random.pick(&[
                "metadata.version",
                "kraft.version",
                "group.version",
                "transaction.version",
                "none",
                "",
            ])),
            ("UpdateFeatures", "UpgradeType") => int(random.int(&[0, 1, 1, 2, 3, 4])),
            ("UpdateFeatures", "MaxVersionLevel") => int(random.int(&[0, 1, 2, 3, 25, 29, 30, 31, 100, -1])),
            ("AlterReplicaLogDirs", "Path") => pools::directory(random),
            ("DescribeQuorum", "TopicName") => {
                text(random.pick(&["__cluster_metadata", "__cluster_metadata", "codecs", ""]))
            }
            // The coordinators of transactions and share groups would create their topics on one side only.
            ("FindCoordinator", "KeyType") => int(random.int(&[0, 0, 0, 0, 0, 3, -1])),
            ("FindCoordinator", "Key" | "CoordinatorKeys") => text(pools::group(random)),
            ("ListGroups", "StatesFilter") => text(random.pick(&[
                "Stable",
                "Empty",
                "stable",
                "Dead",
                "PreparingRebalance",
                "Assigning",
                "no such",
                "",
            ])),
            ("ListGroups", "TypesFilter") => {
                text(random.pick(&["classic", "Classic", "consumer", "share", "streams", "none"]))
            }
            ("ElectLeaders", "ElectionType") => int(random.int(&[0, 0, 1, 2, -1])),
            ("ListConfigResources", "ResourceTypes") => int(random.int(&[2, 4, 8, 16, 32, 0, 1, -1])),
            ("CreatePartitions", "Count") => int(random.int(&[1, 2, 3, 4, 0, -1])),
            ("CreatePartitions", "BrokerIds") => int(random.int(&[1, 1, 1, 1, 0, 2, -1])),
            ("UnregisterBroker", "BrokerId") => int(random.int(&[0, 2, 3, -1, i32::MAX.into()])),
            ("DescribeTopicPartitions", "ResponsePartitionLimit") => {
                int(random.int(&[2000, 1, 2, 3, 5, 0, -1]))
            }
            ("DescribeCluster", "EndpointType") => int(random.int(&[1, 1, 2, 0, 3])),
            ("OffsetCommit", "CommittedOffset") => int(random.int(&[0, 1, 5, 7, 100, -1, i64::MAX])),
            ("OffsetCommit", "GenerationIdOrMemberEpoch") => int(random.int(&[-1, -1, -1, 0, 1, 2, -2])),
            ("OffsetCommit", "CommittedLeaderEpoch") => int(random.int(&[-1, -1, 0, 1])),
            ("Fetch", "SessionId") => int(random.int(&[0, 0, 1, 77_777])),
            _ => return None,
        })
    }

    /// What fields of this name hold in any API, or in this one.
    fn by_name(&mut self, field: &Field) -> Option<Value> {
        if let Some(value) = self.by_api(field) {
            return Some(value);
        }
        let random = &mut *self.random;
        Some(match field.name.as_str() {
            "GenerationId" => int(random.int(&[1, 1, 0, -1, 2])),
            "GroupId" | "GroupsNames" | "Groups" => text(pools::group(random)),
            "MemberId" => pools::member(random),
            "GroupInstanceId" => pools::instance(random),
            "Name" | "Topic" | "TopicName" | "TopicNames" => text(pools::topic(random)),
            "TopicId" => pools::topic_id(random),
            "Partition" | "PartitionIndex" | "PartitionIndexes" | "Partitions" | "Index" => {
                pools::partition(random)
            }
            "Offset" | "FetchOffset" | "LogStartOffset" => pools::offset(random),
            "LeaderEpoch" | "LastFetchedEpoch" => int(random.int(&[-1, -1, 0, 0, 1, 2, i32::MAX.into()])),
            "CurrentLeaderEpoch" => pools::epoch(random),
            "Timestamp" => pools::timestamp(random),
            "ReplicaId" => int(-1),
            // For any other level, and for replicas that nobody knows, Kafka lets an exception through.
            "IsolationLevel" => int(random.int(&[0, 1])),
            "MaxBytes" | "PartitionMaxBytes" => {
                int(random.int(&[1 << 20, 1 << 20, 500, 150, 1, 0, i32::MAX.into()]))
            }
            "MinBytes" => int(random.int(&[0, 1, 1, 1, -1, i32::MAX.into()])),
            "MaxWaitMs" => int(random.int(&[0, 1, 5, -1])),
            "TimeoutMs" | "timeoutMs" => int(random.int(&[30_000, 30_000, 60_000])),
            "Acks" => int(random.int(&[-1, -1, 1, 1, 1, 2, -2])),
            "TransactionalId" => Value::Null,
            "TransactionTimeoutMs" => int(random.int(&[60_000, 0, -1, i32::MAX.into()])),
            "Records" => Value::Bytes(batch(random)),
            _ => return None,
        })
    }

    fn config_field(&mut self, field: &Field) -> Option<Value> {
        let is_topic = self.api.name == "CreateTopics" && self.is_topic(field);
        let random = &mut *self.random;
        Some(match field.name.as_str() {
            "ResourceType" => int(random.int(&[2, 2, 2, 2, 4, 4, 32, 8, 16, 0, 1, 3, -1, 127])),
            "ResourceName" => text(match random.below(10) {
                0..5 => pools::topic(random),
                5..7 => "1".to_owned(),
                7 => String::new(),
                8 => pools::group(random),
                _ => random.pick(&["2", "x", "-1", "0"]).to_owned(),
            }),
            "ConfigOperation" => int(random.int(&[0, 0, 0, 1, 2, 3, 4, -1])),
            "ConfigurationKeys" => text(option(random).0),
            "Name" if is_topic => text(pools::topic(random)),
            "Name" => text(option(random).0),
            "Value" => text(option(random).1),
            "NumPartitions" => int(random.int(&[1, 1, 2, 3, -1, 0, -2])),
            "ReplicationFactor" => int(random.int(&[1, 1, 1, -1, 2, 0, -2])),
            "PartitionIndex" => int(random.int(&[0, 0, 1, 2, -1])),
            "BrokerIds" => int(random.int(&[1, 1, 1, 1, 2, -1])),
            "TimeoutMs" | "timeoutMs" => int(30_000),
            _ => return None,
        })
    }

    /// Whether this is the field of the topic itself, and not of one of its configs.
    fn is_topic(&self, field: &Field) -> bool {
        let topic = self.api.request.find("CreatableTopic");
        topic.is_some_and(|topic| topic.fields.iter().any(|one| one == field))
    }

    fn by_type(&mut self, field: &Field) -> Value {
        let random = &mut *self.random;
        let edges = |low: i64, high: i64| [0, 1, 2, -1, low, high];
        match &field.ty {
            Type::Bool => Value::Bool(random.percent(50)),
            Type::I8 => int(random.int(&edges(i8::MIN.into(), i8::MAX.into()))),
            Type::I16 => int(random.int(&edges(i16::MIN.into(), i16::MAX.into()))),
            Type::I32 => int(random.int(&edges(i32::MIN.into(), i32::MAX.into()))),
            Type::I64 => int(random.int(&edges(i64::MIN, i64::MAX))),
            Type::U16 | Type::U32 => int(random.int(&[0, 1, 65_535])),
            Type::String => text(pools::word(random)),
            Type::Bytes => {
                let len = random.below(20);
                Value::Bytes(random.bytes(len))
            }
            _ => codec::default(field),
        }
    }
}

/// An option of anything, with a value.
fn option(random: &mut Random) -> (String, String) {
    let from = match random.below(10) {
        0..7 => pools::TOPIC_CONFIGS,
        7 => pools::GROUP_CONFIGS,
        _ => pools::BROKER_CONFIGS,
    };
    pools::config(random, from)
}

/// A batch as a producer could send it, well or not.
pub fn batch(random: &mut Random) -> Vec<u8> {
    let count = random.below(4) + usize::from(random.percent(95));
    let codec = Codec::ALL.get(random.below(Codec::ALL.len())).copied().unwrap_or(Codec::None);
    let with_keys = random.percent(70);
    let record = |random: &mut Random| {
        let key = with_keys.then(|| format!("key-{}", random.below(3)).into_bytes());
        let len = random.below(60);
        let value = (!random.percent(10)).then(|| vec![b'v'; len]);
        (key, value)
    };
    let plan = Plan {
        codec,
        first_timestamp: pools::THEN + random.int(&[0, 1, 1_000, 5_000, 60_000, -5]),
        records: (0..count).map(|_| record(random)).collect(),
        producer: None,
    };
    let mut bytes = records::build(&plan).map(|bytes| bytes.to_vec()).unwrap_or_default();
    if random.percent(15) {
        spoil(random, &mut bytes);
    }
    bytes
}

/// Makes one thing of a batch wrong; where its sum covers it, the sum may stay wrong or not.
fn spoil(random: &mut Random, bytes: &mut Vec<u8>) {
    const LENGTH: usize = 8;
    const MAGIC: usize = 16;
    const CRC: usize = 17;
    const ATTRIBUTES: usize = 21;
    let mut put = |at: usize, value: u8| {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
    };
    match random.below(8) {
        0 => put(CRC, 0xee),
        1 => put(MAGIC, [0, 1, 3, 0xff].get(random.below(4)).copied().unwrap_or(0)),
        2 => put(LENGTH, 0x7f),
        3 => put(LENGTH + 3, 1),
        4 => put(ATTRIBUTES + 1, 0x07),
        5 => bytes.truncate(random.below(bytes.len())),
        6 => bytes.extend_from_within(..),
        _ => bytes.clear(),
    }
}
