//! The quorum of a lone node: itself.

use std::path::Path;

use kernel::Uuid;
use wire::records::voters_record::{Endpoint, KRaftVersionFeature, Voter, VotersRecord};

use crate::node::Node;

/// The levels of `kraft.version` that this node can live with.
const KRAFT_VERSION_MAX: i16 = 1;

/// The voters of a new cluster; nothing where the configuration says who they are, or where no controller listens, of which the
/// record would have to tell the address.
pub(crate) fn founding(node: &Node) -> Option<VotersRecord> {
    if !node.config().quorum.voters.is_empty() || node.controller_advertised.is_empty() {
        return None;
    }
    let endpoints = node.controller_advertised.iter().map(|one| Endpoint {
        name: one.listener.clone(),
        host: one.host.clone(),
        port: one.port,
    });
    let itself = Voter {
        voter_id: node.id.0,
        voter_directory_id: metadata_directory(node)?,
        endpoints: endpoints.collect(),
        kraft_version_feature: KRaftVersionFeature {
            min_supported_version: 0,
            max_supported_version: KRAFT_VERSION_MAX,
        },
    };
    Some(VotersRecord { version: 0, voters: vec![itself] })
}

/// The id of the directory in which the metadata log lies.
pub(crate) fn metadata_directory(node: &Node) -> Option<Uuid> {
    let path = &node.config().metadata_log_dir;
    node.dirs.iter().find(|dir| dir.dir.path() == Path::new(path)).map(|dir| dir.id)
}
