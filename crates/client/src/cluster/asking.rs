//! Requests to any broker, or to one of them: how often, how long, and who is asked instead of one that is silent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kernel::NodeId;
use tokio::time::{sleep, timeout};
use wire::Request;

use super::{Client, Lane, Peer, Wanted};
use crate::Error;
use crate::conn::Connection;
use crate::retry::Retry;

/// How often others are asked whether a broker that does not answer is still there, or still leads.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long one may take for what any of them can tell before another is asked.
pub(super) const LOOK_MAX: Duration = Duration::from_secs(2);

impl Client {
    /// Asks any broker once what may be asked of several. One that takes long is left for the next; where all do, one has all
    /// the time that there is.
    pub(super) async fn answer_of_any<T, F>(
        &self,
        mut aside: BTreeSet<Peer>,
        ask: impl Fn(Arc<Connection>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut slow = false;
        loop {
            let (peer, connection) = match self.any_but(&aside).await {
                Ok(reached) => reached,
                Err(_) if slow => return ask(self.any().await?).await,
                Err(error) => return Err(error),
            };
            match timeout(LOOK_MAX, ask(connection)).await {
                Ok(answered) => return answered,
                Err(_) => {
                    slow = true;
                    aside.insert(peer);
                }
            }
        }
    }

    /// The same, whoever it is.
    pub(crate) async fn answer_of_one<T, F>(&self, ask: impl Fn(Arc<Connection>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.answer_of_any(BTreeSet::new(), ask).await
    }

    /// Sends a request to any broker that can be reached, and tries again what may be.
    pub(crate) async fn ask_any<R: Request>(&self, request: &R) -> Result<R::Response, Error> {
        let mut retry = Retry::within(self, self.config().default_api_timeout);
        loop {
            let connection = retry.attempt(self.any()).await?;
            match retry.attempt(connection.ask(request)).await {
                Ok(answer) => return Ok(answer),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    /// The same with a request that changes nothing, so that another broker may be asked while one is silent.
    pub(crate) async fn read_any<R: Request>(&self, request: &R) -> Result<R::Response, Error> {
        self.read_any_by(|connection| async move { connection.ask(request).await }).await
    }

    /// The same with what is to be asked on a connection.
    pub(crate) async fn read_any_by<T, F>(&self, ask: impl Fn(Arc<Connection>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut retry = Retry::within(self, self.config().default_api_timeout);
        loop {
            match retry.attempt(self.answer_of_one(&ask)).await {
                Ok(answer) => return Ok(answer),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    /// Sends a request to one broker, and tries again what may be, as long as the cluster has it.
    pub(crate) async fn ask_broker<R: Request>(&self, id: NodeId, request: &R) -> Result<R::Response, Error> {
        let retry = Retry::within(self, self.config().default_api_timeout);
        self.ask_broker_by(id, retry, |connection| async move { connection.ask(request).await }).await
    }

    /// The same with what is to be asked on a connection, and how long.
    pub(crate) async fn ask_broker_by<T, F>(
        &self,
        id: NodeId,
        mut retry: Retry,
        ask: impl Fn(Arc<Connection>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let answered = async {
            loop {
                let asked = async { ask(self.broker(id, Lane::General).await?).await };
                match retry.attempt(asked).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => retry.after(error).await?,
                }
            }
        };
        self.while_there(id, answered).await
    }

    /// Sends a change, once: to one broker as long as the cluster has it, or to any.
    pub(crate) async fn ask_once<R: Request>(
        &self,
        broker: Option<NodeId>,
        request: &R,
    ) -> Result<R::Response, Error> {
        let retry = Retry::within(self, self.config().default_api_timeout);
        let Some(id) = broker else {
            let connection = retry.attempt(self.any()).await?;
            let answered = retry.attempt(connection.ask(request)).await;
            return answered.map_err(|error| late_of(connection.address(), error));
        };
        let asked = async { self.broker(id, Lane::General).await?.ask(request).await };
        self.while_there(id, retry.attempt(asked)).await
    }

    /// Waits for one broker's answer no longer than until another one says that the cluster does not have it any more.
    pub(crate) async fn while_there<T>(
        &self,
        id: NodeId,
        answered: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let name = format!("broker {}", id.0);
        tokio::select! {
            biased;
            answer = answered => answer.map_err(|error| late_of(&name, error)),
            () = self.gone(id) => Err(gone(id)),
        }
    }

    /// Ends once another broker says that the cluster does not have this one.
    pub(crate) async fn gone(&self, id: NodeId) {
        loop {
            sleep(LOOK_EVERY).await;
            // Apart, as most answers come before that, and whoever waits for one should not be larger for it.
            let looked =
                Box::pin(self.refresh_but(BTreeSet::from([Peer::Broker(id)]), Wanted::Nothing)).await;
            if looked.is_ok_and(|metadata| !metadata.brokers.contains_key(&id)) {
                return;
            }
        }
    }
}

/// What it means that a broker is not in the cluster any more.
pub(crate) fn gone(id: NodeId) -> Error {
    Error::Connection {
        address: format!("broker {}", id.0),
        reason: "the cluster does not have it any more".to_owned(),
    }
}

/// Says whose answer was waited for in vain.
fn late_of(whose: &str, error: Error) -> Error {
    match error {
        Error::Timeout { after, .. } => {
            Error::Timeout { what: format!("an answer of {whose}").into(), after }
        }
        error => error,
    }
}
