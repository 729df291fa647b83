//! What a command that speaks to a cluster works with.

use client::{Admin, Client, ClientConfig};

use super::{Connection, Failure, Format};

/// A cluster that was reached, and how to print.
#[derive(Debug)]
pub struct Session {
    pub client: Client,
    pub admin: Admin,
    pub format: Format,
    /// Whom the user named, for messages.
    pub bootstrap: String,
}

/// Connects, and runs a command on a runtime of its own: one thread, as a command does one thing.
pub fn run<F>(connection: &Connection, command: F) -> Result<(), Failure>
where
    F: AsyncFnOnce(&Session) -> Result<(), Failure>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::failed(format!("the runtime cannot be started: {error}")))?;
    let outcome = runtime.block_on(async {
        let config = ClientConfig::new(&connection.bootstrap);
        let client = Client::connect(config).await.map_err(|error| Failure::of(error, "cannot connect"))?;
        let session = Session {
            admin: Admin::new(&client),
            client,
            format: connection.format,
            bootstrap: connection.bootstrap.clone(),
        };
        command(&session).await
    });
    runtime.shutdown_background();
    outcome
}
