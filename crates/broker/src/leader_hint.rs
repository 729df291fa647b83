//! Who leads instead, told beside an error so that the client need not ask (KIP-951).

use crate::hosted::Named;
use crate::node::Node;
use crate::request::Peer;

/// The leader of a partition, and where it is reached through a client's listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderHint {
    /// -1 if there is no leader.
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub endpoint: Option<HintEndpoint>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HintEndpoint {
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

impl Node {
    pub(crate) fn leader_hint(&self, peer: &Peer, topic: Named<'_>, index: i32) -> LeaderHint {
        let image = self.image();
        let topic = match topic {
            Named::Name(name) => image.topic(name),
            Named::Id(id) => image.topic_by_id(id),
        };
        let Some(partition) = topic.and_then(|topic| topic.partition(index)) else {
            return LeaderHint { leader_id: -1, leader_epoch: -1, endpoint: None };
        };
        let broker = partition.leader.and_then(|leader| image.broker(leader));
        let endpoint = broker.filter(|broker| broker.active()).and_then(|broker| {
            let endpoint = broker.endpoint(&peer.listener)?;
            let (host, rack) = (endpoint.host.clone(), broker.rack.clone());
            Some(HintEndpoint { host, port: i32::from(endpoint.port), rack })
        });
        let leader_id = partition.leader.map_or(-1, |leader| leader.0);
        LeaderHint { leader_id, leader_epoch: partition.leader_epoch.0, endpoint }
    }
}
