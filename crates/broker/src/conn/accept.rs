//! Listening sockets: who may connect, and how many.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use host::net::{Listener, Stream};
use kernel::Instant;
use kernel::option::broker_config::{ListenerLimits, Network};
use parking_lot::Mutex;
use tracing::{debug, warn};

use super::{End, serve};
use crate::node::Node;
use crate::request::{ListenerType, Peer};
use crate::throttle::Throttle;

/// How long accepting pauses when the process has no file descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Shorter pauses between connections are not made, but added up.
const PAUSE_MIN: Duration = Duration::from_millis(1);

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
                    self.begin(stream, address, &node);
                    let pause = node.connections.pace(&self.name, node.now().mono);
                    if pause >= PAUSE_MIN {
                        tokio::select! {
                            biased;
                            () = stopping.wait() => return,
                            () = tokio::time::sleep(pause) => {}
                        }
                    }
                }
                Err(error) => accept_failed(&self.name, &error).await,
            }
        }
    }

    /// Serves a connection, if there is a place for it.
    fn begin(&self, stream: L::Stream, address: SocketAddr, node: &Arc<Node>) {
        let Some(place) = node.connections.admit(&self.name, address.ip()) else {
            debug!(%address, "connection refused: a limit of connections is reached");
            return;
        };
        let local = stream.local_addr().ok();
        let peer = Arc::new(Peer::new(address, local, Arc::clone(&self.name), self.listener_type));
        host::task::spawn(one(stream, Arc::clone(node), peer, place));
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

/// Counts connections against `max.connections` and `max.connections.per.ip`, and spreads them as
/// `max.connection.creation.rate` asks.
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
    per_listener: BTreeMap<Arc<str>, usize>,
    limits: Limits,
    pace: Throttle,
    pace_of_listeners: BTreeMap<Arc<str>, Throttle>,
    /// Somebody was refused since there was last much room.
    told: bool,
}

impl Counts {
    fn new(limits: Limits) -> Self {
        Self {
            told: false,
            total: 0,
            accepted: 0,
            refused: 0,
            per_ip: BTreeMap::new(),
            per_listener: BTreeMap::new(),
            limits,
            pace: Throttle::default(),
            pace_of_listeners: BTreeMap::new(),
        }
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
    /// How many the process may have open files for.
    files: usize,
    per_ip: usize,
    /// `max.connections.per.ip.overrides`, by address.
    overrides: BTreeMap<IpAddr, usize>,
    /// New connections a second.
    rate: u32,
    /// What listeners have of their own.
    of_listeners: BTreeMap<String, ListenerLimits>,
}

impl Limits {
    fn new(network: &Network, files: usize) -> Self {
        let overrides = network.max_connections_per_ip_overrides.iter();
        Self {
            max: network.max_connections.min(files),
            files,
            per_ip: network.max_connections_per_ip,
            overrides: overrides.filter_map(|(ip, max)| Some((ip.parse().ok()?, *max))).collect(),
            rate: network.max_connection_rate,
            of_listeners: network.of_listeners.clone(),
        }
    }
}

impl Connections {
    /// There are never more than `files`: what the process may open beside them is for the logs, which a client that does not
    /// close its connections would have to wait for else.
    pub fn new(network: &Network, files: usize) -> Arc<Self> {
        let counts = Counts::new(Limits::new(network, files));
        Arc::new(Self { counts: Mutex::new(counts) })
    }

    /// Other limits count for connections that come from now on.
    pub fn set_limits(&self, network: &Network) {
        let mut counts = self.counts.lock();
        counts.limits = Limits::new(network, counts.limits.files);
    }

    pub fn counts(&self) -> ConnectionCounts {
        let Counts { total, accepted, refused, .. } = *self.counts.lock();
        ConnectionCounts { open: total, accepted, refused }
    }

    /// A listener has accepted one more. Returns how long it leaves the next one waiting.
    pub fn pace(&self, listener: &Arc<str>, now: Instant) -> Duration {
        let mut counts = self.counts.lock();
        let Counts { limits, pace, pace_of_listeners, .. } = &mut *counts;
        // As in Kafka, nobody waits for ever where the rate is 0.
        let pay = |pace: &mut Throttle, rate: u32| pace.pay(now, 1, f64::from(rate.max(1)));
        let pause = pay(pace, limits.rate);
        let own = limits.of_listeners.get(&**listener).and_then(|limits| limits.max_connection_rate);
        own.map_or(pause, |own| {
            pause.max(pay(pace_of_listeners.entry(Arc::clone(listener)).or_default(), own))
        })
    }

