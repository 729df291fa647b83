//! Two answers, field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use kernel::ErrorCode;

use super::identity::{Identities, Kind, Rule, rule};
use super::records;
use super::value::{Fields, Value};

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Names only, `[]` for any element of an array. The answer as a whole is `.`.
    pub path: String,
    pub ours: String,
    pub kafka: String,
}

/// Fields that say what an element of an array is about, so that elements are compared with their likes.
const NAMES: &[&str] = &[
    "Name",
    "Topic",
    "TopicName",
    "TopicId",
    "GroupId",
    "GroupInstanceId",
    "MemberId",
    "PartitionIndex",
    "Partition",
    "PartitionId",
    "Index",
    "NodeId",
    "BrokerId",
    "ReplicaId",
    "ResourceType",
    "ResourceName",
    "Key",
    "Feature",
    "ApiKey",
    "ProducerId",
    "LogDir",
    "Source",
];

/// Follows the name of a topic for which no partition is there.
const NOTHING: &str = " with no partition";

/// Two moments that are both now may be so far from it.
const NOW_MS: i64 = 10 * 60_000;

/// Compares what both sides answered.
pub fn compare(api: &str, known: &mut Identities, ours: &Value, kafka: &Value) -> Vec<Difference> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let mut comparison =
        Comparison { api, known, now: i64::try_from(now).unwrap_or(0), differences: Vec::new() };
    if api == "Fetch" {
        // Kafka names a topic twice where some of its partitions are not there.
        comparison.values("", "", &merged(ours), &merged(kafka));
    } else {
        comparison.values("", "", ours, kafka);
    }
    comparison.differences
}

/// A fetch's answer with the partitions of each topic in one place, in their order.
fn merged(answer: &Value) -> Value {
    let mut answer = answer.clone();
    let Some(Value::Array(topics)) = answer.at_mut("Responses") else { return answer };
    let name = |topic: &Value| (topic.at("Topic").cloned(), topic.at("TopicId").cloned());
    let mut out: Vec<Value> = Vec::new();
    for topic in topics.drain(..) {
        match out
            .iter_mut()
            .find(|other| name(other) == name(&topic))
            .and_then(|other| other.at_mut("Partitions"))
        {
            Some(Value::Array(partitions)) => partitions.extend(topic.items("Partitions").iter().cloned()),
            _ => out.push(topic),
        }
    }
    *topics = out;
    answer
}

struct Comparison<'a> {
    api: &'a str,
    known: &'a mut Identities,
    now: i64,
    differences: Vec<Difference>,
}

impl Comparison<'_> {
    fn differ(&mut self, path: &str, ours: impl Into<String>, kafka: impl Into<String>) {
        let path = if path.is_empty() { "." } else { path };
        self.differences.push(Difference { path: path.to_owned(), ours: ours.into(), kafka: kafka.into() });
    }

    fn values(&mut self, path: &str, field: &str, ours: &Value, kafka: &Value) {
        match (ours, kafka) {
            (Value::Struct(ours), Value::Struct(kafka)) => self.structs(path, ours, kafka),
            (Value::Array(ours), Value::Array(kafka)) => {
                self.arrays(&format!("{path}[]"), field, ours, kafka)
            }
            _ if self.leaves(field, ours, kafka) => {}
            (Value::Bytes(ours), Value::Bytes(kafka)) if rule(self.api, field) == Rule::Records => {
                self.values(path, "", &records::tree(ours), &records::tree(kafka));
            }
            _ => self.differ(path, shown(field, ours), shown(field, kafka)),
        }
    }

    /// Whether two values that hold no others mean the same.
    fn leaves(&mut self, field: &str, ours: &Value, kafka: &Value) -> bool {
        match (rule(self.api, field), ours, kafka) {
            (Rule::Named(kind), _, _) => self.known.same(kind, ours, kafka),
            (Rule::Moment, Value::Int(ours), Value::Int(kafka)) => {
                let is_now = |moment: &i64| (moment - self.now).abs() < NOW_MS;
                ours == kafka || (is_now(ours) && is_now(kafka))
            }
            (Rule::Measure, Value::Int(ours), Value::Int(kafka)) => ours.signum() == kafka.signum(),
            (_, Value::Text(ours), Value::Text(kafka)) if field.ends_with("Message") => {
                ours == kafka || self.known.translated_text(ours) == *kafka
            }
            _ => ours == kafka,
        }
    }

    fn structs(&mut self, path: &str, ours: &Fields, kafka: &Fields) {
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let find = |fields: &'_ Fields, name: &str| {
            fields.named.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
        };
        for (name, value) in &ours.named {
            match find(kafka, name) {
                Some(other) => self.values(&below(name), name, value, &other),
                None => self.differ(&below(name), shown(name, value), "absent"),
            }
        }
        for (name, value) in &kafka.named {
            if find(ours, name).is_none() {
                self.differ(&below(name), "absent", shown(name, value));
            }
        }
        if ours.unknown != kafka.unknown {
            self.differ(&below("tags"), format!("{:?}", ours.unknown), format!("{:?}", kafka.unknown));
        }
    }

    fn arrays(&mut self, path: &str, field: &str, ours: &[Value], kafka: &[Value]) {
        let our_names: Vec<String> = ours.iter().map(|value| self.name(value, true)).collect();
        let their_names: Vec<String> = kafka.iter().map(|value| self.name(value, false)).collect();
        let mut distinct = BTreeSet::new();
        if our_names == their_names && our_names.iter().all(|name| distinct.insert(name)) {
            for (ours, kafka) in ours.iter().zip(kafka) {
                self.values(path, field, ours, kafka);
            }
            return;
        }
        let mut left: BTreeMap<&String, Vec<(usize, &Value)>> = BTreeMap::new();
        for (name, value) in their_names.iter().zip(kafka.iter().enumerate()).rev() {
            left.entry(name).or_default().push(value);
        }
        let (mut alone, mut moved, mut pairs) = (false, false, Vec::new());
        for (name, (place, value)) in our_names.iter().zip(ours.iter().enumerate()) {
            // Of several with one name those that are alike belong together, else the first of those that are left.
            let other = left.get_mut(name).and_then(|others| {
                match others.iter().rposition(|(_, one)| *one == value) {
                    Some(at) => Some(others.remove(at)),
                    None => others.pop(),
                }
            });
            match other {
                Some((other_place, other)) => {
                    moved |= other_place != place;
                    pairs.push((value, other));
                }
                None => {
                    alone = true;
                    self.differ(path, name, "absent");
                }
            }
        }
        for (name, values) in left {
            for _ in values {
                alone = true;
                self.differ(path, "absent", name);
            }
        }
        if moved && !alone {
            self.differ(path, "order", "another order");
        }
        for (ours, kafka) in pairs {
            self.values(path, field, ours, kafka);
        }
    }

    /// What an element is about, in Kafka's names.
    fn name(&self, value: &Value, ours: bool) -> String {
        let Value::Struct(fields) = value else {
            return value.to_string();
        };
        let has_name = |name: &str| {
            fields
                .named
                .iter()
                .any(|(other, value)| other == name && matches!(value, Value::Text(text) if !text.is_empty()))
        };
        let named = has_name("Name") || has_name("Topic");
        let parts: Vec<String> = fields
            .named
            .iter()
            .filter(|(name, value)| NAMES.contains(&name.as_str()) && *value != Value::Null)
            .filter(|(name, _)| name != "TopicId" || !named)
            .map(|(name, value)| match rule(self.api, name) {
                Rule::Named(Kind::Path) => String::new(),
                Rule::Named(kind) => self.known.kafkas(kind, value, ours),
                _ => value.to_string(),
            })
            .collect();
        let nothing = |name: &str| {
            fields.named.iter().any(|(other, value)| other == name && *value == Value::Array(Vec::new()))
        };
        let empty = nothing("Partitions") || nothing("PartitionResponses") || nothing("PartitionResult");
        format!("{}{}", parts.join(" "), if empty { NOTHING } else { "" })
    }
}

