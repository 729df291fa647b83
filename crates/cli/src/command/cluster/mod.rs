//! `riverrun cluster`: info, health, log-dirs.

mod health;
mod info;
mod log_dirs;

use std::time::Duration;

use clap::Subcommand;
use client::Error;

use super::{Failure, Session};

#[derive(Debug, Subcommand)]
pub enum Cluster {
    Info(info::Info),
    Health(health::Health),
    LogDirs(log_dirs::LogDirs),
}

impl Cluster {
    /// How long it waits for what is not as it should be.
    pub fn patience(&self) -> Duration {
        match self {
            Cluster::Health(health) => health.patience(),
            Cluster::Info(_) | Cluster::LogDirs(_) => Duration::ZERO,
        }
    }
}

pub async fn run(cluster: Cluster, session: &Session) -> Result<(), Failure> {
    match cluster {
        Cluster::Info(_) => info::info(session).await,
        Cluster::Health(health) => health::health(&health, session).await,
        Cluster::LogDirs(dirs) => log_dirs::log_dirs(&dirs, session).await,
    }
}

/// What cannot be asked is not shown; the rest is worth as much.
fn if_served<T>(asked: Result<T, Error>) -> Result<Option<T>, Error> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Unsupported { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
