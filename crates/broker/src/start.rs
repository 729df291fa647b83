//! The beginning and the end of a node.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use host::net::{Listener, Net, RealNet};
use kernel::option::endpoint::{self, SecurityProtocol};
use kernel::option::{BrokerConfig, NodeOptions, OptionError};
use kernel::port::{Clock, Disk, Entropy};
use kernel::{ErrorCode, limits};
use metadata::controller::{
    BOOTSTRAP_FEATURES, Decision, Registration, bootstrap, bootstrap_formatted, features, register_broker,
};
use metadata::image::Endpoint;
use metadata::{Delta, MetadataVersion};
use parking_lot::RwLock;
use tracing::{info, warn};

use crate::background;
use crate::cleaner::{self, Cleaner};
use crate::close;
use crate::conn::{Acceptor, Connections};
use crate::controller::{Controller, MetadataError, formatted};
use crate::dir_state;
use crate::dirs::{DirError, Dirs, Owner};
use crate::fetch_session::FetchSessions;
use crate::groups::Groups;
use crate::hosted::Hosted;
use crate::log_levels::LogLevels;
use crate::memory::Memory;
use crate::metrics::{self, Traffic};
use crate::moves::{self, Moves};
use crate::node::{Advertised, Node};
use crate::open;
use crate::producer_ids::ProducerIds;
use crate::quorum;
use crate::replay;
use crate::request::ListenerType;
use crate::settings;
use crate::slot::Awake;
use crate::stop::Stop;
use crate::topic_creation::InCreation;

/// The world that a node lives in.
#[derive(Clone)]
pub struct World<N = RealNet> {
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub net: N,
}

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Option(#[from] OptionError),
    #[error(transparent)]
    Dir(#[from] DirError),
    #[error(transparent)]
    Storage(#[from] storage::StorageError),
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error("cannot listen on {listener}: {error}")]
    Listen { listener: String, error: std::io::Error },
    #[error("cannot listen on {listener} for monitors: {error}")]
    ListenForMetrics { listener: String, error: std::io::Error },
    /// The configuration asks for what this version cannot do.
    #[error("{what} not served yet")]
    NotServed { what: String, instead: &'static str },
    #[error("the node cannot register itself: {0}")]
    Register(String),
    #[error(
        "the data directory was used by a newer release: its metadata.version is {0}, and this release knows levels up to {1}"
    )]
    Newer(i16, MetadataVersion),
}

/// A node that serves.
pub struct Running {
    pub node: Arc<Node>,
    /// What is listened on, by listener name.
    pub listening: Vec<(String, SocketAddr)>,
    /// Where monitors read metrics, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// The log directories ended cleanly the last time.
    pub clean: bool,
}

/// Opens everything that a node has and begins to serve.
pub async fn start<N: Net>(options: NodeOptions, world: World<N>) -> Result<Running, StartError> {
    let config = options.broker_config()?;
    check_served(&config)?;
    let (acceptors, listening) = bind(&config, &world.net).await?;
    let monitored = metrics::Endpoint::bind(&config, &world.net).await?;
    let metrics = monitored.as_ref().map(metrics::Endpoint::address);
    let mut new_id = || world.entropy.uuid();
    let cluster = options.fixed().text("cluster.id");
    let metadata_dir = &*config.metadata_log_dir;
    let owner = Owner { node: config.node_id.0, cluster, metadata: metadata_dir };
    let (mut dirs, cluster_id) = Dirs::open(&world.disk, &config.log_dirs, owner, &mut new_id)?;
    let remembered = dirs.take_remembered();
    dirs.check_usable(metadata_dir)?;
    let clean = dirs.all_clean();
    let controller = Controller::open(
        Arc::clone(&world.disk),
        Arc::clone(&world.clock),
        Path::new(metadata_dir),
        dirs.is_clean(metadata_dir),
        config.quorum.snapshot_after_bytes,
    )?;
    if let Some(former) = controller.image().broker(config.node_id) {
        dirs.had(&former.log_dirs, metadata_dir)?;
    }
    let node = Arc::new(assemble(options, &config, world, dirs, cluster_id, controller, &listening));
    bootstrap_if_new(&node).await?;
    node.reread_options(&node.image());
    // Before the node registers: that changes leader epochs, and a log that is opened by a change counts as sound.
    let opened = open::open_partitions(&node, remembered);
    replay::begin_journals(&node).await;
    node.dirs.check_usable(metadata_dir)?;
    let opened = open::without_failed(&node, opened);
    // Groups are what their partitions remember, with what came out of the journal.
    opened.iter().for_each(|partition| node.coordinate(partition));
    register(&node).await?;
    // Before anything is appended: a directory that comes back must not be taken for the one that has the newest records.
    node.all_located().map_err(|code| StartError::Register(code.to_string()))?;
    for acceptor in acceptors {
        host::task::spawn(acceptor.run(Arc::clone(&node)));
    }
    if let Some(endpoint) = monitored {
        host::task::spawn(endpoint.run(Arc::clone(&node)));
    }
    host::task::spawn(Arc::clone(&node.groups).run_timers(node.stopping()));
    host::task::spawn(dir_state::watch(Arc::clone(&node)));
    host::task::spawn(background::run(Arc::clone(&node)));
    host::task::spawn(cleaner::run(Arc::clone(&node)));
    host::task::spawn(moves::run(Arc::clone(&node)));
    Ok(Running { node, listening, metrics, clean })
}

