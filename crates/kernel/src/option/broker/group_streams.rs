//! Streams groups (KIP-1071).

use crate::option::declare::options;
use crate::option::valid::Valid::{Anything, AtLeast, Entries};

options! {
    /// Streams groups (KIP-1071).
    pub GROUP_STREAMS;

    "group.streams.session.timeout.ms": Int = "45000", AtLeast(1), Medium ReadOnly,
        "Milliseconds without a heartbeat after which a member of a streams group is removed.";
    "group.streams.min.session.timeout.ms": Int = "45000", AtLeast(1), Medium ReadOnly,
        "Smallest session timeout in milliseconds that a streams group may be given.";
    "group.streams.max.session.timeout.ms": Int = "60000", AtLeast(1), Medium ReadOnly,
        "Largest session timeout in milliseconds that a streams group may be given.";
    "group.streams.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium ReadOnly,
        "Milliseconds between heartbeats that members of a streams group are told to keep.";
    "group.streams.min.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium ReadOnly,
        "Smallest heartbeat interval in milliseconds that a streams group may be given.";
    "group.streams.max.heartbeat.interval.ms": Int = "15000", AtLeast(1), Medium ReadOnly,
        "Largest heartbeat interval in milliseconds that a streams group may be given.";
    "group.streams.max.size": Int = "2147483647", AtLeast(1), Medium ReadOnly,
        "Most members of a streams group.";
    "group.streams.assignors": List = "sticky", Entries { may_be_empty: false }, Medium ReadOnly,
        "Task assignors that run on the broker. The first one is the default.";
    "group.streams.assignment.interval.ms": Int = "1000", AtLeast(0), Medium ClusterWide,
        "Shortest time in milliseconds between two assignments of a streams group.";
    "group.streams.min.assignment.interval.ms": Int = "0", AtLeast(0), Medium ReadOnly,
        "Smallest assignment interval in milliseconds that a streams group may be given.";
    "group.streams.max.assignment.interval.ms": Int = "15000", AtLeast(0), Medium ReadOnly,
        "Largest assignment interval in milliseconds that a streams group may be given.";
    "group.streams.assignor.offload.enable": Boolean = "true", Anything, Medium ClusterWide internal,
        "Whether assignments of streams groups are computed on a background thread.";
    "group.streams.initial.rebalance.delay.ms": Int = "3000", AtLeast(0), Medium ReadOnly,
        "Milliseconds that the first assignment of an empty streams group waits for more members.";
    "group.streams.num.standby.replicas": Int = "0", AtLeast(0), Medium ReadOnly,
        "Standby copies kept of each stateful task.";
    "group.streams.max.standby.replicas": Int = "2", AtLeast(0), Medium ReadOnly,
        "Most standby copies that a streams group may be given.";
    "group.streams.num.warmup.replicas": Int = "2", AtLeast(0), Medium ReadOnly internal,
        "Extra copies that may warm up at the same time before a task moves.";
    "group.streams.max.warmup.replicas": Int = "20", AtLeast(0), Medium ReadOnly internal,
        "Most warm-up copies that a streams group may be given.";
    "group.streams.acceptable.recovery.lag": Long = "10000", AtLeast(0), Medium ReadOnly internal,
        "Offsets that a copy may be behind and still count as caught up.";
    "group.streams.task.offset.interval.ms": Int = "60000", AtLeast(1), Medium ReadOnly internal,
        "Milliseconds between two reports of task offsets that members are told to keep.";
    "group.streams.min.task.offset.interval.ms": Int = "15000", AtLeast(1), Medium ReadOnly internal,
        "Smallest interval of task offset reports in milliseconds that a streams group may be given.";
    "group.streams.rack.aware.assignment.tags": List = "", Entries { may_be_empty: true }, Low ReadOnly,
        "Client tags over whose values standby copies are spread.";
    "group.streams.topology.description.plugin.class": Class = null, Anything, Medium ReadOnly,
        "Java class that stores the topologies that streams clients describe. Java classes are not loaded here; the value is kept and reported.";
}
