//! Messages as trees of named values.

use std::fmt;

/// A value of any type of the protocol.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Uuid([u8; 16]),
    Text(String),
    Bytes(Vec<u8>),
    Null,
    Array(Vec<Value>),
    Struct(Fields),
    /// What each side called this by itself when it answered: an id of a topic, a member, a producer.
    Slot(String),
}

/// The fields of a struct, in their order, and the tags that its declaration does not know.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields {
    pub named: Vec<(String, Value)>,
    pub unknown: Vec<(u32, Vec<u8>)>,
}

/// The struct of these fields.
pub fn record<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let named = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Value::Struct(Fields { named, unknown: Vec::new() })
}

pub fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

pub fn int(number: impl Into<i64>) -> Value {
    Value::Int(number.into())
}

pub fn list<const N: usize>(values: [Value; N]) -> Value {
    Value::Array(values.into())
}

pub fn slot(key: impl Into<String>) -> Value {
    Value::Slot(key.into())
}

impl Value {
    /// What a path of names and indexes leads to: `Topics.0.Name`.
    pub fn at(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(self, |value, step| match value {
            Value::Struct(fields) => {
                fields.named.iter().find(|(name, _)| name == step).map(|(_, value)| value)
            }
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    pub fn at_mut(&mut self, path: &str) -> Option<&mut Value> {
        path.split('.').try_fold(self, |value, step| match value {
            Value::Struct(fields) => {
                fields.named.iter_mut().find(|(name, _)| name == step).map(|(_, value)| value)
            }
            Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    pub fn int(&self, path: &str) -> Option<i64> {
        match self.at(path)? {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        match self.at(path)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of an array, or nothing of anything else.
    pub fn items(&self, path: &str) -> &[Value] {
        match self.at(path) {
            Some(Value::Array(items)) => items,
            _ => &[],
        }
    }

    pub fn items_mut(&mut self, path: &str) -> &mut [Value] {
        match self.at_mut(path) {
            Some(Value::Array(items)) => items,
            _ => &mut [],
        }
    }

    /// Gives a field of this struct another value; a field that is not there stays away.
    pub fn set(&mut self, path: &str, value: Value) {
        if let Some(place) = self.at_mut(path) {
            *place = value;
        }
    }

    /// Whether a text below was read from bytes that are not UTF-8.
    pub fn has_foreign_text(&self) -> bool {
        match self {
            Value::Text(text) => text.contains(char::REPLACEMENT_CHARACTER),
            Value::Array(items) => items.iter().any(Value::has_foreign_text),
            Value::Struct(fields) => fields.named.iter().any(|(_, value)| value.has_foreign_text()),
            _ => false,
        }
    }

    /// Calls for every field of every struct below, the inner ones first.
    pub fn each_field(&mut self, visit: &mut dyn FnMut(&str, &mut Value)) {
        match self {
            Value::Array(items) => items.iter_mut().for_each(|item| item.each_field(visit)),
            Value::Struct(fields) => {
                for (name, value) in &mut fields.named {
                    value.each_field(visit);
                    visit(name, value);
                }
            }
            _ => {}
        }
    }
}

/// Bytes and texts that are longer are shown by their length and beginning.
const SHOWN: usize = 64;

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value}"),
            Value::Uuid(bytes) => write!(f, "uuid:{}", hex(bytes)),
            Value::Text(text) if text.chars().count() > 4 * SHOWN => {
                let start: String = text.chars().take(SHOWN).collect();
                write!(f, "{start:?}…({} bytes)", text.len())
            }
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Bytes(bytes) => match bytes.get(..SHOWN) {
                Some(start) => write!(f, "bytes:{}…({})", hex(start), bytes.len()),
                None => write!(f, "bytes:{}", hex(bytes)),
            },
            Value::Null => write!(f, "null"),
            Value::Slot(key) => write!(f, "<{key}>"),
            Value::Array(items) => {
                write!(f, "[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{item}")?;
                }
                write!(f, "]")
            }
            Value::Struct(fields) => {
                write!(f, "{{")?;
                for (index, (name, value)) in fields.named.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{name}: {value}")?;
                }
                for (tag, bytes) in &fields.unknown {
                    write!(f, ", tag {tag}: {}", hex(bytes))?;
                }
                write!(f, "}}")
            }
        }
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a text of hexadecimal digits.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    digits.chunks(2).map(|pair| u8::try_from(pair.iter().fold(0, |high, low| high * 16 + low)).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_through_structs_and_arrays() {
        let mut tree = record([("Topics", list([record([("Name", text("a")), ("Error", int(3))])]))]);
        assert_eq!(tree.text("Topics.0.Name"), Some("a"));
        assert_eq!(tree.int("Topics.0.Error"), Some(3));
        assert_eq!(tree.at("Topics.1"), None);
        tree.set("Topics.0.Error", int(0));
        assert_eq!(tree.to_string(), r#"{Topics: [{Name: "a", Error: 0}]}"#);
    }

    #[test]
    fn a_text_that_was_not_utf_8_is_found_wherever_it_stands() {
        let groups = |last: &str| record([("Groups", list([text("a"), text(last)]))]);
        assert!(!groups("gröup").has_foreign_text());
        assert!(groups(&format!("{}\u{fffd}", "x".repeat(10 * SHOWN))).has_foreign_text());
    }

    #[test]
    fn hexadecimal_digits_are_read_as_they_are_written() {
        assert_eq!(unhex(&hex(&[0, 0xab, 0xff])), Some(vec![0, 0xab, 0xff]));
        assert_eq!(unhex("abc"), None);
        assert_eq!(unhex("zz"), None);
    }
}
