//! Durability: when a record counts as acknowledged. Options that Kafka does not have.

use crate::option::declare::options;
use crate::option::valid::Valid::{Anything, AtLeast, Between};

options! {
    /// Durability: when a record counts as acknowledged. Options that Kafka does not have.
    pub DURABILITY;

    "log.write.caching": Boolean = "false", Anything, High ClusterWide,
        "Whether records are acknowledged once they are written, as Kafka does, and not only when they would survive a power cut. Topics have their own say with `write.caching`.";
    "log.journal.batch.max.bytes": Int = "262144", Between(0, 1_048_576), Low ReadOnly,
        "Size in bytes of the largest batch that goes through the journal, at most what fits into one of its blocks of 1 MiB. What is larger is made durable by a sync of its segment.";
    "log.journal.bytes": Long = "134217728", AtLeast(4_194_304), Medium ReadOnly,
        "Bytes that the journal takes in each log directory. A larger one lets segments be synced less often, and is read after a crash.";
    "log.shutdown.single.syncs.max": Int = "128", AtLeast(0), Low ReadOnly,
        "Logs of one directory that a stop makes durable each for itself. Where more have something to sync, one sync of the whole file system costs less.";
}
