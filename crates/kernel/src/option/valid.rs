//! Which values an option takes, and how to say so.

use super::endpoint::parse_host_port;
use super::{OptionDef, Value};

/// A rule over parsed values.
#[derive(Clone, Copy, Debug)]
pub enum Valid {
    Anything,
    AtLeast(i64),
    /// Both ends belong to it.
    Between(i64, i64),
    /// For fractions; both ends belong to it.
    Share(f64, f64),
    OneOf(&'static [&'static str]),
    OneOfAnyCase(&'static [&'static str]),
    /// A list of distinct entries, of which none is empty.
    Entries {
        may_be_empty: bool,
    },
    /// A list of distinct entries out of these.
    EntriesOf {
        entries: &'static [&'static str],
        may_be_empty: bool,
    },
    /// A text that, when there is one, is not empty.
    NotEmpty,
    Rule(&'static Rule),
}

/// A check that no simple rule expresses.
#[derive(Debug)]
pub struct Rule {
    pub check: fn(&Value) -> bool,
    /// What the check allows, continuing "must be".
    pub allowed: &'static str,
}

impl Valid {
    /// Why `value` is refused, if it is.
    pub fn refuse(&self, value: &Value) -> Option<String> {
        let fits = match (self, value) {
            (Self::Entries { may_be_empty } | Self::EntriesOf { may_be_empty, .. }, Value::List(list))
                if list.is_empty() =>
            {
                *may_be_empty
            }
            (Self::Anything, _) | (_, Value::Null) => true,
            (Self::AtLeast(min), _) => value.as_i64().is_some_and(|number| number >= *min),
            (Self::Between(min, max), _) => {
                value.as_i64().is_some_and(|number| (*min..=*max).contains(&number))
            }
            (Self::Share(min, max), _) => {
                value.as_f64().is_some_and(|number| (*min..=*max).contains(&number))
            }
            (Self::OneOf(texts), _) => value.as_str().is_some_and(|text| texts.contains(&text)),
            (Self::OneOfAnyCase(texts), _) => {
                value.as_str().is_some_and(|text| texts.iter().any(|one| one.eq_ignore_ascii_case(text)))
            }
            (Self::Entries { .. }, _) => {
                value.as_list().is_some_and(|list| list.iter().all(|e| !e.is_empty()))
            }
            (Self::EntriesOf { entries, .. }, _) => {
                value.as_list().is_some_and(|list| list.iter().all(|entry| entries.contains(&entry.as_str())))
            }
            (Self::NotEmpty, _) => value.as_str().is_some_and(|text| !text.is_empty()),
            (Self::Rule(rule), _) => (rule.check)(value),
        };
        (!fits).then(|| self.refusal(value))
    }

    fn refusal(&self, value: &Value) -> String {
        let number = value.as_i64().unwrap_or_default();
        match self {
            Self::Anything => "Value is not allowed".to_owned(),
            Self::AtLeast(min) => format!("Value must be at least {min}"),
            Self::Between(min, _) if number < *min => format!("Value must be at least {min}"),
            Self::Between(_, max) => format!("Value must be no more than {max}"),
            Self::Share(min, _) if value.as_f64().is_some_and(|number| number < *min) => {
                format!("Value must be at least {min}")
            }
            Self::Share(_, max) => format!("Value must be no more than {max}"),
            Self::OneOf(texts) => format!("String must be one of: {}", texts.join(", ")),
            Self::OneOfAnyCase(texts) => {
                format!("String must be one of (case insensitive): {}", texts.join(", "))
            }
            Self::Entries { .. } | Self::EntriesOf { .. }
                if value.as_list().is_some_and(<[String]>::is_empty) =>
            {
                "List must not be empty".to_owned()
            }
            Self::Entries { .. } => "Entries of the list must not be empty".to_owned(),
            Self::EntriesOf { entries, .. } => format!("String must be one of: {}", entries.join(", ")),
            Self::NotEmpty => "String must be non-empty".to_owned(),
            Self::Rule(rule) => format!("Value must be {}", rule.allowed),
        }
    }
}

