//! What the broker reports about itself and takes from clients.

use crate::option::declare::options;
use crate::option::valid::METRICS_LISTENER;
use crate::option::valid::Valid::{Anything, AtLeast, Entries, Rule};

options! {
    /// What the broker reports about itself and takes from clients.
    pub METRICS;

    "metrics.listener": String = "", Rule(&METRICS_LISTENER), Medium ReadOnly,
        "Where monitors read the metrics of `docs/metrics.md`, as host:port: `http://host:port/metrics` answers in the text format of OpenMetrics, without asking who is there. Empty means nowhere. Kafka has no such option.";
    "metrics.num.samples": Int = "2", AtLeast(1), Low ReadOnly,
        "Samples kept for each metric.";
    "metrics.sample.window.ms": Long = "30000", AtLeast(1), Low ReadOnly,
        "Milliseconds that one sample of a metric covers.";
    "metrics.recording.level": String = "INFO", Anything, Low ReadOnly,
        "How much is measured: `INFO`, `DEBUG` or `TRACE`.";
    "metric.reporters": List = "org.apache.kafka.common.metrics.JmxReporter", Entries { may_be_empty: true }, Low ClusterWide,
        "Java classes that publish metrics. Java classes are not loaded here; the value is kept and reported.";
    "kafka.metrics.reporters": List = "", Entries { may_be_empty: true }, Low ReadOnly,
        "Java classes that publish Kafka's older metrics. Java classes are not loaded here; the value is kept and reported.";
    "kafka.metrics.polling.interval.secs": Int = "10", AtLeast(1), Low ReadOnly,
        "Seconds between two readings of Kafka's older metrics.";
    "telemetry.max.bytes": Int = "1048576", AtLeast(1), Low ReadOnly,
        "Largest set of metrics in bytes, as compressed, that a client may push.";
}
