//! Followers, leaders and what they owe each other.

use crate::option::declare::options;
use crate::option::valid::Valid::{Anything, AtLeast};

options! {
    /// Followers, leaders and what they owe each other.
    pub REPLICATION;

    "default.replication.factor": Int = "1", Anything, Medium ReadOnly,
        "Replicas of a topic that is created without saying how many.";
    "replica.lag.time.max.ms": Long = "30000", Anything, High ReadOnly,
        "Milliseconds without catching up after which a follower leaves the in-sync replicas.";
    "replica.fetch.max.bytes": Int = "1048576", AtLeast(0), Medium ReadOnly,
        "Bytes that a follower asks for per partition. A first batch that is larger is still returned whole.";
    "replica.fetch.response.max.bytes": Int = "10485760", AtLeast(0), Medium ReadOnly,
        "Bytes that a follower accepts in one answer. A first batch that is larger is still returned whole.";
    "replica.fetch.wait.max.ms": Int = "500", Anything, High ReadOnly,
        "Milliseconds that a follower's fetch may wait for data. Must not exceed `replica.lag.time.max.ms`.";
    "replica.fetch.min.bytes": Int = "1", Anything, High ReadOnly,
        "Bytes for which a follower's fetch waits.";
    "replica.fetch.backoff.ms": Int = "1000", AtLeast(0), Medium ReadOnly,
        "Milliseconds that a follower rests after a failed fetch.";
    "num.replica.fetchers": Int = "1", AtLeast(1), High ClusterWide,
        "Connections over which a follower copies from each leader's broker.";
    "num.replica.alter.log.dirs.threads": Int = null, Anything, High ReadOnly,
        "Threads that move replicas between the data directories of this broker. Unset means one per directory.";
    "replica.socket.timeout.ms": Int = "30000", Anything, High ReadOnly,
        "Milliseconds that a follower waits on the network. At least `replica.fetch.wait.max.ms`.";
    "replica.socket.receive.buffer.bytes": Int = "65536", Anything, High ReadOnly,
        "Size in bytes of a follower's receive buffer.";
    "replica.high.watermark.checkpoint.interval.ms": Long = "5000", Anything, High ReadOnly,
        "Milliseconds between two writes of the high watermarks to the disk.";
    "replica.selector.class": String = null, Anything, Medium ReadOnly,
        "How a replica to read from is chosen for a consumer. Kafka's rack-aware selector is recognised by its class name; unset means the leader.";
    "controller.socket.timeout.ms": Int = "30000", Anything, Medium ReadOnly,
        "Milliseconds that a controller's request to a broker may take.";
    "fetch.purgatory.purge.interval.requests": Int = "1000", Anything, Medium ReadOnly,
        "Finished waiting fetches to gather before they are cleared away in Kafka. Kept and reported; here they are freed at once.";
    "producer.purgatory.purge.interval.requests": Int = "1000", Anything, Medium ReadOnly,
        "Finished waiting produces to gather before they are cleared away in Kafka. Kept and reported; here they are freed at once.";
    "delete.records.purgatory.purge.interval.requests": Int = "1", Anything, Medium ReadOnly,
        "Finished waiting record deletions to gather before they are cleared away in Kafka. Kept and reported; here they are freed at once.";
    "share.fetch.purgatory.purge.interval.requests": Int = "1000", Anything, Medium ReadOnly,
        "Finished waiting share fetches to gather before they are cleared away in Kafka. Kept and reported; here they are freed at once.";
    "auto.leader.rebalance.enable": Boolean = "true", Anything, High ReadOnly,
        "Whether the controller moves leadership back to the preferred replica by itself.";
    "leader.imbalance.check.interval.seconds": Long = "300", AtLeast(1), High ReadOnly,
        "Seconds between two looks for leaders that are not the preferred replica.";
    "unclean.leader.election.enable": Boolean = "false", Anything, High ClusterWide,
        "Whether a replica that is missing acknowledged records may lead when no other is left. Records are lost then.";
    "unclean.leader.election.interval.ms": Long = "300000", AtLeast(1), Medium ReadOnly internal,
        "Milliseconds between two looks for leaderless partitions that an unclean election could help.";
    "follower.fetch.last.tiered.offset.enable": Boolean = "false", Anything, Medium ClusterWide,
        "Whether an empty follower starts copying behind what tiered storage already holds.";
}
