//! Asking before something is destroyed.

use std::io::{BufRead, IsTerminal, Write};

use super::Failure;

/// Asks on the terminal whether to go on. Without a terminal nobody can answer, so the command must say it beforehand.
pub fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::wrong_use("this cannot be undone, and there is no terminal to ask on")
            .next("add --yes if you mean it"));
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
