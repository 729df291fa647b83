//! CreateTopics.

use std::collections::{BTreeMap, BTreeSet};

use kernel::limits::MAX_PARTITIONS_PER_REQUEST;
use kernel::option::Overrides;
use kernel::{ErrorCode, Uuid};

use super::assignment::{invalid, new_partition, partition_by_hand};
use super::configs::{config_record, validate_values};
use super::placement::place;
use super::topic_name::{check_collision, check_topic_name, collision, unify};
use super::{ConfigRules, Decision, RECORDS_PER_DECISION_MAX, Refusal};
use crate::image::{ConfigResource, Image, Partition, directory_id};
use crate::record::{MetadataRecord, TopicRecord};

/// Topics to create, each for itself: one that is refused does not hinder the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateTopics {
    pub topics: Vec<NewTopic>,
    pub defaults: TopicDefaults,
    /// Say what would happen, and do nothing.
    pub validate_only: bool,
}

/// One topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    /// How many partitions; -1 for the default, or where `assignments` says it.
    pub partitions: i32,
    /// How many replicas of each; -1 for the default, or where `assignments` says it.
    pub replication_factor: i16,
    /// The brokers of each partition, placed by hand.
    pub assignments: Vec<(i32, Vec<i32>)>,
    pub configs: Vec<(String, Option<String>)>,
}

impl NewTopic {
    /// A topic with all defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            partitions: -1,
            replication_factor: -1,
            assignments: Vec::new(),
            configs: Vec::new(),
        }
    }
}

/// What the cluster's configuration gives a topic that does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicDefaults {
    /// `num.partitions`
    pub partitions: i32,
    /// `default.replication.factor`
    pub replication_factor: i16,
}

impl Default for TopicDefaults {
    fn default() -> Self {
        Self { partitions: 1, replication_factor: 1 }
    }
}

/// What became of one topic. A name that was asked for more than once has one reply.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicReply {
    pub name: String,
    pub result: Result<CreatedTopic, Refusal>,
}

/// A topic that was created, or would be.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatedTopic {
    pub id: Uuid,
    pub partitions: i32,
    pub replication_factor: i16,
    /// What was set on it; the broker adds the defaults to its answer.
    pub configs: BTreeMap<String, String>,
}

/// The topic that holds the metadata log itself, which is in no image.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// Creates topics. `ids` gives random identifiers; one that is taken or reserved is skipped.
pub fn create_topics(
    image: &Image,
    rules: &dyn ConfigRules,
    ids: &mut dyn Iterator<Item = Uuid>,
    command: &CreateTopics,
) -> Decision<Vec<TopicReply>> {
    if partitions_asked_for(command) > MAX_PARTITIONS_PER_REQUEST {
        let message = "Excessively large number of partitions per request.";
        return refuse_all(command, &Refusal::new(ErrorCode::PolicyViolation, message));
    }
    let mut creation = Creation { image, rules, ids, defaults: command.defaults, taken: BTreeMap::new() };
    let mut records = Vec::new();
    let mut replies = Vec::new();
    for (name, topic) in by_name(&command.topics) {
        let created = match topic {
            Some(topic) => creation.create(topic),
            None => Err(Refusal::invalid_request("Duplicate topic name.")),
        };
        let result = created.map(|(created, mut new_records)| {
            records.append(&mut new_records);
            created
        });
        replies.push(TopicReply { name: name.to_owned(), result });
    }
    if records.len() > RECORDS_PER_DECISION_MAX {
        return refuse_all(command, &Refusal::too_large());
    }
    if command.validate_only {
        records.clear();
    }
    Decision::atomic(records, replies)
}

fn partitions_asked_for(command: &CreateTopics) -> usize {
    let of_one = |topic: &NewTopic| {
        if !topic.assignments.is_empty() {
            topic.assignments.len()
        } else {
            let given = if topic.partitions == -1 { command.defaults.partitions } else { topic.partitions };
            usize::try_from(given).unwrap_or(0)
        }
    };
    command.topics.iter().map(of_one).fold(0, usize::saturating_add)
}

/// Each name once, in the order of the request; with no topic where the name comes more than once.
fn by_name(topics: &[NewTopic]) -> Vec<(&str, Option<&NewTopic>)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for topic in topics {
        *counts.entry(&topic.name).or_default() += 1;
    }
    let mut seen = BTreeSet::new();
    let firsts = topics.iter().filter(|topic| seen.insert(topic.name.as_str()));
    firsts
        .map(|topic| (topic.name.as_str(), (counts.get(topic.name.as_str()) == Some(&1)).then_some(topic)))
        .collect()
}

fn refuse_all(command: &CreateTopics, refusal: &Refusal) -> Decision<Vec<TopicReply>> {
    let names = by_name(&command.topics).into_iter();
    let replies = names.map(|(name, _)| TopicReply { name: name.to_owned(), result: Err(refusal.clone()) });
    Decision::reply(replies.collect())
}

struct Creation<'a> {
    image: &'a Image,
    rules: &'a dyn ConfigRules,
    ids: &'a mut dyn Iterator<Item = Uuid>,
    defaults: TopicDefaults,
    /// The names created by this request so far, with '.' and '_' made the same.
    taken: BTreeMap<String, String>,
}

