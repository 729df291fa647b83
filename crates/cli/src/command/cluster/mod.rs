//! `riverrun cluster`: info, health, log-dirs.

mod health;
mod info;
mod log_dirs;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Subcommand;
use client::admin::Quorum;
use client::{Admin, Error, ErrorCode};
use kernel::NodeId;
use tokio::task::JoinSet;

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

/// How long the controllers, or one broker, may take for an answer before the others are told of without it.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Bounds what may never be answered, as the rest can be told without it.
async fn within<T>(time: Duration, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = Error::Timeout { what: "an answer".into(), after: time };
    tokio::time::timeout(time, asked).await.unwrap_or(Err(late))
}

/// The quorum of controllers, where the cluster has one and tells of it within `time`.
async fn quorum(admin: &Admin, time: Duration) -> Result<Option<Quorum>, Error> {
    match if_served(within(time, admin.describe_quorum()).await) {
        Err(error) if error.code() == Some(ErrorCode::ClusterAuthorizationFailed) => Ok(None),
        asked => asked,
    }
}

/// What brokers say of themselves, all asked at once.
async fn each_broker<T, F>(
    brokers: impl IntoIterator<Item = NodeId>,
    mut ask: impl FnMut(NodeId) -> F,
) -> BTreeMap<NodeId, Result<T, Error>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    let mut asked = JoinSet::new();
    for id in brokers {
        let answer = ask(id);
        asked.spawn(async move { (id, answer.await) });
    }
    let mut said = BTreeMap::new();
    while let Some(answered) = asked.join_next().await {
        said.extend(answered);
    }
    said
}

/// What cannot be asked is not shown; the rest is worth as much.
fn if_served<T>(asked: Result<T, Error>) -> Result<Option<T>, Error> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Unsupported { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
