//! A cluster that answers as a test says, over pipes in memory. The tests beside the crate have this file as well, and
//! name what it needs of the crate in the module that it is in there.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use host::net::{Connect, Connecting, ReadHalf, WriteHalf};
use kernel::port::Entropy;
use kernel::{LeaderEpoch, Offset, Timestamp, Uuid};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use wire::api_table::{APIS, ApiKey};
use wire::batch::BatchBuilder;
use wire::header::RequestHeaderView;
use wire::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use wire::messages::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use wire::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use wire::{Message, Request, Segment, frame};

use super::{Client, ClientConfig, Error, World};

/// The topic of all scripts, with one partition.
pub(crate) const TOPIC: &str = "t";
pub(crate) const TOPIC_ID: Uuid = Uuid::from_bytes([7; 16]);

/// How long a fetch waits for records by default.
const LATE: Duration = Duration::from_millis(500);

/// How much of requests a node can have in memory without asking for more.
const RECEIVED_BYTES: usize = 4 << 20;

/// How much a pipe holds.
const PIPE_BYTES: usize = 64 << 10;

/// Nodes that answer by a script. A node's id is its port, and the one to begin with is node 1.
#[derive(Clone)]
pub(crate) struct Cluster(Arc<Inner>);

struct Inner {
    script: Box<dyn Fn(&Asked) -> Reply + Send + Sync>,
    /// The highest version of an API that the nodes serve, where it is not the highest there is.
    versions: BTreeMap<i16, i16>,
    /// Within what each request is answered.
    around: Around,
    history: Mutex<Vec<Asked>>,
    down: Mutex<BTreeSet<u16>>,
    unreachable: Mutex<BTreeSet<u16>>,
    controllers: Mutex<BTreeSet<u16>>,
}

/// Runs what it is given, once.
pub(crate) type Around = fn(&mut dyn FnMut());

/// A request as a node received it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub node: i32,
    pub key: i16,
    pub version: i16,
    correlation_id: i32,
    body: Bytes,
}

/// What a script has a node do.
pub(crate) enum Reply {
    Frame(Vec<Segment>),
    /// The answer comes after [`LATE`].
    Late(Vec<Segment>),
    /// The answer does not come, nor do those to later requests of the connection.
    Silence,
    /// As [`Reply::Silence`], and nothing more is read from the connection.
    Deafness,
    /// The connection ends instead of an answer.
    End,
}

impl Asked {
    pub fn is<R: Request>(&self) -> bool {
        self.key == R::API_KEY
    }

    pub fn read<R: Request>(&self) -> R {
        assert!(self.is::<R>(), "it is another request");
        R::decode(&self.body, self.version).expect("the client is correct")
    }

    pub fn answer<M: Message>(&self, message: &M) -> Reply {
        Reply::Frame(self.encode(message))
    }

    pub fn answer_late<M: Message>(&self, message: &M) -> Reply {
        Reply::Late(self.encode(message))
    }

    fn encode<M: Message>(&self, message: &M) -> Vec<Segment> {
        let (key, version) = (self.key, self.version);
        let answer =
            frame::encode_response(key, version, self.correlation_id, |out| message.encode(out, version));
        answer.expect("it is an answer")
    }
}

