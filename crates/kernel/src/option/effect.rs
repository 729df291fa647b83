//! What comes of options that Kafka changes while brokers run: most count at once. These are the others, each with the
//! reason; the documentation shows the same.
//!
//! *Invariant:* an option that can be changed while a node runs either changes what the node does, or stands in [`IDLE`].

use super::{Dynamic, OptionDef, synonym};

/// Options that Kafka changes while running, and that need a restart here. A change is refused as one of any option that
/// needs a restart.
pub static RESTART: &[(&str, &str)] = &[
    ("listeners", "Listeners are opened once, at the start."),
    ("listener.security.protocol.map", "What a listener speaks is settled when it is opened."),
];

/// Options whose change is kept and reported, and changes nothing in this release.
pub struct Idle {
    pub options: &'static [&'static str],
    pub why: &'static str,
}

pub static IDLE: &[Idle] = &[
    Idle {
        options: &[
            "background.threads",
            "num.io.threads",
            "num.network.threads",
            "num.recovery.threads.per.data.dir",
        ],
        why: "Threads follow the machine's cores, and disk work has a pool of its own.",
    },
    Idle {
        options: &["config.providers", "metric.reporters", "principal.builder.class"],
        why: "Java classes are not loaded.",
    },
    Idle {
        options: &["log.preallocate"],
        why: "Segments are never preallocated; the journal, which is written first, always is.",
    },
    Idle {
        options: &["group.coordinator.cached.buffer.max.bytes"],
        why: "A coordinator keeps no buffer between its writes.",
    },
    Idle {
        options: &[
            "follower.replication.throttled.rate",
            "leader.replication.throttled.rate",
            "num.replica.fetchers",
        ],
        why: "There is no replication yet.",
    },
    Idle { options: &["transaction.partition.verification.enable"], why: "There are no transactions yet." },
    Idle {
        options: &[
            "errors.deadletterqueue.auto.create.topics.enable",
            "errors.deadletterqueue.topic.name.prefix",
            "group.consumer.assignment.interval.ms",
            "group.consumer.assignor.offload.enable",
            "group.share.assignment.interval.ms",
            "group.share.assignor.offload.enable",
            "group.streams.assignment.interval.ms",
            "group.streams.assignor.offload.enable",
            "share.coordinator.cached.buffer.max.bytes",
        ],
        why: "There are no consumer (KIP-848), share and streams groups yet.",
    },
    Idle {
        options: &[
            "follower.fetch.last.tiered.offset.enable",
            "log.local.retention.bytes",
            "log.local.retention.ms",
            "log.remote.copy.lag.bytes",
            "log.remote.copy.lag.ms",
            "remote.fetch.max.wait.ms",
            "remote.list.offsets.request.timeout.ms",
            "remote.log.index.file.cache.total.size.bytes",
            "remote.log.manager.copier.thread.pool.size",
            "remote.log.manager.copy.max.bytes.per.second",
            "remote.log.manager.expiration.thread.pool.size",
            "remote.log.manager.fetch.max.bytes.per.second",
            "remote.log.manager.follower.thread.pool.size",
            "remote.log.reader.threads",
        ],
        why: "There is no tiered storage yet. How these go together is checked all the same.",
    },
    Idle {
        options: &[
            "sasl.enabled.mechanisms",
            "sasl.jaas.config",
            "sasl.kerberos.kinit.cmd",
            "sasl.kerberos.min.time.before.relogin",
            "sasl.kerberos.principal.to.local.rules",
            "sasl.kerberos.service.name",
            "sasl.kerberos.ticket.renew.jitter",
            "sasl.kerberos.ticket.renew.window.factor",
            "sasl.login.refresh.buffer.seconds",
            "sasl.login.refresh.min.period.seconds",
            "sasl.login.refresh.window.factor",
            "sasl.login.refresh.window.jitter",
            "sasl.mechanism.inter.broker.protocol",
            "ssl.cipher.suites",
            "ssl.client.auth",
            "ssl.enabled.protocols",
            "ssl.endpoint.identification.algorithm",
            "ssl.engine.factory.class",
            "ssl.key.password",
            "ssl.keymanager.algorithm",
            "ssl.keystore.certificate.chain",
            "ssl.keystore.key",
            "ssl.keystore.location",
            "ssl.keystore.password",
            "ssl.keystore.type",
            "ssl.protocol",
            "ssl.provider",
            "ssl.secure.random.implementation",
            "ssl.trustmanager.algorithm",
            "ssl.truststore.certificates",
            "ssl.truststore.location",
            "ssl.truststore.password",
            "ssl.truststore.type",
        ],
        why: "There is no TLS and no SASL yet: a node with a secured listener does not start.",
    },
];

