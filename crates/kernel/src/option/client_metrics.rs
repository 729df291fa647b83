//! Subscriptions to the metrics that clients push.

use crate::option::declare::options;
use crate::option::valid;
use crate::option::valid::Valid::{Anything, Entries, Rule};

options! {
    /// Subscriptions to the metrics that clients push.
    pub CLIENT_METRICS;

    "metrics": List = "", Entries { may_be_empty: true }, Medium ClusterWide,
        "Prefixes of the metric names that matching clients push; `*` means all. Empty means none.";
    "interval.ms": Int = "300000", Anything, Medium ClusterWide,
        "Milliseconds between two pushes of a client, from 100 to 3600000 (an hour).";
    "match": List = "", Rule(&valid::CLIENT_MATCH), Medium ClusterWide,
        "Selectors `name=regex` that a client must all match: client_instance_id, client_id, client_software_name, client_software_version, client_source_address, client_source_port.";
}
