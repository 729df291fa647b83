//! What may differ between two directories, each with its reason. All else is compared.

use crate::pattern::matches;

/// The features of Kafka's node: those that we serve not yet would bring records of their own.
pub const FEATURES: &str = "eligible.leader.replicas.version=0,group.version=0,share.version=0,streams.version=0,transaction.version=0";

/// What is not compared.
#[derive(Debug)]
pub enum What {
    /// The value of a field of this name.
    Field(&'static str),
    /// Lines like this.
    Line(&'static str),
    /// That only one side has the file.
    File,
}

use What::{Field, File, Line};

/// Something that is not compared, in the files that a pattern says.
#[derive(Debug)]
pub struct Mask {
    files: &'static str,
    pub what: What,
    why: &'static str,
}

const fn mask(files: &'static str, what: What, why: &'static str) -> Mask {
    Mask { files, what, why }
}

const CLOCK: &str = "each side has its own time";
const CRC: &str = "the checksum is over times, ids or compressed bytes of each side";
const SEQUENCE: &str = "without a producer Kafka's coordinator counts from 0; clients see neither";
const CODEC: &str = "the broker compressed anew, with a codec of another maker";
const QUORUM: &str = "a lone node of ours keeps no quorum";
const ITSELF: &str = "what a node says of itself, in other words and as often as it likes";
const MOVED: &str = "it follows from the records that are not compared";
const ENDING: &str = "Kafka's node leaves its partitions before it ends";
const UNUSED: &str =
    "a partition of ours has no files before its first record, and is not listed; Kafka takes 0 for it";

pub const MASKS: &[Mask] = &[
    mask("meta.properties", Line("#*"), CLOCK),
    mask(".kafka_cleanshutdown", Field("brokerEpoch"), "it is an offset of the metadata log"),
    mask(".lock", File, "Kafka removes it at its end"),
    mask("riverrun.journal", File, "ours alone; it is empty after a clean end"),
    mask("riverrun.resting", File, "ours alone; whoever does not know it reads the logs themselves"),
    mask(
        "*/leader-epoch-checkpoint",
        File,
        "Kafka writes an epoch down when it begins, ours with its first record",
    ),
    mask("empties-*", File, UNUSED),
    mask("recovery-point-offset-checkpoint", Line("* 0"), UNUSED),
    mask("replication-offset-checkpoint", Line("* 0"), UNUSED),
    mask("appended-0/*", Field("LogAppendTime"), CLOCK),
    mask("appended-0/*", Field("timestamp"), CLOCK),
    mask("appended-0/*", Field("lastTimestamp"), CLOCK),
    mask("appended-0/*", Field("crc"), CRC),
    mask("recompressed-0/*", Field("position"), CODEC),
    mask("recompressed-0/*", Field("size"), CODEC),
    mask("recompressed-0/*", Field("crc"), CRC),
    mask("__consumer_offsets-*", Field("CreateTime"), CLOCK),
    mask("__consumer_offsets-*", Field("timestamp"), CLOCK),
    mask("__consumer_offsets-*", Field("commitTimestamp"), CLOCK),
    mask("__consumer_offsets-*", Field("currentStateTimestamp"), CLOCK),
    mask("__consumer_offsets-*", Field("memberId"), "each side draws the ids of members"),
    mask("__consumer_offsets-*", Field("leader"), "each side draws the ids of members"),
    mask("__consumer_offsets-*", Field("crc"), CRC),
    mask("__consumer_offsets-*", Field("baseSequence"), SEQUENCE),
    mask("__consumer_offsets-*", Field("lastSequence"), SEQUENCE),
    mask("__consumer_offsets-*", Field("sequence"), SEQUENCE),
    mask("__cluster_metadata-0/quorum-state", File, QUORUM),
    mask("__cluster_metadata-0/00000000000000000000-0000000000.checkpoint", File, QUORUM),
    mask("__cluster_metadata-0/*.snapshot", File, MOVED),
    mask("__cluster_metadata-0/*index", Line("*"), MOVED),
    mask("__cluster_metadata-0/*", Line("baseOffset: *"), MOVED),
    mask("__cluster_metadata-0/*", Field("offset"), MOVED),
    mask("__cluster_metadata-0/*", Field("brokerEpoch"), "it is an offset of the metadata log"),
    mask("__cluster_metadata-0/*", Field("CreateTime"), CLOCK),
    mask("__cluster_metadata-0/*", Line("* LeaderChange: *"), QUORUM),
    mask("__cluster_metadata-0/*", Line("* KRaftVersion {*"), QUORUM),
    mask("__cluster_metadata-0/*", Line("* KRaftVoters {*"), QUORUM),
    mask("__cluster_metadata-0/*", Line("* SnapshotHeader {*"), CLOCK),
    mask("__cluster_metadata-0/*", Line("*\"BEGIN_TRANSACTION_RECORD\"*"), "our first records are one batch"),
    mask("__cluster_metadata-0/*", Line("*\"END_TRANSACTION_RECORD\"*"), "our first records are one batch"),
    mask("__cluster_metadata-0/*", Line("*\"REGISTER_CONTROLLER_RECORD\"*"), ITSELF),
    mask("__cluster_metadata-0/*", Line("*\"REGISTER_BROKER_RECORD\"*"), ITSELF),
    mask("__cluster_metadata-0/*", Line("*\"BROKER_REGISTRATION_CHANGE_RECORD\"*"), ITSELF),
    mask("__cluster_metadata-0/*.log", Line("*\"PARTITION_CHANGE_RECORD\"*"), ENDING),
    mask("__cluster_metadata-0/last.checkpoint", Field("isr"), ENDING),
    mask("__cluster_metadata-0/last.checkpoint", Field("leader"), ENDING),
    mask("__cluster_metadata-0/last.checkpoint", Field("leaderEpoch"), ENDING),
    mask("__cluster_metadata-0/last.checkpoint", Field("partitionEpoch"), ENDING),
    mask("__cluster_metadata-0/last.checkpoint", Field("valueSize"), MOVED),
];

impl Mask {
    /// Whether this keeps a file from being missed on one side.
    pub fn excuses(&self, file: &str) -> bool {
        matches!(self.what, File) && matches(self.files, file)
    }

    /// Applies it to a line: whether the line stays, and whether the mask was needed.
    pub fn apply(&self, file: &str, line: &mut String) -> (bool, bool) {
        if !matches(self.files, file) {
            return (true, false);
        }
        match self.what {
            Line(words) => {
                let covered = matches(words, line);
                (!covered, covered)
            }
            Field(name) => {
                let found = hide(line, &format!("{name}: ")) | hide(line, &format!("\"{name}\":"));
                (true, found)
            }
            File => (true, false),
        }
    }

    /// For people.
    pub fn told(&self) -> String {
        format!("{} {:?} ({})", self.files, self.what, self.why)
    }
}

/// Replaces what stands behind each `head`.
fn hide(line: &mut String, head: &str) -> bool {
    const HIDDEN: &str = "_";
    let mut from = 0;
    let mut found = false;
    while let Some(at) = line.get(from..).and_then(|rest| rest.find(head)) {
        let start = from + at + head.len();
        let whole_name =
            line.get(..from + at).is_none_or(|before| !before.ends_with(|c: char| c.is_alphanumeric()));
        if !whole_name {
            from = start;
            continue;
        }
        let len = line.get(start..).map_or(0, |rest| value_len(rest, head.starts_with('"')));
        line.replace_range(start..start + len, HIDDEN);
        from = start + HIDDEN.len();
        found = true;
    }
    found
}

/// How long the value is with which a text begins: of JSON, or up to a space.
fn value_len(text: &str, json: bool) -> usize {
    if !json {
        return text.find(char::is_whitespace).unwrap_or(text.len());
    }
    let (mut depth, mut in_text) = (0_u32, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => in_text = !in_text,
            _ if in_text => {}
            '[' | '{' => depth += 1,
            ',' | ']' | '}' if depth == 0 => return at,
            ']' | '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_hidden_in_lines_and_in_json_and_nothing_behind_it() {
        let mut line =
            r#"offset: 5 baseoffset: 6 {"offset":[1,{"a":"]"}],"other":7} {"offset":"x"}"#.to_owned();
        assert!(mask("*", Field("offset"), "").apply("f", &mut line).1);
        assert_eq!(line, r#"offset: _ baseoffset: 6 {"offset":_,"other":7} {"offset":_}"#);
        assert!(!mask("a/*", Field("offset"), "").apply("f", &mut line).1);
    }
}
