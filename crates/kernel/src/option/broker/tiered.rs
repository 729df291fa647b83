//! Tiered storage: older segments outside the broker.

use crate::option::declare::options;
use crate::option::valid::Valid::{Anything, AtLeast, NotEmpty, Share};

options! {
    /// Tiered storage: older segments outside the broker.
    pub TIERED;

    "remote.log.storage.system.enable": Boolean = "false", Anything, Medium ReadOnly,
        "Whether tiered storage is on in this broker.";
    "remote.log.storage.manager.class.name": String = null, NotEmpty, Medium ReadOnly,
        "Implementation that stores segments remotely.";
    "remote.log.storage.manager.class.path": String = null, Anything, Medium ReadOnly,
        "Where Kafka finds that implementation. Java classes are not loaded here; the value is kept and reported.";
    "remote.log.storage.manager.impl.prefix": String = "rsm.config.", NotEmpty, Medium ReadOnly,
        "Prefix of the settings that are handed to the remote storage.";
    "remote.log.metadata.manager.class.name": String = "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager", NotEmpty, Medium ReadOnly,
        "Implementation that keeps track of remote segments.";
    "remote.log.metadata.manager.class.path": String = null, Anything, Medium ReadOnly,
        "Where Kafka finds that implementation. Java classes are not loaded here; the value is kept and reported.";
    "remote.log.metadata.manager.impl.prefix": String = "rlmm.config.", NotEmpty, Medium ReadOnly,
        "Prefix of the settings that are handed to the keeper of remote metadata.";
    "remote.log.metadata.manager.listener.name": String = null, NotEmpty, Medium ReadOnly,
        "Listener of this broker over which remote metadata is read and written.";
    "remote.log.metadata.custom.metadata.max.bytes": Int = "128", AtLeast(0), Low ReadOnly,
        "Bytes that a remote storage may attach to a segment. A copy that attaches more fails.";
    "remote.log.index.file.cache.total.size.bytes": Long = "1073741824", AtLeast(1), Low ClusterWide,
        "Bytes of the local disk for copies of remote indexes.";
    "remote.log.index.file.cache.ttl.ms": Long = "900000", AtLeast(-1), Low ReadOnly internal,
        "Milliseconds after its last use that a cached index is dropped; -1 keeps it.";
    "remote.log.manager.thread.pool.size": Int = "2", AtLeast(1), Medium ReadOnly,
        "Threads for tiered storage tasks that have no pool of their own.";
    "remote.log.manager.copier.thread.pool.size": Int = "10", AtLeast(1), Medium ClusterWide,
        "Threads that copy segments to remote storage.";
    "remote.log.manager.expiration.thread.pool.size": Int = "10", AtLeast(1), Medium ClusterWide,
        "Threads that delete remote segments that have outlived their retention.";
    "remote.log.manager.follower.thread.pool.size": Int = "2", AtLeast(1), Medium ClusterWide,
        "Threads that keep followers informed about remote segments.";
    "remote.log.manager.task.interval.ms": Long = "30000", AtLeast(1), Low ReadOnly,
        "Milliseconds between two runs of the copy and expiration tasks.";
    "remote.log.manager.task.retry.backoff.ms": Long = "500", AtLeast(1), Low ReadOnly internal,
        "Milliseconds of rest after a first failed task.";
    "remote.log.manager.task.retry.backoff.max.ms": Long = "30000", AtLeast(1), Low ReadOnly internal,
        "Upper bound in milliseconds of the growing rest after failed tasks.";
    "remote.log.manager.task.retry.jitter": Double = "0.2", Share(0.0, 0.5), Low ReadOnly internal,
        "Random share by which the rest after failed tasks varies.";
    "remote.log.reader.threads": Int = "10", AtLeast(1), Medium ClusterWide,
        "Threads that read from remote storage.";
    "remote.log.reader.max.pending.tasks": Int = "100", AtLeast(1), Medium ReadOnly,
        "Remote reads that may wait. Beyond it fetches are refused.";
    "remote.log.manager.copy.max.bytes.per.second": Long = "9223372036854775807", AtLeast(1), Medium ClusterWide,
        "Most bytes a second copied to remote storage.";
    "remote.log.manager.copy.quota.window.num": Int = "11", AtLeast(1), Medium ReadOnly,
        "Samples of the copy quota kept in memory.";
    "remote.log.manager.copy.quota.window.size.seconds": Int = "1", AtLeast(1), Medium ReadOnly,
        "Seconds that one sample of the copy quota covers.";
    "remote.log.manager.fetch.max.bytes.per.second": Long = "9223372036854775807", AtLeast(1), Medium ClusterWide,
        "Most bytes a second read from remote storage.";
    "remote.log.manager.fetch.quota.window.num": Int = "11", AtLeast(1), Medium ReadOnly,
        "Samples of the fetch quota kept in memory.";
    "remote.log.manager.fetch.quota.window.size.seconds": Int = "1", AtLeast(1), Medium ReadOnly,
        "Seconds that one sample of the fetch quota covers.";
    "remote.fetch.max.wait.ms": Int = "500", AtLeast(1), Medium ClusterWide,
        "Milliseconds that a fetch may wait for remote storage.";
    "remote.list.offsets.request.timeout.ms": Long = "30000", AtLeast(1), Medium ClusterWide,
        "Milliseconds that a search for an offset in remote storage may take.";
    "log.local.retention.ms": Long = "-2", AtLeast(-2), Medium ClusterWide,
        "Milliseconds that a copied segment stays on the local disk; -2 means as long as `log.retention.ms`.";
    "log.local.retention.bytes": Long = "-2", AtLeast(-2), Medium ClusterWide,
        "Bytes of a tiered partition that stay on the local disk; -2 means as much as `log.retention.bytes`.";
    "log.remote.copy.lag.ms": Long = "0", AtLeast(-1), Medium ClusterWide,
        "Milliseconds that a closed segment waits before it is copied; -1 means the local retention time.";
    "log.remote.copy.lag.bytes": Long = "-1", AtLeast(-1), Medium ClusterWide,
        "Newer bytes that a closed segment waits for before it is copied; -1 means the local retention size.";
}
