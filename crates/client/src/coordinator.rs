//! Who coordinates groups. A broker is asked once, and what it says is kept until the coordinator says that it is none, or
//! cannot be reached.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kernel::{ErrorCode, NodeId};
use parking_lot::Mutex;
use wire::Request;
use wire::messages::find_coordinator_request::FindCoordinatorRequest;
use wire::messages::find_coordinator_response::Coordinator;

use crate::cluster::{Lane, Wanted};
use crate::conn::Connection;
use crate::retry::Retry;
use crate::{BrokerError, Client, Error};

/// How a coordinator is asked for, by `key_type` of FindCoordinator.
const GROUP_KEY: i8 = 0;

/// The version from which several coordinators can be asked for.
const SEVERAL_KEYS_FROM: i16 = 4;

/// For how many groups the coordinator is kept; whoever deals with more asks again.
const KEPT_MAX: usize = 1024;

/// The coordinators that are known, by group.
#[derive(Debug, Default)]
pub(crate) struct Coordinators(Mutex<BTreeMap<String, NodeId>>);

impl Coordinators {
    fn known(&self, group: &str) -> Option<NodeId> {
        self.0.lock().get(group).copied()
    }

    fn keep(&self, group: &str, node: NodeId) {
        let mut known = self.0.lock();
        if known.len() >= KEPT_MAX && !known.contains_key(group) {
            known.pop_first();
        }
        known.insert(group.to_owned(), node);
    }

    /// Has the coordinator of a group looked for again.
    pub fn forget(&self, group: &str) {
        self.0.lock().remove(group);
    }

    /// Takes in why a request to the coordinator of a group failed. Returns whether it may be another by now.
    pub fn heed(&self, group: &str, error: &Error) -> bool {
        let is_another =
            matches!(error.code(), Some(ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable));
        let forget = is_another || error.is_connection();
        if forget {
            self.forget(group);
        }
        forget
    }
}

impl Client {
    /// A connection to the broker that coordinates a group, as far as is known. Whoever is refused there must have that heeded
    /// ([`Coordinators::heed`]), or it is asked for ever.
    pub(crate) async fn coordinator(&self, group: &str, lane: Lane) -> Result<Arc<Connection>, Error> {
        let node = self.coordinator_id(group).await?;
        self.broker(node, lane).await.inspect_err(|error| _ = self.coordinators().heed(group, error))
    }

    async fn coordinator_id(&self, group: &str) -> Result<NodeId, Error> {
        let node = match self.coordinators().known(group) {
            Some(node) => node,
            None => {
                let node = NodeId(self.find_coordinator(group).await?.node_id);
                if !self.metadata().brokers.contains_key(&node) {
                    self.refresh(Wanted::Nothing).await?;
                }
                self.coordinators().keep(group, node);
                node
            }
        };
        Ok(node)
    }

    /// Asks any broker, once, who coordinates a group.
    pub(crate) async fn find_coordinator(&self, group: &str) -> Result<Coordinator, Error> {
        self.answer_of_one(|connection| find_coordinator_by(connection, group)).await
    }

