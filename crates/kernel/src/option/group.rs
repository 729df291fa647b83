//! Every setting a group can have. What a group does not set, the broker's twin decides.

use crate::option::declare::options;
use crate::option::valid;
use crate::option::valid::Valid::{Anything, AtLeast, Entries, OneOf, Rule};

options! {
    /// Every setting a group can have. What a group does not set, the broker's twin decides.
    pub GROUP;

    "consumer.session.timeout.ms": Int = "45000", AtLeast(1), Medium ClusterWide,
        "Milliseconds without a heartbeat after which a member of this consumer group is removed.";
    "consumer.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium ClusterWide,
        "Milliseconds between heartbeats that members of this consumer group are told to keep.";
    "consumer.assignment.interval.ms": Int = "1000", AtLeast(0), Medium ClusterWide,
        "Shortest time in milliseconds between two assignments of this consumer group.";
    "consumer.assignor.offload.enable": Boolean = "true", Anything, Medium ClusterWide internal,
        "Whether assignments of this consumer group are computed on a background thread.";
    "share.session.timeout.ms": Int = "45000", AtLeast(1), Medium ClusterWide,
        "Milliseconds without a heartbeat after which a member of this share group is removed.";
    "share.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium ClusterWide,
        "Milliseconds between heartbeats that members of this share group are told to keep.";
    "share.assignment.interval.ms": Int = "1000", AtLeast(0), Medium ClusterWide,
        "Shortest time in milliseconds between two assignments of this share group.";
    "share.assignor.offload.enable": Boolean = "true", Anything, Medium ClusterWide internal,
        "Whether assignments of this share group are computed on a background thread.";
    "share.record.lock.duration.ms": Int = "30000", AtLeast(1_000), Medium ClusterWide,
        "Milliseconds that a consumer has to acknowledge a record before another may get it.";
    "share.delivery.count.limit": Int = "5", AtLeast(2), Medium ClusterWide,
        "Times that a record is handed out before it counts as undeliverable.";
    "share.partition.max.record.locks": Int = "2000", AtLeast(100), Medium ClusterWide,
        "Records of one partition that may be out for acknowledgement in this group.";
    "share.auto.offset.reset": String = "latest", Rule(&valid::AUTO_OFFSET_RESET), Medium ClusterWide,
        "Where a new share group starts: `latest`, `earliest`, or `by_duration:` and an ISO 8601 duration back.";
    "share.isolation.level": String = "read_uncommitted", OneOf(&["read_committed", "read_uncommitted"]), Medium ClusterWide,
        "Whether this share group sees records of open and aborted transactions.";
    "share.renew.acknowledge.enable": Boolean = "true", Anything, Medium ClusterWide,
        "Whether a consumer may prolong its lock on a record.";
    "streams.session.timeout.ms": Int = "45000", AtLeast(1), Medium ClusterWide,
        "Milliseconds without a heartbeat after which a member of this streams group is removed.";
    "streams.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium ClusterWide,
        "Milliseconds between heartbeats that members of this streams group are told to keep.";
    "streams.assignment.interval.ms": Int = "1000", AtLeast(0), Medium ClusterWide,
        "Shortest time in milliseconds between two assignments of this streams group.";
    "streams.assignor.offload.enable": Boolean = "true", Anything, Medium ClusterWide internal,
        "Whether assignments of this streams group are computed on a background thread.";
    "streams.assignor.name": String = null, Anything, Medium ClusterWide,
        "Task assignor of this streams group. Unset means the broker's first one.";
    "streams.initial.rebalance.delay.ms": Int = "3000", AtLeast(0), Medium ClusterWide,
        "Milliseconds that the first assignment of this group, when empty, waits for more members.";
    "streams.num.standby.replicas": Int = "0", AtLeast(0), Medium ClusterWide,
        "Standby copies kept of each stateful task.";
    "streams.num.warmup.replicas": Int = "2", AtLeast(0), Medium ClusterWide internal,
        "Extra copies that may warm up at the same time before a task moves.";
    "streams.acceptable.recovery.lag": Long = "10000", AtLeast(0), Medium ClusterWide internal,
        "Offsets that a copy may be behind and still count as caught up.";
    "streams.task.offset.interval.ms": Int = "60000", AtLeast(1), Medium ClusterWide internal,
        "Milliseconds between two reports of task offsets that members are told to keep.";
    "streams.rack.aware.assignment.tags": List = "", Entries { may_be_empty: true }, Low ClusterWide,
        "Client tags over whose values standby copies are spread.";
    "errors.deadletterqueue.topic.name": String = "", Anything, Medium ClusterWide,
        "Topic for records of this share group that could not be delivered. Empty switches dead letters off.";
    "errors.deadletterqueue.copy.record.enable": Boolean = "false", Anything, Medium ClusterWide,
        "Whether a dead letter carries the original record besides its position.";
}
