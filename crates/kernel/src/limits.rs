//! Our own bounds, each declared once with its reason. What Kafka lets people configure is in [`crate::option`].

use std::time::Duration;

/// A properties file is read whole. Kafka's own is under 10 KB; four MiB leaves room for certificates in it.
pub const MAX_PROPERTIES_BYTES: usize = 4 * MIB;

/// Kafka's bound for one configuration value, which its metadata records carry as a short string.
pub const MAX_CONFIG_VALUE_BYTES: usize = i16::MAX as usize;

/// Requests that are received and not yet answered may hold this much together, over all connections. It must
/// hold one request of the largest size that Kafka accepts by default, and stay well below 256 MiB, the memory
/// that hostile clients may cost.
pub const REQUEST_MEMORY_BYTES: usize = 128 * MIB;

/// Small requests under way and answers that wait to be sent may hold this much together, over all connections, before
/// nobody's next request is begun; from half of it on, no next request of a connection that holds some of it. Beyond it a
/// connection holds what is small enough not to be counted, and what was begun.
pub const ANSWER_MEMORY_BYTES: usize = 64 * MIB;

/// What a connection may hold of these without being counted: a few hundred connections of one client each are no burden.
pub const UNCOUNTED_BYTES: usize = 64 << 10;

/// What compressed batches may become at the same time while they are judged. One of the largest size fits.
pub const DECOMPRESSION_MEMORY_BYTES: usize = 128 * MIB;

/// What one compressed batch may become. As much as the largest request may carry uncompressed.
pub const MAX_DECOMPRESSED_BATCH_BYTES: usize = 100 * MIB;

/// Kafka's default for the largest request.
pub const DEFAULT_REQUEST_MAX_BYTES: usize = 100 * MIB;

/// Entries of one array in a message, as everywhere on the wire.
pub const MAX_ARRAY_ENTRIES: usize = 1_000_000;

/// Tagged fields of one structure in a message. Kafka has fewer than ten.
pub const MAX_TAGGED_FIELDS: usize = 10_000;

/// Length of a topic name. Kafka's bound: with `-`, a partition number and a suffix it is a file name.
pub const MAX_TOPIC_NAME_BYTES: usize = 249;

/// Partitions of one topic that a single request may create. Kafka's controller refuses more as well.
pub const MAX_PARTITIONS_PER_REQUEST: usize = 10_000;

/// Topics that are being created because a client named them. What is named beyond that stays unknown, and is asked for
/// again. One request's worth, as the controller counts.
pub const MAX_TOPICS_IN_CREATION: usize = MAX_PARTITIONS_PER_REQUEST;

/// Logs that may have files open at a time, where the machine permits more. Who is used less often than three thousand others
/// pays for opening a file.
pub const MAX_OPEN_LOGS: usize = 3_000;

/// Files that a log in use has open: its active segment with two indexes.
pub const FILES_PER_LOG: usize = 3;

/// Files that a node has open besides those of logs and connections: its journals, its metadata, what is written anew, the
/// standard ones.
pub const OTHER_FILES: usize = 64;

/// Connections to the metrics at a time. Monitors are few, and each needs one for a moment; who comes when all are taken waits
/// to be accepted.
pub const MAX_METRICS_CONNECTIONS: usize = 16;

/// The head of a request for the metrics. Monitors send a few hundred bytes.
pub const MAX_METRICS_REQUEST_BYTES: usize = 8 << 10;

/// How long a connection to the metrics may take, from its beginning until it has its answer. A monitor gives up after ten
/// seconds by default.
pub const MAX_METRICS_EXCHANGE: Duration = Duration::from_secs(10);

const MIB: usize = 1024 * 1024;

const _: () =
    assert!(REQUEST_MEMORY_BYTES >= DEFAULT_REQUEST_MAX_BYTES, "the largest request must fit the memory");
const _: () = assert!(REQUEST_MEMORY_BYTES < 256 * MIB, "hostile clients may cost less than 256 MiB");
const _: () =
    assert!(MAX_DECOMPRESSED_BATCH_BYTES <= REQUEST_MEMORY_BYTES, "a batch is opened within that memory");
const _: () =
    assert!(MAX_DECOMPRESSED_BATCH_BYTES <= DECOMPRESSION_MEMORY_BYTES, "the largest batch must fit");
const _: () = assert!(MAX_TOPIC_NAME_BYTES < 255, "a topic name must fit a file name");
