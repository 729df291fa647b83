//! How settings must fit together.

use super::{OptionError, Resolved, synonym};

/// Every contradiction between settings that are fine by themselves.
pub(super) fn conflicts(all: &Resolved) -> Vec<OptionError> {
    let mut found = Vec::new();
    let mut require = |holds: bool, name: &str, reason: String| {
        if !holds {
            found.push(OptionError::conflict(name, reason));
        }
    };
    let number = |name: &str| all.number(name);

    let broker_id = all.value("broker.id").as_i64().filter(|_| all.is_set("broker.id"));
    require(
        broker_id.is_none_or(|id| id == number("node.id")),
        "broker.id",
        "broker.id and node.id must be the same number; broker.id can be left out".to_owned(),
    );
    for (name, min) in [("log.roll.ms", 1), ("log.roll.jitter.ms", 0)] {
        let value = all.value(name).as_i64();
        require(value.is_none_or(|value| value >= min), name, format!("{name} must be at least {min}"));
    }
    let retention = synonym::twins_of_topic("retention.ms").and_then(|twin| all.first_number(twin.broker));
    require(
        retention.is_none_or(|ms| ms != 0),
        "log.retention.ms",
        "log.retention.ms must be -1 for no limit, or at least 1".to_owned(),
    );
    let cleaners = number("log.cleaner.threads").max(1);
    require(
        number("log.cleaner.dedupe.buffer.size") / cleaners > 1024 * 1024,
        "log.cleaner.dedupe.buffer.size",
        "log.cleaner.dedupe.buffer.size must be at least 1 MiB for each of log.cleaner.threads".to_owned(),
    );
    for (bigger, smaller) in ORDERED {
        let (high, low) = (number(bigger), number(smaller));
        require(high >= low, bigger, format!("{bigger} ({high}) must not be less than {smaller} ({low})"));
    }
    for kind in ["consumer", "share", "streams"] {
        let (session, heartbeat) =
            (format!("group.{kind}.session.timeout.ms"), format!("group.{kind}.heartbeat.interval.ms"));
        require(
            number(&session) > number(&heartbeat),
            &session,
            format!("{session} must be greater than {heartbeat}"),
        );
    }
    require(
        all.list("group.share.assignors").len() == 1,
        "group.share.assignors",
        "group.share.assignors must name exactly one assignor".to_owned(),
    );
    require(
        all.list("group.coordinator.rebalance.protocols").iter().any(|one| one == "classic"),
        "group.coordinator.rebalance.protocols",
        "group.coordinator.rebalance.protocols must contain classic".to_owned(),
    );
    let queued = number("queued.max.request.bytes");
    require(
        queued <= 0
            || !all.is_set("queued.max.request.bytes")
            || queued >= number("socket.request.max.bytes"),
        "queued.max.request.bytes",
        "queued.max.request.bytes must not be less than socket.request.max.bytes".to_owned(),
    );
    require(
        number("max.connections.per.ip") != 0
            || all.text("max.connections.per.ip.overrides").is_some_and(|o| !o.is_empty()),
        "max.connections.per.ip",
        "max.connections.per.ip can be 0 only when max.connections.per.ip.overrides is set".to_owned(),
    );
    let idle = number("connections.max.idle.ms");
    require(
        idle < 0 || number("connection.failed.authentication.delay.ms") < idle,
        "connection.failed.authentication.delay.ms",
        "connection.failed.authentication.delay.ms must be less than connections.max.idle.ms".to_owned(),
    );
    require(
        !(all.is_set("inter.broker.listener.name") && all.is_set("security.inter.broker.protocol")),
        "security.inter.broker.protocol",
        "only one of inter.broker.listener.name and security.inter.broker.protocol may be set".to_owned(),
    );
    found.extend(cordoned(all));
    found
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
