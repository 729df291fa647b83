//! What comes of options that can be changed while brokers run.

use std::collections::BTreeSet;

use super::{options, overrides};
use crate::option::broker_config::ListenerLimits;
use crate::option::effect::{IDLE, RESTART, UNUSED, idle};
use crate::option::{Dynamic, NodeOptions, OptionDef, Overrides, Table, Value, validate};

/// Read by name where they count, and not part of what a broker takes from its settings as a whole.
const READ_BY_NAME: [&str; 1] = ["replica.alter.log.dirs.io.max.bytes.per.second"];

fn changeable() -> impl Iterator<Item = &'static OptionDef> {
    Table::Broker.rows().filter(|def| def.dynamic != Dynamic::ReadOnly)
}

/// All that a node takes from its settings.
fn taken(node: &NodeOptions) -> String {
    format!("{:?} {:?}", node.broker_config().expect("sound"), node.log_settings(&Overrides::new()))
}

/// A value that an option may have and that is not `now`.
fn another(def: &OptionDef, now: &Value) -> String {
    let texts = match now {
        Value::Boolean(now) => vec![(!now).to_string()],
        Value::Double(now) => vec![(now / 2.0).to_string()],
        Value::Int(_) | Value::Short(_) | Value::Long(_) => {
            let now = now.as_i64().expect("a number");
            let near = [now.saturating_add(1), now.saturating_sub(1), now / 2, 5, 1_000_000];
            near.map(|one| one.to_string()).into()
        }
        _ => ["1", "gzip", "compact", "LogAppendTime", "10.0.0.1:5", "*"].map(str::to_owned).into(),
    };
    let fits = |text: &String| validate(def, text).is_ok_and(|value| value != *now);
    texts.into_iter().find(fits).unwrap_or_else(|| panic!("no other value of {} than {now:?}", def.name))
}

#[test]
fn what_can_be_changed_while_a_node_runs_changes_something_or_is_said_to_change_nothing() {
    let node = options("");
    let before = taken(&node);
    for def in changeable().filter(|def| def.changes() != Dynamic::ReadOnly && idle(def.name).is_none()) {
        let value = another(def, &node.effective().value(def.name));
        let set = overrides(&[(def.name, &value)]);
        let (after, warnings) = node.with_dynamic(&Overrides::new(), &set);
        assert!(warnings.is_empty(), "{}={value}: {warnings:?}", def.name);
        let reaches = taken(&after) != before || READ_BY_NAME.contains(&def.name);
        assert!(reaches, "{}={value} reaches nobody: read it, or say so in option/effect.rs", def.name);
    }
}

#[test]
fn what_is_said_of_options_is_said_once() {
    let idle = IDLE.iter().flat_map(|idle| idle.options.iter().copied().zip(std::iter::repeat(idle.why)));
    let mut seen = BTreeSet::new();
    for (name, why) in idle.chain(RESTART.iter().copied()) {
        assert!(changeable().any(|def| def.name == name), "{name} needs a restart in Kafka as well");
        assert!(seen.insert(name), "{name} stands twice");
        assert!(why.ends_with('.'), "{why}");
    }
    let unused = UNUSED.iter().flat_map(|unused| unused.options);
    for name in unused {
        let row = Table::Broker.find(name).unwrap_or_else(|| panic!("there is no {name}"));
        assert_eq!(row.dynamic, Dynamic::ReadOnly, "{name} can be changed: it is idle");
        assert!(seen.insert(name), "{name} stands twice");
    }
}

#[test]
fn what_needs_a_restart_only_here_is_refused_and_where_it_is_stored_passed_over() {
    let node = options("");
    for (name, value) in [("listeners", "PLAINTEXT://:1"), ("listener.security.protocol.map", "A:PLAINTEXT")]
    {
        for per_broker in [true, false] {
            let refused = node.check_broker(&overrides(&[(name, value)]), per_broker).expect_err("a restart");
            assert_eq!(refused.to_string(), format!("Cannot update these configs dynamically: [{name}]"));
        }
        let (after, warnings) = node.with_dynamic(&Overrides::new(), &overrides(&[(name, value)]));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(taken(&after), taken(&node));
        let described = after.describe_broker();
        assert!(described.iter().any(|one| one.name == name && one.is_read_only));
    }
}

#[test]
fn listeners_have_bounds_of_their_own() {
    let set = [
        ("listener.name.outside.max.connections", "5"),
        ("listener.name.inside.max.connection.creation.rate", "7"),
        ("listener.name.inside.ssl.keystore.location", "/k"),
    ];
    let (node, warnings) = options("").with_dynamic(&Overrides::new(), &overrides(&set));
    assert!(warnings.is_empty(), "{warnings:?}");
    let found = node.broker_config().expect("sound").network.of_listeners;
    let of = |max_connections, max_connection_rate| ListenerLimits { max_connections, max_connection_rate };
    let expected = [("INSIDE".to_owned(), of(None, Some(7))), ("OUTSIDE".to_owned(), of(Some(5), None))];
    assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
}