/// Refuses what the configuration asks for and this version cannot do, rather than doing half of it.
fn check_served(config: &BrokerConfig) -> Result<(), StartError> {
    if !config.is_broker || !config.is_controller || !config.is_lone {
        return Err(StartError::NotServed {
            what: "clusters of several nodes are".to_owned(),
            instead: "set process.roles=broker,controller, and name no other node in controller.quorum.voters or \
                      controller.quorum.bootstrap.servers",
        });
    }
    let mut opened = config.listeners.broker.iter().chain(&config.listeners.controller);
    let secured = opened.find(|listener| listener.protocol != SecurityProtocol::Plaintext);
    match secured {
        Some(listener) => Err(StartError::NotServed {
            what: format!("the listener {listener} asks for {}, which is", listener.protocol.name()),
            instead: "use PLAINTEXT in listeners and listener.security.protocol.map, on loopback or a trusted network",
        }),
        None => Ok(()),
    }
}

type Bound<L> = (Vec<Acceptor<L>>, Vec<(String, SocketAddr)>);

async fn bind<N: Net>(config: &BrokerConfig, net: &N) -> Result<Bound<N::Listener>, StartError> {
    let (mut acceptors, mut listening) = (Vec::new(), Vec::new());
    let brokers = config.listeners.broker.iter().map(|wanted| (wanted, ListenerType::Broker));
    let controllers = config.listeners.controller.iter().map(|wanted| (wanted, ListenerType::Controller));
    for (wanted, listener_type) in brokers.chain(controllers) {
        let failed = |error| StartError::Listen { listener: wanted.to_string(), error };
        let listener = net.listen(&wanted.host, wanted.port).await.map_err(failed)?;
        listening.push((wanted.name.clone(), listener.local_addr().map_err(failed)?));
        acceptors.push(Acceptor { listener, name: Arc::from(wanted.name.as_str()), listener_type });
    }
    Ok((acceptors, listening))
}

fn assemble<N>(
    options: NodeOptions,
    config: &BrokerConfig,
    world: World<N>,
    dirs: Dirs,
    cluster_id: String,
    controller: Controller,
    listening: &[(String, SocketAddr)],
) -> Node {
    let offsets = wire::compress::Codec::from_id(u8::try_from(config.offsets.compression_codec).unwrap_or(0));
    let compression = wire::compress::Compression::of(offsets.unwrap_or(wire::compress::Codec::None));
    let group_config = settings::group_config(config);
    Node {
        id: config.node_id,
        cluster_id: cluster_id.into(),
        memory: Memory::new(config.network.request_memory_bytes),
        connections: Connections::new(&config.network, connections_max()),
        traffic: Traffic::default(),
        fetch_sessions: FetchSessions::new(config.fetch.max_sessions),
        hosted: Hosted::default(),
        groups: Arc::new(Groups::new(group_config, compression, Arc::clone(&world.clock))),
        controller,
        producer_ids: ProducerIds::default(),
        in_creation: InCreation::default(),
        dirs,
        cleaner: Cleaner::default(),
        moves: Moves::default(),
        awake: Awake::new(open_logs_max()),
        disk: world.disk,
        clock: world.clock,
        entropy: world.entropy,
        advertised: advertised(&config.listeners.advertised, listening),
        controller_advertised: advertised(&config.listeners.controller_advertised, listening),
        options: RwLock::new(Arc::new(options)),
        config: RwLock::new(Arc::new(config.clone())),
        log_levels: LogLevels::default(),
        stop: Stop::new(),
    }
}

/// How many logs may have files open. Half of what the process may open is for connections.
fn open_logs_max() -> usize {
    let files = usize::try_from(host::limits::file_limit()).unwrap_or(usize::MAX);
    (files / 2 / limits::FILES_PER_LOG).clamp(1, limits::MAX_OPEN_LOGS)
}

/// How many connections there may be, as what the logs may open is kept for them.
fn connections_max() -> usize {
    let files = usize::try_from(host::limits::file_limit()).unwrap_or(usize::MAX);
    let of_logs = open_logs_max() * limits::FILES_PER_LOG;
    files.saturating_sub(of_logs + limits::OTHER_FILES).max(1)
}

/// Fills in what the configuration leaves to the machine: the port that was chosen, and a host to connect to.
pub(crate) fn advertised(told: &[endpoint::Listener], listening: &[(String, SocketAddr)]) -> Vec<Advertised> {
    let told = told.iter().map(|listener| {
        let bound = listening.iter().find(|(name, _)| *name == listener.name).map(|(_, address)| address);
        let port = if listener.port == 0 { bound.map_or(0, SocketAddr::port) } else { listener.port };
        let host = if listener.host.is_empty() { host::net::local_name() } else { listener.host.clone() };
        Advertised { listener: listener.name.clone(), host, port }
    });
    told.collect()
}

