//! The cluster as a client sees it: connections by broker, and metadata that follows leaders.

pub(crate) mod asking;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kernel::{ErrorCode, NodeId};
use parking_lot::Mutex;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::messages::metadata_response::MetadataResponseView;

use crate::conn::Connection;
use crate::coordinator::Coordinators;
use crate::metadata::{Metadata, Topic};
use crate::retry::Retry;
use crate::{BrokerError, ClientConfig, Error, World};

/// What all producers, consumers and admins of one program can share: connections and metadata.
///
/// Cloning is cheap and shares them. Connections are closed when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>, Arc<ClientConfig>);

#[derive(Debug)]
struct Inner {
    world: World,
    servers: Vec<(String, u16)>,
    metadata: Mutex<Known>,
    /// Grows with each answer, so that who has looked at it need not look again.
    metadata_version: AtomicU64,
    /// One slot per broker and purpose; its lock is held while a connection is made, so that there is only one.
    slots: Mutex<Slots>,
    /// The brokers to which the last attempt to connect failed. Apart from the slots, whose locks are held for so long.
    unreachable: Mutex<BTreeMap<NodeId, Unreached>>,
    consumers: AtomicU64,
    coordinators: Coordinators,
}

#[derive(Debug, Default)]
struct Known {
    metadata: Arc<Metadata>,
    at: Option<Instant>,
}

type Slots = BTreeMap<(Peer, Lane), Arc<AsyncMutex<Slot>>>;

#[derive(Debug, Default)]
struct Slot {
    connection: Option<Arc<Connection>>,
    /// Why the last attempt failed, if it did.
    failure: Option<Failure>,
}

/// A connection that could not be made.
#[derive(Debug)]
struct Failure {
    error: Error,
    /// How many in a row.
    count: u32,
    at: Instant,
    /// Until then the server is left alone (`reconnect.backoff.ms`).
    until: Instant,
}

impl Slot {
    /// Notes that there is no connection, and leaves the server alone for a while.
    fn failed(&mut self, error: &Error, client: &Client) {
        let count = self.failure.as_ref().map_or(0, |failure| failure.count).saturating_add(1);
        let at = Instant::now();
        let until = at + client.world().jittered(client.config().reconnect_after(count));
        let failure = Failure { error: error.clone(), count, at, until };
        *self = Slot { connection: None, failure: Some(failure) };
    }
}

/// A broker to which the latest attempts to connect failed.
#[derive(Debug)]
struct Unreached {
    /// When the first of them ended, and the last.
    since: Instant,
    last: Instant,
    error: Error,
}

/// How long one server is waited for before the next is tried as well.
const ALONE: Duration = Duration::from_secs(1);

/// Whom a connection leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Peer {
    Broker(NodeId),
    Bootstrap(usize),
}

/// What a connection is for. A server answers in order, so what may wait long has a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    General,
    Produce,
    /// What one consumer fetches, which waits for records.
    Fetch(ConsumerId),
    /// One consumer's membership in its group, which waits for other members.
    Member(ConsumerId),
}

/// Tells the consumers of one client apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConsumerId(u64);

impl Client {
    /// Connects to the cluster and learns its brokers, from the first of the bootstrap servers that tells them. One that can
    /// be reached and does not is set aside, and the next is asked; each is asked at most once.
    ///
    /// # Errors
    /// [`Error::NotSupported`] if connections are to be secured, and [`Error::Config`] if the settings cannot work, both
    /// before anything is sent; [`Error::Unreachable`] if no server can be reached; what the last one failed with if servers
    /// can be reached, and none of them tells ([`Error::Unsupported`] where it is no broker's, as a listener for
    /// controllers); [`Error::Timeout`] if an answer takes longer than `request.timeout.ms`, or all of it longer than
    /// `default.api.timeout.ms`. None of these is tried again.
    pub async fn connect(config: ClientConfig) -> Result<Client, Error> {
        Self::connect_in(World::real(), config).await
    }