impl Cluster {
    pub fn new(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Cluster {
        Self::of_versions([], script)
    }

    /// One that does not serve the newest version of some APIs.
    pub fn of_versions(
        versions: impl IntoIterator<Item = (ApiKey, i16)>,
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Cluster {
        Self::within(|answer| answer(), versions, script)
    }

    /// One whose answers come about within a call of `around`.
    pub fn within(
        around: Around,
        versions: impl IntoIterator<Item = (ApiKey, i16)>,
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Cluster {
        Cluster(Arc::new(Inner {
            script: Box::new(script),
            versions: versions.into_iter().map(|(key, version)| (key.code(), version)).collect(),
            around,
            history: Mutex::default(),
            down: Mutex::default(),
            unreachable: Mutex::default(),
            controllers: Mutex::default(),
        }))
    }

    /// A client of it. It draws what is neither early nor late.
    pub async fn client(&self) -> Client {
        self.client_with(ClientConfig::new("node:1")).await
    }

    pub async fn client_with(&self, config: ClientConfig) -> Client {
        self.connect(config).await.expect("it is reached")
    }

    pub async fn connect(&self, config: ClientConfig) -> Result<Client, Error> {
        let world = World { net: Arc::new(self.clone()), entropy: Arc::new(Even), ..World::real() };
        Client::connect_in(world, config).await
    }

    /// What was asked so far, and whom.
    pub fn heard<R: Request>(&self) -> Vec<(i32, R)> {
        let history = self.0.history.lock();
        history.iter().filter(|asked| asked.is::<R>()).map(|asked| (asked.node, asked.read())).collect()
    }

    /// The keys of the requests that a node was asked, in their order, without those for versions and metadata.
    pub fn order(&self, node: i32) -> Vec<i16> {
        let history = self.0.history.lock();
        let is_told = |asked: &&Asked| asked.node == node && asked.key != ApiKey::Metadata.code();
        history.iter().filter(is_told).map(|asked| asked.key).collect()
    }

    /// From then on no connection to the node can be made, and those that there are end with the next request.
    pub fn take_down(&self, node: u16) {
        self.0.down.lock().insert(node);
    }

    /// From then on connections to a node that was taken down or cut off can be made again.
    pub fn bring_back(&self, node: u16) {
        self.0.down.lock().remove(&node);
        self.0.unreachable.lock().remove(&node);
    }

    /// From then on nothing answers who wants to connect to the node.
    pub fn cut_off(&self, node: u16) {
        self.0.unreachable.lock().insert(node);
    }

    /// From then on the node serves no metadata, as a listener for controllers does not.
    pub fn make_controller(&self, node: u16) {
        self.0.controllers.lock().insert(node);
    }

    async fn serve(self, node: i32, mut stream: DuplexStream) {
        let mut received = BytesMut::new();
        (self.0.around)(&mut || received = BytesMut::with_capacity(RECEIVED_BYTES));
        while stream.read_buf(&mut received).await.is_ok_and(|count| count > 0) {
            while let Some(frame) = frame::split(&mut received, usize::MAX).expect("the client is correct") {
                if self.0.down.lock().contains(&u16::try_from(node).unwrap_or_default()) {
                    return;
                }
                let mut reply = Reply::Silence;
                let mut frame = Some(frame);
                // The frame goes within as well, so that its memory is there for the next.
                (self.0.around)(&mut || reply = self.answer_to(node, &frame.take().unwrap_or_default()));
                if matches!(reply, Reply::Late(_)) {
                    tokio::time::sleep(LATE).await;
                }
                let segments = match reply {
                    Reply::Frame(segments) | Reply::Late(segments) => segments,
                    Reply::Silence => return drop(stream.read_to_end(&mut Vec::new()).await),
                    Reply::Deafness => return std::future::pending().await,
                    Reply::End => return,
                };
                for segment in segments {
                    let Segment::Bytes(bytes) = segment else { panic!("nothing lies in a file") };
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn answer_to(&self, node: i32, frame: &[u8]) -> Reply {
        let (header, body) = RequestHeaderView::decode(frame).expect("the client is correct");
        let asked = Asked {
            node,
            key: header.request_api_key,
            version: header.request_api_version,
            correlation_id: header.correlation_id,
            body: Bytes::copy_from_slice(frame.get(body..).unwrap_or_default()),
        };
        if asked.key == ApiKey::ApiVersions.code() {
            return asked.answer(&self.api_versions(node));
        }
        let reply = (self.0.script)(&asked);
        self.0.history.lock().push(asked);
        reply
    }

    fn api_versions(&self, node: i32) -> ApiVersionsResponse {
        let is_controller = self.0.controllers.lock().contains(&u16::try_from(node).unwrap_or_default());
        let served = APIS.iter().filter(|api| api.key != ApiKey::Metadata || !is_controller);
        let api_keys = served.map(|api| {
            let max = self.0.versions.get(&api.key.code()).copied().unwrap_or(api.max);
            ApiVersion { api_key: api.key.code(), min_version: api.min, max_version: max }
        });
        ApiVersionsResponse { api_keys: api_keys.collect(), ..Default::default() }
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cluster")
    }
}

impl Connect for Cluster {
    fn connect<'a>(&'a self, _: &'a str, port: u16) -> Connecting<'a> {
        Box::pin(async move {
            if self.0.down.lock().contains(&port) {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            if self.0.unreachable.lock().contains(&port) {
                return std::future::pending().await;
            }
            let mut ends = None;
            (self.0.around)(&mut || ends = Some(tokio::io::duplex(PIPE_BYTES)));
            let (near, far) = ends.ok_or(io::ErrorKind::NotConnected)?;
            host::task::spawn(self.clone().serve(i32::from(port), far));
            let (read, write) = tokio::io::split(near);
            Ok((Box::new(read) as ReadHalf, Box::new(write) as WriteHalf))
        })
    }
}

/// Draws what is neither early nor late.
struct Even;

impl Entropy for Even {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0x80);
    }
}

/// The nodes 1 and 2, one of which leads the partition since an epoch.
pub(crate) fn metadata(leader: i32, epoch: i32) -> MetadataResponse {
    let broker = |node_id| MetadataResponseBroker {
        node_id,
        host: "node".to_owned(),
        port: node_id,
        rack: Some(format!("rack-{node_id}")),
    };
    let partition = MetadataResponsePartition {
        leader_id: leader,
        leader_epoch: epoch,
        replica_nodes: vec![1, 2],
        isr_nodes: vec![1, 2],
        ..Default::default()
    };
    let topic = MetadataResponseTopic {
        name: Some(TOPIC.to_owned()),
        topic_id: TOPIC_ID,
        partitions: vec![partition],
        ..Default::default()
    };
    MetadataResponse {
        brokers: vec![broker(1), broker(2)],
        controller_id: 1,
        topics: vec![topic],
        ..Default::default()
    }
}

/// An answer to a fetch.
pub(crate) fn fetched(partition: PartitionData) -> FetchResponse {
    let topic =
        FetchableTopicResponse { topic_id: TOPIC_ID, partitions: vec![partition], ..Default::default() };
    FetchResponse { responses: vec![topic], ..Default::default() }
}

/// As many records from an offset on, written in an epoch.
pub(crate) fn records(base: i64, count: i64, epoch: i32) -> PartitionData {
    let mut builder = BatchBuilder::new().base_offset(Offset(base)).leader_epoch(LeaderEpoch(epoch));
    for _ in 0..count {
        builder.append(Timestamp(1), None, Some(b"v"));
    }
    let records = builder.build().expect("it is small");
    PartitionData { high_watermark: base + count, records: records.into(), ..Default::default() }
}

/// An answer to a fetch that says what is wrong.
pub(crate) fn refused(code: kernel::ErrorCode) -> PartitionData {
    PartitionData { error_code: code.code(), high_watermark: -1, ..Default::default() }
}
