//! How far something has come, on one line of the terminal that is written over and goes away at the end.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Shows itself once a second, from the first full second on. Without a terminal it shows nothing.
#[derive(Debug)]
pub struct Progress {
    begun: Instant,
    shown: Option<Instant>,
    on_terminal: bool,
}

const INTERVAL: Duration = Duration::from_secs(1);

/// Goes to the start of the line and clears it.
const CLEAR: &str = "\r\x1b[K";

impl Progress {
    pub fn new() -> Progress {
        // Where results go to the same terminal, they say enough themselves.
        let on_terminal = io::stderr().is_terminal() && !io::stdin().is_terminal();
        Progress { begun: Instant::now(), shown: None, on_terminal }
    }

    /// For a command whose results go elsewhere.
    pub fn of_output() -> Progress {
        let on_terminal = io::stderr().is_terminal() && !io::stdout().is_terminal();
        Progress { begun: Instant::now(), shown: None, on_terminal }
    }

    /// For a command that takes no input, and says what came of it at the end.
    pub fn of_run() -> Progress {
        Progress { begun: Instant::now(), shown: None, on_terminal: io::stderr().is_terminal() }
    }

    /// Tells how many records there are now.
    pub fn show(&mut self, records: u64) {
        if !self.on_terminal || self.shown.unwrap_or(self.begun).elapsed() < INTERVAL {
            return;
        }
        self.shown = Some(Instant::now());
        let rate = records as f64 / self.begun.elapsed().as_secs_f64();
        eprint!("{CLEAR}{records} records, {rate:.0} a second");
        // It is only a courtesy.
        let _ = io::stderr().flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            eprint!("{CLEAR}");
        }
    }
}
