//! Every option of a broker and a controller, by area.

mod cleaner;
mod durability;
mod group_consumer;
mod group_coordinator;
mod group_share;
mod group_streams;
mod log;
mod metrics;
mod network;
mod node;
mod oauth;
mod quorum;
mod quota;
mod replication;
mod sasl;
mod throttle;
mod tiered;
mod tls;
mod transaction;

use super::OptionDef;

/// The tables, in the order in which the documentation shows them, each with its heading.
pub static AREAS: &[(&str, &[OptionDef])] = &[
    ("Node", node::NODE),
    ("Network", network::NETWORK),
    ("Log", log::LOG),
    ("Durability", durability::DURABILITY),
    ("Compaction", cleaner::CLEANER),
    ("Replication", replication::REPLICATION),
    ("Groups", group_coordinator::GROUP_COORDINATOR),
    ("Consumer groups", group_consumer::GROUP_CONSUMER),
    ("Share groups", group_share::GROUP_SHARE),
    ("Streams groups", group_streams::GROUP_STREAMS),
    ("Quorum", quorum::QUORUM),
    ("Transactions", transaction::TRANSACTION),
    ("Quotas", quota::QUOTA),
    ("Throttles", THROTTLE),
    ("Metrics", metrics::METRICS),
    ("Tiered storage", tiered::TIERED),
    ("TLS", tls::TLS),
    ("SASL", sasl::SASL),
    ("OAuth", oauth::OAUTH),
];

pub use throttle::THROTTLE;
