//! The controllers' quorum, the metadata log and broker registration.

use crate::option::declare::options;
use crate::option::valid;
use crate::option::valid::Valid::{Anything, AtLeast, Entries, Rule};

options! {
    /// The controllers' quorum, the metadata log and broker registration.
    pub QUORUM;

    "controller.listener.names": List = required, Entries { may_be_empty: false }, High ReadOnly,
        "Names of the listeners on which controllers talk. A broker that is no controller uses the first one to reach them.";
    "controller.quorum.voters": List = "", Rule(&valid::VOTERS), High ReadOnly,
        "The controllers as a fixed list of `id@host:port`. Leave it unset when the quorum is formed dynamically.";
    "controller.quorum.bootstrap.servers": List = "", Rule(&valid::BOOTSTRAP_SERVERS), High ReadOnly,
        "Addresses, as `host:port`, at which a node first asks for the controllers.";
    "controller.quorum.auto.join.enable": Boolean = "false", Anything, Low ReadOnly,
        "Whether a new controller asks by itself to become a voter.";
    "controller.quorum.election.timeout.ms": Int = "1000", AtLeast(0), High ReadOnly,
        "Milliseconds without word from a leader after which a voter stands for election.";
    "controller.quorum.election.backoff.max.ms": Int = "1000", AtLeast(0), High ReadOnly,
        "Upper bound in milliseconds of the random wait between two elections that nobody won.";
    "controller.quorum.fetch.timeout.ms": Int = "2000", AtLeast(0), High ReadOnly,
        "Milliseconds without a successful fetch after which a voter stands for election, and without fetches from a majority after which a leader resigns.";
    "controller.quorum.append.linger.ms": Int = "25", AtLeast(0), Medium ReadOnly,
        "Milliseconds that the active controller gathers records before it writes them.";
    "controller.quorum.request.timeout.ms": Int = "2000", AtLeast(0), Medium ReadOnly,
        "Milliseconds that a request within the quorum may take.";
    "controller.quorum.retry.backoff.ms": Int = "20", AtLeast(0), Low ReadOnly,
        "Milliseconds of rest, growing with each failure, before a request within the quorum is repeated.";
    "controller.quorum.fetch.max.bytes": Int = "1048576", AtLeast(1), Low ReadOnly,
        "Bytes of metadata log in one answer. A first batch that is larger is still returned whole.";
    "controller.quorum.fetch.snapshot.max.bytes": Int = "1048576", AtLeast(1), Low ReadOnly,
        "Bytes of a metadata snapshot in one answer.";
    "metadata.log.dir": String = null, Anything, High ReadOnly,
        "Directory of the metadata log. Unset means the first of `log.dirs`.";
    "metadata.log.segment.bytes": Int = "1073741824", AtLeast(8_388_608), High ReadOnly,
        "Size in bytes at which a segment of the metadata log is closed.";
    "metadata.log.segment.ms": Long = "604800000", Anything, High ReadOnly,
        "Milliseconds after which a segment of the metadata log is closed.";
    "internal.metadata.log.segment.bytes": Int = null, Anything, Low ReadOnly internal,
        "Segment size of the metadata log below the usual minimum. Meant for tests.";
    "internal.metadata.max.batch.size.in.bytes": Int = "8388608", Anything, Low ReadOnly internal,
        "Largest batch in bytes of the metadata log. Meant for tests.";
    "internal.metadata.delete.delay.millis": Long = "60000", Anything, Low ReadOnly internal,
        "Milliseconds between taking a metadata segment or snapshot out of use and deleting its file. Meant for tests.";
    "metadata.log.max.record.bytes.between.snapshots": Long = "20971520", AtLeast(1), High ReadOnly,
        "Bytes of new metadata records after which a snapshot is taken.";
    "metadata.log.max.snapshot.interval.ms": Long = "3600000", AtLeast(0), High ReadOnly,
        "Milliseconds after which a snapshot is taken if anything changed; 0 switches this off.";
    "metadata.max.retention.bytes": Long = "104857600", Anything, High ReadOnly,
        "Bytes of metadata log and snapshots that are kept. At least one snapshot always stays.";
    "metadata.max.retention.ms": Long = "604800000", Anything, High ReadOnly,
        "Milliseconds that old metadata log and snapshots are kept. At least one snapshot always stays.";
    "metadata.max.idle.interval.ms": Int = "500", AtLeast(0), Low ReadOnly,
        "Milliseconds after which the active controller writes a no-op record when nothing else happens; 0 switches this off.";
    "initial.broker.registration.timeout.ms": Int = "60000", Anything, Medium ReadOnly,
        "Milliseconds that a starting broker tries to register with the controllers before it gives up.";
    "broker.heartbeat.interval.ms": Int = "2000", Anything, Medium ReadOnly,
        "Milliseconds between two heartbeats of a broker to the controller.";
    "broker.session.timeout.ms": Int = "9000", Anything, Medium ReadOnly,
        "Milliseconds without a heartbeat after which a broker is fenced and its partitions get other leaders.";
    "controller.performance.sample.period.ms": Long = "60000", AtLeast(100), Medium ReadOnly internal,
        "Milliseconds between two log lines about how long controller events take.";
    "controller.performance.always.log.threshold.ms": Long = "2000", AtLeast(0), Medium ReadOnly internal,
        "Milliseconds from which a single slow controller event is logged.";
}