/// Options that Kafka reads at its start alone, and of which nothing comes in this release. They are checked as all others are.
pub static UNUSED: &[Idle] = &[
    Idle {
        options: &["socket.listen.backlog.size", "socket.receive.buffer.bytes", "socket.send.buffer.bytes"],
        why: "The system sizes the buffers of a socket as its connection needs, and 1,024 connections may wait to be accepted.",
    },
    Idle {
        options: &["queued.max.requests"],
        why: "What waits is bounded in bytes, by `queued.max.request.bytes` and the budget that a start prints.",
    },
    Idle {
        options: &["log.initial.task.delay.ms"],
        why: "Nothing is read or written at a start that would have to be put off.",
    },
    Idle {
        options: &["log.flush.scheduler.interval.ms"],
        why: "It counts where `log.flush.interval.ms` is not set; whether a flush is due is looked at each second.",
    },
    Idle {
        options: &[
            "log.flush.start.offset.checkpoint.interval.ms",
            "replica.high.watermark.checkpoint.interval.ms",
        ],
        why: "All checkpoints are written together, with the recovery points.",
    },
    Idle {
        options: &[
            "group.coordinator.append.linger.ms",
            "offsets.commit.timeout.ms",
            "offsets.load.buffer.size",
        ],
        why: "A coordinator gathers appends in the journal's blocks and reads its partitions batch by batch.",
    },
    Idle {
        options: &[
            "controlled.shutdown.enable",
            "controller.quorum.append.linger.ms",
            "controller.quorum.election.timeout.ms",
            "controller.quorum.fetch.timeout.ms",
            "initial.broker.registration.timeout.ms",
            "request.timeout.ms",
        ],
        why: "There is one node, which asks no other.",
    },
    Idle {
        options: &[
            "transaction.abort.timed.out.transaction.cleanup.interval.ms",
            "transaction.max.timeout.ms",
            "transaction.state.log.load.buffer.size",
            "transaction.two.phase.commit.enable",
            "transactional.id.expiration.ms",
        ],
        why: "There are no transactions yet.",
    },
    Idle {
        options: &[
            "connection.failed.authentication.delay.ms",
            "connections.max.reauth.ms",
            "sasl.server.max.receive.size",
        ],
        why: "There is no TLS and no SASL yet: a node with a secured listener does not start.",
    },
];

/// Why a change of a broker option changes nothing; nothing if it does change something.
pub fn idle(name: &str) -> Option<&'static str> {
    let base = synonym::listener_base(name).unwrap_or(name);
    IDLE.iter().find(|idle| idle.options.contains(&base)).map(|idle| idle.why)
}

/// What comes of a broker option in this release where that is not what its description says, in a sentence or two.
pub fn here(name: &str) -> Option<String> {
    let restart = RESTART.iter().find(|(option, _)| *option == name);
    let restart = restart.map(|(_, why)| format!("A change needs a restart. {why}"));
    let idle = || idle(name).map(|why| format!("A change is kept, and changes nothing. {why}"));
    let unused = || UNUSED.iter().find(|unused| unused.options.contains(&name));
    let unused = || unused().map(|unused| format!("Nothing comes of it. {}", unused.why));
    restart.or_else(idle).or_else(unused)
}

impl OptionDef {
    /// How a broker option can be changed here while brokers run.
    pub fn changes(&self) -> Dynamic {
        if RESTART.iter().any(|(name, _)| *name == self.name) { Dynamic::ReadOnly } else { self.dynamic }
    }
}
