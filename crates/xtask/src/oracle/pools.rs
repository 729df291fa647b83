//! Names and numbers that requests are made of: known, unknown and odd ones.

use super::random::Random;
use super::value::{Value, int, slot, text};

/// Records are stamped from here on, long ago, so that no time limit of the brokers' own matters.
pub const THEN: i64 = 1_600_000_000_000;

/// A topic of the prepared state: its partitions and options.
pub struct Topic {
    pub name: &'static str,
    pub partitions: i32,
    pub configs: &'static [(&'static str, &'static str)],
}

const KEEP: (&str, &str) = ("retention.ms", "-1");

pub const TOPICS: &[Topic] = &[
    Topic { name: "codecs", partitions: 3, configs: &[KEEP] },
    Topic { name: "compacted", partitions: 1, configs: &[("cleanup.policy", "compact")] },
    Topic { name: "stamped", partitions: 2, configs: &[KEEP, ("message.timestamp.type", "LogAppendTime")] },
    Topic { name: "gzipped", partitions: 1, configs: &[KEEP, ("compression.type", "gzip")] },
    Topic { name: "trimmed", partitions: 2, configs: &[KEEP] },
    Topic { name: "empty", partitions: 1, configs: &[KEEP] },
    Topic {
        name: "small",
        partitions: 1,
        configs: &[KEEP, ("max.message.bytes", "400"), ("segment.bytes", "1048576")],
    },
    Topic { name: "Odd._-name.9", partitions: 1, configs: &[KEEP, ("flush.messages", "1")] },
    Topic {
        name: "settings",
        partitions: 1,
        configs: &[KEEP, ("segment.ms", "600000"), ("preallocate", "false")],
    },
];

pub const SCRATCH: &[&str] = &["scratch-0", "scratch-1", "scratch-2", "scratch-3"];

const ABSENT: &[&str] = &["absent", "absent-too", "Codecs"];
const INVALID: &[&str] = &["", ".", "..", "no spaces", "slash/ed", "ünïcode", "a\u{0}b", LONG];
const LONG: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
pub const INTERNAL: &str = "__consumer_offsets";

pub fn is_prepared(name: &str) -> bool {
    TOPICS.iter().any(|topic| topic.name == name) || name == INTERNAL
}

/// Whether a topic could be created by asking for it.
pub fn is_creatable(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name.len() <= 249 && name != "." && name != ".." && name.bytes().all(legal)
}

pub fn prepared(random: &mut Random) -> &'static str {
    let index = random.below(TOPICS.len());
    TOPICS.get(index).map_or("codecs", |topic| topic.name)
}

pub fn topic(random: &mut Random) -> String {
    match random.below(100) {
        0..72 => prepared(random).to_owned(),
        72..82 => random.pick(SCRATCH).to_owned(),
        82..90 => random.pick(ABSENT).to_owned(),
        90..93 => INTERNAL.to_owned(),
        _ => random.pick(INVALID).to_owned(),
    }
}

pub fn topic_id(random: &mut Random) -> Value {
    match random.below(100) {
        0..80 => slot(format!("topic:{}", prepared(random))),
        80..86 => Value::Uuid([0; 16]),
        86..90 => Value::Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        90..94 => slot(format!("topic:{INTERNAL}")),
        _ => {
            let mut id = [0x77; 16];
            id[15] = u8::try_from(random.below(4)).unwrap_or(0);
            Value::Uuid(id)
        }
    }
}

pub fn partition(random: &mut Random) -> Value {
    int(random.int(&[
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
        1,
        1,
        2,
        2,
        3,
        -1,
        100,
        i32::MAX.into(),
        i32::MIN.into(),
    ]))
}

pub fn offset(random: &mut Random) -> Value {
    int(random.int(&[
        0,
        0,
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        9,
        10,
        12,
        15,
        20,
        100,
        100_000,
        -1,
        -2,
        -3,
        i64::MAX,
        i64::MIN,
    ]))
}

pub fn epoch(random: &mut Random) -> Value {
    int(random.int(&[-1, -1, -1, -1, 0, 0, 0, 1, 2, -2, i32::MAX.into()]))
}

/// What ListOffsets asks for: questions below zero, or a time.
pub fn timestamp(random: &mut Random) -> Value {
    let questions = [-1, -1, -2, -2, -3, -4, -5, -6, -7, i64::MIN];
    let times = [
        0,
        THEN - 1,
        THEN,
        THEN + 1,
        THEN + 3,
        THEN + 1_000,
        THEN + 1_001,
        THEN + 5_002,
        THEN + 90_000,
        i64::MAX,
    ];
    let chosen = if random.percent(50) { random.int(&questions) } else { random.int(&times) };
    int(chosen)
}

pub const GROUPS: &[&str] = &["simple-group", "stable-group", "empty-group", "static-group"];

pub fn group(random: &mut Random) -> String {
    match random.below(100) {
        0..75 => random.pick(GROUPS).to_owned(),
        75..92 => random.pick(&["absent-group", "other-absent-group"]).to_owned(),
        92..96 => String::new(),
        _ => random.pick(&["group with spaces", "gröup", LONG]).to_owned(),
    }
}

pub fn member(random: &mut Random) -> Value {
    match random.below(10) {
        0..5 => slot("member:stable-group"),
        5..7 => text(""),
        7 => slot("member:static-group"),
        _ => text("unknown-member"),
    }
}

