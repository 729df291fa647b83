//! Consumer groups of the newer protocol (KIP-848).

use crate::option::declare::options;
use crate::option::valid::Valid::{Anything, AtLeast, Entries, OneOfAnyCase};

options! {
    /// Consumer groups of the newer protocol (KIP-848).
    pub GROUP_CONSUMER;

    "group.consumer.session.timeout.ms": Int = "45000", AtLeast(1), Medium ReadOnly,
        "Milliseconds without a heartbeat after which a member of a consumer group is removed.";
    "group.consumer.min.session.timeout.ms": Int = "45000", AtLeast(1), Medium ReadOnly,
        "Smallest session timeout in milliseconds that a consumer group may be given.";
    "group.consumer.max.session.timeout.ms": Int = "60000", AtLeast(1), Medium ReadOnly,
        "Largest session timeout in milliseconds that a consumer group may be given.";
    "group.consumer.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium ReadOnly,
        "Milliseconds between heartbeats that members of a consumer group are told to keep.";
    "group.consumer.min.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium ReadOnly,
        "Smallest heartbeat interval in milliseconds that a consumer group may be given.";
    "group.consumer.max.heartbeat.interval.ms": Int = "15000", AtLeast(1), Medium ReadOnly,
        "Largest heartbeat interval in milliseconds that a consumer group may be given.";
    "group.consumer.max.size": Int = "2147483647", AtLeast(1), Medium ReadOnly,
        "Most members of a consumer group.";
    "group.consumer.assignors": List = "uniform,range", Entries { may_be_empty: false }, Medium ReadOnly,
        "Assignors that run on the broker, by name. The first one is the default.";
    "group.consumer.migration.policy": String = "bidirectional", OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]), Medium ReadOnly,
        "Which way a group may change between the classic and the consumer protocol while it has members.";
    "group.consumer.assignment.interval.ms": Int = "1000", AtLeast(0), Medium ClusterWide,
        "Shortest time in milliseconds between two assignments of a consumer group.";
    "group.consumer.min.assignment.interval.ms": Int = "0", AtLeast(0), Medium ReadOnly,
        "Smallest assignment interval in milliseconds that a consumer group may be given.";
    "group.consumer.max.assignment.interval.ms": Int = "15000", AtLeast(0), Medium ReadOnly,
        "Largest assignment interval in milliseconds that a consumer group may be given.";
    "group.consumer.assignor.offload.enable": Boolean = "true", Anything, Medium ClusterWide internal,
        "Whether assignments of consumer groups are computed on a background thread.";
    "group.consumer.regex.refresh.interval.ms": Int = "600000", AtLeast(10_000), Medium ReadOnly internal,
        "Milliseconds between two evaluations of a subscription by regular expression.";
}
