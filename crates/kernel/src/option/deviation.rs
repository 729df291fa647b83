//! Where Riverrun's defaults differ from Kafka's. This table is the whole list, in the code and in the documentation.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{Default, OptionDef, Table, Value, default_value, validate};

/// A default of ours.
#[derive(Clone, Copy, Debug)]
pub struct Deviation {
    /// A broker option.
    pub option: &'static str,
    /// `None` means without a value.
    pub ours: Option<&'static str>,
    /// Holds only for a node that is its own controller and knows of no other, see [`super::Resolved::is_lone`].
    pub only_alone: bool,
    pub reason: &'static str,
}

const ALONE: &str = "A node on its own cannot hold more than one replica. When more brokers have joined before the topic is first needed, Kafka's default counts.";

/// Every deviation.
pub static DEVIATIONS: &[Deviation] = &[
    Deviation {
        option: "process.roles",
        ours: Some("broker,controller"),
        only_alone: false,
        reason: "A start without a configuration file gives a complete node.",
    },
    Deviation {
        option: "node.id",
        ours: Some("1"),
        only_alone: false,
        reason: "A start without a configuration file gives a complete node.",
    },
    Deviation {
        option: "controller.listener.names",
        ours: None,
        only_alone: false,
        reason: "A node that is its own only controller talks to it inside the process and needs no listener for it.",
    },
    Deviation {
        option: "listeners",
        ours: Some("PLAINTEXT://127.0.0.1:9092"),
        only_alone: false,
        reason: "Without authentication and encryption nobody should be reachable from outside by default.",
    },
    Deviation {
        option: "log.dir",
        ours: Some("./riverrun-data"),
        only_alone: false,
        reason: "What lies under /tmp is deleted by many systems at the next start.",
    },
    Deviation {
        option: "queued.max.request.bytes",
        ours: Some("134217728"),
        only_alone: false,
        reason: "Without a bound, forty clients that announce large requests exhaust the memory. 128 MiB hold one request of the largest size.",
    },
    Deviation {
        option: "max.decompressed.message.bytes",
        ours: Some("104857600"),
        only_alone: false,
        reason: "A small batch that decompresses to 2 GiB would exhaust the memory. 100 MiB are as much as the largest request carries uncompressed.",
    },
    Deviation {
        option: "offsets.topic.replication.factor",
        ours: Some("1"),
        only_alone: true,
        reason: ALONE,
    },
    Deviation {
        option: "transaction.state.log.replication.factor",
        ours: Some("1"),
        only_alone: true,
        reason: ALONE,
    },
    Deviation { option: "transaction.state.log.min.isr", ours: Some("1"), only_alone: true, reason: ALONE },
    Deviation {
        option: "share.coordinator.state.topic.replication.factor",
        ours: Some("1"),
        only_alone: true,
        reason: ALONE,
    },
    Deviation {
        option: "share.coordinator.state.topic.min.isr",
        ours: Some("1"),
        only_alone: true,
        reason: ALONE,
    },
];

/// The default that counts for a broker option. `alone` is asked only where it matters.
pub fn default_of(def: &OptionDef, alone: impl FnOnce() -> bool) -> Value {
    match DEVIATIONS.iter().find(|deviation| deviation.option == def.name) {
        Some(deviation) if !deviation.only_alone || alone() => {
            deviation.ours.map_or(Value::Null, |text| validate(def, text).unwrap_or(Value::Null))
        }
        _ => default_value(def),
    }
}

/// [`default_of`] for an option by its name; nothing if there is no such broker option.
pub(super) fn default_for(name: &str, alone: impl FnOnce() -> bool) -> Option<Value> {
    let Known { among, lone } = DEFAULTS.get(&(name.len(), name))?;
    Some(lone.as_ref().filter(|_| alone()).unwrap_or(among).clone())
}

/// A default, and another one for a lone node if it has one.
struct Known {
    among: Value,
    lone: Option<Value>,
}

/// By length and name. A configuration asks for hundreds.
static DEFAULTS: LazyLock<BTreeMap<(usize, &str), Known>> = LazyLock::new(|| {
    let known = |def: &'static OptionDef| {
        let (among, alone) = (default_of(def, || false), default_of(def, || true));
        let lone = (alone != among).then_some(alone);
        ((def.name.len(), def.name), Known { among, lone })
    };
    Table::Broker.rows().map(known).collect()
});

/// Kafka's default as somebody would write it; `None` when there is none.
pub fn kafka_default(def: &OptionDef) -> Option<&'static str> {
    match def.default {
        Default::Text(text) => Some(text),
        Default::Required | Default::Null => None,
    }
}
