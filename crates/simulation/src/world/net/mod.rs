//! The network: hosts, the links between them, and streams that are late, cut, or go nowhere.
//!
//! It speaks of TCP as programs see it: a stream arrives in order, a loss is a delay, a dead process answers with a reset,
//! and a host without power does not answer at all.

mod link;
mod pipe;
mod stream;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use sim::Chance;
use tokio::time::Instant;

pub use link::Weather;
use link::{Links, RETRANSMISSION};
use pipe::{Conn, End, Segment, Standing, State};
use stream::Accepting;
pub use stream::{SimListener, SimNet, SimStream};

use super::timeline::Timeline;
use super::trace::Trace;

/// A machine on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(u8);

impl HostId {
    fn address(self, port: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(10, 0, 0, self.0), port))
    }
}

/// The network of a world. Clones are the same network.
#[derive(Clone)]
pub struct Network(Arc<Shared>);

struct Shared {
    state: Mutex<Net>,
    timeline: Timeline,
    trace: Arc<Trace>,
}

struct Net {
    chance: Chance,
    hosts: BTreeMap<HostId, Host>,
    links: Links,
    listeners: BTreeMap<(HostId, u16), Arc<Accepting>>,
    conns: BTreeMap<u64, Weak<Conn>>,
    next_conn: u64,
}

struct Host {
    name: String,
    up: bool,
    next_port: u16,
}

/// The first port of those that a connection goes out from.
const FIRST_PORT: u16 = 32_768;

impl Network {
    pub(super) fn new(chance: Chance, timeline: Timeline, trace: Arc<Trace>) -> Self {
        let net = Net {
            chance,
            hosts: BTreeMap::new(),
            links: Links::default(),
            listeners: BTreeMap::new(),
            conns: BTreeMap::new(),
            next_conn: 1,
        };
        Self(Arc::new(Shared { state: Mutex::new(net), timeline, trace }))
    }

    /// A new host. Its name is where others find it.
    pub fn add_host(&self, name: &str) -> HostId {
        let mut net = self.0.state.lock();
        let id = HostId(u8::try_from(net.hosts.len()).unwrap_or(u8::MAX).saturating_add(1));
        net.hosts.insert(id, Host { name: name.to_owned(), up: true, next_port: FIRST_PORT });
        id
    }

    /// The network as a program on `host` uses it.
    pub fn of(&self, host: HostId) -> SimNet {
        SimNet::new(self.clone(), host)
    }

    /// Delays and losses everywhere from now on.
    pub fn set_weather(&self, weather: Weather) {
        self.0.state.lock().links.weather = weather;
    }

    /// Lets nothing pass from one host to another until [`Network::heal`]. The other way is another matter.
    pub fn cut(&self, from: HostId, to: HostId) {
        self.0.state.lock().links.cut(from, to);
    }

    /// Lets everything pass again.
    pub fn heal(&self) {
        self.0.state.lock().links.heal();
        for conn in self.conns() {
            self.resume(&conn);
        }
    }

    /// Ends a connection as a box between the hosts does that forgets it: both ends are told, and of what was on its way
    /// only a part arrives. Returns whether there was any.
    pub fn reset_any(&self) -> bool {
        let conns = self.conns();
        let chosen = self.0.state.lock().chance.pick(&conns).cloned();
        let Some(conn) = chosen else { return false };
        self.cut_off(&conn);
        true
    }

    /// Ends all connections of a host in this way.
    pub fn reset_all_at(&self, host: HostId) {
        for conn in self.conns() {
            if conn.hosts.contains(&host) {
                self.cut_off(&conn);
            }
        }
    }

    fn cut_off(&self, conn: &Conn) {
        self.0.trace.line(format_args!("net {} cut", conn.id));
        let mut state = conn.state.lock();
        for end in [0, 1] {
            state.outgoing(end).lose_segments();
            state.reset(end);
        }
    }

    /// A host loses its power: nobody hears from it, and it remembers no connection.
    pub fn power_down(&self, host: HostId) {
        if let Some(host) = self.0.state.lock().hosts.get_mut(&host) {
            host.up = false;
        }
        for conn in self.conns() {
            for end in ends_at(&conn, host) {
                let mut state = conn.state.lock();
                state.end(end).standing = Standing::Vanished;
                // What had left the host is on the wire; how much that was is anybody's guess.
                let sent = state.outgoing(end).segments.len() as u64;
                let kept = self.0.state.lock().chance.below(sent + 1) as usize;
                let mut lost = state.outgoing(end).segments.split_off(kept);
                let lost: usize = lost.drain(..).filter_map(|segment| segment.bytes).map(|b| b.len()).sum();
                state.outgoing(end).held -= lost;
            }
        }
    }

    /// A host has power again. Whoever still speaks to it on an old connection learns that it is no more.
    pub fn power_up(&self, host: HostId) {
        if let Some(host) = self.0.state.lock().hosts.get_mut(&host) {
            host.up = true;
        }
        for conn in self.conns() {
            for end in ends_at(&conn, host) {
                let mut state = conn.state.lock();
                let unanswered = state.incoming(end).held > 0 || state.incoming(end).finished;
                if state.end(end).standing == Standing::Vanished && unanswered {
                    drop(state);
                    self.send_reset(&conn, end);
                }
            }
        }
    }

    fn conns(&self) -> Vec<Arc<Conn>> {
        let mut net = self.0.state.lock();
        net.conns.retain(|_, conn| conn.strong_count() > 0);
        net.conns.values().filter_map(Weak::upgrade).collect()
    }

