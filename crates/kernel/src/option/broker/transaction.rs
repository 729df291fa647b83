//! Transactions and producer ids.

use crate::option::declare::options;
use crate::option::valid::Valid::{Anything, AtLeast};

options! {
    /// Transactions and producer ids.
    pub TRANSACTION;

    "transaction.max.timeout.ms": Int = "900000", AtLeast(1), High ReadOnly,
        "Longest transaction timeout in milliseconds that a producer may ask for.";
    "transactional.id.expiration.ms": Int = "604800000", AtLeast(1), High ReadOnly,
        "Milliseconds without activity after which a transactional id is forgotten. An open transaction keeps it.";
    "transaction.state.log.num.partitions": Int = "50", AtLeast(1), High ReadOnly,
        "Partitions of the transaction state topic. Must not change after the first start.";
    "transaction.state.log.replication.factor": Short = "3", AtLeast(1), High ReadOnly,
        "Replicas of the transaction state topic. The topic is not created before that many brokers are there.";
    "transaction.state.log.min.isr": Int = "2", AtLeast(1), High ReadOnly,
        "Value of `min.insync.replicas` for the transaction state topic.";
    "transaction.state.log.segment.bytes": Int = "104857600", AtLeast(1), High ReadOnly,
        "Segment size in bytes of the transaction state topic. Small segments load and compact faster.";
    "transaction.state.log.load.buffer.size": Int = "5242880", AtLeast(1), High ReadOnly,
        "Bytes read at a time when a partition of the transaction state topic is loaded. A larger batch is still read.";
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": Int = "10000", AtLeast(1), Low ReadOnly,
        "Milliseconds between two searches for transactions that have run out of time.";
    "transaction.remove.expired.transaction.cleanup.interval.ms": Int = "3600000", AtLeast(1), Low ReadOnly,
        "Milliseconds between two searches for expired transactional ids.";
    "transaction.partition.verification.enable": Boolean = "true", Anything, Low ClusterWide,
        "Whether a transactional batch is accepted only after the coordinator confirmed that the partition belongs to the transaction.";
    "transaction.two.phase.commit.enable": Boolean = "false", Anything, Low ReadOnly,
        "Whether producers may leave the outcome of a transaction to an external coordinator.";
    "producer.id.expiration.ms": Int = "86400000", AtLeast(1), Low ClusterWide,
        "Milliseconds without a batch after which a partition forgets a producer id.";
    "producer.id.expiration.check.interval.ms": Int = "600000", AtLeast(1), Low ReadOnly internal,
        "Milliseconds between two searches for expired producer ids.";
    "add.partitions.to.txn.retry.backoff.ms": Int = "20", AtLeast(1), High ReadOnly,
        "Milliseconds between two tries of a broker to add a partition to a transaction.";
    "add.partitions.to.txn.retry.backoff.max.ms": Int = "100", AtLeast(0), High ReadOnly,
        "Milliseconds after which those tries end and the producer is answered.";
}
