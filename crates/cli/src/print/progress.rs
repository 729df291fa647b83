//! How far something has come, on one line of the terminal that is written over and goes away at the end.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::text::{cut, visible};
use super::{tell, terminal_width};
use crate::command::units;

/// A line of the terminal that is written over, and goes away at the end. Without a terminal it shows nothing.
#[derive(Debug)]
pub struct Notice {
    on_terminal: bool,
}

/// Whether a notice stands on the terminal, where the next line would go on behind it.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Takes away a notice that stands there, before something is printed that stays.
pub fn make_room() {
    if SHOWN.swap(false, Ordering::Relaxed) {
        tell(CLEAR);
    }
}

impl Notice {
    pub fn new() -> Notice {
        Notice { on_terminal: io::stderr().is_terminal() }
    }

    pub fn show(&mut self, text: &str) {
        if self.on_terminal {
            SHOWN.store(true, Ordering::Relaxed);
            let text = visible(text);
            // Of what goes on to another line only the last would be cleared.
            let text = terminal_width(&io::stderr())
                .map_or(text.clone(), |columns| cut(&text, columns.saturating_sub(1)));
            tell(&format!("{CLEAR}{text}"));
        }
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        make_room();
    }
}

/// Shows itself once a second, from the first full second on. Without a terminal it shows nothing.
#[derive(Debug)]
pub struct Progress {
    /// When it was shown last, or began, and how many records there were then.
    last: (Instant, u64),
    notice: Notice,
}

const INTERVAL: Duration = Duration::from_secs(1);

/// Goes to the start of the line and clears it.
const CLEAR: &str = "\r\x1b[K";

impl Progress {
    pub fn new() -> Progress {
        // Where results go to the same terminal, they say enough themselves.
        let on_terminal = io::stderr().is_terminal() && !io::stdin().is_terminal();
        Progress::on(on_terminal)
    }

    /// For a command whose results go elsewhere.
    pub fn of_output() -> Progress {
        let on_terminal = io::stderr().is_terminal() && !io::stdout().is_terminal();
        Progress::on(on_terminal)
    }

    /// For a command that takes no input, and says what came of it at the end.
    pub fn of_run() -> Progress {
        Progress::on(io::stderr().is_terminal())
    }

    fn on(on_terminal: bool) -> Progress {
        Progress { last: (Instant::now(), 0), notice: Notice { on_terminal } }
    }

    /// Tells how many records there are now, how many came in the last second, and how much is left where that is known.
    pub fn show(&mut self, records: u64, left: Left) {
        let (then, before) = self.last;
        if !self.notice.on_terminal || then.elapsed() < INTERVAL {
            return;
        }
        self.last = (Instant::now(), records);
        self.notice.show(&sentence(records, (records.saturating_sub(before), then.elapsed()), left));
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

impl Left {
    /// The same for who stops after so many records, of which some are done.
    pub fn at_most(self, number: Option<u64>, done: u64) -> Left {
        let wanted = number.map(|number| number.saturating_sub(done));
        match (self, wanted) {
            (Left::Unknown, Some(wanted)) => Left::Records(wanted),
            (Left::Records(left), Some(wanted)) => Left::Records(left.min(wanted)),
            (left, _) => left,
        }
    }
}

fn sentence(records: u64, (came, within): (u64, Duration), left: Left) -> String {
    let rate = came as f64 / within.as_secs_f64();
    let left = match left {
        Left::Unknown => None,
        Left::Records(left) => (rate > 0.0).then(|| left as f64 / rate),
        Left::Time(time) => Some(time.as_secs_f64()),
    };
    let left = left.map_or_else(String::new, |seconds| format!(", {} left", units::span(seconds)));
    format!("{records} records, {rate:.0} a second{left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stops_after_so_many_has_no_more_left() {
        assert_eq!(Left::Unknown.at_most(None, 3), Left::Unknown);
        assert_eq!(Left::Unknown.at_most(Some(10), 3), Left::Records(7));
        assert_eq!(Left::Records(5).at_most(Some(10), 3), Left::Records(5));
        assert_eq!(Left::Records(9).at_most(Some(10), 3), Left::Records(7));
    }

    #[test]
    fn what_is_left_is_told_as_a_time() {
        let after = |left| sentence(1_200, (200, Duration::from_secs(2)), left);
        assert_eq!(after(Left::Unknown), "1200 records, 100 a second");
        assert_eq!(after(Left::Records(6100)), "1200 records, 100 a second, 1m01s left");
        assert_eq!(after(Left::Time(Duration::from_secs(12))), "1200 records, 100 a second, 12s left");
        assert_eq!(sentence(0, (0, Duration::from_secs(2)), Left::Records(1)), "0 records, 0 a second");
    }
}
