//! Runs the whole shop against a broker, shows how it is, and lets one service be stopped, crashed, slowed down or replayed.

mod control;
mod screen;
mod services;

use std::error::Error;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use client::admin::NewTopic;
use client::{Admin, Client, ClientConfig, ErrorCode};
use shop::{ORDERS, PAYMENTS};
use tokio::signal::unix::{SignalKind, signal};

use control::{Command, Listener};
use services::Services;

const PARTITIONS: i32 = 6;
const SHOW_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Parser)]
#[command(about = "Five services that share one log", version)]
struct Options {
    /// Where the services keep what they must not forget, and where a running shop is found.
    #[arg(long, default_value = "shop-data", global = true)]
    dir: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Starts all five services and shows how they are, until Ctrl-C or until all orders have reached everybody.
    Run {
        /// Where the cluster is found.
        #[arg(long, default_value = "127.0.0.1:9092", env = "RIVERRUN_BOOTSTRAP")]
        bootstrap: String,
        /// How many orders are published a second.
        #[arg(long, default_value_t = 100)]
        rate: u64,
        /// How many orders are published in all; 0 for no end.
        #[arg(long, default_value_t = 0)]
        orders: u64,
    },
    /// Ends a service as an operator would.
    Stop { service: String },
    /// Starts a service that was stopped.
    Start { service: String },
    /// Ends a service with kill -9, and starts it again.
    Crash { service: String },
    /// Has a service take so many milliseconds for each event.
    Slow { service: String, ms: u64 },
    /// Has a service forget what it knows and read everything from the first event on.
    Replay { service: String },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match act(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shop: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn act(options: Options) -> Result<(), Box<dyn Error>> {
    let command = match options.action {
        Action::Run { bootstrap, rate, orders } => {
            return run(&options.dir, &bootstrap, rate, orders).await;
        }
        Action::Stop { service } => Command::Stop(service),
        Action::Start { service } => Command::Start(service),
        Action::Crash { service } => Command::Crash(service),
        Action::Slow { service, ms } => Command::Slow(service, ms),
        Action::Replay { service } => Command::Replay(service),
    };
    println!("{}", control::send(&options.dir, &command).await?);
    Ok(())
}

async fn run(dir: &Path, bootstrap: &str, rate: u64, orders: u64) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(dir)?;
    let client = Client::connect(ClientConfig::new(bootstrap)).await?;
    let admin = Admin::new(&client);
    for name in [ORDERS, PAYMENTS] {
        let topic = NewTopic { partitions: Some(PARTITIONS), ..NewTopic::new(name) };
        match admin.create_topic(&topic, false).await {
            Err(error) if error.code() == Some(ErrorCode::TopicAlreadyExists) => {}
            created => drop(created?),
        }
    }
    let mut listener = Listener::open(dir)?;
    let mut services = Services::new(dir, bootstrap, rate, orders);
    services.start_all()?;
    let mut tick = tokio::time::interval(SHOW_EVERY);
    let live = std::io::stdout().is_terminal();
    // One for the whole run, so that no Ctrl-C is missed while something else is done.
    let mut interrupts = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            _ = interrupts.recv() => break,
            asked = listener.next() => {
                let (command, reply) = asked?;
                tokio::select! {
                    said = services.obey(&command, &admin) => reply.send(&said).await,
                    _ = interrupts.recv() => break,
                }
            }
            _ = tick.tick() => {
                services.keep_up()?;
                // Without a broker there is nothing to tell of the groups; the services go on trying, and so does this.
                let lags = tokio::select! {
                    lags = screen::lags(&admin) => lags.unwrap_or_default(),
                    _ = interrupts.recv() => break,
                };
                screen::show(&services, &lags, live);
                if orders > 0 && services.are_done_with(orders) && screen::all_caught_up(&lags) {
                    break;
                }
            }
        }
    }
    services.stop_all().await;
    let verdict = services.verdict(orders);
    println!("{verdict}");
    if orders > 0 && !verdict.is_good() { Err("events are missing or out of order".into()) } else { Ok(()) }
}
