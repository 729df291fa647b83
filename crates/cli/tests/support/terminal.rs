//! A terminal of a test's own, at which commands are run as people run them.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use super::DEADLINE;

/// What goes to the terminal, and what elsewhere.
#[derive(Default)]
pub struct Terminal {
    /// How wide it is; as wide as they are wont to be if 0.
    pub columns: u16,
    /// Where standard output goes to, if not to the terminal.
    pub stdout: Option<File>,
    /// The same of standard error.
    pub stderr: Option<File>,
    /// Ctrl-C is pressed as soon as this is there to be read.
    pub interrupt_at: Option<&'static str>,
    /// What is done then, one after the other.
    pub steps: Vec<Step>,
    /// What is done while a question is up, which is answered with yes after that.
    pub before_yes: Option<Box<dyn FnOnce() + Send>>,
}

/// As soon as the text is there to be read, and was not before the last step, a process is sent a signal: the command, if
/// none is named.
#[derive(Debug)]
pub struct Step {
    pub at: &'static str,
    pub signal: &'static str,
    pub process: Option<u32>,
}

/// The end of a command that was run at a terminal.
#[derive(Debug)]
pub struct Seen {
    pub code: Option<i32>,
    /// What the terminal has been told, with what was typed left out.
    pub screen: String,
}

/// What ends the input where it is typed at the beginning of a line.
pub const CTRL_D: &str = "\x04";

impl Terminal {
    /// Runs a command at the terminal with what is typed there.
    pub fn run(self, mut command: Command, typed: &str) -> Seen {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals");
        grantpt(&keyboard).expect("it is ours");
        unlockpt(&keyboard).expect("it is ours");
        let name = ptsname(&keyboard, Vec::new()).expect("it has a name");
        let screen = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("it can be opened");
        let mut modes = tcgetattr(&screen).expect("it is a terminal");
        modes.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&screen, OptionalActions::Now, &modes).expect("it is a terminal");
        let columns = if self.columns == 0 { 80 } else { self.columns };
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&screen, size).expect("it is a terminal");
        let end = || Stdio::from(screen.try_clone().expect("it can be shared"));
        command.stdin(end());
        command.stdout(self.stdout.map_or_else(end, Stdio::from));
        command.stderr(self.stderr.map_or_else(end, Stdio::from));
        let mut child = command.spawn().expect("the command can be started");
        // Held by the command alone, the terminal ends with it.
        drop((command, screen));
        let mut keyboard = File::from(keyboard);
        keyboard.write_all(typed.as_bytes()).expect("the terminal takes it");
        let (ended, wait) = mpsc::channel();
        let id = child.id();
        let interrupt = self.interrupt_at.map(|at| Step { at, signal: "-INT", process: None });
        let mut steps = interrupt.into_iter().chain(self.steps).peekable();
        let mut before_yes = self.before_yes;
        std::thread::spawn(move || {
            let mut seen = Vec::new();
            let mut begin = 0;
            let mut part = [0; 4096];
            // Where nobody is at the other end any more, reading fails.
            while let Ok(count) = keyboard.read(&mut part)
                && count > 0
            {
                seen.extend_from_slice(part.get(..count).expect("no more was read than there is room"));
                let new = String::from_utf8_lossy(seen.get(begin..).unwrap_or_default());
                if let Some(step) = steps.next_if(|step| new.contains(step.at)) {
                    super::send(step.signal, step.process.unwrap_or(id));
                    begin = seen.len();
                } else if new.contains("[y/N] ")
                    && let Some(act) = before_yes.take()
                {
                    act();
                    keyboard.write_all(b"y\n").expect("the terminal takes it");
                }
            }
            drop(ended.send(seen));
        });
        let Ok(seen) = wait.recv_timeout(DEADLINE) else {
            child.kill().expect("it runs");
            panic!("the command did not end in time");
        };
        let code = super::code_of(child.wait().expect("it can be waited for"));
        Seen { code, screen: String::from_utf8(seen).expect("it prints text").replace("\r\n", "\n") }
    }
}
