//! Topics and their logs: creation, segments, flushing and retention.

use crate::option::declare::options;
use crate::option::valid;
use crate::option::valid::Valid::{Anything, AtLeast, Between, Entries, EntriesOf, OneOf, Rule};

options! {
    /// Topics and their logs: creation, segments, flushing and retention.
    pub LOG;

    "log.dir": List = "/tmp/kafka-logs", Entries { may_be_empty: false }, High ReadOnly,
        "Data directory, used when `log.dirs` is not set.";
    "log.dirs": List = null, Entries { may_be_empty: false }, High ReadOnly,
        "Data directories, separated by commas. Partitions are spread over them.";
    "cordoned.log.dirs": List = "", Entries { may_be_empty: true }, Medium PerBroker,
        "Data directories that receive no new partitions; `*` means all of them.";
    "num.partitions": Int = "1", AtLeast(1), Medium ReadOnly,
        "Partitions of a topic that is created without saying how many.";
    "auto.create.topics.enable": Boolean = "true", Anything, High ReadOnly,
        "Whether a topic is created when a client asks for one that does not exist.";
    "message.max.bytes": Int = "1048588", AtLeast(0), High ClusterWide,
        "Largest record batch in bytes, after compression, that is accepted for a topic without a setting of its own.";
    "max.decompressed.message.bytes": Int = "2147483639", Between(1, 2_147_483_639), Medium ClusterWide,
        "Largest number of bytes that a compressed batch may grow to when it is opened.";
    "compression.type": String = "producer", OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), High ClusterWide,
        "How batches are stored: a codec, `uncompressed`, or `producer` to keep what the producer chose.";
    "compression.gzip.level": Int = "-1", Rule(&valid::GZIP_LEVEL), Medium ClusterWide,
        "Level used when batches are recompressed with gzip; -1 is the codec's default.";
    "compression.lz4.level": Int = "9", Between(1, 17), Medium ClusterWide,
        "Level used when batches are recompressed with lz4.";
    "compression.zstd.level": Int = "3", Between(-131_072, 22), Medium ClusterWide,
        "Level used when batches are recompressed with zstd.";
    "log.segment.bytes": Int = "1073741824", AtLeast(1_048_576), High ClusterWide,
        "Size in bytes at which a log's segment file is closed and a new one begun.";
    "log.roll.ms": Long = null, Anything, High ClusterWide,
        "Milliseconds after which a segment is closed even when it is not full. Goes before `log.roll.hours`.";
    "log.roll.hours": Int = "168", AtLeast(1), High ReadOnly,
        "Hours after which a segment is closed even when it is not full.";
    "log.roll.jitter.ms": Long = null, Anything, High ClusterWide,
        "Largest random number of milliseconds taken off the segment age, so that logs do not all roll together. Goes before `log.roll.jitter.hours`.";
    "log.roll.jitter.hours": Int = "0", AtLeast(0), High ReadOnly,
        "Largest random number of hours taken off the segment age.";
    "log.index.size.max.bytes": Int = "10485760", AtLeast(4), Medium ClusterWide,
        "Largest size in bytes of an index file. A segment whose index is full is closed.";
    "log.index.interval.bytes": Int = "4096", AtLeast(0), Medium ClusterWide,
        "Bytes of log between two entries of an index. Smaller is more exact and takes more space.";
    "log.preallocate": Boolean = "false", Anything, Medium ClusterWide,
        "Whether a new segment takes its full size on the disk at once.";
    "log.segment.delete.delay.ms": Long = "60000", AtLeast(0), High ClusterWide,
        "Milliseconds between taking a segment out of a log and deleting its file.";
    "log.flush.interval.messages": Long = "9223372036854775807", AtLeast(1), High ClusterWide,
        "Records after which a log is forced to the disk.";
    "log.flush.interval.ms": Long = null, Anything, High ClusterWide,
        "Milliseconds after which a log is forced to the disk. Unset means `log.flush.scheduler.interval.ms`.";
    "log.flush.scheduler.interval.ms": Long = "9223372036854775807", Anything, High ReadOnly,
        "Milliseconds between two looks for logs that are due to be forced to the disk.";
    "log.flush.offset.checkpoint.interval.ms": Int = "60000", AtLeast(0), High ReadOnly,
        "Milliseconds between two writes of the recovery points, from which logs are checked after a crash.";
    "log.flush.start.offset.checkpoint.interval.ms": Int = "60000", AtLeast(0), High ReadOnly,
        "Milliseconds between two writes of the log start offsets.";
    "log.retention.ms": Long = null, Anything, High ClusterWide,
        "Milliseconds that records are kept; -1 keeps them for ever. Goes before the minutes and the hours.";
    "log.retention.minutes": Int = null, Anything, High ReadOnly,
        "Minutes that records are kept. Goes before the hours.";
    "log.retention.hours": Int = "168", Anything, High ReadOnly,
        "Hours that records are kept.";
    "log.retention.bytes": Long = "-1", Anything, High ClusterWide,
        "Bytes that a partition may reach before its oldest segments are deleted; -1 is no limit.";
    "log.retention.check.interval.ms": Long = "300000", AtLeast(1), Medium ReadOnly,
        "Milliseconds between two searches for segments that have outlived their retention.";
    "log.cleanup.policy": List = "delete", EntriesOf { entries: &["compact", "delete"], may_be_empty: true }, Medium ClusterWide,
        "What happens to old data: `delete` by age and size, `compact` to the last record of each key, both, or nothing when empty.";
    "log.message.timestamp.type": String = "CreateTime", OneOf(&["CreateTime", "LogAppendTime"]), Medium ClusterWide,
        "Whose time a record carries: the producer's (`CreateTime`) or the broker's at append (`LogAppendTime`).";
    "log.message.timestamp.before.max.ms": Long = "9223372036854775807", AtLeast(0), Medium ClusterWide,
        "Milliseconds that a producer's timestamp may lie in the past.";
    "log.message.timestamp.after.max.ms": Long = "3600000", AtLeast(0), Medium ClusterWide,
        "Milliseconds that a producer's timestamp may lie in the future.";
    "min.insync.replicas": Int = "1", AtLeast(1), High ClusterWide,
        "Replicas that must have a record before a producer with acks=all is answered.";
    "num.recovery.threads.per.data.dir": Int = "2", AtLeast(1), High ClusterWide,
        "Threads per data directory that check logs at start and flush them at stop.";
    "log.dir.failure.timeout.ms": Long = "30000", AtLeast(1), Low ReadOnly,
        "Milliseconds that a broker goes on when it cannot tell the controller of a failed directory, before it stops.";
    "log.initial.task.delay.ms": Long = "30000", AtLeast(0), Low ReadOnly internal,
        "Milliseconds from the start to the first run of retention, flush and checkpoint tasks.";
}