impl Creation<'_> {
    fn create(&mut self, topic: &NewTopic) -> Result<(CreatedTopic, Vec<MetadataRecord>), Refusal> {
        self.check_name(&topic.name)?;
        let resource = ConfigResource::topic(&topic.name);
        let configs = self.configs(&resource, topic)?;
        let id = self.fresh_id()?;
        let partitions = self.partitions(topic, id)?;
        let created = CreatedTopic {
            id,
            partitions: i32::try_from(partitions.len()).unwrap_or(i32::MAX),
            replication_factor: partitions
                .values()
                .next()
                .and_then(|partition| i16::try_from(partition.replicas.len()).ok())
                .unwrap_or(-1),
            configs,
        };
        let level = self.image.features.record_level();
        let head = TopicRecord { name: topic.name.clone(), topic_id: id };
        let configs = created.configs.iter().map(|(name, value)| config_record(&resource, name, Some(value)));
        let partitions = partitions.iter().map(|(index, p)| p.to_record(id, *index, level).into());
        let records = std::iter::once(head.into()).chain(configs).chain(partitions).collect();
        self.taken.insert(unify(&topic.name), topic.name.clone());
        Ok((created, records))
    }

    fn check_name(&self, name: &str) -> Result<(), Refusal> {
        if name == METADATA_TOPIC {
            return Err(Refusal::invalid_request(format!("{METADATA_TOPIC} cannot be created.")));
        }
        if self.image.topics.get(name).is_some() {
            let message = format!("Topic '{name}' already exists.");
            return Err(Refusal::new(ErrorCode::TopicAlreadyExists, message));
        }
        check_topic_name(name)?;
        check_collision(name, &self.image.topics)?;
        self.taken.get(&unify(name)).map_or(Ok(()), |other| Err(collision(name, other)))
    }

    fn configs(
        &self,
        resource: &ConfigResource,
        topic: &NewTopic,
    ) -> Result<BTreeMap<String, String>, Refusal> {
        let nulls: Vec<&str> = topic.configs.iter().filter(|c| c.1.is_none()).map(|c| c.0.as_str()).collect();
        if !nulls.is_empty() {
            return Err(Refusal::invalid_config(format!(
                "Null value not supported for topic configs: {}",
                nulls.join(",")
            )));
        }
        let given = topic.configs.iter();
        let values = given.filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
        validate_values(self.rules, resource, &Overrides::new(), &values)?;
        Ok(values)
    }

    fn fresh_id(&mut self) -> Result<Uuid, Refusal> {
        let image = self.image;
        let usable = |id: &Uuid| !directory_id::reserved(*id) && image.topics.by_id(*id).is_none();
        std::iter::from_fn(|| self.ids.next()).find(usable).ok_or_else(|| {
            Refusal::new(ErrorCode::UnknownServerError, "No identifier is left for the topic.")
        })
    }

    fn partitions(&self, topic: &NewTopic, id: Uuid) -> Result<BTreeMap<i32, Partition>, Refusal> {
        if !topic.assignments.is_empty() {
            return self.partitions_by_hand(topic);
        }
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            return Err(Refusal::new(
                ErrorCode::InvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            ));
        }
        if topic.partitions < -1 || topic.partitions == 0 {
            return Err(Refusal::new(
                ErrorCode::InvalidPartitions,
                "Number of partitions must be larger than 0, or -1 to use the default value.",
            ));
        }
        let or_default = |given, default| if given == -1 { default } else { given };
        let count = or_default(topic.partitions, self.defaults.partitions);
        let replication_factor = match topic.replication_factor {
            -1 => self.defaults.replication_factor,
            given => given,
        };
        let placed = place(self.image, id, std::iter::empty(), 0, count, replication_factor)?;
        (0..)
            .zip(placed)
            .map(|(index, replicas)| {
                let partition = new_partition(self.image, replicas);
                partition.map(|partition| (index, partition)).ok_or_else(|| {
                    Refusal::new(
                        ErrorCode::InvalidReplicationFactor,
                        "All brokers are fenced or shutting down.",
                    )
                })
            })
            .collect()
    }

    fn partitions_by_hand(&self, topic: &NewTopic) -> Result<BTreeMap<i32, Partition>, Refusal> {
        if topic.replication_factor != -1 || topic.partitions != -1 {
            return Err(Refusal::invalid_request(
                "With an assignment by hand, the number of partitions and the replication factor must be -1.",
            ));
        }
        let mut partitions: BTreeMap<i32, Partition> = BTreeMap::new();
        for (index, brokers) in &topic.assignments {
            if partitions.contains_key(index) {
                return Err(invalid(format!("Partition {index} is assigned more than once.")));
            }
            let others = partitions.values().next().map(|partition| partition.replicas.len());
            partitions.insert(*index, partition_by_hand(self.image, *index, brokers, others)?);
        }
        if !partitions.keys().copied().eq((0..).take(partitions.len())) {
            return Err(invalid("The partitions must be numbered from 0 without a gap."));
        }
        Ok(partitions)
    }
}
