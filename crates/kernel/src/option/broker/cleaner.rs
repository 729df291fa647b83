//! Compaction: keeping the last record of each key.

use crate::option::declare::options;
use crate::option::valid::Valid::{Anything, AtLeast, Share};

options! {
    /// Compaction: keeping the last record of each key.
    pub CLEANER;

    "log.cleaner.enable": Boolean = "true", Anything, Medium ReadOnly,
        "Whether compaction runs. Kafka runs it always and has deprecated the switch.";
    "log.cleaner.threads": Int = "1", AtLeast(0), Medium ClusterWide,
        "Threads that compact logs.";
    "log.cleaner.io.max.bytes.per.second": Double = "1.7976931348623157E308", Anything, Medium ClusterWide,
        "Most bytes a second that compaction reads and writes together.";
    "log.cleaner.dedupe.buffer.size": Long = "134217728", Anything, Medium ClusterWide,
        "Bytes of memory, over all threads, for the table of keys that compaction builds.";
    "log.cleaner.io.buffer.size": Int = "524288", AtLeast(0), Medium ClusterWide,
        "Bytes of memory, over all threads, for reading and writing during compaction.";
    "log.cleaner.io.buffer.load.factor": Double = "0.9", Anything, Medium ClusterWide,
        "Share of the key table that may be filled. More allows larger runs and causes more collisions.";
    "log.cleaner.backoff.ms": Long = "15000", AtLeast(0), Medium ClusterWide,
        "Milliseconds to rest when no log needs compaction.";
    "log.cleaner.min.cleanable.ratio": Double = "0.5", Share(0.0, 1.0), Medium ClusterWide,
        "Share of a log that must be uncompacted before it is worth compacting.";
    "log.cleaner.delete.retention.ms": Long = "86400000", AtLeast(0), Medium ClusterWide,
        "Milliseconds that a deletion marker stays in a compacted log, so that slow readers see it.";
    "log.cleaner.min.compaction.lag.ms": Long = "0", AtLeast(0), Medium ClusterWide,
        "Milliseconds that a record is safe from compaction.";
    "log.cleaner.max.compaction.lag.ms": Long = "9223372036854775807", AtLeast(1), Medium ClusterWide,
        "Milliseconds after which a record must have become due for compaction.";
}
