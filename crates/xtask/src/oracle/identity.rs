//! What each side names by itself. The names of one side are matched with those of the other as they appear; where a name
//! that is known comes back beside another one, the sides mean different things.

use std::collections::HashMap;

use super::value::Value;

/// What kind of thing a value stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Topic,
    Member,
    Producer,
    Cluster,
    Directory,
    FetchSession,
    Port,
    /// A path of the machine.
    Path,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Exact,
    /// Matched by name.
    Named(Kind),
    /// A moment: both now, or the same.
    Moment,
    /// A place in the metadata log, or the room on a disk: whether there is one, and its sign.
    Measure,
    /// Record batches.
    Records,
}

/// The rule of a field of an API.
pub fn rule(api: &str, field: &str) -> Rule {
    match (api, field) {
        (_, "TopicId") => Rule::Named(Kind::Topic),
        (_, "MemberId") | ("JoinGroup", "Leader") => Rule::Named(Kind::Member),
        (_, "ProducerId") => Rule::Named(Kind::Producer),
        (_, "ClusterId") => Rule::Named(Kind::Cluster),
        (_, "ReplicaDirectoryId") => Rule::Named(Kind::Directory),
        ("Fetch", "SessionId") => Rule::Named(Kind::FetchSession),
        (_, "Port") => Rule::Named(Kind::Port),
        (_, "LogDir") => Rule::Named(Kind::Path),
        (_, "LogAppendTimeMs" | "LastTimestamp" | "LastFetchTimestamp" | "LastCaughtUpTimestamp")
        | ("ListOffsets", "Timestamp") => Rule::Moment,
        (_, "FinalizedFeaturesEpoch" | "TotalBytes" | "UsableBytes")
        | ("DescribeQuorum", "HighWatermark" | "LogEndOffset" | "LeaderEpoch") => Rule::Measure,
        (_, "Records") => Rule::Records,
        _ => Rule::Exact,
    }
}

/// The names of both sides.
#[derive(Debug, Default)]
pub struct Identities {
    theirs: HashMap<(Kind, String), String>,
    ours: HashMap<(Kind, String), String>,
}

impl Identities {
    /// Whether both values name the same thing.
    pub fn same(&mut self, kind: Kind, ours: &Value, theirs: &Value) -> bool {
        if is_nobody(ours) || is_nobody(theirs) || shape(ours) != shape(theirs) {
            return ours == theirs;
        }
        let (ours, theirs) = (ours.to_string(), theirs.to_string());
        let known = self.theirs.get(&(kind, ours.clone()));
        let taken = self.ours.get(&(kind, theirs.clone()));
        match (known, taken) {
            (None, None) => {
                self.theirs.insert((kind, ours.clone()), theirs.clone());
                self.ours.insert((kind, theirs), ours);
                true
            }
            (known, taken) => known == Some(&theirs) && taken == Some(&ours),
        }
    }

    /// What Kafka calls this, if it has been met, so that elements can be matched.
    pub fn kafkas(&self, kind: Kind, value: &Value, ours: bool) -> String {
        let name = value.to_string();
        if ours {
            return self.theirs.get(&(kind, name.clone())).cloned().unwrap_or(name);
        }
        name
    }

    /// A sentence of ours with the names that Kafka has for the same things.
    pub fn translated_text(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for ((_, ours), theirs) in &self.theirs {
            let (ours, theirs) = (ours.trim_matches('"'), theirs.trim_matches('"'));
            if ours.len() > 8 && out.contains(ours) {
                out = out.replace(ours, theirs);
            }
        }
        out
    }
}

/// Values that name nothing, and are the same on both sides or different.
fn is_nobody(value: &Value) -> bool {
    match value {
        Value::Int(number) => *number <= 0,
        Value::Text(text) => text.is_empty(),
        Value::Uuid(id) => *id <= [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        _ => true,
    }
}

/// What a generated name looks like: which letters come before its random part.
fn shape(value: &Value) -> String {
    match value {
        Value::Text(text) => {
            match text.len().checked_sub(UUID_LEN).and_then(|at| text.split_at_checked(at)) {
                Some((before, id)) if is_uuid(id) => format!("{before}*"),
                _ if text.starts_with('/') => "/*".to_owned(),
                _ if text.len() == 22 => "*".to_owned(),
                _ => text.clone(),
            }
        }
        _ => String::new(),
    }
}

const UUID_LEN: usize = 36;

fn is_uuid(text: &str) -> bool {
    text.len() == UUID_LEN
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::super::value::{int, text};
    use super::*;

    #[test]
    fn a_name_that_comes_back_beside_another_is_a_difference() {
        let mut known = Identities::default();
        assert!(known.same(Kind::Producer, &int(7), &int(9)));
        assert!(known.same(Kind::Producer, &int(7), &int(9)));
        assert!(!known.same(Kind::Producer, &int(7), &int(8)));
        assert!(!known.same(Kind::Producer, &int(6), &int(9)));
        assert!(!known.same(Kind::Producer, &int(-1), &int(9)), "nobody is nobody on both sides");
    }

    #[test]
    fn generated_member_ids_need_the_same_form() {
        let mut known = Identities::default();
        let id = "01234567-89ab-cdef-0123-456789abcdef";
        let other = id.replace('0', "f");
        assert!(known.same(Kind::Member, &text(format!("c-{id}")), &text(format!("c-{other}"))));
        assert!(!known.same(Kind::Member, &text(format!("d-{id}")), &text(format!("c-{other}"))));
    }
}
