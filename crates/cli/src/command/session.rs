//! What a command that speaks to a cluster works with.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use client::{Admin, Client, ClientConfig, Error};
use host::signal::StopSignals;
pub use tokio::time::Instant;

use super::ask::listed;
use super::client_settings::ClientSettings;
use super::failure::of_broker;
use super::profile::Place;
use super::time::Zone;
use super::waiting::waiting;
use super::{Command, Connection, Failure, Format, units};
use crate::print::Output;

/// A cluster that was reached, and how to print.
#[derive(Debug)]
pub struct Session {
    pub client: Client,
    pub admin: Admin,
    /// What was set for the producers and consumers of the command.
    pub settings: ClientSettings,
    pub format: Format,
    /// Where times are printed and meant.
    pub zone: Zone,
    /// Which cluster it is, for messages.
    pub place: Place,
    /// When the command began, before anybody was connected to.
    pub begun: Instant,
    /// How long it has waited for answers that did not come, in milliseconds.
    in_vain: AtomicU64,
}

/// How long a command waits in all for answers without which there is something to tell, unless its settings say otherwise. A
/// broker that is gone has lost what it led by then, unless there is no quorum that could take it away.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// How long it waits for each further one.
const ONCE_MORE: Duration = Duration::from_secs(3);

impl Session {
    /// The admin for a question that changes nothing.
    pub fn asking(&self) -> Admin {
        match self.settings.has("default.api.timeout.ms") {
            true => self.admin.clone(),
            false => {
                let in_vain = Duration::from_millis(self.in_vain.load(Ordering::Relaxed));
                let left = ANSWERED_WITHIN.saturating_sub(in_vain);
                self.admin.within(left.max(ONCE_MORE))
            }
        }
    }

    /// Asks such a question.
    pub async fn ask<T>(&self, question: impl AsyncFnOnce(Admin) -> Result<T, Error>) -> Result<T, Error> {
        let begun = Instant::now();
        let answered = question(self.asking()).await;
        if answered.as_ref().is_err_and(Error::retriable) {
            self.waited_in_vain(begun);
        }
        answered
    }

    /// What was asked for at `begun` has no answer.
    pub fn waited_in_vain(&self, begun: Instant) {
        let waited = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.in_vain.fetch_add(waited, Ordering::Relaxed);
    }

    /// Prints what a command found or did, in the form that was asked for.
    pub fn show(&self, output: &Output) -> Result<(), Failure> {
        output.print(self.format).map_err(Failure::from)
    }
}

/// Whether the command itself does what is to be done when it is told to stop.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The signals that end a command which goes on until then. From now on nothing else ends it.
pub fn signals() -> Result<StopSignals, Failure> {
    let signals = heard();
    TAKEN.store(true, Ordering::Relaxed);
    signals
}

/// The signals for who has something to say when one comes, which ends the command all the same.
pub fn heard() -> Result<StopSignals, Failure> {
    StopSignals::listen().map_err(|error| Failure::failed(format!("signals cannot be received: {error}")))
}

/// Does what changes something. Who interrupts it hears that it may have been done, and how to `look`.
pub async fn changing<T>(
    doing: &str,
    look: &str,
    act: impl Future<Output = Result<T, Error>>,
) -> Result<Result<T, Error>, Failure> {
    let mut signals = heard()?;
    tokio::select! {
        biased;
        done = act => Ok(done),
        _ = signals.next() => Err(Failure::interrupted(format!("{doing}: interrupted"))
            .maybe_done(format!("look with `{look}` whether it was done"))),
    }
}

/// How long a command that was told to stop may take for its farewell.
pub const FAREWELL: Duration = Duration::from_secs(3);

