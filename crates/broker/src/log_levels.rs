//! The levels at which this process logs, as clients see and change them: the configuration of a broker's loggers.
//!
//! Who set the process up to log offers them; a node without such an offer has no loggers to show.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use kernel::ErrorCode;
use kernel::option::{Described, Source};
use metadata::controller::{ConfigChange, ConfigOp, Refusal};

/// Kafka's name of the logger that all others inherit from.
pub const ROOT_LOGGER: &str = "root";

/// The levels that Kafka knows, from the one that says least. Nothing of ours is fatal and goes on, so the first one
/// says nothing.
pub const LEVELS: [&str; 6] = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// What a process can do about its logging.
pub trait LogControl: Send + Sync {
    /// Every logger with the level that counts for it, one of [`LEVELS`].
    fn levels(&self) -> BTreeMap<String, &'static str>;

    /// Whether there is, or could be, a logger of this name.
    fn exists(&self, logger: &str) -> bool;

    /// Changes the level of a logger until the process ends, or takes the change back.
    fn set(&self, logger: &str, level: Option<&'static str>) -> Result<(), String>;
}

/// The loggers of a node.
#[derive(Default)]
pub struct LogLevels {
    control: OnceLock<Arc<dyn LogControl>>,
}

impl LogLevels {
    /// Lets clients see and change the levels. Only the first offer counts.
    pub fn offer(&self, control: Arc<dyn LogControl>) {
        let _ = self.control.set(control);
    }

    /// Every logger, as DescribeConfigs tells it.
    pub(crate) fn describe(&self) -> Vec<Described> {
        let levels = self.control.get().map(|control| control.levels()).unwrap_or_default();
        let described = levels.into_iter().map(|(name, level)| Described {
            name,
            value: Some(level.to_owned()),
            source: Source::DynamicBrokerLogger,
            kind_code: 0,
            is_sensitive: false,
            is_read_only: false,
            synonyms: Vec::new(),
            doc: None,
        });
        described.collect()
    }

    /// Changes levels: all of them, or none where one cannot be.
    pub(crate) fn alter(&self, changes: &[ConfigChange], validate_only: bool) -> Result<(), Refusal> {
        let mut names = BTreeSet::new();
        if changes.iter().any(|change| !names.insert(change.name.as_str())) {
            return Err(Refusal::invalid_request("Error due to duplicate config keys"));
        }
        let checked: Vec<(&str, Option<&'static str>)> =
            changes.iter().map(|change| self.check(change)).collect::<Result<_, _>>()?;
        let Some(control) = self.control.get().filter(|_| !validate_only) else { return Ok(()) };
        for (logger, level) in checked {
            control
                .set(logger, level)
                .map_err(|problem| Refusal::new(ErrorCode::UnknownServerError, problem))?;
        }
        Ok(())
    }

    fn check<'a>(&self, change: &'a ConfigChange) -> Result<(&'a str, Option<&'static str>), Refusal> {
        let logger = change.name.as_str();
        let not_for_loggers = |operation: &str| {
            Err(Refusal::invalid_request(format!(
                "{operation} operation is not allowed for the BROKER_LOGGER resource"
            )))
        };
        let level = match change.op {
            ConfigOp::Set => Some(change.value.as_deref().ok_or_else(|| {
                Refusal::invalid_request(format!("Null value not supported for : {logger}"))
            })?),
            ConfigOp::Delete => None,
            ConfigOp::Append => return not_for_loggers("APPEND"),
            ConfigOp::Subtract => return not_for_loggers("SUBTRACT"),
            ConfigOp::Unknown(number) => return not_for_loggers(&format!("Unknown {number}")),
        };
        if !self.control.get().is_some_and(|control| control.exists(logger)) {
            return Err(Refusal::invalid_config(format!("Logger {logger} does not exist!")));
        }
        let Some(level) = level else {
            return if logger == ROOT_LOGGER {
                let message = format!("Removing the log level of the {ROOT_LOGGER} logger is not allowed");
                Err(Refusal::invalid_request(message))
            } else {
                Ok((logger, None))
            };
        };
        let known = LEVELS.iter().find(|known| **known == level).ok_or_else(|| {
            Refusal::invalid_config(format!(
                "Cannot set the log level of {logger} to {level}: valid levels are {}",
                LEVELS.join(", ")
            ))
        })?;
        Ok((logger, Some(known)))
    }
}
