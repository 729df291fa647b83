//! The network of a node, as ports with the machine's sockets behind them. Only through these are sockets opened, so that
//! a simulation can stand in for all of them.
//!
//! What serves is generic over its [`Net`], and so costs nothing between a handler and the socket; what asks gets boxed
//! halves from a [`Connect`].

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use kernel::port::DiskFile;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// How many bytes of a file one turn sends before other connections of the same worker get theirs.
const SEND_FILE_TURN_BYTES: usize = 1 << 20;

/// How many bytes the copying path holds at a time.
const COPY_BYTES: usize = 64 << 10;

/// Where a node listens.
pub trait Net: Send + Sync {
    type Listener: Listener;

    /// Binds a listening socket. A host that is empty or `0.0.0.0` means every interface.
    fn listen(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Self::Listener>> + Send;
}

/// A socket that listens.
pub trait Listener: Send + Sync + 'static {
    type Stream: Stream;

    /// The next connection, set up for small replies, and who made it.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// How others are reached.
pub trait Connect: Send + Sync + Debug {
    /// Connects to the first address of a host that answers, set up for small requests.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a>;
}

/// A connection that is being made.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<(ReadHalf, WriteHalf)>> + Send + 'a>>;

/// What comes in on a connection.
pub type ReadHalf = Box<dyn AsyncRead + Unpin + Send>;

/// What goes out on it; dropping it ends the stream.
pub type WriteHalf = Box<dyn AsyncWrite + Unpin + Send>;

/// The machine's network.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealNet;

/// Why a span of a file was not sent.
#[derive(Debug)]
pub enum SendFileError {
    /// The disk does not give it.
    Disk(io::Error),
    /// The connection does not take it, or it is not there any more.
    Other(io::Error),
}

impl From<io::Error> for SendFileError {
    fn from(error: io::Error) -> Self {
        Self::Other(error)
    }
}

/// Errors that no socket has, by Linux's numbers: `EIO`, and `EBADMSG` and `EUCLEAN` of file systems that find themselves
/// damaged.
const DISK_ERRORS: [i32; 3] = [5, 74, 117];

/// Tells whose failure it is that the kernel could not send a file.
fn sent_by_kernel(error: io::Error) -> SendFileError {
    match error.raw_os_error() {
        Some(number) if DISK_ERRORS.contains(&number) => SendFileError::Disk(error),
        _ => SendFileError::Other(error),
    }
}

/// A byte stream to a client. Plaintext sockets move file spans in the kernel; others copy them.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Resolves when there is something to read, so that an idle connection needs no buffer.
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send;

    /// This side's address.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Sends `len` bytes of `file` from `position`.
    fn send_file(
        &mut self,
        file: &dyn DiskFile,
        position: u64,
        len: usize,
    ) -> impl Future<Output = Result<(), SendFileError>> + Send;
}

impl Stream for TcpStream {
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send {
        // A stream has one reader, which needs no place in a list of them.
        poll_fn(|context| self.poll_read_ready(context))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpStream::local_addr(self)
    }

    async fn send_file(
        &mut self,
        file: &dyn DiskFile,
        position: u64,
        len: usize,
    ) -> Result<(), SendFileError> {
        let Some(descriptor) = file.as_fd() else {
            return copy_file(self, file, position, len).await;
        };
        let mut offset = position;
        let end = position.saturating_add(len as u64);
        while offset < end {
            let turn = usize::try_from(end - offset).unwrap_or(usize::MAX).min(SEND_FILE_TURN_BYTES);
            let sent = self
                .async_io(Interest::WRITABLE, || {
                    let mut at = offset;
                    rustix::fs::sendfile(&*self, descriptor, Some(&mut at), turn).map_err(io::Error::from)
                })
                .await
                .map_err(sent_by_kernel)?;
            if sent == 0 {
                return Err(ended_early().into());
            }
            offset = offset.saturating_add(sent as u64);
        }
        Ok(())
    }
}

/// Sends a span by reading it: for streams and files that the kernel cannot connect.
pub async fn copy_file<S: AsyncWrite + Unpin>(
    stream: &mut S,
    file: &dyn DiskFile,
    position: u64,
    len: usize,
) -> Result<(), SendFileError> {
    let mut buffer = vec![0; len.min(COPY_BYTES)];
    let mut done = 0;
    while done < len {
        let want = (len - done).min(COPY_BYTES);
        let part = buffer.get_mut(..want).ok_or_else(ended_early)?;
        let read = file.read_at(position.saturating_add(done as u64), part).map_err(SendFileError::Disk)?;
        if read == 0 {
            return Err(ended_early().into());
        }
        stream.write_all(part.get(..read).unwrap_or_default()).await?;
        done += read;
    }
    Ok(())
}

fn ended_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file ended before the span that was promised")
}

impl Net for RealNet {
    type Listener = TcpListener;

    async fn listen(&self, host: &str, port: u16) -> io::Result<TcpListener> {
        let host = if host.is_empty() { "0.0.0.0" } else { host };
        let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the host name has no address");
        for address in tokio::net::lookup_host((host, port)).await? {
            match bind(address) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = TcpListener::accept(self).await?;
        // Fails only if the peer is gone already, which the first read tells as well.
        let _ = stream.set_nodelay(true);
        Ok((stream, canonical(peer)))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

fn canonical(peer: SocketAddr) -> SocketAddr {
    match peer.ip() {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(IpAddr::V4(v4), peer.port()),
            None => peer,
        },
        IpAddr::V4(_) => peer,
    }
}

/// This machine's name, for clients that are told to come back.
pub fn local_name() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    if name.is_empty() { "localhost".to_owned() } else { name.into_owned() }
}

impl Connect for RealNet {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a> {
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            let (read, write) = stream.into_split();
            Ok((Box::new(read) as ReadHalf, Box::new(write) as WriteHalf))
        })
    }
}