/// Waits for what is done at the very end, such as leaving a group. Whoever has told the command to stop waits no longer than
/// for a moment, and who tells it (again) meanwhile does not wait at all.
pub async fn farewell<T>(
    signals: &mut StopSignals,
    interrupted: bool,
    last: impl Future<Output = Result<T, Failure>>,
) -> Option<Result<T, Failure>> {
    let patience = async {
        match interrupted {
            true => tokio::time::sleep(FAREWELL).await,
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        done = last => Some(done),
        _ = signals.next() => None,
        () = patience => None,
    }
}

/// How long a broker is tried in vain until it is told when a command fails.
pub const IN_VAIN: Duration = Duration::from_secs(1);

/// A client's settings.
fn config(connection: &Connection, place: &Place) -> ClientConfig {
    ClientConfig { security_protocol: connection.security_protocol, ..ClientConfig::new(&place.bootstrap) }
}

/// How long is waited before a broker is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Where nobody has patience, there is one attempt, which takes as long as the client lets it. Otherwise whatever may pass is
/// waited for: a broker that starts may refuse connections, end them, and leave them without an answer.
async fn connect(config: ClientConfig, begun: Instant, patience: Duration) -> Result<Client, Error> {
    if patience.is_zero() {
        return Client::connect(config).await;
    }
    let deadline = begun + patience;
    // How long one attempt took is not what was waited for.
    let late = Error::Timeout { what: "an answer".into(), after: patience };
    let mut last = late.clone();
    loop {
        match tokio::time::timeout_at(deadline, Client::connect(config.clone())).await {
            Ok(Err(Error::Timeout { .. })) => last = late.clone(),
            Ok(Err(error)) if error.retriable() => last = error,
            Ok(ended) => return ended,
            Err(_) => return Err(last),
        }
        if Instant::now() + LOOK_AGAIN >= deadline {
            return Err(last);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// A server that takes a connection and says nothing may be stuck, or another program.
fn cannot_connect(error: Error, place: &Place) -> Failure {
    match error {
        Error::Timeout { .. } => Failure::of(error, &format!("cannot connect to {place}")).next(
            "look whether the broker is alive, and whether that is a listener of Kafka's, without TLS; --bootstrap \
             HOST:PORT names another one",
        ),
        error => Failure::of(error, "cannot connect"),
    }
}

/// Connects, and runs a command on a runtime of its own: one thread, as a command does one thing.
///
/// Where no broker is there, it tries again until `patience` is over.
pub fn run<F>(command: Command, connection: &Connection, patience: Duration, act: F) -> Result<(), Failure>
where
    F: AsyncFnOnce(Command, &Session) -> Result<(), Failure>,
{
    on_a_runtime(async {
        let place = Place::of(connection)?;
        let zone = if connection.local { Zone::local()? } else { Zone::UTC };
        let mut config = config(connection, &place);
        let settings = ClientSettings::apply(connection, &mut config, &command)?;
        let begun = Instant::now();
        let said = |waited: Duration| waits_for(&place, waited);
        let client = waiting(said, connect(config, begun, patience)).await;
        let client = client.map_err(|error| cannot_connect(error, &place))?;
        let admin = Admin::new(&client);
        let format = connection.format;
        let in_vain = AtomicU64::new(0);
        let place = place.clone();
        let session = Session { admin, client, settings, format, zone, place, begun, in_vain };
        let outcome = match command {
            // They say themselves how far they are.
            Command::Produce(_) | Command::Consume(_) | Command::Bench(_) => act(command, &session).await,
            _ => waiting(|waited| session.waits_for(waited), act(command, &session)).await,
        };
        outcome.map_err(|failure| {
            failure.with_unreachable(&session.client.unreachable(IN_VAIN)).by_options(&connection.said)
        })
    })
}

fn waits_for(place: &Place, waited: Duration) -> String {
    format!("waiting for an answer from {place}, {}", units::span(waited.as_secs_f64()))
}

impl Session {
    /// Waits for the cluster where a command that says by itself how far it is cannot begin without it.
    pub async fn wait_for<F: Future>(&self, asked: F) -> F::Output {
        waiting(|waited| self.waits_for(waited), asked).await
    }

    /// Who is waited for, as far as that is known.
    fn waits_for(&self, waited: Duration) -> String {
        let unreachable = self.client.unreachable(Duration::ZERO);
        if unreachable.is_empty() {
            return waits_for(&self.place, waited);
        }
        let brokers = listed(unreachable.iter().map(|(id, _)| of_broker(*id)));
        let waited = units::span(waited.as_secs_f64());
        format!("waiting for {brokers}, which cannot be reached, {waited}")
    }
}

/// Does something to its end, or until the process is told to stop.
pub fn on_a_runtime(act: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::failed(format!("the runtime cannot be started: {error}")))?;
    let outcome = runtime.block_on(async {
        let mut signals = heard()?;
        let told = async {
            signals.next().await;
            if TAKEN.load(Ordering::Relaxed) {
                std::future::pending().await
            }
        };
        tokio::select! {
            biased;
            outcome = act => outcome,
            () = told => Err(Failure::interrupted("interrupted before an answer came")),
        }
    });
    runtime.shutdown_background();
    outcome
}

/// As [`run`], for who would rather have nothing than wait.
pub fn run_within<F, T>(connection: &Connection, time: Duration, command: F) -> Option<T>
where
    F: AsyncFnOnce(Admin) -> Option<T>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let found = runtime.block_on(async {
        let found = async {
            let config = config(connection, &Place::of(connection).ok()?);
            command(Admin::new(&Client::connect(config).await.ok()?)).await
        };
        tokio::time::timeout(time, found).await.ok().flatten()
    });
    runtime.shutdown_background();
    found
}
