//! A real node on a directory of its own, and a client that speaks the bare protocol to it.
//!
//! The client blocks, so that a test reads from top to bottom: what has to wait for somebody else's request is sent with
//! [`Client::send`] and received later.
#![allow(dead_code, reason = "no test needs all of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use broker::{Node, Running, World};
use host::{RealClock, RealDisk, RealEntropy, RealNet};
use kernel::ErrorCode;
use kernel::option::{NodeOptions, Sources, resolve};
use sim::SimDisk;
use tokio::runtime::Runtime;
use wire::header::ResponseHeader;
use wire::messages::find_coordinator_request::FindCoordinatorRequest;
use wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::messages::metadata_response::{MetadataResponse, MetadataResponseTopic};
use wire::{Message, Request};

/// A test that waits for an answer longer than this has failed.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// How often a test asks for what is about to be there.
const TRIES_MAX: usize = 100_000;

/// A node in this process, on a directory that is its own.
pub struct TestNode {
    dir: PathBuf,
    settings: Vec<String>,
    /// The simulated disk that it runs on, if it does.
    simulated: Option<SimDisk>,
    alive: Option<(Runtime, Running)>,
}

impl TestNode {
    /// Starts a new node. `name` has to be the test's alone.
    pub fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// The same with settings, each `key=value`.
    pub fn start_with(name: &str, settings: &[&str]) -> Self {
        remove(&Self::dir_of(name));
        Self::start_in(name, settings)
    }

    /// The directory of the test of this name.
    pub fn dir_of(name: &str) -> PathBuf {
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
    }

    /// Starts a node on a disk that fails as the test wants it.
    pub fn start_on(disk: &SimDisk) -> Self {
        Self::begin(PathBuf::from("/data"), &[], Some(disk.clone()))
    }

    /// The same with settings.
    pub fn start_on_with(disk: &SimDisk, settings: &[&str]) -> Self {
        Self::begin(PathBuf::from("/data"), settings, Some(disk.clone()))
    }

    /// Starts a node on what the test has put into its directory.
    pub fn start_in(name: &str, settings: &[&str]) -> Self {
        Self::begin(Self::dir_of(name), settings, None)
    }

    fn begin(dir: PathBuf, settings: &[&str], simulated: Option<SimDisk>) -> Self {
        let mut all = vec![
            "listeners=PLAINTEXT://127.0.0.1:0".to_owned(),
            format!("log.dirs={}", dir.display()),
            "offsets.topic.num.partitions=4".to_owned(),
            "group.initial.rebalance.delay.ms=0".to_owned(),
        ];
        all.extend(settings.iter().map(|&setting| setting.to_owned()));
        let mut node = Self { dir, settings: all, simulated, alive: None };
        node.restart();
        node
    }

    /// Starts the node again on what it left behind.
    pub fn restart(&mut self) {
        self.try_restart().expect("the node starts");
    }

    /// The same, or why the node does not start.
    pub fn try_restart(&mut self) -> Result<(), broker::StartError> {
        assert!(self.alive.is_none(), "stop or kill it first");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("threads can be started");
        let sources = Sources { file: None, environment: &[], command_line: &self.settings };
        let options = NodeOptions::new(resolve(&sources).expect("the settings are valid"));
        let world = World {
            disk: match &self.simulated {
                Some(disk) => disk.port(),
                None => Arc::new(RealDisk::new().expect("threads can be started")),
            },
            clock: Arc::new(RealClock::new()),
            entropy: Arc::new(RealEntropy),
            net: RealNet,
        };
        let running = runtime.block_on(broker::start(options, world))?;
        self.alive = Some((runtime, running));
        Ok(())
    }

    /// Changes a setting from the next start on.
    pub fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    /// Ends the node without a word to anybody, as the end of its process would.
    pub fn kill(&mut self) {
        let (runtime, running) = self.alive.take().expect("it is alive");
        drop(runtime);
        drop(running);
    }

    /// Ends the node as an operator would.
    pub fn stop(&mut self) {
        let (runtime, running) = self.alive.take().expect("it is alive");
        runtime.block_on(running.stop()).expect("the node stops");
        drop(runtime);
    }

    /// The same on a disk that may fail meanwhile.
    pub fn halt(&mut self) {
        let (runtime, running) = self.alive.take().expect("it is alive");
        // Either way what is on the disk counts.
        let _ = runtime.block_on(running.stop());
        drop(runtime);
    }