    /// As [`Client::connect`], by another network or with another clock than the machine's.
    ///
    /// # Errors
    /// As of [`Client::connect`].
    pub async fn connect_in(world: World, config: ClientConfig) -> Result<Client, Error> {
        let servers = config.servers()?;
        config.check()?;
        let inner = Inner {
            world,
            servers,
            metadata: Mutex::default(),
            metadata_version: AtomicU64::new(0),
            slots: Mutex::default(),
            unreachable: Mutex::default(),
            consumers: AtomicU64::new(0),
            coordinators: Coordinators::default(),
        };
        let client = Client(Arc::new(inner), Arc::new(config));
        let time = client.config().default_api_timeout;
        Retry::within(&client, time).attempt(client.first_look()).await?;
        Ok(client)
    }

    /// Learns the brokers from the first server that tells them.
    async fn first_look(&self) -> Result<(), Error> {
        let mut failed = None;
        let mut aside = BTreeSet::new();
        loop {
            let (peer, connection) = match self.any_but(&aside).await {
                Ok(reached) => reached,
                // Of those that were reached there is more to be said.
                Err(error) => return Err(failed.unwrap_or(error)),
            };
            match self.refresh_by(&connection, Wanted::Nothing).await {
                Ok(_) => return Ok(()),
                Err(error) => {
                    tracing::debug!(%error, "the next server is asked");
                    self.set_aside(&peer, &error).await;
                    aside.insert(peer);
                    failed = Some(error);
                }
            }
        }
    }

    /// Closes a connection that is of no use, and has its server taken for one to which none can be made.
    async fn set_aside(&self, peer: &Peer, error: &Error) {
        let slot = Arc::clone(self.0.slots.lock().entry((peer.clone(), Lane::General)).or_default());
        slot.lock().await.failed(error, self);
    }

    /// The settings that it was connected with.
    pub fn config(&self) -> &ClientConfig {
        &self.1
    }

    /// The same client, whose calls may take so long if `default.api.timeout.ms` gives them more. It shares all but that.
    pub(crate) fn within(&self, time: Duration) -> Client {
        let default_api_timeout = self.config().default_api_timeout.min(time);
        Client(Arc::clone(&self.0), Arc::new(ClientConfig { default_api_timeout, ..self.config().clone() }))
    }

    pub(crate) fn world(&self) -> &World {
        &self.0.world
    }

    pub(crate) fn coordinators(&self) -> &Coordinators {
        &self.0.coordinators
    }

    /// The wait before something is tried again.
    pub(crate) fn backoff(&self) -> Duration {
        self.backoff_after(1)
    }

    /// The wait after so many failures in a row.
    pub(crate) fn backoff_after(&self, failures: u32) -> Duration {
        self.world().jittered(self.config().backoff_after(failures))
    }

    /// What is known now, without asking.
    pub fn metadata(&self) -> Arc<Metadata> {
        Arc::clone(&self.0.metadata.lock().metadata)
    }

    /// What [`Client::metadata`] returns has not changed as long as this has not.
    pub(crate) fn metadata_version(&self) -> u64 {
        self.0.metadata_version.load(Ordering::Acquire)
    }

