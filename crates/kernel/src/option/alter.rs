//! What IncrementalAlterConfigs asks: changes to the settings of one resource.

use std::collections::BTreeSet;

use super::{Kind, OptionDef, OptionError, Overrides, Table, default_value, find_broker};
use crate::ErrorCode;
use crate::limits::MAX_CONFIG_VALUE_BYTES;

/// What to do with one option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Set,
    Delete,
    /// Adds entries to a list.
    Append,
    /// Takes entries out of a list.
    Subtract,
}

impl Op {
    /// The operation of this number in the protocol.
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            0 => Some(Self::Set),
            1 => Some(Self::Delete),
            2 => Some(Self::Append),
            3 => Some(Self::Subtract),
            _ => None,
        }
    }
}

/// One change.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    pub name: &'a str,
    pub op: Op,
    /// Only a deletion does without.
    pub value: Option<&'a str>,
}

/// The settings of a resource after `changes`. Whether the values are fine is for the checks of
/// [`super::NodeOptions`].
pub fn apply(table: Table, current: &Overrides, changes: &[Change<'_>]) -> Result<Overrides, OptionError> {
    let mut after = current.clone();
    let mut seen = BTreeSet::new();
    for change in changes {
        let fail = |reason: String| Err(OptionError::conflict(change.name, reason));
        if !seen.insert(change.name) {
            return fail(format!("{} is changed twice in one request", change.name));
        }
        let value = match (change.op, change.value) {
            (Op::Delete, _) => {
                after.remove(change.name);
                continue;
            }
            (_, None) => return fail(format!("Null value not supported for : {}", change.name)),
            (Op::Set, Some(value)) => value.to_owned(),
            (op, Some(value)) => edit_list(table, &after, change.name, op, value)?,
        };
        if value.len() > MAX_CONFIG_VALUE_BYTES {
            return fail(format!(
                "the value of {} is longer than {MAX_CONFIG_VALUE_BYTES} bytes",
                change.name
            ));
        }
        after.insert(change.name.to_owned(), value);
    }
    Ok(after)
}

/// The code with which Kafka refuses a change to a resource of `table`.
pub fn refusal_code(table: Table, error: &OptionError) -> ErrorCode {
    match table {
        Table::Broker => ErrorCode::InvalidRequest,
        Table::ClientMetrics if error.name != "match" => ErrorCode::InvalidRequest,
        Table::ClientMetrics | Table::Topic | Table::Group => ErrorCode::InvalidConfig,
    }
}

fn edit_list(
    table: Table,
    current: &Overrides,
    name: &str,
    op: Op,
    value: &str,
) -> Result<String, OptionError> {
    let def = if table == Table::Broker { find_broker(name) } else { table.find(name) };
    let Some(def) = def.filter(|def| def.kind == Kind::List) else {
        let verb = if op == Op::Append { "APPEND" } else { "SUBTRACT" };
        let reason = format!("Can't {verb} to key {name} because its type is not LIST.");
        return Err(OptionError::conflict(name, reason));
    };
    let mut entries = present(current, name, def);
    for entry in value.split(',').map(str::trim) {
        match op {
            Op::Subtract => entries.retain(|known| known != entry),
            _ if entries.iter().any(|known| known == entry) => {}
            _ => entries.push(entry.to_owned()),
        }
    }
    Ok(entries.join(","))
}

/// The entries that a change starts from: those that are set, or else those of the default.
fn present(current: &Overrides, name: &str, def: &OptionDef) -> Vec<String> {
    match current.get(name) {
        Some(raw) => {
            raw.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
        }
        None => default_value(def).as_list().map(<[String]>::to_vec).unwrap_or_default(),
    }
}
