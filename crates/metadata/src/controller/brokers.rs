//! Brokers that come and go.

use std::collections::{BTreeMap, BTreeSet};

use kernel::{ErrorCode, NodeId, Uuid};

use super::{Decision, Refusal, elect};
use crate::image::{Broker, Endpoint, Image, directory_id};
use crate::record::{BrokerRegistrationChangeRecord, UnregisterBrokerRecord};
use crate::version::MetadataVersion;

/// A broker that registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    pub id: NodeId,
    /// Which process this is.
    pub incarnation: Uuid,
    pub endpoints: Vec<Endpoint>,
    /// The levels of each feature that it can serve, lowest and highest.
    pub features: BTreeMap<String, (i16, i16)>,
    pub rack: Option<String>,
    pub log_dirs: Vec<Uuid>,
    /// Whether it begins fenced, and leads nothing until it has caught up with the metadata log and is unfenced. A node
    /// that is the cluster's only controller and broker has caught up already.
    pub fenced: bool,
    /// Whether the broker that had this id before still sends heartbeats.
    pub former_alive: bool,
    /// Whether no other node acts on the cluster's features, so that one that this node does not serve at all may stay
    /// finalized: it lies idle, as the data of a Kafka node does that is taken over. Among several nodes it would not.
    pub alone: bool,
}

/// Registers a broker. `new_epoch` is the epoch of a registration of a new process: the offset at which the records
/// will be appended, so that it is higher than every one before. The reply is the epoch that holds.
pub fn register_broker(
    image: &Image,
    new_epoch: i64,
    registration: &Registration,
) -> Result<Decision<i64>, Refusal> {
    let former = image.brokers.get(registration.id);
    let same_process = former.filter(|former| former.incarnation == registration.incarnation);
    if registration.former_alive && former.is_some() && same_process.is_none() {
        return Err(Refusal::new(
            ErrorCode::DuplicateBrokerRegistration,
            format!("Another broker with the id {} is alive.", registration.id.0),
        ));
    }
    let level = image.features.record_level();
    check_alone(image, registration)?;
    check_directories(image, registration, level)?;
    check_features(image, registration)?;
    let broker = Broker {
        id: registration.id,
        epoch: same_process.map_or(new_epoch, |former| former.epoch),
        incarnation: registration.incarnation,
        endpoints: registration.endpoints.clone(),
        features: registration.features.clone(),
        rack: registration.rack.clone(),
        fenced: same_process.map_or(registration.fenced, |former| former.fenced),
        in_controlled_shutdown: same_process.is_some_and(|former| former.in_controlled_shutdown),
        log_dirs: registration.log_dirs.clone(),
        cordoned_log_dirs: None,
        migrating_zk: false,
    };
    let mut records = match (same_process, broker.fenced) {
        (Some(_), _) => Vec::new(),
        (None, true) => elect::without(image, broker.id),
        (None, false) => elect::replaced(image, broker.id),
    };
    // The registration comes last: should only a part be committed, the broker registers again and the rest follows.
    records.push(broker.to_record(level).into());
    Ok(Decision::in_steps(records, broker.epoch))
}

fn check_alone(image: &Image, registration: &Registration) -> Result<(), Refusal> {
    let others = image.brokers.iter().filter(|broker| broker.id != registration.id && !broker.fenced);
    let others: Vec<String> = others.map(|broker| broker.id.0.to_string()).collect();
    if !registration.alone || others.is_empty() {
        return Ok(());
    }
    let message = format!("The cluster has other brokers, too: {}.", others.join(", "));
    Err(Refusal::new(ErrorCode::InvalidRegistration, message))
}

