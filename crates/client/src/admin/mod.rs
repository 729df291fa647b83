//! Questions about a cluster, and changes of it.

mod cluster;
mod configs;
mod groups;
mod offsets;
mod topics;

pub(crate) use offsets::{committed as committed_of, list_offsets as list_offsets_of};

use crate::Client;

pub use cluster::ClusterDescription;
pub use configs::{ConfigEntry, ConfigSource};
pub use groups::{GroupDescription, GroupListing, GroupMember};
pub use offsets::{CommittedOffset, ListedOffset, OffsetSpec};
pub use topics::NewTopic;

/// Asks and changes a cluster. Every call tries again what may be, for `default.api.timeout.ms`.
///
/// # Errors
/// All calls fail with [`crate::Error::Broker`] where a broker refuses, with [`crate::Error::Unreachable`] where none
/// answers, and with [`crate::Error::Unsupported`] where the cluster does not serve what is asked.
#[derive(Debug, Clone)]
pub struct Admin {
    client: Client,
}

impl Admin {
    pub fn new(client: &Client) -> Admin {
        Admin { client: client.clone() }
    }
}
