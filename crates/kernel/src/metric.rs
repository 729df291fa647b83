//! Every metric of a node, declared once: what is counted or measured, in which unit, and by which labels.
//!
//! The exposition that monitors read and `docs/metrics.md` derive from [`AREAS`]; a value is given for a declaration, and
//! for as many labels as that has. Names follow the conventions of Prometheus: ours begin with `riverrun_`, units are base
//! units and stand at the end, and what only grows ends in `_total`.

/// What values of a metric do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Grows, and begins at zero with the process.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// What is counted or measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things, whose name is that of the metric.
    Count,
    Bytes,
    Seconds,
    /// A share, from 0 to 1.
    Ratio,
}

impl Unit {
    /// How the names of metrics with this unit end; nothing for counts.
    pub const fn suffix(self) -> Option<&'static str> {
        match self {
            Self::Count => None,
            Self::Bytes => Some("bytes"),
            Self::Seconds => Some("seconds"),
            Self::Ratio => Some("ratio"),
        }
    }
}

/// One metric, declared once.
#[derive(Clone, Copy, Debug)]
pub struct MetricDef {
    /// As monitors see it.
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

impl MetricDef {
    /// The name without what the kind and the unit put behind it.
    pub fn stem(&self) -> &'static str {
        let family = match self.kind {
            Kind::Counter => self.name.strip_suffix("_total").unwrap_or(self.name),
            Kind::Gauge => self.name,
        };
        let unit = self.unit.suffix().and_then(|unit| family.strip_suffix(unit)?.strip_suffix('_'));
        unit.unwrap_or(family)
    }
}

/// A metric whose values have so many labels.
#[derive(Debug)]
pub struct Metric<const LABELS: usize> {
    pub def: MetricDef,
}

/// Every metric, in the order in which the documentation shows them.
pub fn all() -> impl Iterator<Item = &'static MetricDef> {
    AREAS.iter().flat_map(|(_, metrics)| metrics.iter().copied())
}

/// Declares metrics by area, one row each: `NAME: Kind Unit "name" ["label", …], "help.";`
macro_rules! metrics {
    ($($area:literal: $($id:ident: $kind:ident $unit:ident $name:literal [$($label:literal),*], $help:literal;)*)*) => {
        $($(
            #[doc = $help]
            pub static $id: Metric<{ <[&str]>::len(&[$($label),*]) }> = Metric {
                def: MetricDef {
                    name: $name,
                    kind: Kind::$kind,
                    unit: Unit::$unit,
                    labels: &[$($label),*],
                    help: $help,
                },
            };
        )*)*

        /// The metrics by area, each with its heading.
        pub static AREAS: &[(&str, &[&MetricDef])] = &[$(($area, &[$(&$id.def),*])),*];
    };
}

