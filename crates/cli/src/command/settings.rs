//! The settings of a node, as the commands take them that start or prepare one.

use std::path::PathBuf;

use clap::Args;
use kernel::option::{NodeOptions, ResolveError, Sources, properties, resolve};

use super::Failure;
use super::cannot_start::with_option;
use super::files::read_small;

#[derive(Debug, Args)]
pub struct Settings {
    /// A file of settings, as Kafka's server.properties.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

impl Settings {
    /// Reads the file, then variables such as KAFKA_LOG_DIRS, then what was given by itself; the last one counts.
    pub fn read(&self) -> Result<NodeOptions, Failure> {
        let text = match &self.config {
            Some(path) => {
                let bytes = read_small(path).map_err(|error| {
                    Failure::wrong_use(format!("cannot read {}: {error}", path.display()))
                        .next("name a file of settings that is there, or leave --config out and use --set")
                })?;
                Some((path.display().to_string(), properties::decode(&bytes)))
            }
            None => None,
        };
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let sources = Sources {
            file: text.as_ref().map(|(path, text)| (path.as_str(), text.as_str())),
            environment: &environment,
            command_line: &self.settings,
        };
        resolve(&sources).map(NodeOptions::new).map_err(refused)
    }
}

fn refused(error: ResolveError) -> Failure {
    let failure = Failure::wrong_use(error.to_string());
    let mut options = error.options.iter();
    match (options.next(), options.next()) {
        (Some(option), None) => with_option(failure, option),
        (Some(option), Some(_)) => failure
            .next(format!("`riverrun config explain {option}` says what it may be, and so of the others")),
        (None, _) => failure.next("a setting is a line KEY=VALUE in a file, or --set KEY=VALUE"),
    }
}
