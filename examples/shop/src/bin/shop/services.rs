//! The five services as processes.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client::Admin;
use shop::Report;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::control;

/// In the order of the screen.
pub const NAMES: [&str; 5] = ["orders", "inventory", "payment", "notification", "analytics"];

/// How long a service may take to end.
const STOP_MAX: Duration = Duration::from_secs(10);

/// How long a group may take to notice that its only member is gone.
const EMPTY_MAX: Duration = Duration::from_secs(50);

#[derive(Debug)]
pub struct Services {
    dir: PathBuf,
    bootstrap: String,
    rate: u64,
    orders: u64,
    all: BTreeMap<&'static str, Service>,
}

#[derive(Debug, Default)]
pub struct Service {
    child: Option<Child>,
    delay_ms: u64,
    /// What it said last.
    report: Arc<Mutex<Report>>,
    pub note: &'static str,
    pub restarts: u64,
}

impl Service {
    pub fn report(&self) -> Report {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What it came to.
#[derive(Debug)]
pub struct Verdict {
    orders: u64,
    reports: Vec<(&'static str, Report)>,
}

impl Verdict {
    /// Whoever keeps count from the first order on has every order, and misses none.
    pub fn is_good(&self) -> bool {
        self.reports
            .iter()
            .all(|(name, report)| report.lost == 0 && (*name == "payment" || report.events == self.orders))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, Report { events, repeated, lost, says }) in &self.reports {
            writeln!(f, "{name}: {events} events, {lost} lost, {repeated} came again; {says}")?;
        }
        let lost: u64 = self.reports.iter().map(|(_, report)| report.lost).sum();
        write!(f, "{} orders, {lost} events lost", self.orders)
    }
}

impl Services {
    pub fn new(dir: &Path, bootstrap: &str, rate: u64, orders: u64) -> Self {
        let all = NAMES.into_iter().map(|name| (name, Service::default())).collect();
        Self { dir: dir.to_owned(), bootstrap: bootstrap.to_owned(), rate, orders, all }
    }

    pub fn get(&self, name: &str) -> Option<&Service> {
        self.all.get(name)
    }

    pub fn start_all(&mut self) -> Result<(), Box<dyn Error>> {
        NAMES.into_iter().try_for_each(|name| self.start(name))
    }

    fn start(&mut self, name: &'static str) -> Result<(), Box<dyn Error>> {
        let program = std::env::current_exe()?.with_file_name(name);
        let Some(service) = self.all.get_mut(name) else { return Err(format!("there is no {name}").into()) };
        let log =
            std::fs::File::options().create(true).append(true).open(self.dir.join(format!("{name}.log")))?;
        let mut child = Command::new(&program)
            .args(["--bootstrap", &self.bootstrap, "--dir"])
            .arg(&self.dir)
            .args(["--rate", &self.rate.to_string(), "--orders", &self.orders.to_string()])
            .args(["--delay-ms", &service.delay_ms.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            // Ctrl-C is for the shop, which ends them in its own way.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                format!("{}: {error}. Build all services with `cargo build -p shop`", program.display())
            })?;
        if let Some(said) = child.stdout.take() {
            let report = Arc::clone(&service.report);
            tokio::spawn(async move {
                let mut lines = BufReader::new(said).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    if let Ok(news) = serde_json::from_str(&line) {
                        *report.lock().unwrap_or_else(PoisonError::into_inner) = news;
                    }
                }
            });
        }
        service.child = Some(child);
        service.note = "running";
        Ok(())
    }

    /// Starts again what has ended by itself, as any supervisor does. Orders end once all are published.
    pub fn keep_up(&mut self) -> Result<(), Box<dyn Error>> {
        for name in NAMES {
            let Some(service) = self.all.get_mut(name) else { continue };
            let Some(child) = &mut service.child else { continue };
            let Some(status) = child.try_wait()? else { continue };
            if name == "orders" && status.success() {
                (service.child, service.note) = (None, "all published");
                continue;
            }
            service.restarts += 1;
            self.start(name)?;
        }
        Ok(())
    }

    /// Does what somebody asked for; says what was done.
    pub async fn obey(&mut self, command: &control::Command, admin: &Admin) -> Result<String, String> {
        use control::Command as Asked;
        let (Asked::Stop(asked)
        | Asked::Start(asked)
        | Asked::Crash(asked)
        | Asked::Slow(asked, _)
        | Asked::Replay(asked)) = command;
        let name = NAMES.into_iter().find(|name| name == asked);
        let name = name.ok_or_else(|| format!("there is no service {asked}: {}", NAMES.join(", ")))?;
        let failed = |error: Box<dyn Error>| format!("{name}: {error}");
        match command {
            Asked::Stop(_) => self.stop(name, "stopped").await,
            Asked::Start(_) if self.all.get(name).is_some_and(|service| service.child.is_some()) => {
                return Err(format!("{name} is running"));
            }
            Asked::Start(_) => self.start(name).map_err(failed)?,
            Asked::Crash(_) => {
                self.kill(name).await;
                self.start(name).map_err(failed)?;
            }
            Asked::Slow(_, ms) => {
                self.stop(name, "stopped").await;
                if let Some(service) = self.all.get_mut(name) {
                    service.delay_ms = *ms;
                }
                self.start(name).map_err(failed)?;
            }
            Asked::Replay(_) => self.replay(name, admin).await?,
        }
        let done = match command {
            Asked::Stop(_) => "is stopped",
            Asked::Start(_) => "is started",
            Asked::Crash(_) => "was killed, and is started again",
            Asked::Slow(..) => "takes its time from now on",
            Asked::Replay(_) => "reads everything from the first event on",
        };
        Ok(format!("{name} {done}"))
    }

    async fn kill(&mut self, name: &str) {
        if let Some(service) = self.all.get_mut(name)
            && let Some(mut child) = service.child.take()
        {
            let _ = child.kill().await;
            service.restarts += 1;
        }
    }

    async fn stop(&mut self, name: &str, note: &'static str) {
        let Some(service) = self.all.get_mut(name) else { return };
        service.note = note;
        let Some(mut child) = service.child.take() else { return };
        let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if timeout(STOP_MAX, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }

    pub async fn stop_all(&mut self) {
        for name in NAMES {
            self.stop(name, "stopped").await;
        }
    }

    /// Stops it, has its files and its group's offsets forgotten, and starts it.
    async fn replay(&mut self, name: &'static str, admin: &Admin) -> Result<(), String> {
        if name == "orders" {
            return Err("orders reads nothing that it could read again".to_owned());
        }
        self.stop(name, "replaying").await;
        for end in ["json", "mails"] {
            match std::fs::remove_file(self.dir.join(format!("{name}.{end}"))) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
                _ => {}
            }
        }
        let deadline = Instant::now() + EMPTY_MAX;
        while let Err(error) = admin.delete_group(name).await {
            let gone = error.code() == Some(client::ErrorCode::GroupIdNotFound);
            if gone {
                break;
            }
            if Instant::now() > deadline {
                return Err(format!("the offsets of {name} are still there: {error}"));
            }
            sleep(Duration::from_millis(200)).await;
        }
        if let Some(service) = self.all.get(name) {
            *service.report.lock().unwrap_or_else(PoisonError::into_inner) = Report::default();
        }
        self.start(name).map_err(|error| error.to_string())
    }

    /// Whether everybody who keeps count has dealt with so many orders.
    pub fn are_done_with(&self, orders: u64) -> bool {
        let mut counting = NAMES.iter().filter(|name| **name != "payment");
        counting.all(|name| self.get(name).is_some_and(|one| one.report().events >= orders))
    }

    pub fn verdict(&self, orders: u64) -> Verdict {
        let reports = self.all.iter().map(|(name, service)| (*name, service.report())).collect();
        Verdict { orders, reports }
    }
}