metrics! {
    "Node":
    NODE_INFO: Gauge Count "riverrun_node_info" ["version", "cluster_id", "node_id"],
        "Always 1. The labels say which release runs, and as which node of which cluster.";
    PARTITIONS: Gauge Count "riverrun_partitions" [],
        "Partitions whose logs this node has.";
    PARTITIONS_LED: Gauge Count "riverrun_partitions_led" [],
        "Partitions that this node leads.";
    PARTITIONS_UNDER_REPLICATED: Gauge Count "riverrun_partitions_under_replicated" [],
        "Partitions led by this node of which some replica is not in sync.";
    PARTITIONS_OFFLINE: Gauge Count "riverrun_partitions_offline" [],
        "Partitions of the cluster that nobody leads, as this node's metadata has it.";
    OPEN_LOGS: Gauge Count "riverrun_open_logs" [],
        "Logs that may have files open now.";
    OPEN_LOGS_BOUND: Gauge Count "riverrun_open_logs_bound" [],
        "Logs that may have files open at a time. Beyond it the one that was not used for longest closes its files.";
    GROUPS: Gauge Count "riverrun_groups" ["state"],
        "Groups that this node coordinates, by their state.";

    "Memory":
    MEMORY_BOUND: Gauge Bytes "riverrun_memory_bound_bytes" ["part"],
        "What a part of the memory budget may hold at most. The start prints the same figures.";
    MEMORY_HELD: Gauge Bytes "riverrun_memory_held_bytes" ["part"],
        "What a part of the memory budget holds now.";

    "Clients":
    CONNECTIONS: Gauge Count "riverrun_connections" [],
        "Connections of clients that are open now.";
    CONNECTIONS_ACCEPTED: Counter Count "riverrun_connections_accepted_total" [],
        "Connections that were let in.";
    CONNECTIONS_REFUSED: Counter Count "riverrun_connections_refused_total" [],
        "Connections that were closed at once, because max.connections, max.connections.per.ip, or the number of files that may be open was reached.";
    RECEIVED: Counter Bytes "riverrun_received_bytes_total" [],
        "Bytes that clients sent.";
    SENT: Counter Bytes "riverrun_sent_bytes_total" [],
        "Bytes that clients were sent.";
    REQUESTS: Counter Count "riverrun_requests_total" ["api"],
        "Requests that were begun, by their API.";
    REQUESTS_REFUSED: Counter Count "riverrun_requests_refused_total" [],
        "Requests that ended their connection instead of being answered: malformed, or of an API or version not served.";
    FETCH_SESSIONS: Gauge Count "riverrun_fetch_sessions" [],
        "Incremental fetch sessions that are kept.";
    FETCH_SESSIONS_BOUND: Gauge Count "riverrun_fetch_sessions_bound" [],
        "Incremental fetch sessions that may be kept (max.incremental.fetch.session.cache.slots).";

    "Log directories":
    DIR_ONLINE: Gauge Count "riverrun_log_directory_online" ["log_dir"],
        "1 while the log directory takes records, 0 once it is offline.";
    DIR_CORDONED: Gauge Count "riverrun_log_directory_cordoned" ["log_dir"],
        "1 if the log directory gets no new partitions (cordoned.log.dirs).";
    DIR_PARTITIONS: Gauge Count "riverrun_log_directory_partitions" ["log_dir"],
        "Partitions whose logs are in the log directory.";
    DIR_ARRIVING: Gauge Count "riverrun_log_directory_arriving_partitions" ["log_dir"],
        "Partitions that are on their way into the log directory from another one.";
    DIR_LOGS: Gauge Bytes "riverrun_log_directory_logs_bytes" ["log_dir"],
        "Bytes of records in the logs of the log directory.";
    DIR_FREE: Gauge Bytes "riverrun_log_directory_free_bytes" ["log_dir"],
        "Bytes that can still be written to the file system of the log directory.";
    DIR_CAPACITY: Gauge Bytes "riverrun_log_directory_capacity_bytes" ["log_dir"],
        "Size of the file system of the log directory.";

    "Journal":
    JOURNAL_BLOCKS: Counter Count "riverrun_journal_blocks_total" ["log_dir"],
        "Blocks of the journal that were made durable, each with one write.";
    JOURNAL_WRITTEN: Counter Bytes "riverrun_journal_written_bytes_total" ["log_dir"],
        "Bytes of the journal that were made durable.";
    JOURNAL_USED: Gauge Bytes "riverrun_journal_used_bytes" ["log_dir"],
        "Bytes of the journal whose records are not all durable in their segments yet.";
    JOURNAL_BOUND: Gauge Bytes "riverrun_journal_bound_bytes" ["log_dir"],
        "Bytes that the journal may use (log.journal.bytes).";
    SEGMENT_SYNCS: Counter Count "riverrun_segment_syncs_total" ["log_dir"],
        "How often the segments of a partition were made durable, for large batches or to free a part of the journal.";

    "Compaction":
    CLEANER_RUNNING: Gauge Count "riverrun_cleaner_running_logs" ["log_dir"],
        "Logs that are being cleaned now.";
    CLEANER_DUE: Gauge Count "riverrun_cleaner_due_logs" ["log_dir"],
        "Logs that were due for cleaning when the cleaner looked last.";
    CLEANER_UNCLEANABLE: Gauge Count "riverrun_cleaner_uncleanable_partitions" ["log_dir"],
        "Partitions whose logs could not be cleaned and are left alone until the node starts again.";
    CLEANER_MAX_DIRTY: Gauge Ratio "riverrun_cleaner_max_dirty_ratio" ["log_dir"],
        "The share of the dirtiest log that was not compared yet when the cleaner looked last.";
    CLEANER_CLEANINGS: Counter Count "riverrun_cleaner_cleanings_total" ["log_dir"],
        "How often a log was cleaned to the end.";
    CLEANER_READ: Counter Bytes "riverrun_cleaner_read_bytes_total" ["log_dir"],
        "Bytes that cleanings read, those under way and those given up included.";
    CLEANER_WRITTEN: Counter Bytes "riverrun_cleaner_written_bytes_total" ["log_dir"],
        "Bytes that cleanings wrote, those under way and those given up included.";
    CLEANER_LAST_END: Gauge Seconds "riverrun_cleaner_last_end_timestamp_seconds" ["log_dir"],
        "When the last cleaning ended, in seconds since 1970. Not there before the first has.";
    CLEANER_RUN_DONE: Gauge Bytes "riverrun_cleaner_run_done_bytes" ["log_dir", "topic", "partition"],
        "What a cleaning under way has read so far. There is one row for each log that is being cleaned.";
    CLEANER_RUN_PLANNED: Gauge Bytes "riverrun_cleaner_run_planned_bytes" ["log_dir", "topic", "partition"],
        "What a cleaning under way will have read in the end. It gets less where the keys need more than one round.";
    CLEANER_LOOK_AGE: Gauge Seconds "riverrun_cleaner_last_look_age_seconds" [],
        "How long ago the cleaner looked for logs that are due. Not there before it first did.";
    CLEANER_MAX_DELAY: Gauge Seconds "riverrun_cleaner_max_delay_seconds" [],
        "By how much max.compaction.lag.ms was exceeded at worst when the cleaner looked last.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn is_snake(text: &str) -> bool {
        let letters =
            text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        letters && text.starts_with(|first: char| first.is_ascii_lowercase()) && !text.contains("__")
    }

    #[test]
    fn names_are_what_monitors_expect_of_their_kind_and_unit() {
        let mut names = BTreeSet::new();
        for def in all() {
            let MetricDef { name, kind, unit, labels, help } = *def;
            assert!(names.insert(name), "{name} is declared twice");
            assert!(name.starts_with("riverrun_") && is_snake(name), "{name}");
            assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
            let family = name.strip_suffix("_total").unwrap_or(name);
            for one in [Unit::Bytes, Unit::Seconds, Unit::Ratio] {
                let suffix = one.suffix().map(|suffix| format!("_{suffix}")).expect("it has one");
                assert_eq!(family.ends_with(&suffix), one == unit, "{name} and {suffix}");
            }
            for foreign in ["_ms", "_millis", "_percent", "_mib", "_count"] {
                assert!(!family.ends_with(foreign), "{name} is in no base unit");
            }
            assert!(help.ends_with('.') && help.len() > 15, "{name}: {help}");
            assert!(labels.iter().all(|label| is_snake(label)), "{name}: {labels:?}");
            assert_eq!(labels.iter().collect::<BTreeSet<_>>().len(), labels.len(), "{name}: {labels:?}");
        }
        assert!(names.len() > 30);
    }

    #[test]
    fn a_stem_is_the_name_without_kind_and_unit() {
        assert_eq!(JOURNAL_WRITTEN.def.stem(), "riverrun_journal_written");
        assert_eq!(CLEANER_MAX_DIRTY.def.stem(), "riverrun_cleaner_max_dirty");
        assert_eq!(REQUESTS.def.stem(), "riverrun_requests");
        assert_eq!(CONNECTIONS.def.stem(), "riverrun_connections");
    }
}
