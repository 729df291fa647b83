//! Listening sockets: who may connect, and how many.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use host::net::{Listener, Stream};
use kernel::option::broker_config::Network;
use parking_lot::Mutex;
use tracing::{debug, warn};

use super::{End, serve};
use crate::node::Node;
use crate::request::{ListenerType, Peer};

/// How long accepting pauses when the process has no file descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Accepts the connections of one listener.
pub struct Acceptor<L> {
    pub listener: L,
    /// The listener's name, for example `PLAINTEXT`.
    pub name: Arc<str>,
    pub listener_type: ListenerType,
}

impl<L: Listener> Acceptor<L> {
    /// Runs until the node stops.
    pub async fn run(self, node: Arc<Node>) {
        let mut stopping = node.stopping();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stopping.wait() => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let Some(place) = node.connections.admit(address.ip()) else {
                        debug!(%address, "connection refused: the limit of max.connections is reached");
                        continue;
                    };
                    let local = stream.local_addr().ok();
                    let peer =
                        Arc::new(Peer::new(address, local, Arc::clone(&self.name), self.listener_type));
                    host::task::spawn(one(stream, Arc::clone(&node), peer, place));
                }
                Err(error) => accept_failed(&self.name, &error).await,
            }
        }
    }
}

pub(crate) async fn accept_failed(listener: &str, error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        // The peer was gone before its turn came; the next one must not wait for that.
        debug!(listener, %error, "a connection ended before it was accepted");
        return;
    }
    warn!(listener, %error, "a connection could not be accepted");
    // Without a free descriptor the next attempt fails as well; others may close theirs meanwhile.
    tokio::time::sleep(EXHAUSTED_PAUSE).await;
}

async fn one(stream: impl Stream, node: Arc<Node>, peer: Arc<Peer>, place: Place) {
    let end = serve(stream, node, Arc::clone(&peer)).await;
    drop(place);
    match end {
        End::Refused(reason) => warn!(peer = %peer.address, %reason, "connection closed"),
        End::Failed(error) => debug!(peer = %peer.address, %error, "connection failed"),
        End::Idle => debug!(peer = %peer.address, "idle connection closed"),
        End::Peer | End::Stopping => {}
    }
}

/// Counts connections against `max.connections` and `max.connections.per.ip`.
#[derive(Debug)]
pub struct Connections {
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    total: usize,
    /// How many were let in since the node began, and how many were not.
    accepted: u64,
    refused: u64,
    per_ip: BTreeMap<IpAddr, usize>,
    limits: Limits,
}

impl Counts {
    fn new(limits: Limits) -> Self {
        Self { total: 0, accepted: 0, refused: 0, per_ip: BTreeMap::new(), limits }
    }
}

/// How many connections there are and were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionCounts {
    pub open: usize,
    pub accepted: u64,
    pub refused: u64,
}

#[derive(Debug)]
struct Limits {
    max: usize,
    per_ip: usize,
    /// `max.connections.per.ip.overrides`, by address.
    overrides: BTreeMap<IpAddr, usize>,
}

impl Limits {
    fn new(network: &Network) -> Self {
        let overrides = network.max_connections_per_ip_overrides.iter();
        Self {
            max: network.max_connections,
            per_ip: network.max_connections_per_ip,
            overrides: overrides.filter_map(|(ip, max)| Some((ip.parse().ok()?, *max))).collect(),
        }
    }
}

impl Connections {
    pub fn new(network: &Network) -> Arc<Self> {
        let counts = Counts::new(Limits::new(network));
        Arc::new(Self { counts: Mutex::new(counts) })
    }

    /// Other limits count for connections that come from now on.
    pub fn set_limits(&self, network: &Network) {
        self.counts.lock().limits = Limits::new(network);
    }

    pub fn counts(&self) -> ConnectionCounts {
        let Counts { total, accepted, refused, .. } = *self.counts.lock();
        ConnectionCounts { open: total, accepted, refused }
    }

    /// A place for a connection from `ip`, unless a limit is reached.
    pub fn admit(self: &Arc<Self>, ip: IpAddr) -> Option<Place> {
        let mut counts = self.counts.lock();
        let of_ip_max = counts.limits.overrides.get(&ip).copied().unwrap_or(counts.limits.per_ip);
        let of_ip = counts.per_ip.get(&ip).copied().unwrap_or(0);
        if counts.total >= counts.limits.max || of_ip >= of_ip_max {
            counts.refused += 1;
            return None;
        }
        counts.per_ip.insert(ip, of_ip + 1);
        counts.total += 1;
        counts.accepted += 1;
        Some(Place { connections: Arc::clone(self), ip })
    }
}

/// A counted connection; dropping it frees its place.
#[derive(Debug)]
pub struct Place {
    connections: Arc<Connections>,
    ip: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.connections.counts.lock();
        counts.total = counts.total.saturating_sub(1);
        if let Some(of_ip) = counts.per_ip.get_mut(&self.ip) {
            *of_ip -= 1;
            if *of_ip == 0 {
                counts.per_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn connections(max: usize, per_ip: usize) -> Arc<Connections> {
        let limits = Limits { max, per_ip, overrides: BTreeMap::new() };
        Arc::new(Connections { counts: Mutex::new(Counts::new(limits)) })
    }

    #[test]
    fn a_limit_refuses_and_a_closed_connection_frees_its_place() {
        let connections = connections(3, 2);
        let (a, b) = (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)));
        let first = connections.admit(a);
        let second = connections.admit(a);
        assert!(first.is_some() && second.is_some());
        assert!(connections.admit(a).is_none(), "two per address");
        let third = connections.admit(b);
        assert!(third.is_some());
        assert!(connections.admit(b).is_none(), "three in all");
        drop(first);
        assert!(connections.admit(b).is_some());
        let counts = ConnectionCounts { open: 2, accepted: 4, refused: 2 };
        assert_eq!(connections.counts(), counts, "the last was not kept");
    }
}
