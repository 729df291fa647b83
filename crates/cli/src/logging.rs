//! Logs: lines for people, or JSON for machines, on standard error; with levels that can be changed while it runs.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

use broker::log_levels::{LEVELS, LogControl, ROOT_LOGGER};
use clap::ValueEnum;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use crate::command::text_variable;

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// The variable that chooses what is logged, for example `debug` or `broker=debug,info`.
const LEVEL_VARIABLE: &str = "RIVERRUN_LOG";

/// The crates of this program: they are the loggers, and so are the modules in them.
const CRATES: [&str; 9] =
    ["broker", "client", "coordinator", "host", "kernel", "metadata", "riverrun", "storage", "wire"];

/// Sets the process up to log.
pub fn init(format: LogFormat) -> Arc<dyn LogControl> {
    let wanted = text_variable(LEVEL_VARIABLE).and_then(|wanted| wanted.parse().ok());
    let start = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let (filter, handle) = reload::Layer::new(start.clone());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).init();
    Arc::new(Levels { start, changes: Mutex::default(), handle })
}

/// The levels of this process: those it started with, and what was changed since.
struct Levels {
    start: Targets,
    changes: Mutex<BTreeMap<String, LevelFilter>>,
    handle: reload::Handle<Targets, Registry>,
}

impl LogControl for Levels {
    fn levels(&self) -> BTreeMap<String, &'static str> {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let all = with_changes(&self.start, &changes);
        let names = CRATES.iter().copied().chain(changes.keys().map(String::as_str));
        let inherited = names.map(|name| (name.to_owned(), level_name(level_of(&all, name))));
        let root = all.default_level().unwrap_or(LevelFilter::OFF);
        inherited.chain([(ROOT_LOGGER.to_owned(), level_name(root))]).collect()
    }

    fn exists(&self, logger: &str) -> bool {
        let of_crate = logger.split("::").next().unwrap_or_default();
        let is_path = logger.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'));
        logger == ROOT_LOGGER || (CRATES.contains(&of_crate) && is_path && logger.len() <= LOGGER_LEN_MAX)
    }

    fn set(&self, logger: &str, level: Option<&'static str>) -> Result<(), String> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        match level.and_then(level_filter) {
            Some(level) if changes.len() < CHANGES_MAX || changes.contains_key(logger) => {
                changes.insert(logger.to_owned(), level);
            }
            Some(_) => return Err(format!("The levels of {CHANGES_MAX} loggers are changed already.")),
            None => {
                changes.remove(logger);
            }
        }
        self.handle.reload(with_changes(&self.start, &changes)).map_err(|error| error.to_string())
    }
}

/// How many loggers may have a level of their own; each is looked at for each line.
const CHANGES_MAX: usize = 64;
/// The longest name of a logger.
const LOGGER_LEN_MAX: usize = 128;

fn with_changes(start: &Targets, changes: &BTreeMap<String, LevelFilter>) -> Targets {
    let root = changes.get(ROOT_LOGGER).copied().or_else(|| start.default_level());
    let of_loggers = changes.iter().filter(|(name, _)| *name != ROOT_LOGGER);
    let all = start.clone().with_targets(of_loggers.map(|(name, level)| (name.as_str(), *level)));
    match root {
        Some(root) => all.with_default(root),
        None => all,
    }
}

fn level_of(all: &Targets, logger: &str) -> LevelFilter {
    use tracing::Level;
    let levels = [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR];
    let said = levels.into_iter().find(|level| all.would_enable(logger, level));
    said.map_or(LevelFilter::OFF, LevelFilter::from_level)
}

/// Kafka's name of a level: nothing of ours is fatal and goes on, so `FATAL` says nothing.
fn level_name(level: LevelFilter) -> &'static str {
    let index = FILTERS.iter().position(|filter| *filter == level).unwrap_or_default();
    LEVELS.get(index).copied().unwrap_or_default()
}

fn level_filter(name: &str) -> Option<LevelFilter> {
    let index = LEVELS.iter().position(|level| *level == name)?;
    FILTERS.get(index).copied()
}

/// What [`LEVELS`] mean, in their order.
const FILTERS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(start: &str) -> (Levels, reload::Layer<Targets, Registry>) {
        let start: Targets = start.parse().expect("levels");
        let (layer, handle) = reload::Layer::new(start.clone());
        (Levels { start, changes: Mutex::default(), handle }, layer)
    }

    #[test]
    fn a_logger_has_its_own_level_or_that_of_the_root() {
        let (levels, _layer) = levels("storage=debug,info");
        let of = |name: &str| levels.levels().get(name).copied();
        assert_eq!((of("root"), of("broker"), of("storage")), (Some("INFO"), Some("INFO"), Some("DEBUG")));
        levels.set("root", Some("WARN")).expect("it can be changed");
        levels.set("broker::conn", Some("TRACE")).expect("it can be changed");
        levels.set("wire", Some("FATAL")).expect("it can be changed");
        assert_eq!(
            (of("root"), of("broker"), of("broker::conn")),
            (Some("WARN"), Some("WARN"), Some("TRACE"))
        );
        assert_eq!((of("storage"), of("wire")), (Some("DEBUG"), Some("FATAL")));
        levels.set("broker::conn", None).expect("it can be taken back");
        assert_eq!(of("broker::conn"), None);
    }

    #[test]
    fn only_what_is_in_this_program_is_a_logger() {
        let (levels, _layer) = levels("info");
        assert!(levels.exists("root") && levels.exists("broker") && levels.exists("storage::log"));
        assert!(
            !levels.exists("kafka.server.KafkaApis") && !levels.exists("broker,info") && !levels.exists("")
        );
    }
}
