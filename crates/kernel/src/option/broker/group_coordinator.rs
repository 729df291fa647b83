//! Groups in general, classic groups and committed offsets.

use crate::option::declare::options;
use crate::option::valid::Valid::{Anything, AtLeast, EntriesOf};

options! {
    /// Groups in general, classic groups and committed offsets.
    pub GROUP_COORDINATOR;

    "group.min.session.timeout.ms": Int = "6000", Anything, Medium ReadOnly,
        "Shortest session timeout in milliseconds that a member of a classic group may ask for.";
    "group.max.session.timeout.ms": Int = "1800000", Anything, Medium ReadOnly,
        "Longest session timeout in milliseconds that a member of a classic group may ask for.";
    "group.initial.rebalance.delay.ms": Int = "3000", Anything, Medium ReadOnly,
        "Milliseconds that the first rebalance of an empty classic group waits for more members.";
    "group.max.size": Int = "2147483647", AtLeast(1), Medium ReadOnly,
        "Most members of a classic group.";
    "group.coordinator.rebalance.protocols": List = "classic,consumer,streams", EntriesOf { entries: &["consumer", "classic", "share", "streams"], may_be_empty: false }, Medium ReadOnly,
        "Group protocols that are on. Deprecated: feature levels decide from Kafka 5.0 on.";
    "group.coordinator.threads": Int = "4", AtLeast(1), High ReadOnly,
        "Threads that serve groups.";
    "group.coordinator.background.threads": Int = "2", AtLeast(1), High ReadOnly,
        "Threads for a coordinator's longer computations, such as assignments.";
    "group.coordinator.append.linger.ms": Int = "-1", AtLeast(-1), Medium ReadOnly,
        "Milliseconds that a coordinator gathers writes before they go to the log. -1 adapts to the load.";
    "group.coordinator.cached.buffer.max.bytes": Int = "1048588", AtLeast(524_288), Medium ClusterWide,
        "Largest write buffer in bytes that a group coordinator keeps for reuse.";
    "offset.metadata.max.bytes": Int = "4096", Anything, High ReadOnly,
        "Largest note in bytes that a client may attach to a committed offset.";
    "offsets.load.buffer.size": Int = "5242880", AtLeast(1), High ReadOnly,
        "Bytes read at a time when a partition of the offsets topic is loaded. A larger batch is still read.";
    "offsets.topic.replication.factor": Short = "3", AtLeast(1), High ReadOnly,
        "Replicas of the offsets topic. The topic is not created before that many brokers are there.";
    "offsets.topic.num.partitions": Int = "50", AtLeast(1), High ReadOnly,
        "Partitions of the offsets topic. Must not change after the first start.";
    "offsets.topic.segment.bytes": Int = "104857600", AtLeast(1), High ReadOnly,
        "Segment size in bytes of the offsets topic. Small segments load and compact faster.";
    "offsets.topic.compression.codec": Int = "0", Anything, High ReadOnly,
        "Codec of the offsets topic by number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.";
    "offsets.retention.minutes": Int = "10080", AtLeast(1), High ReadOnly,
        "Minutes that offsets are kept after their group became empty, or after the last commit of a consumer without a group.";
    "offsets.retention.check.interval.ms": Long = "600000", AtLeast(1), High ReadOnly,
        "Milliseconds between two searches for expired offsets.";
    "offsets.commit.timeout.ms": Int = "5000", AtLeast(1), High ReadOnly,
        "Milliseconds that a commit may wait for the replicas of the offsets topic.";
}