    /// Describes topics as they are now; those that are not there are missing, and [`Metadata::error`] says why. Without
    /// `topics` it describes all. It takes at most `default.api.timeout.ms`, and asks again where that may help.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if no broker answers, [`Error::Broker`] if one refuses.
    pub async fn fetch_metadata(&self, topics: Option<&[String]>) -> Result<Arc<Metadata>, Error> {
        let mut retry = Retry::within(self, self.config().default_api_timeout);
        let wanted = topics.map_or(Wanted::All, |names| Wanted::Topics { names, create: false });
        loop {
            match retry.attempt(self.refresh(wanted)).await {
                Ok(metadata) => return Ok(metadata),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    /// The topic, from what is known if that is recent; waits until `deadline` for it to be there, and as `check` wants it.
    ///
    /// With `create`, a cluster that makes topics for whoever asks makes this one.
    pub(crate) async fn topic_as(
        &self,
        name: &str,
        create: bool,
        deadline: Instant,
        check: impl Fn(&Topic) -> Result<(), Error>,
    ) -> Result<Arc<Topic>, Error> {
        let known = self.recent().and_then(|metadata| metadata.shared_topic(name));
        if let Some(topic) = known.filter(|topic| check(topic).is_ok()) {
            return Ok(topic);
        }
        let names = [name.to_owned()];
        let mut retry = Retry::until(self, deadline);
        loop {
            let asked = retry.attempt(async {
                let metadata = self.refresh(Wanted::Topics { names: &names, create }).await?;
                Ok(match metadata.shared_topic(name) {
                    Some(topic) => check(&topic).map(|()| topic),
                    None => {
                        let code = metadata.error(name).unwrap_or(ErrorCode::UnknownTopicOrPartition);
                        Err(BrokerError::new(code.code()).topic(name).into())
                    }
                })
            });
            match asked.await.and_then(|topic| topic) {
                Ok(topic) => return Ok(topic),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    fn recent(&self) -> Option<Arc<Metadata>> {
        let known = self.0.metadata.lock();
        let age = known.at?.elapsed();
        (age < self.config().metadata_max_age).then(|| Arc::clone(&known.metadata))
    }

    /// Asks once, any broker that answers.
    pub(crate) async fn refresh(&self, wanted: Wanted<'_>) -> Result<Arc<Metadata>, Error> {
        self.refresh_but(BTreeSet::new(), wanted).await
    }

    /// The same without those that are set `aside`.
    async fn refresh_but(&self, aside: BTreeSet<Peer>, wanted: Wanted<'_>) -> Result<Arc<Metadata>, Error> {
        self.answer_of_any(aside, |connection| async move { self.refresh_by(&connection, wanted).await })
            .await
    }

    async fn refresh_by(&self, connection: &Connection, wanted: Wanted<'_>) -> Result<Arc<Metadata>, Error> {
        let version = connection.version::<MetadataRequest>()?;
        let (topics, create) = match wanted {
            // The oldest version takes no topics for all of them, and has no way to ask for none.
            Wanted::All if version == 0 => (Some(Vec::new()), false),
            Wanted::All => (None, false),
            Wanted::Nothing => (Some(Vec::new()), false),
            Wanted::Topics { names, create } => {
                let topic =
                    |name: &String| MetadataRequestTopic { name: Some(name.clone()), ..Default::default() };
                (Some(names.iter().map(topic).collect()), create)
            }
        };
        let request = MetadataRequest {
            topics,
            allow_auto_topic_creation: create || version < 4,
            ..Default::default()
        };
        let answer = connection.start(&request, version)?.wait(connection.request_timeout()).await?;
        let view = MetadataResponseView::decode(answer.body(), answer.version())
            .map_err(|error| answer.nonsense(error))?;
        BrokerError::check(view.error_code)?;
        let mut known = self.0.metadata.lock();
        known.metadata =
            Arc::new(known.metadata.with(&view, answer.version(), matches!(wanted, Wanted::All)));
        known.at = Some(Instant::now());
        self.0.metadata_version.fetch_add(1, Ordering::Release);
        Ok(Arc::clone(&known.metadata))
    }

    /// A connection to any broker: one that is open, or else the first that can be made, to a broker that is known or to a
    /// bootstrap server. Those that failed before come last. One that does not answer is not waited for alone for long.
    pub(crate) async fn any(&self) -> Result<Arc<Connection>, Error> {
        self.any_but(&BTreeSet::new()).await.map(|(_, connection)| connection)
    }

    /// The same, without those that were set `aside`, and whom it leads to.
    async fn any_but(&self, aside: &BTreeSet<Peer>) -> Result<(Peer, Arc<Connection>), Error> {
        if let Some(open) = self.open_connection(aside) {
            return Ok(open);
        }
        let mut peers = self.peers().into_iter().filter(|peer| !aside.contains(peer));
        let mut attempts: JoinSet<Result<(Peer, Arc<Connection>), Error>> = JoinSet::new();
        let mut last: Option<Error> = None;
        loop {
            let next = peers.next();
            let more = next.is_some();
            if let Some(peer) = next {
                let client = self.clone();
                attempts.spawn(async move {
                    let connection = client.connection_to(peer.clone(), Lane::General).await?;
                    Ok((peer, connection))
                });
            }
            let done = match more {
                true => timeout(ALONE, attempts.join_next()).await.unwrap_or(None),
                false => attempts.join_next().await,
            };
            match done {
                Some(Ok(Ok(reached))) => return Ok(reached),
                // As long as one of them may be there later, so may what is asked for.
                Some(Ok(Err(error))) if error.retriable() => last = Some(error),
                Some(Ok(Err(error))) => last = last.or(Some(error)),
                // An attempt does not panic, and nobody ends it before this returns.
                Some(Err(_)) => {}
                None if more => {}
                None => break,
            }
        }
        let reason = match last {
            Some(Error::Connection { reason, .. }) => reason,
            Some(error) => return Err(error),
            None => "no server is known".to_owned(),
        };
        Err(Error::Unreachable { servers: self.config().bootstrap_servers.join(", "), reason })
    }

    /// An open connection for what any broker answers. One that is being made, or on which there is no answer, is not waited for.
    fn open_connection(&self, aside: &BTreeSet<Peer>) -> Option<(Peer, Arc<Connection>)> {
        let slots = self.0.slots.lock();
        let general =
            slots.iter().filter(|((peer, lane), _)| *lane == Lane::General && !aside.contains(peer));
        let open = |((peer, _), slot): (&(Peer, Lane), &Arc<AsyncMutex<Slot>>)| {
            let slot = slot.try_lock().ok()?;
            let connection = slot.connection.clone().filter(|connection| connection.is_open())?;
            (!connection.is_silent(ALONE)).then(|| (peer.clone(), connection))
        };
        general.filter_map(open).next()
    }

    /// Whom any request can go to: brokers before bootstrap servers, each beginning anywhere, so that not every client has
    /// the same one. Those that do not answer, or to which no connection could be made, come last, the latest failure at the end.
    fn peers(&self) -> Vec<Peer> {
        let mut brokers: Vec<Peer> = self.metadata().brokers.keys().map(|id| Peer::Broker(*id)).collect();
        let mut servers: Vec<Peer> = (0..self.0.servers.len()).map(Peer::Bootstrap).collect();
        for peers in [&mut brokers, &mut servers] {
            let begin = (self.world().random() as usize).checked_rem(peers.len()).unwrap_or(0);
            peers.rotate_left(begin);
        }
        brokers.append(&mut servers);
        let slots = self.0.slots.lock();
        let failed_at = |peer: &Peer| {
            let slot = slots.get(&(peer.clone(), Lane::General))?;
            // Whoever holds it is connecting, which may take long.
            let Ok(slot) = slot.try_lock() else { return Some(Instant::now()) };
            let silent = slot.connection.as_ref().is_some_and(|connection| connection.is_silent(ALONE));
            if silent { Some(Instant::now()) } else { Some(slot.failure.as_ref()?.at) }
        };
        brokers.sort_by_cached_key(failed_at);
        brokers
    }

    /// A connection to a broker.
    pub(crate) async fn broker(&self, id: NodeId, lane: Lane) -> Result<Arc<Connection>, Error> {
        self.connection_to(Peer::Broker(id), lane).await
    }

    async fn connection_to(&self, peer: Peer, lane: Lane) -> Result<Arc<Connection>, Error> {
        let (host, port) = match &peer {
            Peer::Bootstrap(index) => self.0.servers.get(*index).cloned(),
            Peer::Broker(id) => {
                self.metadata().brokers.get(id).map(|broker| (broker.host.clone(), broker.port))
            }
        }
        .ok_or_else(|| Error::Connection {
            address: match &peer {
                Peer::Broker(id) => format!("broker {}", id.0),
                Peer::Bootstrap(place) => format!("bootstrap server {place}"),
            },
            reason: "the cluster has none of this number".to_owned(),
        })?;
        let broker = match peer {
            Peer::Bootstrap(_) => None,
            Peer::Broker(id) => Some(id),
        };
        let slot = Arc::clone(self.0.slots.lock().entry((peer, lane)).or_default());
        let asked_at = Instant::now();
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.connection.as_ref().filter(|connection| connection.is_open()) {
            return Ok(Arc::clone(connection));
        }
        slot.connection = None;
        // An attempt that ended while this call waited for it was made for this call as well.
        if let Some(failure) = slot.failure.as_ref()
            && (failure.at > asked_at || failure.until > Instant::now())
        {
            return Err(failure.error.clone());
        }
        let opened = Connection::open(self.world(), &host, port, self.config()).await;
        // A listener for controllers serves some of the protocol, and nothing that a client begins with.
        let tells = |connection: &Connection| match broker {
            None => connection.version::<MetadataRequest>().map(drop),
            Some(_) => Ok(()),
        };
        match opened.and_then(|connection| tells(&connection).map(|()| connection)) {
            Ok(connection) => {
                let connection = Arc::new(connection);
                *slot = Slot { connection: Some(Arc::clone(&connection)), failure: None };
                self.note_attempt(broker, None);
                Ok(connection)
            }
            Err(error) => {
                slot.failed(&error, self);
                self.note_attempt(broker, Some(&error));
                Err(error)
            }
        }
    }

    /// Notes how an attempt to connect to a broker ended.
    fn note_attempt(&self, broker: Option<NodeId>, error: Option<&Error>) {
        let Some(id) = broker else { return };
        let mut unreachable = self.0.unreachable.lock();
        let before = unreachable.remove(&id);
        if let Some(error) = error {
            let last = Instant::now();
            let since = before.map_or(last, |before| before.since);
            unreachable.insert(id, Unreached { since, last, error: error.clone() });
        }
    }

    /// The brokers of the cluster to which attempts to connect have failed for so long, with what the last one failed with.
    ///
    /// Only attempts count that something made which was to be sent there: a broker that nobody asks is not looked after, nor
    /// is one to which a connection is open. With [`Duration::ZERO`] a single attempt is enough.
    pub fn unreachable(&self, lasting: Duration) -> Vec<(NodeId, Error)> {
        let brokers = &self.metadata().brokers;
        let slots = self.0.slots.lock();
        let is_open = |id: NodeId| {
            let of_it = slots.iter().filter(|((peer, _), _)| *peer == Peer::Broker(id));
            // Whoever holds a slot is connecting.
            let open = |slot: &AsyncMutex<Slot>| {
                slot.try_lock().is_ok_and(|slot| slot.connection.as_ref().is_some_and(|held| held.is_open()))
            };
            of_it.map(|(_, slot)| slot).any(|slot| open(slot))
        };
        let unreachable = self.0.unreachable.lock();
        let lasts = unreachable.iter().filter(|(_, unreached)| unreached.last - unreached.since >= lasting);
        lasts
            .filter(|(id, _)| brokers.contains_key(id) && !is_open(**id))
            .map(|(id, unreached)| (*id, unreached.error.clone()))
            .collect()
    }

    /// A new consumer, which has connections of its own.
    pub(crate) fn new_consumer(&self) -> ConsumerId {
        ConsumerId(self.0.consumers.fetch_add(1, Ordering::Relaxed))
    }

    /// Closes the connections of a consumer that is gone.
    pub(crate) fn forget_consumer(&self, id: ConsumerId) {
        let of_it = |lane: &Lane| matches!(lane, Lane::Fetch(of) | Lane::Member(of) if *of == id);
        self.0.slots.lock().retain(|(_, lane), _| !of_it(lane));
    }
}

/// Which topics metadata is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// The brokers only.
    Nothing,
    All,
    Topics {
        names: &'a [String],
        create: bool,
    },
}
