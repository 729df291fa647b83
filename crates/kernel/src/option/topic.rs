//! Every setting a topic can have. What a topic does not set, the broker's twin decides.

use crate::option::declare::options;
use crate::option::valid;
use crate::option::valid::Valid::{Anything, AtLeast, Between, EntriesOf, OneOf, Rule, Share};

options! {
    /// Every setting a topic can have. What a topic does not set, the broker's twin decides.
    pub TOPIC;

    "cleanup.policy": List = "delete", EntriesOf { entries: &["compact", "delete"], may_be_empty: true }, Medium ClusterWide,
        "What happens to old data: `delete` by age and size, `compact` to the last record of each key, both, or nothing when empty.";
    "retention.ms": Long = "604800000", AtLeast(-1), Medium ClusterWide,
        "Milliseconds that records are kept; -1 keeps them for ever.";
    "retention.bytes": Long = "-1", Anything, Medium ClusterWide,
        "Bytes that a partition may reach before its oldest segments are deleted; -1 is no limit.";
    "segment.bytes": Int = "1073741824", AtLeast(1_048_576), Medium ClusterWide,
        "Size in bytes at which a segment file is closed and a new one begun.";
    "segment.ms": Long = "604800000", AtLeast(1), Medium ClusterWide,
        "Milliseconds after which a segment is closed even when it is not full.";
    "segment.jitter.ms": Long = "0", AtLeast(0), Medium ClusterWide,
        "Largest random number of milliseconds taken off the segment age, so that logs do not all roll together.";
    "segment.index.bytes": Int = "10485760", AtLeast(4), Medium ClusterWide,
        "Largest size in bytes of an index file. A segment whose index is full is closed.";
    "index.interval.bytes": Int = "4096", AtLeast(0), Medium ClusterWide,
        "Bytes of log between two entries of an index.";
    "max.message.bytes": Int = "1048588", AtLeast(0), Medium ClusterWide,
        "Largest record batch in bytes, after compression, that is accepted.";
    "max.decompressed.message.bytes": Int = "2147483639", Between(1, 2_147_483_639), Medium ClusterWide,
        "Largest number of bytes that a compressed batch may grow to when it is opened.";
    "compression.type": String = "producer", OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), Medium ClusterWide,
        "How batches are stored: a codec, `uncompressed`, or `producer` to keep what the producer chose.";
    "compression.gzip.level": Int = "-1", Rule(&valid::GZIP_LEVEL), Medium ClusterWide,
        "Level used when batches are recompressed with gzip; -1 is the codec's default.";
    "compression.lz4.level": Int = "9", Between(1, 17), Medium ClusterWide,
        "Level used when batches are recompressed with lz4.";
    "compression.zstd.level": Int = "3", Between(-131_072, 22), Medium ClusterWide,
        "Level used when batches are recompressed with zstd.";
    "message.timestamp.type": String = "CreateTime", OneOf(&["CreateTime", "LogAppendTime"]), Medium ClusterWide,
        "Whose time a record carries: the producer's (`CreateTime`) or the broker's at append (`LogAppendTime`).";
    "message.timestamp.before.max.ms": Long = "9223372036854775807", AtLeast(0), Medium ClusterWide,
        "Milliseconds that a producer's timestamp may lie in the past.";
    "message.timestamp.after.max.ms": Long = "3600000", AtLeast(0), Medium ClusterWide,
        "Milliseconds that a producer's timestamp may lie in the future.";
    "min.insync.replicas": Int = "1", AtLeast(1), Medium ClusterWide,
        "Replicas that must have a record before a producer with acks=all is answered.";
    "unclean.leader.election.enable": Boolean = "false", Anything, Medium ClusterWide,
        "Whether a replica that is missing acknowledged records may lead when no other is left. Records are lost then.";
    "flush.messages": Long = "9223372036854775807", AtLeast(1), Medium ClusterWide,
        "Records after which the log is forced to the disk.";
    "flush.ms": Long = "9223372036854775807", AtLeast(0), Medium ClusterWide,
        "Milliseconds after which the log is forced to the disk.";
    "write.caching": Boolean = "false", Anything, Medium ClusterWide,
        "Whether a record is acknowledged once it is written, as Kafka does, and not only when it would survive a power cut. `flush.messages` and `flush.ms` then say when it is made durable.";
    "preallocate": Boolean = "false", Anything, Medium ClusterWide,
        "Whether a new segment takes its full size on the disk at once.";
    "file.delete.delay.ms": Long = "60000", AtLeast(0), Medium ClusterWide,
        "Milliseconds between taking a segment out of the log and deleting its file.";
    "min.cleanable.dirty.ratio": Double = "0.5", Share(0.0, 1.0), Medium ClusterWide,
        "Share of the log that must be uncompacted before it is worth compacting.";
    "delete.retention.ms": Long = "86400000", AtLeast(0), Medium ClusterWide,
        "Milliseconds that a deletion marker stays in a compacted log, so that slow readers see it.";
    "min.compaction.lag.ms": Long = "0", AtLeast(0), Medium ClusterWide,
        "Milliseconds that a record is safe from compaction.";
    "max.compaction.lag.ms": Long = "9223372036854775807", AtLeast(1), Medium ClusterWide,
        "Milliseconds after which a record must have become due for compaction.";
    "leader.replication.throttled.replicas": List = "", Rule(&valid::THROTTLED_REPLICAS), Medium ClusterWide,
        "Replicas whose traffic is throttled on the leader, as `partition:broker` pairs; `*` means all.";
    "follower.replication.throttled.replicas": List = "", Rule(&valid::THROTTLED_REPLICAS), Medium ClusterWide,
        "Replicas whose traffic is throttled on the follower, as `partition:broker` pairs; `*` means all.";
    "remote.storage.enable": Boolean = "false", Anything, Medium ClusterWide,
        "Whether older segments of this topic go to tiered storage.";
    "local.retention.ms": Long = "-2", AtLeast(-2), Medium ClusterWide,
        "Milliseconds that a copied segment stays on the local disk; -2 means as long as `retention.ms`.";
    "local.retention.bytes": Long = "-2", AtLeast(-2), Medium ClusterWide,
        "Bytes of a tiered partition that stay on the local disk; -2 means as much as `retention.bytes`.";
    "remote.copy.lag.ms": Long = "0", AtLeast(-1), Medium ClusterWide,
        "Milliseconds that a closed segment waits before it is copied; -1 means the local retention time.";
    "remote.copy.lag.bytes": Long = "-1", AtLeast(-1), Medium ClusterWide,
        "Newer bytes that a closed segment waits for before it is copied; -1 means the local retention size.";
    "remote.log.copy.disable": Boolean = "false", Anything, Medium ClusterWide,
        "Whether copying to tiered storage is stopped, which leaves what is there readable.";
    "remote.log.delete.on.disable": Boolean = "false", Anything, Medium ClusterWide,
        "Whether switching tiered storage off for this topic deletes its remote data.";
    "errors.deadletterqueue.group.enable": Boolean = "false", Anything, Medium ClusterWide,
        "Whether share groups may use this topic for their dead letters.";
    "internal.segment.bytes": Int = null, Anything, Medium ClusterWide internal,
        "Segment size below the usual minimum. Meant for tests.";
}
