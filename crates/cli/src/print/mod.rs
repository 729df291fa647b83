//! How results are printed. Commands say what; here it is decided how.

pub mod json;
mod output;
mod progress;
pub mod table;
pub mod yaml;

pub use output::Output;
pub use progress::Progress;

use std::io::{self, IsTerminal};

/// How wide the terminal is that standard output goes to; nothing if it goes elsewhere.
pub fn terminal_width() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&stdout).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Prints one line.
pub fn line(text: &str) -> io::Result<()> {
    use io::Write;
    writeln!(io::stdout().lock(), "{text}")
}

/// Tells the user something that is no result, so that a pipe does not get it.
pub fn note(text: &str) {
    eprintln!("{text}");
}