    /// A place for a connection from `ip` at a listener, unless a limit is reached.
    pub fn admit(self: &Arc<Self>, listener: &Arc<str>, ip: IpAddr) -> Option<Place> {
        let mut counts = self.counts.lock();
        let of_listener_max =
            counts.limits.of_listeners.get(&**listener).and_then(|limits| limits.max_connections);
        let of_listener = counts.per_listener.get(listener).copied().unwrap_or(0);
        let of_ip_max = counts.limits.overrides.get(&ip).copied().unwrap_or(counts.limits.per_ip);
        let of_ip = counts.per_ip.get(&ip).copied().unwrap_or(0);
        let listener_is_full = of_listener_max.is_some_and(|max| of_listener >= max);
        if counts.total >= counts.limits.max || of_ip >= of_ip_max || listener_is_full {
            counts.refused += 1;
            let is_full = counts.total >= counts.limits.max;
            if is_full && !std::mem::replace(&mut counts.told, true) {
                warn!(
                    open = counts.total,
                    "connections are refused: there are as many as max.connections allows, or the limit of open files (ulimit -n) \
                     beside those of the logs"
                );
            }
            return None;
        }
        counts.per_ip.insert(ip, of_ip + 1);
        counts.per_listener.insert(Arc::clone(listener), of_listener + 1);
        counts.total += 1;
        counts.accepted += 1;
        Some(Place { connections: Arc::clone(self), listener: Arc::clone(listener), ip })
    }
}

/// A counted connection; dropping it frees its place.
#[derive(Debug)]
pub struct Place {
    connections: Arc<Connections>,
    listener: Arc<str>,
    ip: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.connections.counts.lock();
        counts.total = counts.total.saturating_sub(1);
        counts.told &= counts.total > counts.limits.max / 2;
        if let Some(of_listener) = counts.per_listener.get_mut(&self.listener) {
            *of_listener = of_listener.saturating_sub(1);
        }
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
    use kernel::option::{NodeOptions, Sources, resolve};
    use std::net::Ipv4Addr;

    fn connections(max: usize, per_ip: usize) -> Arc<Connections> {
        let of_listeners = BTreeMap::new();
        let overrides = BTreeMap::new();
        let limits = Limits { max, files: max, per_ip, overrides, rate: u32::MAX, of_listeners };
        Arc::new(Connections { counts: Mutex::new(Counts::new(limits)) })
    }

    fn name() -> Arc<str> {
        Arc::from("PLAINTEXT")
    }

    #[test]
    fn a_listener_has_limits_of_its_own() {
        let connections = connections(10, 10);
        let own = ListenerLimits { max_connections: Some(1), max_connection_rate: Some(4) };
        connections.counts.lock().limits.of_listeners.insert("PLAINTEXT".to_owned(), own);
        let (ip, other) = (IpAddr::V4(Ipv4Addr::LOCALHOST), Arc::from("OTHER"));
        let first = connections.admit(&name(), ip);
        assert!(first.is_some() && connections.admit(&name(), ip).is_none());
        assert!(connections.admit(&other, ip).is_some());
        drop(first);
        assert!(connections.admit(&name(), ip).is_some());
        let now = Instant::default();
        assert_eq!(connections.pace(&name(), now), Duration::from_millis(250));
        assert!(connections.pace(&other, now) < PAUSE_MIN);
    }

    #[test]
    fn connections_leave_the_files_that_logs_need() {
        let sources = Sources { file: None, environment: &[], command_line: &[] };
        let options = NodeOptions::new(resolve(&sources).expect("these are the defaults"));
        let network = options.broker_config().expect("they are sound").network;
        let limits = |max| Limits::new(&Network { max_connections: max, ..network.clone() }, 450);
        assert_eq!((limits(usize::MAX).max, limits(100).max), (450, 100));
        let connections = Connections::new(&network, 450);
        connections.set_limits(&network);
        assert_eq!(connections.counts.lock().limits.max, 450, "also after a change of settings");
    }

    #[test]
    fn connections_are_spread_over_time_and_never_halt() {
        let connections = connections(10, 10);
        let now = |millis| Instant::default() + Duration::from_millis(millis);
        assert!(connections.pace(&name(), now(0)) < PAUSE_MIN);
        connections.counts.lock().limits.rate = 10;
        assert_eq!(connections.pace(&name(), now(1000)).as_millis(), 100);
        assert_eq!(
            connections.pace(&Arc::from("OTHER"), now(1000)).as_millis(),
            200,
            "all listeners together"
        );
        connections.counts.lock().limits.rate = 0;
        assert_eq!(connections.pace(&name(), now(5000)).as_millis(), 1000);
    }

    #[test]
    fn a_limit_refuses_and_a_closed_connection_frees_its_place() {
        let connections = connections(3, 2);
        let (a, b) = (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)));
        let first = connections.admit(&name(), a);
        let second = connections.admit(&name(), a);
        assert!(first.is_some() && second.is_some());
        assert!(connections.admit(&name(), a).is_none(), "two per address");
        let third = connections.admit(&name(), b);
        assert!(third.is_some());
        assert!(connections.admit(&name(), b).is_none(), "three in all");
        drop(first);
        assert!(connections.admit(&name(), b).is_some());
        let counts = ConnectionCounts { open: 2, accepted: 4, refused: 2 };
        assert_eq!(connections.counts(), counts, "the last was not kept");
    }
}
