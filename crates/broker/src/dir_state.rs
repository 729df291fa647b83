//! What the controller has to know about the log directories of this node: which are offline, which are closed to new
//! replicas (KIP-1066: an option names them), and which replica is in which.

use std::path::Path;
use std::sync::Arc;

use kernel::{ErrorCode, Uuid};
use metadata::Image;
use metadata::controller::{Decision, assign_replicas_to_dirs, cordon_directories, directories_offline};
use tracing::{debug, info, warn};

use crate::node::Node;

/// Tells the controller of directories that fail, until the node stops.
pub(crate) async fn watch(node: Arc<Node>) {
    let mut stopping = node.stopping();
    loop {
        tokio::select! {
            biased;
            () = stopping.wait() => return,
            () = node.dirs.failure() => {}
        }
        let dirs = &node.dirs;
        warn!(
            offline = dirs.offline_count(),
            online = dirs.online().count(),
            "fewer log directories are left"
        );
        let told = node.change(|image, _| node.offline(image)).await;
        if let Err(problem) = told {
            warn!(%problem, "the failure of a log directory is not told to the controller");
        }
    }
}

impl Node {
    /// The directories that `cordoned.log.dirs` names, provided that the cluster's level knows of such.
    pub fn cordoned_directories(&self, image: &Image) -> Vec<Uuid> {
        if !image.features.record_level().cordoned_directories() {
            return Vec::new();
        }
        let config = self.config();
        let named = |path: &Path| config.cordoned_log_dirs.iter().any(|one| Path::new(one) == path);
        self.dirs.iter().filter(|dir| named(dir.path())).map(|dir| dir.id).collect()
    }

    fn cordon(&self, image: &Image) -> Decision<()> {
        let Some(broker) = image.broker(self.id) else { return Decision::reply(()) };
        let cordoned = self.cordoned_directories(image);
        cordon_directories(image, self.id, broker.epoch, &cordoned).unwrap_or_else(|_| Decision::reply(()))
    }

    fn offline(&self, image: &Image) -> Decision<()> {
        let Some(broker) = image.broker(self.id) else { return Decision::reply(()) };
        let failed = self.dirs.iter().filter(|dir| !dir.is_online());
        let failed: Vec<Uuid> = failed.map(|dir| dir.id).collect();
        directories_offline(image, self.id, broker.epoch, &failed).unwrap_or_else(|_| Decision::reply(()))
    }

    /// Takes down in the metadata where replicas are, as far as they are elsewhere than it says.
    pub(crate) async fn tell_located(self: &Arc<Self>) {
        let located = self.dirs.take_located();
        if located.is_empty() || !self.image().features.record_level().directories() {
            return;
        }
        let told = self.change_within(|image, _| {
            let Some(broker) = image.broker(self.id) else { return Decision::reply(Vec::new()) };
            assign_replicas_to_dirs(image, self.id, broker.epoch, &located)
                .unwrap_or_else(|_| Decision::reply(Vec::new()))
        });
        match told.await.map(drop) {
            Ok(()) => {
                debug!(replicas = located.len(), "the controller knows in which log directories they are")
            }
            Err(problem) => {
                warn!(%problem, "the controller is not told in which log directories replicas are");
                located.into_iter().for_each(|one| self.dirs.locate(one));
            }
        }
    }

    /// Whether the metadata knows of every replica in which directory it is.
    pub(crate) fn all_located(&self) -> Result<(), ErrorCode> {
        let located = self.dirs.take_located();
        let known = located.is_empty();
        located.into_iter().for_each(|one| self.dirs.locate(one));
        if known { Ok(()) } else { Err(ErrorCode::KafkaStorageError) }
    }

    /// Takes down in the metadata which directories are closed, where that is not what the metadata says.
    pub(crate) async fn tell_cordoned(self: &Arc<Self>) {
        if self.cordon(&self.image()).records.is_empty() {
            return;
        }
        let told = self.change_within(|image, _| self.cordon(image)).await;
        match told {
            Ok(()) if self.config().cordoned_log_dirs.is_empty() => {
                debug!("every log directory takes new replicas");
            }
            Ok(()) => {
                info!(directories = ?self.config().cordoned_log_dirs, "log directories closed to new replicas")
            }
            Err(problem) => warn!(%problem, "the cordoned log directories are not told to the controller"),
        }
    }
}