pub fn instance(random: &mut Random) -> Value {
    match random.below(10) {
        0..6 => Value::Null,
        6..8 => text("instance-1"),
        8 => text("unknown-instance"),
        _ => text(""),
    }
}

/// The one directory that each side has, the same in another spelling, and others. What is moved into the directory where it
/// is stays there, so that this changes nothing.
pub fn directory(random: &mut Random) -> Value {
    match random.below(10) {
        0..6 => slot("directory"),
        6 => slot("directory/"),
        _ => text(random.pick(&["/absent/directory", "data", "", "/", "ünï/cöde", LONG])),
    }
}

pub fn word(random: &mut Random) -> String {
    random.pick(&["", "a", "some text", "ünïcode ☃", "metadata-1", LONG]).to_owned()
}

/// Options of topics with values that fit, and some that do not.
pub const TOPIC_CONFIGS: &[(&str, &[&str])] = &[
    (
        "cleanup.policy",
        &["compact", "delete", "compact,delete", "delete,compact", "", "nothing", "delete,delete"],
    ),
    ("compression.type", &["gzip", "producer", "zstd", "uncompressed", "snappy", "lz4", "none", "GZIP"]),
    ("compression.gzip.level", &["1", "-1", "9", "10", "0"]),
    ("compression.zstd.level", &["3", "22", "-131072", "23"]),
    ("compression.lz4.level", &["1", "17", "18"]),
    ("retention.ms", &["-1", "604800000", "-2", "x", "9223372036854775807"]),
    ("retention.bytes", &["-1", "1000000000", "0"]),
    ("segment.bytes", &["1048576", "1073741824", "13", "2147483648", "1048575"]),
    ("segment.ms", &["600000", "1", "0"]),
    ("segment.jitter.ms", &["0", "10", "-1"]),
    // Kafka takes 4 as well, and then cannot open the log.
    ("segment.index.bytes", &["1024", "10485760", "3"]),
    ("max.message.bytes", &["1000", "0", "-1", "1048588", " 1000 "]),
    ("min.insync.replicas", &["1", "0", "2", "one"]),
    ("message.timestamp.type", &["CreateTime", "LogAppendTime", "createtime"]),
    ("message.timestamp.before.max.ms", &["9223372036854775807", "1000", "-1"]),
    ("message.timestamp.after.max.ms", &["3600000", "0", "-1"]),
    ("flush.messages", &["1", "0", "9223372036854775807"]),
    ("flush.ms", &["1000", "-1"]),
    ("index.interval.bytes", &["4096", "-1"]),
    ("file.delete.delay.ms", &["60000", "-1"]),
    ("delete.retention.ms", &["86400000", "-1"]),
    ("min.compaction.lag.ms", &["0", "-1", "1000"]),
    ("max.compaction.lag.ms", &["9223372036854775807", "0", "10"]),
    ("min.cleanable.dirty.ratio", &["0.5", "0", "1", "1.1", "NaN", "x"]),
    ("preallocate", &["true", "false", "yes", "TRUE"]),
    ("unclean.leader.election.enable", &["true", "false"]),
    ("remote.storage.enable", &["false", "true"]),
    ("local.retention.ms", &["-2", "-1", "1000", "-3"]),
    ("local.retention.bytes", &["-2", "0"]),
    ("remote.copy.disable", &["false", "true"]),
    ("remote.log.delete.on.disable", &["false", "true"]),
    ("leader.replication.throttled.replicas", &["*", "0:1", "none", ""]),
    ("follower.replication.throttled.replicas", &["", "0:1,1:1", "0"]),
    ("message.format.version", &["3.0"]),
    ("no.such.option", &["1", ""]),
    ("", &["1"]),
];

/// Options of groups, likewise.
pub const GROUP_CONFIGS: &[(&str, &[&str])] = &[
    ("consumer.session.timeout.ms", &["45000", "1", "60001", "x"]),
    ("consumer.heartbeat.interval.ms", &["5000", "4999", "15000", "15001"]),
    ("share.session.timeout.ms", &["45000", "44999"]),
    ("share.record.lock.duration.ms", &["15000", "14999"]),
    ("share.auto.offset.reset", &["latest", "earliest", "by_duration:PT1H", "never"]),
    ("share.isolation.level", &["read_committed", "read_uncommitted"]),
    ("streams.num.standby.replicas", &["0", "1", "3"]),
    ("no.such.option", &["1"]),
];

/// Options of brokers that change nothing which other cases look at, likewise.
pub const BROKER_CONFIGS: &[(&str, &[&str])] = &[
    ("log.cleaner.threads", &["1", "0", "x"]),
    ("log.cleaner.backoff.ms", &["15000", "-1"]),
    ("background.threads", &["10", "0", "11"]),
    ("num.io.threads", &["8", "0", "9"]),
    ("max.connections.per.ip", &["2147483647", "-1"]),
    ("log.flush.interval.ms", &["100000", "0"]),
    ("log.segment.delete.delay.ms", &["60000", "-1"]),
    ("node.id", &["1", "2"]),
    ("process.roles", &["broker"]),
    ("no.such.option", &["1"]),
    ("log.retention.hours", &["1"]),
    ("log.retention.ms", &["604800000", "0", "-2"]),
];

pub fn config(random: &mut Random, from: &[(&str, &[&str])]) -> (String, String) {
    let index = random.below(from.len());
    let (name, values) = from.get(index).copied().unwrap_or(("retention.ms", &["-1"]));
    (name.to_owned(), random.pick(values).to_owned())
}