impl OptionDef {
    /// What this option takes, as an end of the sentence "allowed is ...".
    pub fn allowed(&self) -> String {
        use super::Kind;
        let whole = |min: &dyn std::fmt::Display, max: &dyn std::fmt::Display| {
            format!("a whole number from {min} to {max}")
        };
        let (low, high) = match self.kind {
            Kind::Short => (i64::from(i16::MIN), i64::from(i16::MAX)),
            Kind::Int => (i64::from(i32::MIN), i64::from(i32::MAX)),
            _ => (i64::MIN, i64::MAX),
        };
        match (self.kind, &self.valid) {
            (_, Valid::OneOf(texts) | Valid::OneOfAnyCase(texts)) => format!("one of {}", texts.join(", ")),
            (_, Valid::EntriesOf { entries, may_be_empty }) => {
                let empty = if *may_be_empty { ", or nothing" } else { "" };
                format!("a comma-separated list out of {}{empty}", entries.join(", "))
            }
            (_, Valid::Entries { may_be_empty: true }) => "a comma-separated list, or nothing".to_owned(),
            (_, Valid::Entries { may_be_empty: false }) => "a comma-separated list".to_owned(),
            (_, Valid::NotEmpty) => "a text that is not empty".to_owned(),
            (_, Valid::Rule(rule)) => rule.allowed.to_owned(),
            (_, Valid::Share(min, max)) => format!("a number from {min} to {max}"),
            (_, Valid::Between(min, max)) => whole(min, max),
            (_, Valid::AtLeast(min)) => whole(min, &high),
            (Kind::Int | Kind::Short | Kind::Long, Valid::Anything) => whole(&low, &high),
            (Kind::Boolean, _) => "true or false".to_owned(),
            (Kind::Double, _) => "a number".to_owned(),
            (Kind::List, _) => "a comma-separated list".to_owned(),
            (Kind::Class, _) => "the name of a class".to_owned(),
            (Kind::String | Kind::Password, _) => "any text".to_owned(),
        }
    }
}

/// -1 stands for the default level of the codec.
pub static GZIP_LEVEL: Rule = Rule {
    check: |value| value.as_i64().is_some_and(|level| level == -1 || (1..=9).contains(&level)),
    allowed: "-1 or a level from 1 to 9",
};

pub static METRICS_LISTENER: Rule = Rule {
    check: |value| value.as_str().is_some_and(|text| text.is_empty() || parse_host_port(text).is_some()),
    allowed: "host:port, or empty",
};

pub static THROTTLED_REPLICAS: Rule = Rule {
    check: |value| {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let pair = |text: &String| {
            text.is_empty() || text.split_once(':').is_some_and(|(a, b)| number(a) && number(b))
        };
        value.as_list().is_some_and(|list| list.iter().all(pair) || list == ["*"])
    },
    allowed: "the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
};

pub static AUTO_OFFSET_RESET: Rule = Rule {
    check: |value| {
        value.as_str().is_some_and(|text| match text.strip_prefix("by_duration:") {
            Some(duration) => super::duration::parse_iso_ms(duration).is_some_and(|ms| ms > 0),
            None => matches!(text, "latest" | "earliest"),
        })
    },
    allowed: "latest, earliest, or by_duration: with a positive duration in ISO 8601 (PnDTnHnMn.nS)",
};

pub static VOTERS: Rule = Rule {
    check: |value| {
        value.as_list().is_some_and(|list| list.iter().all(|one| super::endpoint::parse_voter(one).is_some()))
    },
    allowed: "a list of {id}@{host}:{port} entries",
};

pub static BOOTSTRAP_SERVERS: Rule = Rule {
    check: |value| value.as_list().is_some_and(|list| list.iter().all(|one| parse_host_port(one).is_some())),
    allowed: "a list of {host}:{port} entries",
};

pub static PER_ADDRESS_COUNTS: Rule = Rule {
    check: |value| value.as_str().is_some_and(|text| super::endpoint::parse_counts(text).is_some()),
    allowed: "a list of {host}:{count} entries",
};

pub static PROTOCOL_MAP: Rule = Rule {
    check: |value| value.as_str().is_some_and(|text| super::endpoint::parse_protocol_map(text).is_some()),
    allowed: "a list of {listener}:{protocol} entries, with the protocols PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL",
};

pub static CLIENT_MATCH: Rule = Rule {
    check: |value| {
        let known = |name: &str| {
            let names = [
                "client_instance_id",
                "client_id",
                "client_software_name",
                "client_software_version",
                "client_source_address",
                "client_source_port",
            ];
            names.contains(&name)
        };
        let selector = |entry: &String| {
            entry.split_once('=').is_some_and(|(name, pattern)| {
                known(name.trim()) && !pattern.trim().is_empty() && !pattern.contains('=')
            })
        };
        value.as_list().is_some_and(|list| list.iter().all(selector))
    },
    allowed: "a list of {selector}={pattern} entries, with the selectors client_instance_id, client_id, client_software_name, client_software_version, client_source_address and client_source_port",
};
