//! Share groups and the state they keep.

use crate::option::declare::options;
use crate::option::valid::Valid::{Anything, AtLeast, Between, Entries};

options! {
    /// Share groups and the state they keep.
    pub GROUP_SHARE;

    "group.share.session.timeout.ms": Int = "45000", AtLeast(1), Medium ReadOnly,
        "Milliseconds without a heartbeat after which a member of a share group is removed.";
    "group.share.min.session.timeout.ms": Int = "45000", AtLeast(1), Medium ReadOnly,
        "Smallest session timeout in milliseconds that a share group may be given.";
    "group.share.max.session.timeout.ms": Int = "60000", AtLeast(1), Medium ReadOnly,
        "Largest session timeout in milliseconds that a share group may be given.";
    "group.share.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium ReadOnly,
        "Milliseconds between heartbeats that members of a share group are told to keep.";
    "group.share.min.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium ReadOnly,
        "Smallest heartbeat interval in milliseconds that a share group may be given.";
    "group.share.max.heartbeat.interval.ms": Int = "15000", AtLeast(1), Medium ReadOnly,
        "Largest heartbeat interval in milliseconds that a share group may be given.";
    "group.share.max.size": Int = "200", Between(1, 1_000), Medium ReadOnly,
        "Most members of a share group.";
    "group.share.assignors": List = "simple", Entries { may_be_empty: false }, Medium ReadOnly,
        "Assignor of share groups. Kafka has one, `simple`.";
    "group.share.assignment.interval.ms": Int = "1000", AtLeast(0), Medium ClusterWide,
        "Shortest time in milliseconds between two assignments of a share group.";
    "group.share.min.assignment.interval.ms": Int = "0", AtLeast(0), Medium ReadOnly,
        "Smallest assignment interval in milliseconds that a share group may be given.";
    "group.share.max.assignment.interval.ms": Int = "15000", AtLeast(0), Medium ReadOnly,
        "Largest assignment interval in milliseconds that a share group may be given.";
    "group.share.assignor.offload.enable": Boolean = "true", Anything, Medium ClusterWide internal,
        "Whether assignments of share groups are computed on a background thread.";
    "group.share.delivery.count.limit": Int = "5", Between(2, 10), Medium ReadOnly,
        "Times that a record is handed out before it counts as undeliverable.";
    "group.share.min.delivery.count.limit": Int = "2", Between(2, 5), Medium ReadOnly,
        "Smallest delivery limit that a share group may be given.";
    "group.share.max.delivery.count.limit": Int = "10", Between(5, 25), Medium ReadOnly,
        "Largest delivery limit that a share group may be given.";
    "group.share.record.lock.duration.ms": Int = "30000", Between(1_000, 3_600_000), Medium ReadOnly,
        "Milliseconds that a consumer has to acknowledge a record before another may get it.";
    "group.share.min.record.lock.duration.ms": Int = "15000", Between(1_000, 30_000), Medium ReadOnly,
        "Smallest lock duration in milliseconds that a share group may be given.";
    "group.share.max.record.lock.duration.ms": Int = "60000", Between(30_000, 3_600_000), Medium ReadOnly,
        "Largest lock duration in milliseconds that a share group may be given.";
    "group.share.partition.max.record.locks": Int = "2000", Between(100, 10_000), Medium ReadOnly,
        "Records of one partition that may be out for acknowledgement in one share group.";
    "group.share.min.partition.max.record.locks": Int = "100", Between(100, 2_000), Medium ReadOnly,
        "Smallest limit of locked records that a share group may be given.";
    "group.share.max.partition.max.record.locks": Int = "4000", Between(2_000, 10_000), Medium ReadOnly,
        "Largest limit of locked records that a share group may be given.";
    "group.share.max.share.sessions": Int = "2000", AtLeast(1), Medium ReadOnly,
        "Share fetch sessions that a broker remembers at the same time.";
    "group.share.initialize.retry.interval.ms": Int = "30000", AtLeast(1), Low ReadOnly internal,
        "Milliseconds after which a share partition that did not finish its initialisation is tried again.";
    "group.share.persister.class.name": String = "org.apache.kafka.server.share.persister.DefaultStatePersister", Anything, Medium ReadOnly internal,
        "Java class that keeps the state of share groups. Java classes are not loaded here; the value is kept and reported.";
    "group.share.dlq.manager.class.name": String = "org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager", Anything, Medium ReadOnly internal,
        "Java class that writes dead letters of share groups. Java classes are not loaded here; the value is kept and reported.";
    "share.coordinator.state.topic.num.partitions": Int = "50", AtLeast(1), High ReadOnly,
        "Partitions of the share state topic. Must not change after the first start.";
    "share.coordinator.state.topic.replication.factor": Short = "3", AtLeast(1), High ReadOnly,
        "Replicas of the share state topic. The topic is not created before that many brokers are there.";
    "share.coordinator.state.topic.min.isr": Short = "2", AtLeast(1), High ReadOnly,
        "Value of `min.insync.replicas` for the share state topic.";
    "share.coordinator.state.topic.segment.bytes": Int = "104857600", AtLeast(1), High ReadOnly,
        "Segment size in bytes of the share state topic.";
    "share.coordinator.state.topic.compression.codec": Int = "0", Anything, High ReadOnly,
        "Codec of the share state topic by number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.";
    "share.coordinator.state.topic.prune.interval.ms": Int = "300000", AtLeast(1), Low ReadOnly internal,
        "Milliseconds between two deletions of superseded records in the share state topic.";
    "share.coordinator.snapshot.update.records.per.snapshot": Int = "500", Between(0, 500), Medium ReadOnly,
        "Updates of a share partition's state that are written between two snapshots of it.";
    "share.coordinator.cold.partition.snapshot.interval.ms": Int = "300000", AtLeast(1), Low ReadOnly internal,
        "Milliseconds after which a share partition without updates is written out as a snapshot.";
    "share.coordinator.threads": Int = "1", AtLeast(1), Medium ReadOnly,
        "Threads that serve the share coordinator.";
    "share.coordinator.load.buffer.size": Int = "5242880", AtLeast(1), High ReadOnly,
        "Bytes read at a time when a partition of the share state topic is loaded. A larger batch is still read.";
    "share.coordinator.write.timeout.ms": Int = "5000", AtLeast(1), High ReadOnly,
        "Milliseconds that a write may wait for the replicas of the share state topic.";
    "share.coordinator.append.linger.ms": Int = "-1", AtLeast(-1), Medium ReadOnly,
        "Milliseconds that a share coordinator gathers writes before they go to the log. -1 adapts to the load.";
    "share.coordinator.cached.buffer.max.bytes": Int = "1048588", AtLeast(524_288), Medium ClusterWide,
        "Largest write buffer in bytes that a share coordinator keeps for reuse.";
}
