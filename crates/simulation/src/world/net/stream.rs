//! The network as programs see it: the ports of `host::net`.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use host::net::{Connect, Connecting, Listener, Net, ReadHalf, SendFileError, Stream, WriteHalf, copy_file};
use kernel::port::DiskFile;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use super::link::RETRANSMISSION;
use super::pipe::{Conn, End, Standing};
use super::{HostId, Network};

/// The network as a program on one host uses it.
#[derive(Clone)]
pub struct SimNet {
    network: Network,
    host: HostId,
}

impl SimNet {
    pub(super) fn new(network: Network, host: HostId) -> Self {
        Self { network, host }
    }
}

impl fmt::Debug for SimNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimNet").field("host", &self.host).finish_non_exhaustive()
    }
}

/// Connections that wait to be accepted.
#[derive(Default)]
pub(super) struct Accepting {
    waiting: Mutex<VecDeque<SimStream>>,
    arrived: Notify,
}

/// A listening socket.
pub struct SimListener {
    net: SimNet,
    port: u16,
    accepting: Arc<Accepting>,
}

impl Net for SimNet {
    type Listener = SimListener;

    /// Every host has one address, so the name to listen on does not matter.
    async fn listen(&self, _host: &str, port: u16) -> io::Result<SimListener> {
        let accepting = Arc::<Accepting>::default();
        let mut net = self.network.0.state.lock();
        let listener = net.listeners.entry((self.host, port));
        if let std::collections::btree_map::Entry::Occupied(_) = listener {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        listener.or_insert_with(|| Arc::clone(&accepting));
        Ok(SimListener { net: self.clone(), port, accepting })
    }
}

impl Listener for SimListener {
    type Stream = SimStream;

    async fn accept(&self) -> io::Result<(SimStream, SocketAddr)> {
        loop {
            let first = self.accepting.waiting.lock().pop_front();
            if let Some(stream) = first {
                let [peer, _] = stream.conn.addresses;
                return Ok((stream, peer));
            }
            self.accepting.arrived.notified().await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.net.host.address(self.port))
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        self.net.network.0.state.lock().listeners.remove(&(self.net.host, self.port));
        // Whoever was not accepted is told so; outside the lock, as closing takes it.
        let waiting = std::mem::take(&mut *self.accepting.waiting.lock());
        drop(waiting);
    }
}

impl Connect for SimNet {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a> {
        Box::pin(async move {
            let stream = Arc::new(self.dial(host, port).await?);
            let write = SendingHalf(Arc::clone(&stream));
            Ok((Box::new(ReceivingHalf(stream)) as ReadHalf, Box::new(write) as WriteHalf))
        })
    }
}

/// What became of an attempt to connect.
enum Attempt {
    Made(Box<(SimStream, SimStream, Arc<Accepting>)>),
    Refused,
    /// Nobody answers.
    Silence,
}

impl SimNet {
    async fn dial(&self, name: &str, port: u16) -> io::Result<SimStream> {
        loop {
            let to = self.find(name)?;
            tokio::time::sleep(self.delay(self.host, to)).await;
            match self.attempt(to, port) {
                Attempt::Refused => {
                    tokio::time::sleep(self.delay(to, self.host)).await;
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                Attempt::Silence => tokio::time::sleep(RETRANSMISSION * 5).await,
                Attempt::Made(made) => {
                    let (near, far, accepting) = *made;
                    accepting.waiting.lock().push_back(far);
                    accepting.arrived.notify_one();
                    tokio::time::sleep(self.delay(to, self.host)).await;
                    return Ok(near);
                }
            }
        }
    }

    fn find(&self, name: &str) -> io::Result<HostId> {
        let net = self.network.0.state.lock();
        let found = net.hosts.iter().find(|(_, host)| host.name == name);
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "there is no host of this name");
        found.map(|(id, _)| *id).ok_or_else(unknown)
    }

