//! Questions about a cluster, and changes of it.

mod cluster;
mod configs;
mod features;
mod group_list;
mod groups;
mod leaders;
mod members;
mod nodes;
mod offsets;
mod partitions;
mod producers;
mod quorum;
mod records;
mod shares;
mod topics;

pub(crate) use offsets::{committed_each as committed_of, list_offsets as list_offsets_of};

use std::time::Duration;

use crate::Client;

pub use cluster::{ApiVersions, Feature, Features, LogDir, LogDirReplica};
pub use configs::{ConfigChange, ConfigEntry, ConfigResource, ConfigSource, ConfigSynonym, ConfigType};
pub use features::{FeatureChange, FeatureUpdate};
pub use group_list::{GroupFilter, GroupListing, GroupListings};
pub use groups::{GroupDescription, GroupMember};
pub use members::Leaver;
pub use nodes::{ClusterDescription, ClusterQuery, Endpoints};
pub use offsets::{CommittedOffset, ListedOffset, OffsetSpec};
pub use partitions::{PartitionDescription, TopicPartitions};
pub use producers::ActiveProducer;
pub use quorum::{Election, Quorum, QuorumReplica, Reassignment};
pub use shares::{ShareGroupDescription, ShareGroupMember, ShareGroupOffset};
pub use topics::{CreatedTopic, NewTopic};

/// Asks and changes a cluster. Questions are asked again where that may help, for `default.api.timeout.ms`;
/// changes are not, as one that succeeded unseen would fail the second time, unless they say so.
///
/// ```no_run
#[doc = include_str!("../../examples/administer.rs")]
/// ```
///
/// # Errors
/// All calls fail with [`crate::Error::Broker`] where a broker refuses, with [`crate::Error::Unreachable`] where none
/// answers, and with [`crate::Error::Unsupported`] where the cluster does not serve what is asked. After
/// [`crate::Error::Timeout`] and [`crate::Error::Connection`] nothing is known of a change: look whether it was made before it
/// is asked for again.
///
/// Where the cluster has an authorizer, whoever lacks a right is refused with `CLUSTER_AUTHORIZATION_FAILED`,
/// `TOPIC_AUTHORIZATION_FAILED` or `GROUP_AUTHORIZATION_FAILED`; each call says which right of what it needs. `REQUEST_TIMED_OUT`
/// comes of a change whose outcome the controller did not tell the broker in time.
#[derive(Debug, Clone)]
pub struct Admin {
    client: Client,
}

impl Admin {
    /// An admin on a client's cluster.
    pub fn new(client: &Client) -> Admin {
        Admin { client: client.clone() }
    }

    /// The same admin, for calls that may take no longer than `time` where `default.api.timeout.ms` is more. They fail with
    /// what their last attempt failed with, as all do.
    #[must_use]
    pub fn within(&self, time: Duration) -> Admin {
        Admin { client: self.client.within(time) }
    }
}
