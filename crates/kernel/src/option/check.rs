//! How settings must fit together.

use super::{OptionError, Resolved, synonym};

/// Every contradiction between settings that are fine by themselves.
pub(super) fn conflicts(all: &Resolved) -> Vec<OptionError> {
    let mut found = Conflicts { all, found: Vec::new() };
    found.of_logs();
    found.of_groups();
    found.of_connections();
    found.found.extend(cordoned(all));
    found.found
}

struct Conflicts<'a> {
    all: &'a Resolved,
    found: Vec<OptionError>,
}

impl Conflicts<'_> {
    fn require(&mut self, holds: bool, name: &str, reason: impl Into<String>) {
        if !holds {
            self.found.push(OptionError::conflict(name, reason));
        }
    }

    fn number(&self, name: &str) -> i64 {
        self.all.number(name)
    }

    fn of_logs(&mut self) {
        let id = self.all.value("broker.id").as_i64().filter(|_| self.all.is_set("broker.id"));
        let same = id.is_none_or(|id| id == self.number("node.id"));
        self.require(
            same,
            "broker.id",
            "broker.id and node.id must be the same number; broker.id can be left out",
        );
        for (name, min) in [("log.roll.ms", 1), ("log.roll.jitter.ms", 0)] {
            let value = self.all.value(name).as_i64();
            self.require(
                value.is_none_or(|value| value >= min),
                name,
                format!("{name} must be at least {min}"),
            );
        }
        let retention =
            synonym::twins_of_topic("retention.ms").and_then(|twin| self.all.first_number(twin.broker));
        let kept = retention.is_none_or(|ms| ms != 0);
        self.require(kept, "log.retention.ms", "log.retention.ms must be -1 for no limit, or at least 1");
        let each = self.number("log.cleaner.dedupe.buffer.size") / self.number("log.cleaner.threads").max(1);
        self.require(
            each > 1024 * 1024,
            "log.cleaner.dedupe.buffer.size",
            "log.cleaner.dedupe.buffer.size must be more than 1 MiB for each of log.cleaner.threads",
        );
    }

    fn of_groups(&mut self) {
        for (bigger, smaller) in ORDERED {
            let (high, low) = (self.number(bigger), self.number(smaller));
            self.require(
                high >= low,
                bigger,
                format!("{bigger} ({high}) must not be less than {smaller} ({low})"),
            );
        }
        for kind in ["consumer", "share", "streams"] {
            let session = format!("group.{kind}.session.timeout.ms");
            let heartbeat = format!("group.{kind}.heartbeat.interval.ms");
            let later = self.number(&session) > self.number(&heartbeat);
            self.require(later, &session, format!("{session} must be greater than {heartbeat}"));
        }
        let one = self.all.list("group.share.assignors").len() == 1;
        self.require(one, "group.share.assignors", "group.share.assignors must name exactly one assignor");
        let protocols = "group.coordinator.rebalance.protocols";
        let classic = self.all.list(protocols).iter().any(|one| one == "classic");
        self.require(classic, protocols, format!("{protocols} must contain classic"));
    }

    fn of_connections(&mut self) {
        let memory = "queued.max.request.bytes";
        let queued = self.number(memory);
        let enough = queued <= 0 || queued >= self.number("socket.request.max.bytes");
        let reason = format!("{memory} must not be less than socket.request.max.bytes");
        self.require(enough || !self.all.is_set(memory), memory, reason);

        let excepted = self.all.text("max.connections.per.ip.overrides").is_some_and(|text| !text.is_empty());
        self.require(
            self.number("max.connections.per.ip") != 0 || excepted,
            "max.connections.per.ip",
            "max.connections.per.ip can be 0 only when max.connections.per.ip.overrides is set",
        );
        let delay = "connection.failed.authentication.delay.ms";
        let idle = self.number("connections.max.idle.ms");
        let answered = idle < 0 || self.number(delay) < idle;
        self.require(answered, delay, format!("{delay} must be less than connections.max.idle.ms"));

        let both = self.all.is_set("inter.broker.listener.name")
            && self.all.is_set("security.inter.broker.protocol");
        self.require(
            !both,
            "security.inter.broker.protocol",
            "only one of inter.broker.listener.name and security.inter.broker.protocol may be set",
        );
    }
}