fn shown(field: &str, value: &Value) -> String {
    match value {
        Value::Int(code) if field.ends_with("ErrorCode") => {
            let known = i16::try_from(*code).ok().and_then(ErrorCode::from_code);
            known.map_or(code.to_string(), |code| code.name().to_owned())
        }
        Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Value::Struct(_) => "present".to_owned(),
        Value::Array(items) => format!("{} elements", items.len()),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::{int, list, record, text};
    use super::*;

    fn differences(ours: &Value, kafka: &Value) -> Vec<(String, String, String)> {
        let found = compare("Metadata", &mut Identities::default(), ours, kafka);
        found.into_iter().map(|one| (one.path, one.ours, one.kafka)).collect()
    }

    fn topics(names: &[(&str, i16)]) -> Value {
        let one = |(name, code): &(&str, i16)| record([("Name", text(*name)), ("ErrorCode", int(*code))]);
        record([("Topics", Value::Array(names.iter().map(one).collect()))])
    }

    #[test]
    fn an_order_is_told_once_and_the_elements_are_compared_with_their_likes() {
        assert_eq!(
            differences(&topics(&[("a", 0), ("b", 3)]), &topics(&[("b", 0), ("a", 0)])),
            [
                ("Topics[]".into(), "order".into(), "another order".into()),
                ("Topics[].ErrorCode".into(), "UNKNOWN_TOPIC_OR_PARTITION".into(), "NONE".into()),
            ]
        );
    }

    #[test]
    fn of_several_with_one_name_those_that_are_alike_are_compared() {
        let order = ("Topics[]".into(), "order".into(), "another order".into());
        assert_eq!(differences(&topics(&[("a", 0), ("a", 3)]), &topics(&[("a", 3), ("a", 0)])), [order]);
        let told = differences(&topics(&[("a", 0), ("a", 3)]), &topics(&[("a", 0), ("a", 5)]));
        assert_eq!(told.len(), 1, "the first are alike: {told:?}");
    }

    #[test]
    fn null_is_not_empty_and_a_tag_that_is_absent_is_not_its_default() {
        let ours = record([("A", Value::Null), ("B", list([])), ("C", int(-1))]);
        let kafka = record([("A", list([])), ("B", list([]))]);
        assert_eq!(
            differences(&ours, &kafka),
            [("A".into(), "null".into(), "0 elements".into()), ("C".into(), "-1".into(), "absent".into()),]
        );
    }

    #[test]
    fn an_element_that_only_one_side_has_is_named() {
        assert_eq!(
            differences(&topics(&[("a", 0)]), &topics(&[("a", 0), ("b", 0)])),
            [("Topics[]".into(), "absent".into(), "\"b\"".into())]
        );
    }
}
