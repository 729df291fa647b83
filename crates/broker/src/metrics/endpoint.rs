//! Sends the metrics to whoever asks for them over HTTP.
//!
//! Each connection is for one request, within a bound on its size and time, and there are few at a time: however slowly
//! somebody asks or reads, that holds what [`limits`] say and no task for longer than they say. Who comes when all places
//! are taken waits in the socket.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use host::net::{Listener, Net, Stream};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use kernel::limits;
use kernel::option::BrokerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::{debug, error};

use super::collect;
use crate::conn::accept_failed;
use crate::node::Node;
use crate::start::StartError;

/// What `/metrics` answers with.
const TEXT_FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Listens for monitors.
pub struct Endpoint<L> {
    listener: L,
    address: SocketAddr,
}

impl<L: Listener> Endpoint<L> {
    /// Listens where `metrics.listener` says, if it says anything.
    pub async fn bind<N: Net<Listener = L>>(
        config: &BrokerConfig,
        net: &N,
    ) -> Result<Option<Self>, StartError> {
        let Some(wanted) = &config.metrics_listener else { return Ok(None) };
        let failed = |error| StartError::ListenForMetrics { listener: wanted.to_string(), error };
        let listener = net.listen(&wanted.host, wanted.port).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Some(Self { listener, address }))
    }

    /// Where monitors find it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the node stops.
    pub async fn run(self, node: Arc<Node>) {
        let places = Arc::new(Semaphore::new(limits::MAX_METRICS_CONNECTIONS));
        let mut stopping = node.stopping();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stopping.wait() => return,
                accepted = self.accept(&places) => accepted,
            };
            match accepted {
                Ok((stream, place)) => drop(host::task::spawn(one(stream, Arc::clone(&node), place))),
                Err(problem) => accept_failed("metrics", &problem).await,
            }
        }
    }

    /// The next connection, once there is a place for it.
    async fn accept(&self, places: &Arc<Semaphore>) -> std::io::Result<(L::Stream, OwnedSemaphorePermit)> {
        let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
        let (stream, address) = self.listener.accept().await?;
        debug!(%address, "a monitor connects");
        Ok((stream, place))
    }
}

async fn one(stream: impl Stream, node: Arc<Node>, place: OwnedSemaphorePermit) {
    let mut stopping = node.stopping();
    let answer = move |request| {
        let node = Arc::clone(&node);
        async move { answer(&node, &request).await }
    };
    tokio::select! {
        biased;
        () = stopping.wait() => {}
        () = serve(stream, answer) => {}
    }
    drop(place);
}

/// Serves one connection until it has its answer, or its time is over.
async fn serve<S, A>(stream: S, answer: impl Fn(Request<Incoming>) -> A)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Future<Output = Response<String>>,
{
    let service = service_fn(|request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        // The time for all of it bounds that, too.
        .header_read_timeout(None)
        .max_buf_size(limits::MAX_METRICS_REQUEST_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(limits::MAX_METRICS_EXCHANGE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(problem)) => debug!(%problem, "a monitor's connection failed"),
        Err(_) => debug!("a monitor's connection took too long"),
    }
}

async fn answer(node: &Node, request: &Request<Incoming>) -> Response<String> {
    if request.uri().path() != "/metrics" {
        return plain(StatusCode::NOT_FOUND, "Metrics are at /metrics.\n");
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "Metrics can only be read.\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match collect(node).await.into_text() {
        Ok(text) => {
            let mut response = Response::new(text);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT));
            response
        }
        Err(problem) => {
            error!(%problem, "metrics cannot be written as a text");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "Metrics cannot be written as a text.\n")
        }
    }
}

fn plain(status: StatusCode, text: &str) -> Response<String> {
    let mut response = Response::new(text.to_owned());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests wait in tasks of their own")]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;

    const LARGE: usize = 100_000;

    /// A connection whose socket takes `room` bytes, and what serves it.
    fn connect(room: usize) -> (DuplexStream, JoinHandle<()>) {
        let (ours, theirs) = duplex(room);
        let answer = |_| async { plain(StatusCode::OK, &"x".repeat(LARGE)) };
        (ours, host::task::spawn(serve(theirs, answer)))
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_is_answered_and_the_connection_ends() {
        let (mut client, served) = connect(1 << 20);
        client.write_all(b"GET /metrics HTTP/1.1\r\nhost: h\r\n\r\nGET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut told = String::new();
        client.read_to_string(&mut told).await.unwrap();
        assert_eq!(told.matches("HTTP/1.1 200 OK").count(), 1, "{}", &told[..300]);
        assert!(told.contains("connection: close") && told.len() > LARGE);
        served.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_or_little_or_does_not_listen_is_dropped_in_time() {
        for said in ["", "GET /metr", "GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n"] {
            let began = Instant::now();
            let (mut client, served) = connect(100);
            client.write_all(said.as_bytes()).await.unwrap();
            served.await.unwrap();
            assert_eq!(began.elapsed(), limits::MAX_METRICS_EXCHANGE, "{said:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_trickles_in_is_dropped_in_time() {
        let began = Instant::now();
        let (mut client, served) = connect(100);
        client.write_all(b"GET /metrics HTTP/1.1\r\n").await.unwrap();
        while client.write_all(b"a: b\r\n").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
        served.await.unwrap();
        let took = began.elapsed();
        assert!(took >= limits::MAX_METRICS_EXCHANGE && took.as_secs() < 11, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_is_too_large_is_refused_at_once() {
        let began = Instant::now();
        let (mut client, served) = connect(1 << 10);
        let head =
            format!("GET /metrics HTTP/1.1\r\na: {}", "x".repeat(limits::MAX_METRICS_REQUEST_BYTES * 4));
        // The rest is not taken any more.
        let _ = client.write_all(head.as_bytes()).await;
        served.await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 0);
    }
}