    fn delay(&self, from: HostId, to: HostId) -> std::time::Duration {
        let mut net = self.network.0.state.lock();
        let super::Net { chance, links, .. } = &mut *net;
        links.delay(from, to, chance)
    }

    fn attempt(&self, to: HostId, port: u16) -> Attempt {
        let mut net = self.network.0.state.lock();
        let up = net.hosts.get(&to).is_some_and(|host| host.up);
        if !up || !net.links.passes(self.host, to) || !net.links.passes(to, self.host) {
            return Attempt::Silence;
        }
        let Some(accepting) = net.listeners.get(&(to, port)).cloned() else { return Attempt::Refused };
        let id = net.next_conn;
        net.next_conn += 1;
        let from_port = net.hosts.get_mut(&self.host).map_or(0, |host| {
            host.next_port = host.next_port.checked_add(1).unwrap_or(super::FIRST_PORT);
            host.next_port
        });
        let conn = Arc::new(Conn {
            id,
            hosts: [self.host, to],
            addresses: [self.host.address(from_port), to.address(port)],
            state: Mutex::default(),
        });
        net.conns.insert(id, Arc::downgrade(&conn));
        drop(net);
        let (from, to) = (self.host.0, to.0);
        self.network.0.trace.line(format_args!("net {id} made from {from} to {to}:{port}"));
        let stream = |end| SimStream { network: self.network.clone(), conn: Arc::clone(&conn), end };
        Attempt::Made(Box::new((stream(0), stream(1), accepting)))
    }
}

/// One end of a connection; dropping it closes it.
pub struct SimStream {
    network: Network,
    conn: Arc<Conn>,
    end: End,
}

impl SimStream {
    fn poll_receive(&self, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.conn.state.lock();
        ready!(state.poll_readable(self.end, context))?;
        into.put_slice(&state.take(self.end, into.remaining()));
        Poll::Ready(Ok(()))
    }

    fn poll_send(&self, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut state = self.conn.state.lock();
        let room = ready!(state.poll_room(self.end, context))?;
        let mut bytes = BytesMut::with_capacity(room.min(parts.iter().map(|part| part.len()).sum()));
        for part in parts {
            bytes.extend_from_slice(part.get(..room - bytes.len()).unwrap_or(part));
        }
        let len = bytes.len();
        if len > 0 {
            self.network.send(&self.conn, &mut state, self.end, Some(bytes.freeze()));
        }
        Poll::Ready(Ok(len))
    }

    fn finish(&self) {
        let mut state = self.conn.state.lock();
        let is_open = state.end(self.end).standing == Standing::Open;
        if is_open && !state.outgoing(self.end).finished {
            self.network.send(&self.conn, &mut state, self.end, None);
        }
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.network.close(&self.conn, self.end);
    }
}

impl AsyncRead for SimStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_receive(context, into)
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, part: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(context, &[io::IoSlice::new(part)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.finish();
        Poll::Ready(Ok(()))
    }
}

impl Stream for SimStream {
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send {
        // An error is for the read that follows to tell, as with a real socket.
        poll_fn(|context| self.conn.state.lock().poll_readable(self.end, context).map(|_| Ok(())))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        let [near, far] = self.conn.addresses;
        Ok(if self.end == 0 { near } else { far })
    }

    async fn send_file(
        &mut self,
        file: &dyn DiskFile,
        position: u64,
        len: usize,
    ) -> Result<(), SendFileError> {
        copy_file(self, file, position, len).await
    }
}

struct ReceivingHalf(Arc<SimStream>);

impl AsyncRead for ReceivingHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_receive(context, into)
    }
}

struct SendingHalf(Arc<SimStream>);

impl AsyncWrite for SendingHalf {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, part: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_send(context, &[io::IoSlice::new(part)])
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.finish();
        Poll::Ready(Ok(()))
    }
}

impl Drop for SendingHalf {
    fn drop(&mut self) {
        self.0.finish();
    }
}
