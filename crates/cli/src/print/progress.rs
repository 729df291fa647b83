//! How far something has come, on one line of the terminal that is written over and goes away at the end.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::command::units;

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

    /// Tells how many records there are now, and how much is left where that is known.
    pub fn show(&mut self, records: u64, left: Left) {
        if !self.on_terminal || self.shown.unwrap_or(self.begun).elapsed() < INTERVAL {
            return;
        }
        self.shown = Some(Instant::now());
        eprint!("{CLEAR}{}", sentence(records, self.begun.elapsed(), left));
        // It is only a courtesy.
        let _ = io::stderr().flush();
    }
}

/// How much is still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nobody knows.
    Unknown,
    /// So many records.
    Records(u64),
    /// So long.
    Time(Duration),
}

fn sentence(records: u64, took: Duration, left: Left) -> String {
    let rate = records as f64 / took.as_secs_f64();
    let left = match left {
        Left::Unknown => None,
        Left::Records(left) => (rate > 0.0).then(|| left as f64 / rate),
        Left::Time(time) => Some(time.as_secs_f64()),
    };
    let left = left.map_or_else(String::new, |seconds| format!(", {} left", units::span(seconds)));
    format!("{records} records, {rate:.0} a second{left}")
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            eprint!("{CLEAR}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_as_a_time() {
        let after = |left| sentence(200, Duration::from_secs(2), left);
        assert_eq!(after(Left::Unknown), "200 records, 100 a second");
        assert_eq!(after(Left::Records(6100)), "200 records, 100 a second, 1m01s left");
        assert_eq!(after(Left::Time(Duration::from_secs(12))), "200 records, 100 a second, 12s left");
        assert_eq!(sentence(0, Duration::from_secs(2), Left::Records(1)), "0 records, 0 a second");
    }
}