    /// Sends a request to the coordinator of a group; finds it again, and asks again, while `check` says that another
    /// or a later one may answer.
    pub(crate) async fn ask_coordinator<R: Request, T>(
        &self,
        group: &str,
        time: Duration,
        request: impl Fn(i16) -> R,
        max_version: i16,
        check: impl Fn(R::Response) -> Result<T, BrokerError>,
    ) -> Result<T, Error> {
        let mut retry = Retry::within(self, time);
        loop {
            let asked = async {
                let node = self.coordinator_id(group).await?;
                // One that is gone never answers, and another one has the group by then.
                let answered = self.while_there(node, async {
                    let connection = self.broker(node, Lane::General).await?;
                    let version = connection.version_up_to::<R>(max_version)?;
                    let time = connection.request_timeout();
                    connection.ask_in(&request(version), version, time).await
                });
                Ok(check(answered.await?).map_err(|error| error.group(group))?)
            };
            match retry.attempt(asked).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    // Also if the time was up: one that says nothing may have been replaced.
                    self.coordinators().heed(group, &error);
                    retry.after(error).await?;
                }
            }
        }
    }

    /// The same with a request that changes something. `check` also hears whether an earlier attempt may have had its effect.
    ///
    /// # Errors
    /// [`Error::Timeout`] where the time is up and an attempt may have had its effect, whatever the last one failed with.
    pub(crate) async fn change_at_coordinator<R: Request, T>(
        &self,
        group: &str,
        request: impl Fn(i16) -> R,
        max_version: i16,
        check: impl Fn(R::Response, bool) -> Result<T, BrokerError>,
    ) -> Result<T, Error> {
        let time = self.config().default_api_timeout;
        let attempts = Attempts::default();
        let request = |version| {
            attempts.sent();
            request(version)
        };
        let check = |answer| {
            let checked = check(answer, attempts.are_unknown());
            attempts.answered(checked.as_ref().err());
            checked
        };
        let changed = self.ask_coordinator(group, time, request, max_version, check).await;
        changed.map_err(|error| match is_of_coordinator(&error) && attempts.may_be_done() {
            true => Error::Timeout { what: "the call".into(), after: time },
            false => error,
        })
    }
}

async fn find_coordinator_by(connection: Arc<Connection>, group: &str) -> Result<Coordinator, Error> {
    let version = connection.version::<FindCoordinatorRequest>()?;
    let mut request = FindCoordinatorRequest { key_type: GROUP_KEY, ..Default::default() };
    if version >= SEVERAL_KEYS_FROM {
        request.coordinator_keys = vec![group.to_owned()];
    } else {
        request.key = group.to_owned();
    }
    let answer = connection.ask_in(&request, version, connection.request_timeout()).await?;
    let found = match answer.coordinators.into_iter().next() {
        Some(found) => found,
        None if version >= SEVERAL_KEYS_FROM => {
            Coordinator { error_code: ErrorCode::CoordinatorNotAvailable.code(), ..Default::default() }
        }
        None => Coordinator {
            error_code: answer.error_code,
            error_message: answer.error_message,
            node_id: answer.node_id,
            host: answer.host,
            port: answer.port,
            ..Default::default()
        },
    };
    let message = found.error_message.as_deref();
    BrokerError::check(found.error_code).map_err(|error| error.message(message).group(group))?;
    Ok(found)
}

/// Whether it says nothing of the group, only that nobody can answer for it.
fn is_of_coordinator(error: &Error) -> bool {
    let of_coordinator = |code| {
        use ErrorCode::{
            CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator, RequestTimedOut,
        };
        matches!(code, CoordinatorLoadInProgress | CoordinatorNotAvailable | NotCoordinator | RequestTimedOut)
    };
    matches!(error, Error::Unreachable { .. }) || error.code().is_some_and(of_coordinator)
}

/// What is known of the attempts at a change.
#[derive(Debug, Default)]
struct Attempts {
    /// The last one was sent, and its answer has not been seen.
    owed: AtomicBool,
    /// Of an earlier one nobody knows whether it had its effect.
    unknown: AtomicBool,
}

impl Attempts {
    fn sent(&self) {
        if self.owed.swap(true, Ordering::Relaxed) {
            self.unknown.store(true, Ordering::Relaxed);
        }
    }

    fn answered(&self, error: Option<&BrokerError>) {
        self.owed.store(false, Ordering::Relaxed);
        // So says a coordinator as well that has written the change, and not heard in time that its replicas have it.
        let is_late = |error: &BrokerError| {
            matches!(error.code, ErrorCode::CoordinatorNotAvailable | ErrorCode::RequestTimedOut)
        };
        if error.is_some_and(is_late) {
            self.unknown.store(true, Ordering::Relaxed);
        }
    }

    fn are_unknown(&self) -> bool {
        self.unknown.load(Ordering::Relaxed)
    }

    fn may_be_done(&self) -> bool {
        self.are_unknown() || self.owed.load(Ordering::Relaxed)
    }
}