    fn is_up(&self, host: HostId) -> bool {
        self.0.state.lock().hosts.get(&host).is_some_and(|host| host.up)
    }

    /// Puts bytes, or the end of the stream, on the way.
    fn send(&self, conn: &Arc<Conn>, state: &mut State, end: End, bytes: Option<Bytes>) {
        let mut net = self.0.state.lock();
        let (from, to) = direction(conn, end);
        let pipe = state.outgoing(end);
        let mut rest = bytes;
        loop {
            let Net { chance, links, .. } = &mut *net;
            let part = rest.as_mut().map(|rest| rest.split_to(segment_len(chance, rest.len())));
            let due = Instant::now() + links.delay(from, to, chance);
            let due = pipe.last_due.map_or(due, |last| due.max(last));
            pipe.last_due = Some(due);
            pipe.held += part.as_ref().map_or(0, Bytes::len);
            pipe.finished |= part.is_none();
            pipe.segments.push_back(Segment { due, bytes: part });
            let (network, conn) = (self.clone(), Arc::clone(conn));
            self.0.timeline.at(due, move || network.deliver(&conn, end));
            if rest.as_ref().is_none_or(Bytes::is_empty) {
                return;
            }
        }
    }

    /// Lets arrive what `end` has sent and is due.
    fn deliver(&self, conn: &Arc<Conn>, end: End) {
        let (from, to) = direction(conn, end);
        let mut state = conn.state.lock();
        loop {
            // A link that is cut holds everything back; it comes when it is healed.
            if !self.0.state.lock().links.passes(from, to) {
                return;
            }
            let now = Instant::now();
            let Some(segment) = state.outgoing(end).segments.pop_front_if(|segment| segment.due <= now)
            else {
                return;
            };
            match state.end(1 - end).standing {
                Standing::Open => self.arrive(conn, &mut state, end, segment),
                Standing::Vanished if !self.is_up(to) => {
                    // It is sent again and again, until there is somebody to say that the connection is no more.
                    state.outgoing(end).segments.push_front(segment);
                    return;
                }
                Standing::Closed | Standing::Vanished => {
                    let len = segment.bytes.as_ref().map_or(0, Bytes::len);
                    state.outgoing(end).held -= len;
                    if len > 0 {
                        drop(state);
                        return self.send_reset(conn, 1 - end);
                    }
                }
            }
        }
    }

    fn arrive(&self, conn: &Conn, state: &mut State, end: End, segment: Segment) {
        let pipe = state.outgoing(end);
        match segment.bytes {
            Some(bytes) => {
                self.0.trace.line(format_args!("net {} {end} {}", conn.id, bytes.len()));
                pipe.inbox.push_back(bytes);
            }
            None => {
                self.0.trace.line(format_args!("net {} {end} end", conn.id));
                pipe.ended = true;
            }
        }
        pipe.wake_reader();
    }

    /// Tells the peer of `end` that nobody knows the connection here.
    fn send_reset(&self, conn: &Arc<Conn>, end: End) {
        let (from, to) = direction(conn, end);
        let delay = {
            let mut net = self.0.state.lock();
            let Net { chance, links, .. } = &mut *net;
            links.delay(from, to, chance)
        };
        let (network, conn) = (self.clone(), Arc::clone(conn));
        self.0.timeline.after(delay, move || {
            if network.0.state.lock().links.passes(from, to) {
                network.0.trace.line(format_args!("net {} {end} reset", conn.id));
                conn.state.lock().reset(1 - end);
            } else {
                network.0.timeline.after(RETRANSMISSION, {
                    let network = network.clone();
                    move || network.send_reset(&conn, end)
                });
            }
        });
    }

    /// After a heal: what was held back is sent again soon.
    fn resume(&self, conn: &Arc<Conn>) {
        for end in [0, 1] {
            if conn.state.lock().outgoing(end).segments.is_empty() {
                continue;
            }
            let delay = self.0.state.lock().chance.time(Duration::ZERO..=RETRANSMISSION);
            let (network, conn) = (self.clone(), Arc::clone(conn));
            self.0.timeline.after(delay, move || network.deliver(&conn, end));
        }
    }

    /// A process closes its end: what it has sent still arrives, unless it leaves something unread.
    fn close(&self, conn: &Arc<Conn>, end: End) {
        let mut state = conn.state.lock();
        if state.end(end).standing != Standing::Open {
            return;
        }
        state.end(end).standing = Standing::Closed;
        let unread = !state.incoming(end).inbox.is_empty();
        if !state.outgoing(end).finished {
            self.send(conn, &mut state, end, None);
        }
        if unread {
            drop(state);
            self.send_reset(conn, end);
        }
    }
}

/// From which host to which `end` sends.
fn direction(conn: &Conn, end: End) -> (HostId, HostId) {
    let [first, second] = conn.hosts;
    if end == 0 { (first, second) } else { (second, first) }
}

fn ends_at(conn: &Conn, host: HostId) -> impl Iterator<Item = End> {
    let at = conn.hosts.map(|one| one == host);
    at.into_iter().enumerate().filter(|(_, here)| *here).map(|(end, _)| end)
}

/// Most writes arrive whole; some are cut anywhere, as a full window or a router does it.
fn segment_len(chance: &mut Chance, len: usize) -> usize {
    match chance.below(8) {
        0 => chance.within(1..=len.max(1) as u64) as usize,
        _ => len,
    }
}
