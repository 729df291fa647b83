//! Log directories that are closed to new replicas (KIP-1066): an option of this node names them, the controller has to
//! know them.

use std::path::Path;
use std::sync::Arc;

use kernel::Uuid;
use metadata::Image;
use metadata::controller::{Decision, cordon_directories};
use tracing::{debug, info, warn};

use crate::node::Node;

impl Node {
    /// The directories that `cordoned.log.dirs` names, provided that the cluster's level knows of such.
    pub fn cordoned_directories(&self, image: &Image) -> Vec<Uuid> {
        if !image.features.record_level().cordoned_directories() {
            return Vec::new();
        }
        let config = self.config();
        let named = |path: &Path| config.cordoned_log_dirs.iter().any(|one| Path::new(one) == path);
        self.dirs.iter().filter(|dir| named(dir.dir.path())).map(|dir| dir.id).collect()
    }

    fn cordon(&self, image: &Image) -> Decision<()> {
        let Some(broker) = image.broker(self.id) else { return Decision::reply(()) };
        let cordoned = self.cordoned_directories(image);
        cordon_directories(image, self.id, broker.epoch, &cordoned).unwrap_or_else(|_| Decision::reply(()))
    }

    /// Takes down in the metadata which directories are closed, where that is not what the metadata says.
    pub(crate) async fn tell_cordoned(self: &Arc<Self>) {
        if self.cordon(&self.image()).records.is_empty() {
            return;
        }
        let told = match self.controller.decide(|image, _| self.cordon(image)).await {
            Ok((Some(change), ())) => {
                self.controller.finish(change, |delta, image| self.apply(delta, image)).await
            }
            Ok((None, ())) => Ok(()),
            Err(code) => Err(code),
        };
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
