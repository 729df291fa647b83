//! Values as Kafka's configuration language reads and writes them.

use std::fmt;

use super::{Default, Kind, OptionDef, Valid};

/// A parsed value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    Int(i32),
    Short(i16),
    Long(i64),
    Double(f64),
    /// A string, a password or the name of a class.
    Text(String),
    List(Vec<String>),
}

impl Value {
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// Any whole number.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(i64::from(*value)),
            Self::Short(value) => Some(i64::from(*value)),
            Self::Long(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Double(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(value) => Some(value),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[String]> {
        match self {
            Self::List(value) => Some(value),
            _ => None,
        }
    }

    /// The text that Kafka's tools show for this value; `None` for null.
    pub fn to_text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Boolean(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Short(value) => value.to_string(),
            Self::Long(value) => value.to_string(),
            Self::Double(value) => java_double(*value),
            Self::Text(value) => value.clone(),
            Self::List(value) => value.join(","),
        })
    }
}

/// A value that an option does not take. Says what it takes instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionError {
    pub name: String,
    /// The text that was given; hidden for sensitive options.
    pub value: Option<String>,
    pub reason: String,
    /// What is allowed, as the end of a sentence. Empty when the reason says it all.
    pub allowed: String,
}

impl OptionError {
    /// A complaint about how options fit together, rather than about one value.
    pub fn conflict(name: &str, reason: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: None, reason: reason.into(), allowed: String::new() }
    }

    pub(super) fn new(def: &OptionDef, raw: &str, reason: impl Into<String>) -> Self {
        let value = if def.is_sensitive() { "[hidden]".to_owned() } else { raw.to_owned() };
        Self { name: def.name.to_owned(), value: Some(value), reason: reason.into(), allowed: def.allowed() }
    }
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => {
                write!(f, "Invalid value {value} for configuration {}: {}", self.name, self.reason)
            }
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for OptionError {}

/// Parses and checks what somebody wrote for `def`.
pub fn validate(def: &OptionDef, raw: &str) -> Result<Value, OptionError> {
    let value = parse(def, raw)?;
    match def.valid.refuse(&value) {
        None => Ok(value),
        Some(reason) => Err(OptionError::new(def, raw, reason)),
    }
}

/// The value of Kafka's default. A test holds every default against its own validator.
pub fn default_value(def: &OptionDef) -> Value {
    match def.default {
        Default::Required | Default::Null => Value::Null,
        Default::Text(text) => parse(def, text).unwrap_or(Value::Null),
    }
}

fn parse(def: &OptionDef, raw: &str) -> Result<Value, OptionError> {
    // Java's trim takes away everything up to and including the space.
    let text = raw.trim_matches(|c: char| c <= ' ');
    let no_number = || OptionError::new(def, raw, format!("Not a number of type {}", def.kind.name()));
    Ok(match def.kind {
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Value::Boolean(true),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Value::Boolean(false),
        Kind::Boolean => {
            return Err(OptionError::new(def, raw, "Expected value to be either true or false"));
        }
        Kind::Int => Value::Int(text.parse().map_err(|_| no_number())?),
        Kind::Short => Value::Short(text.parse().map_err(|_| no_number())?),
        Kind::Long => Value::Long(text.parse().map_err(|_| no_number())?),
        Kind::Double => {
            // A letter behind it says its type, as in Java.
            let digits = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
            let number: f64 = digits.parse().map_err(|_| no_number())?;
            if number.is_nan() {
                return Err(no_number());
            }
            Value::Double(number)
        }
        Kind::List => Value::List(parse_list(def, text)),
        Kind::String | Kind::Class | Kind::Password => Value::Text(text.to_owned()),
    })
}

/// Entries are separated by commas, with any space around them. Options that want distinct entries lose repeated
/// ones here, as in Kafka.
fn parse_list(def: &OptionDef, text: &str) -> Vec<String> {
    let distinct = matches!(def.valid, Valid::Entries { .. } | Valid::EntriesOf { .. });
    let mut list: Vec<String> = Vec::new();
    if text.is_empty() {
        return list;
    }
    for entry in text.split(',') {
        // As of the whole value, so that an entry that is written again as the last one is still the same.
        let entry = entry.trim_matches(|c: char| c <= ' ');
        if !distinct || !list.iter().any(|known| known == entry) {
            list.push(entry.to_owned());
        }
    }
    list
}

/// A fraction as Java prints it: always with a point, and with an exponent outside of 10^-3 to 10^7.
fn java_double(value: f64) -> String {
    let size = value.abs();
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}
