//! Rates that can only be set while running, never in a file.

use crate::option::declare::options;
use crate::option::valid::Valid::AtLeast;

options! {
    /// Rates that can only be set while running, never in a file.
    pub THROTTLE;

    "leader.replication.throttled.rate": Long = "9223372036854775807", AtLeast(0), Medium ClusterWide,
        "Most bytes a second that leaders send for the replicas listed in `leader.replication.throttled.replicas`. Can only be set while running.";
    "follower.replication.throttled.rate": Long = "9223372036854775807", AtLeast(0), Medium ClusterWide,
        "Most bytes a second that followers fetch for the replicas listed in `follower.replication.throttled.replicas`. Can only be set while running.";
    "replica.alter.log.dirs.io.max.bytes.per.second": Long = "9223372036854775807", AtLeast(0), Medium ClusterWide,
        "Most bytes a second for moving replicas between data directories. Can only be set while running.";
}