/// The first must not be less than the second.
const ORDERED: &[(&str, &str)] = &[
    ("replica.socket.timeout.ms", "replica.fetch.wait.max.ms"),
    ("replica.lag.time.max.ms", "replica.fetch.wait.max.ms"),
    ("group.max.session.timeout.ms", "group.min.session.timeout.ms"),
    ("group.consumer.max.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms"),
    ("group.consumer.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms"),
    ("group.consumer.max.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms"),
    ("group.consumer.max.session.timeout.ms", "group.consumer.min.session.timeout.ms"),
    ("group.consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms"),
    ("group.consumer.max.session.timeout.ms", "group.consumer.session.timeout.ms"),
    ("group.consumer.max.assignment.interval.ms", "group.consumer.min.assignment.interval.ms"),
    ("group.consumer.assignment.interval.ms", "group.consumer.min.assignment.interval.ms"),
    ("group.consumer.max.assignment.interval.ms", "group.consumer.assignment.interval.ms"),
    ("group.share.max.heartbeat.interval.ms", "group.share.min.heartbeat.interval.ms"),
    ("group.share.heartbeat.interval.ms", "group.share.min.heartbeat.interval.ms"),
    ("group.share.max.heartbeat.interval.ms", "group.share.heartbeat.interval.ms"),
    ("group.share.max.session.timeout.ms", "group.share.min.session.timeout.ms"),
    ("group.share.session.timeout.ms", "group.share.min.session.timeout.ms"),
    ("group.share.max.session.timeout.ms", "group.share.session.timeout.ms"),
    ("group.share.max.assignment.interval.ms", "group.share.min.assignment.interval.ms"),
    ("group.share.assignment.interval.ms", "group.share.min.assignment.interval.ms"),
    ("group.share.max.assignment.interval.ms", "group.share.assignment.interval.ms"),
    ("group.share.max.record.lock.duration.ms", "group.share.min.record.lock.duration.ms"),
    ("group.share.record.lock.duration.ms", "group.share.min.record.lock.duration.ms"),
    ("group.share.max.record.lock.duration.ms", "group.share.record.lock.duration.ms"),
    ("group.share.max.delivery.count.limit", "group.share.min.delivery.count.limit"),
    ("group.share.delivery.count.limit", "group.share.min.delivery.count.limit"),
    ("group.share.max.delivery.count.limit", "group.share.delivery.count.limit"),
    ("group.share.max.partition.max.record.locks", "group.share.min.partition.max.record.locks"),
    ("group.share.partition.max.record.locks", "group.share.min.partition.max.record.locks"),
    ("group.share.max.partition.max.record.locks", "group.share.partition.max.record.locks"),
    ("group.streams.max.heartbeat.interval.ms", "group.streams.min.heartbeat.interval.ms"),
    ("group.streams.heartbeat.interval.ms", "group.streams.min.heartbeat.interval.ms"),
    ("group.streams.max.heartbeat.interval.ms", "group.streams.heartbeat.interval.ms"),
    ("group.streams.max.session.timeout.ms", "group.streams.min.session.timeout.ms"),
    ("group.streams.session.timeout.ms", "group.streams.min.session.timeout.ms"),
    ("group.streams.max.session.timeout.ms", "group.streams.session.timeout.ms"),
    ("group.streams.max.assignment.interval.ms", "group.streams.min.assignment.interval.ms"),
    ("group.streams.assignment.interval.ms", "group.streams.min.assignment.interval.ms"),
    ("group.streams.max.assignment.interval.ms", "group.streams.assignment.interval.ms"),
    ("group.streams.max.standby.replicas", "group.streams.num.standby.replicas"),
    ("group.streams.max.warmup.replicas", "group.streams.num.warmup.replicas"),
    ("group.streams.task.offset.interval.ms", "group.streams.min.task.offset.interval.ms"),
];

fn cordoned(all: &Resolved) -> Option<OptionError> {
    let cordoned = all.list("cordoned.log.dirs");
    if cordoned.iter().any(|dir| dir == "*") {
        let alone = cordoned.len() == 1;
        let reason = "cordoned.log.dirs must have no other entry beside *";
        return (!alone).then(|| OptionError::conflict("cordoned.log.dirs", reason));
    }
    let dirs = super::broker_config::log_dirs(all);
    let unknown = cordoned.iter().find(|dir| !dirs.contains(dir))?;
    let reason = format!("cordoned.log.dirs names {unknown}, which is not one of log.dirs");
    Some(OptionError::conflict("cordoned.log.dirs", reason))
}