async fn bootstrap_if_new(node: &Arc<Node>) -> Result<(), StartError> {
    if let Some(level) = node.image().features.unknown_version() {
        return Err(StartError::Newer(level, MetadataVersion::LATEST));
    }
    if node.image().features.metadata_version().is_some() {
        return Ok(());
    }
    if let Some(voters) = quorum::founding(node) {
        node.controller.found_quorum(&voters).await?;
    }
    let min_in_sync = i32::try_from(node.options().effective().number("min.insync.replicas")).unwrap_or(1);
    let first = match formatted(&*node.disk, Path::new(&node.config().metadata_log_dir))? {
        Some(records) => bootstrap_formatted(records, features::SERVED),
        None => bootstrap(BOOTSTRAP_FEATURES, min_in_sync),
    };
    let mut begun = Delta::new(&node.image());
    first.iter().for_each(|record| begun.replay(record));
    if let Some(level) = begun.apply().features.unknown_version() {
        return Err(StartError::Newer(level, MetadataVersion::LATEST));
    }
    node.change(|image, _| match image.features.metadata_version() {
        Some(_) => Decision::reply(()),
        None => Decision::atomic(first, ()),
    })
    .await
    .map_err(|code| StartError::Register(code.to_string()))?;
    info!(cluster = %node.cluster_id, "a new cluster begins");
    Ok(())
}

async fn register(node: &Arc<Node>) -> Result<(), StartError> {
    let config = node.config();
    let registration = Registration {
        id: node.id,
        incarnation: node.random_uuid(),
        endpoints: endpoints(node, &config),
        features: features::SERVED.iter().map(|one| (one.name.to_owned(), (one.min, one.max))).collect(),
        rack: config.rack.clone(),
        log_dirs: node.dirs.online().map(|dir| dir.id).collect(),
        fenced: false,
        former_alive: false,
        alone: config.is_lone,
    };
    warn_of_idle_features(node, &registration);
    let registered = node
        .change(|image, deciding| match register_broker(image, deciding.next_offset.get(), &registration) {
            Ok(decision) => decision.map(|_| Ok(())),
            Err(refusal) => Decision::reply(Err(refusal)),
        })
        .await;
    let refused = |why: String| StartError::Register(why);
    registered
        .map_err(|code: ErrorCode| refused(code.to_string()))?
        .map_err(|refusal| refused(refusal.to_string()))
}

/// A data directory of Kafka may have more finalized than is served here.
fn warn_of_idle_features(node: &Node, registration: &Registration) {
    let image = node.image();
    let idle = image.features.iter().filter(|(name, _)| !registration.features.contains_key(*name));
    let idle: Vec<String> = idle.map(|(name, level)| format!("{name}={level}")).collect();
    if registration.alone && !idle.is_empty() {
        warn!(
            features = %idle.join(", "),
            "the cluster has features that this release does not serve: they stay finalized, and clients are not told of them"
        );
    }
}

fn endpoints(node: &Node, config: &BrokerConfig) -> Vec<Endpoint> {
    let protocol = |name: &str| {
        let listener = config.listeners.broker.iter().find(|listener| listener.name == name);
        listener.map_or(0, |listener| listener.protocol.id())
    };
    let endpoints = node.advertised.iter().map(|told| Endpoint {
        name: told.listener.clone(),
        host: told.host.clone(),
        port: told.port,
        security_protocol: protocol(&told.listener),
    });
    endpoints.collect()
}

impl Running {
    /// Ends the node: no more requests, every log durable, and a mark that nothing needs to be verified next time.
    pub async fn stop(self) -> Result<(), StartError> {
        let node = self.node;
        node.stop.stop();
        let now = node.now().wall;
        // First, as a change of the metadata may open further logs.
        let metadata = node.controller.close().await;
        let partitions = node.hosted.partitions();
        let close::Closed { remembered, unwhole } = close::close_logs(&node, &partitions, now).await;
        let written = node.dirs.write_checkpoints(&partitions);
        let epoch = node.image().broker(node.id).map_or(-1, |broker| broker.epoch);
        metadata?;
        let mut clean = node.dirs.lost().is_empty();
        for dir in node.dirs.iter() {
            // What could not be opened was not verified either.
            if !dir.is_online() || unwhole.contains(&dir.id) || node.hosted.any_offline_in(dir.id) {
                clean = false;
                continue;
            }
            replay::void_journal(&node, dir)?;
            dir.dir.remember(epoch, remembered.get(&dir.id).map_or(&[], |logs| logs))?;
            dir.dir.write_clean_shutdown(epoch)?;
        }
        written?;
        info!(partitions = partitions.len(), clean, "stopped");
        Ok(())
    }
}
