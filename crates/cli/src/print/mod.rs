//! How results are printed. Commands say what; here it is decided how.

pub mod json;
mod output;
mod progress;
pub mod table;
pub mod text;
pub mod yaml;

pub use output::{Output, Several, Unprinted};
pub use progress::{Left, Notice, Progress, make_room};

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

/// How wide the terminal is that this goes to; nothing if it goes elsewhere.
fn terminal_width(out: &(impl IsTerminal + AsFd)) -> Option<usize> {
    if !out.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(out).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Whether standard output is a pipe or a terminal at whose other end nobody is any more.
pub fn nobody_reads() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let gone = PollFlags::ERR | PollFlags::HUP;
    poll(&mut asked, Some(&at_once)).is_ok() && asked.iter().any(|asked| asked.revents().intersects(gone))
}

/// Prints one line.
pub fn line(text: &str) -> io::Result<()> {
    use io::Write;
    make_room();
    writeln!(io::stdout().lock(), "{text}")
}

/// Tells the user something that is no result, so that a pipe does not get it.
pub fn note(text: &str) {
    make_room();
    tell(&format!("{}\n", text::visible_lines(text)));
}

/// Writes to standard error, all of it at once. That nobody can be told (the disk of a log is full) undoes nothing of what the
/// command did, and its exit code says that.
fn tell(text: &str) {
    use io::Write;
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