    pub fn node(&self) -> &Arc<Node> {
        &self.alive.as_ref().expect("it is alive").1.node
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn address(&self) -> SocketAddr {
        self.alive.as_ref().expect("it is alive").1.listening[0].1
    }

    /// Where monitors read metrics.
    pub fn metrics(&self) -> SocketAddr {
        self.try_metrics().expect("metrics.listener is set")
    }

    /// The same, if there is such a place.
    pub fn try_metrics(&self) -> Option<SocketAddr> {
        self.alive.as_ref().expect("it is alive").1.metrics
    }

    /// A new connection.
    pub fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// Where a listener is reached.
    pub fn address_of(&self, listener: &str) -> SocketAddr {
        let listening = &self.alive.as_ref().expect("it is alive").1.listening;
        listening.iter().find(|(name, _)| name == listener).expect("it listens").1
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.alive = None;
        if !std::thread::panicking() && self.simulated.is_none() {
            remove(&self.dir);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the directory of a test")]
fn remove(dir: &Path) {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            panic!("{} cannot be removed: {error}", dir.display())
        }
        _ => {}
    }
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    next: i32,
    pub client_id: String,
}

/// A request whose answer was not received yet.
#[must_use]
pub struct Sent<R> {
    correlation_id: i32,
    version: i16,
    request: PhantomData<R>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the node listens");
        stream.set_read_timeout(Some(ANSWER_MAX)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("delays can be switched off");
        Self { stream, next: 1, client_id: "test".to_owned() }
    }

    /// Sends a request and waits for its answer.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let sent = self.send(version, request);
        self.receive(sent)
    }

    /// Sends a request; others may be sent before its answer is received.
    pub fn send<R: Request>(&mut self, version: i16, request: &R) -> Sent<R> {
        let correlation_id = self.next;
        self.next += 1;
        let frame = wire::frame::encode_request(request, version, correlation_id, Some(&self.client_id))
            .unwrap_or_else(|error| panic!("{} v{version}: {error}", R::NAME));
        self.stream.write_all(&frame).expect("the node reads");
        Sent { correlation_id, version, request: PhantomData }
    }

    /// Receives an answer; answers come in the order of their requests.
    pub fn receive<R: Request>(&mut self, sent: Sent<R>) -> R::Response {
        let Sent { correlation_id, version, .. } = sent;
        let frame = self.frame().unwrap_or_else(|error| panic!("{} v{version}: {error}", R::NAME));
        let (header, body) = ResponseHeader::decode(&frame, R::API_KEY, version).expect("a header");
        assert_eq!(header.correlation_id, correlation_id, "{} v{version}", R::NAME);
        R::Response::decode(&frame[body..], version)
            .unwrap_or_else(|error| panic!("the answer to {} v{version}: {error}", R::NAME))
    }

    /// The same, or nothing if the node has ended the connection.
    pub fn try_receive<R: Request>(&mut self, sent: Sent<R>) -> Option<R::Response> {
        let Sent { correlation_id, version, .. } = sent;
        let frame = self.frame().ok()?;
        let (header, body) = ResponseHeader::decode(&frame, R::API_KEY, version).expect("a header");
        assert_eq!(header.correlation_id, correlation_id, "{} v{version}", R::NAME);
        Some(R::Response::decode(&frame[body..], version).expect("an answer"))
    }

    /// The next frame, without its length.
    pub fn frame(&mut self) -> std::io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
        self.stream.read_exact(&mut frame)?;
        Ok(frame)
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the node reads");
    }

    /// What is known of topics. Those that do not exist are created, with the node's defaults, and waited for.
    pub fn topics(&mut self, names: &[&str]) -> MetadataResponse {
        if names.contains(&"__consumer_offsets") {
            self.coordinator();
        }
        let topics = names.iter().map(|name| MetadataRequestTopic {
            name: Some((*name).to_owned()),
            ..MetadataRequestTopic::default()
        });
        let request = MetadataRequest {
            topics: Some(topics.collect()),
            allow_auto_topic_creation: true,
            ..MetadataRequest::default()
        };
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        for _ in 0..TRIES_MAX {
            let response = self.call(12, &request);
            let led = |topic: &MetadataResponseTopic| topic.partitions.iter().all(|one| one.error_code == 0);
            if response.topics.iter().all(|topic| topic.error_code != unknown && led(topic)) {
                return response;
            }
        }
        panic!("not created: {names:?}")
    }

    /// Waits until the node coordinates groups.
    fn coordinator(&mut self) {
        let request = FindCoordinatorRequest {
            coordinator_keys: vec!["any".into()],
            ..FindCoordinatorRequest::default()
        };
        let found = |client: &mut Self| client.call(4, &request).coordinators[0].error_code == 0;
        assert!((0..TRIES_MAX).any(|_| found(self)), "no coordinator");
    }
}
