//! Requests of the operating system to stop.

use std::io;
use std::os::raw::c_int;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// What comes so soon after a request to stop is the same request: `timeout` sends a signal to the process and to its group,
/// and others that pass signals on do it beside the terminal. People take longer to ask again.
const SAME: Duration = Duration::from_millis(200);

/// The last one that somebody has heard; signals are the process's, whoever listens.
static HEARD: AtomicI32 = AtomicI32::new(0);

/// Ends the process as the signal that was heard last would have, had nobody listened: shells and scripts tell by it that
/// they are to end as well. Returns if none was heard, or the system does not let it.
pub fn end_as_told() {
    let signal: c_int = HEARD.load(Ordering::Relaxed);
    if signal != 0 {
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    }
}

/// Waits for SIGTERM, SIGINT or SIGHUP; can be asked again for the next one.
#[derive(Debug)]
pub struct StopSignals {
    last: Option<Instant>,
    terminate: Signal,
    interrupt: Signal,
    /// Nothing where whoever started the process has it ignore that its terminal goes away (`nohup`).
    hangup: Option<Signal>,
}

impl StopSignals {
    pub fn listen() -> io::Result<Self> {
        let hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { last: None, terminate, interrupt, hangup })
    }

    /// Resolves when the process is asked to stop, with the signal's name.
    pub async fn next(&mut self) -> &'static str {
        loop {
            let name = self.received().await;
            let now = Instant::now();
            let is_same = self.last.is_some_and(|last| now.duration_since(last) < SAME);
            if !is_same {
                self.last = Some(now);
                return name;
            }
        }
    }

    async fn received(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        let (kind, name) = tokio::select! {
            biased;
            _ = self.terminate.recv() => (SignalKind::terminate(), "SIGTERM"),
            _ = self.interrupt.recv() => (SignalKind::interrupt(), "SIGINT"),
            _ = hangup => (SignalKind::hangup(), "SIGHUP"),
        };
        HEARD.store(kind.as_raw_value(), Ordering::Relaxed);
        name
    }
}

/// Whether SIGHUP is among the signals that the process ignores. Where the system does not say, it is not.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & 1 != 0
}
