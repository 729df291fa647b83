//! What all commands have that change something: they can say beforehand what they would do, and ask before they destroy.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;

use super::{Failure, Session};

/// For a command that changes something.
#[derive(Debug, Args)]
pub struct Change {
    /// Only say what would be done.
    #[arg(long)]
    pub dry_run: bool,
}

/// For a command that destroys something.
#[derive(Debug, Args)]
pub struct Destruction {
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// Only say what would be done.
    #[arg(long)]
    pub dry_run: bool,
}

impl Destruction {
    /// Whether it is for somebody to say yes.
    pub fn asks(&self) -> bool {
        !self.dry_run && !self.yes
    }

    /// Asks, naming the cluster, unless nothing is to be done or the answer was given beforehand.
    pub fn confirm(&self, what: &str, session: &Session) -> Result<(), Failure> {
        if !self.asks() {
            return Ok(());
        }
        confirm(&format!("{what} at {}?", session.place))
    }
}

/// Names as they stand in a question: so many of them that everybody can read on.
pub fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    const NAMED_MAX: usize = 20;
    let count = names.len();
    let mut named: Vec<String> = names.take(NAMED_MAX).collect();
    if count > NAMED_MAX {
        named.push(format!("{} more", count - NAMED_MAX));
    }
    named.join(", ")
}

/// Asks on the terminal whether to go on. Without a terminal nobody can answer, so the command must say it beforehand.
pub fn confirm(question: &str) -> Result<(), Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::wrong_use("this would be asked about, and there is no terminal to ask on")
            .next("add --yes if you mean it, or --dry-run to see what would be done"));
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::failed("nothing was changed")),
    }
}
