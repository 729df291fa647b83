//! The quorum of a lone node: itself.

use std::path::Path;

use kernel::option::BrokerConfig;
use kernel::{NodeId, Uuid};
use metadata::image::{Quorum, QuorumRecord};
use wire::records::voters_record::{Endpoint, KRaftVersionFeature, Voter, VotersRecord};

use crate::node::{Advertised, Node};

/// The level of `kraft.version` at which a cluster begins: the configuration says who the voters are, or the log does. It
/// cannot where no controller listens, of which it would have to tell the address.
pub(crate) fn founding_level(config: &BrokerConfig) -> i16 {
    let named = !config.quorum.voters.is_empty();
    if named || config.listeners.controller_advertised.is_empty() { 0 } else { Quorum::VOTERS_IN_LOG }
}

/// The voters of a new cluster; nothing where the log does not name them.
pub(crate) fn founding(node: &Node) -> Option<VotersRecord> {
    if founding_level(&node.config()) == 0 { None } else { itself(node) }
}

/// This node as the only voter; nothing where no controller listens.
pub(crate) fn itself(node: &Node) -> Option<VotersRecord> {
    alone(node.id, metadata_directory(node)?, &node.controller_advertised)
}

/// The only voter of a quorum; nothing where no controller listens.
pub(crate) fn alone(id: NodeId, directory: Uuid, advertised: &[Advertised]) -> Option<VotersRecord> {
    if advertised.is_empty() {
        return None;
    }
    let endpoints = advertised.iter().map(|one| Endpoint {
        name: one.listener.clone(),
        host: one.host.clone(),
        port: one.port,
    });
    let itself = Voter {
        voter_id: id.0,
        voter_directory_id: directory,
        endpoints: endpoints.collect(),
        kraft_version_feature: KRaftVersionFeature {
            min_supported_version: 0,
            max_supported_version: Quorum::VOTERS_IN_LOG,
        },
    };
    Some(VotersRecord { version: 0, voters: vec![itself] })
}

/// What a log says at its beginning whose voters it names.
pub(crate) fn first_records(voters: &VotersRecord) -> Result<Vec<QuorumRecord>, wire::EncodeError> {
    Ok(vec![QuorumRecord::Version(Quorum::VOTERS_IN_LOG), QuorumRecord::voters(voters)?])
}

/// The id of the directory in which the metadata log lies.
pub(crate) fn metadata_directory(node: &Node) -> Option<Uuid> {
    let path = &node.config().metadata_log_dir;
    node.dirs.iter().find(|dir| dir.dir.path() == Path::new(path)).map(|dir| dir.id)
}
