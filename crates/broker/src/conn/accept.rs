//! Listening sockets: who may connect, and how many.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tracing::{debug, warn};

use super::{End, serve};
use crate::node::Node;
use crate::request::Peer;

/// How long accepting pauses when the process has no file descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Accepts the connections of one listener.
pub struct Acceptor {
    pub listener: TcpListener,
    /// The listener's name, for example `PLAINTEXT`.
    pub name: Arc<str>,
}

impl Acceptor {
    /// Runs until the node stops.
    pub async fn run(self, node: Arc<Node>) {
        let mut stopping = node.stopping();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stopping.wait() => return,
                accepted = host::net::accept(&self.listener) => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let Some(place) = node.connections.admit(address.ip()) else {
                        debug!(%address, "connection refused: the limit of max.connections is reached");
                        continue;
                    };
                    let local = stream.local_addr().ok();
                    let peer = Arc::new(Peer::new(address, local, Arc::clone(&self.name)));
                    tokio::spawn(one(stream, Arc::clone(&node), peer, place));
                }
                Err(error) => self.accept_failed(&error).await,
            }
        }
    }

    async fn accept_failed(&self, error: &io::Error) {
        warn!(listener = %self.name, %error, "a connection could not be accepted");
        // Without a free descriptor the next attempt fails as well; others may close theirs meanwhile.
        tokio::time::sleep(EXHAUSTED_PAUSE).await;
    }
}

async fn one(stream: tokio::net::TcpStream, node: Arc<Node>, peer: Arc<Peer>, place: Place) {
    let end = serve(stream, Arc::clone(&node), Arc::clone(&peer)).await;
    node.connection_closed(&peer);
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
    max: usize,
    per_ip_max: usize,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    per_ip: HashMap<IpAddr, usize>,
}

impl Connections {
    pub fn new(max: usize, per_ip_max: usize) -> Arc<Self> {
        Arc::new(Self { counts: Mutex::default(), max, per_ip_max })
    }

    /// A place for a connection from `ip`, unless a limit is reached.
    pub fn admit(self: &Arc<Self>, ip: IpAddr) -> Option<Place> {
        let mut counts = self.counts.lock();
        if counts.total >= self.max {
            return None;
        }
        let of_ip = counts.per_ip.entry(ip).or_default();
        if *of_ip >= self.per_ip_max {
            return None;
        }
        *of_ip += 1;
        counts.total += 1;
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

/// The address that a socket listens on, for the banner.
pub fn bound(listener: &TcpListener) -> io::Result<SocketAddr> {
    listener.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_limit_refuses_and_a_closed_connection_frees_its_place() {
        let connections = Connections::new(3, 2);
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
    }
}