fn check_directories(
    image: &Image,
    registration: &Registration,
    level: MetadataVersion,
) -> Result<(), Refusal> {
    let invalid = |message: String| Err(Refusal::new(ErrorCode::InvalidRegistration, message));
    if !level.directories() {
        return Ok(());
    }
    if registration.log_dirs.is_empty() {
        return invalid("The registration names no log directory.".to_owned());
    }
    let mut seen = BTreeSet::new();
    for directory in &registration.log_dirs {
        if directory_id::reserved(*directory) {
            return invalid(format!("The id {directory} of a log directory is reserved."));
        }
        if !seen.insert(directory) {
            return invalid(format!("The log directory {directory} is named twice."));
        }
        let mut others = image.brokers.iter().filter(|broker| broker.id != registration.id);
        if let Some(other) = others.find(|broker| broker.log_dirs.contains(directory)) {
            return invalid(format!("The log directory {directory} is that of broker {}.", other.id.0));
        }
    }
    Ok(())
}

fn check_features(image: &Image, registration: &Registration) -> Result<(), Refusal> {
    if !registration.features.contains_key(MetadataVersion::FEATURE) {
        let message =
            format!("The registration does not say which {} is supported.", MetadataVersion::FEATURE);
        return Err(Refusal::new(ErrorCode::InvalidRegistration, message));
    }
    let idle = |name: &str| registration.alone && !registration.features.contains_key(name);
    for (name, level) in image.features.iter().filter(|(name, _)| !idle(name)) {
        let (min, max) = registration.features.get(name).copied().unwrap_or((0, 0));
        if !(min..=max).contains(&level) {
            return Err(Refusal::new(
                ErrorCode::UnsupportedVersion,
                format!("The cluster uses {name} at level {level}; the broker supports {min} to {max}."),
            ));
        }
    }
    Ok(())
}

/// Forgets a broker for good.
pub fn unregister_broker(image: &Image, id: NodeId) -> Result<Decision<()>, Refusal> {
    let broker = image.brokers.get(id).ok_or_else(|| not_registered(id))?;
    let mut records = elect::without(image, id);
    let record = UnregisterBrokerRecord { broker_id: id.0, broker_epoch: broker.epoch };
    records.push(record.into());
    Ok(Decision::in_steps(records, ()))
}

/// What becomes of a registered broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerChange {
    /// It was not heard of for too long.
    Fence,
    /// It has caught up and may lead.
    Unfence,
    /// It wants to stop, and gives up what it leads first.
    BeginControlledShutdown,
}

/// Changes a broker's state, and who leads with it. A change that has been made already makes no record.
pub fn change_broker(
    image: &Image,
    id: NodeId,
    epoch: i64,
    change: BrokerChange,
) -> Result<Decision<()>, Refusal> {
    let broker = check_epoch(image, id, epoch)?;
    let mut record =
        BrokerRegistrationChangeRecord { broker_id: id.0, broker_epoch: epoch, ..Default::default() };
    let (done, partitions) = match change {
        BrokerChange::Fence => {
            record.fenced = 1;
            (broker.fenced, elect::without(image, id))
        }
        BrokerChange::Unfence => {
            record.fenced = -1;
            (!broker.fenced, elect::with(image, id))
        }
        BrokerChange::BeginControlledShutdown => {
            record.in_controlled_shutdown = 1;
            (broker.in_controlled_shutdown, elect::without(image, id))
        }
    };
    if done {
        return Ok(Decision::reply(()));
    }
    Ok(Decision::in_steps(std::iter::once(record.into()).chain(partitions), ()))
}

/// The broker's registration, if the request is of the process that is registered.
pub(super) fn check_epoch(image: &Image, id: NodeId, epoch: i64) -> Result<&Broker, Refusal> {
    let broker = image.brokers.get(id).ok_or_else(|| not_registered(id))?;
    if broker.epoch != epoch {
        let message = format!("Broker {} is registered with epoch {}, not {epoch}.", id.0, broker.epoch);
        return Err(Refusal::new(ErrorCode::StaleBrokerEpoch, message));
    }
    Ok(broker)
}

fn not_registered(id: NodeId) -> Refusal {
    Refusal::new(ErrorCode::BrokerIdNotRegistered, format!("Broker {} is not registered.", id.0))
}
