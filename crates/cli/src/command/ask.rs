//! What all commands have that change something: they can say beforehand what they would do, and ask before they destroy.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;

use super::waiting::quietly;
use super::{Failure, Session, session};
use crate::print::make_room;
use crate::print::text::visible;

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
    pub async fn confirm(&self, what: &str, session: &Session) -> Result<(), Failure> {
        if !self.asks() {
            return Ok(());
        }
        confirm(&format!("{what} at {}?", session.place)).await
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

/// Asks on the terminal whether to go on. Where nobody can see the question or answer it, the command must say it beforehand.
pub async fn confirm(question: &str) -> Result<(), Failure> {
    make_room();
    let mut stderr = io::stderr();
    if !io::stdin().is_terminal() || !stderr.is_terminal() {
        return Err(Failure::wrong_use("this would be asked about, and there is no terminal to ask on")
            .next("add --yes if you mean it, or --dry-run to see what would be done"));
    }
    let mut signals = session::heard()?;
    put(question, &mut stderr)?;
    let answered = tokio::task::spawn_blocking(|| answer(&mut io::stdin().lock(), &mut io::stderr()));
    const UNCHANGED: &str = "nothing was changed";
    tokio::select! {
        answered = quietly(answered) => match answered.map_err(io::Error::from)?? {
            true => Ok(()),
            false => Err(Failure::failed(UNCHANGED)),
        },
        _ = signals.next() => {
            // Nobody has ended the line of the question.
            writeln!(stderr)?;
            Err(Failure::interrupted(UNCHANGED))
        }
    }
}

fn put(question: &str, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{} [y/N] ", visible(question))?;
    out.flush()
}

/// Whether it is a yes.
fn answer(answers: &mut impl BufRead, out: &mut impl Write) -> io::Result<bool> {
    let mut answer = Vec::new();
    answers.read_until(b'\n', &mut answer)?;
    if !answer.ends_with(b"\n") {
        // Nobody has ended the line of the question.
        writeln!(out)?;
    }
    let answer = answer.trim_ascii();
    Ok(answer.eq_ignore_ascii_case(b"y") || answer.eq_ignore_ascii_case(b"yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(question: &str, answer: &[u8]) -> (bool, String) {
        let mut out = Vec::new();
        put(question, &mut out).expect("memory takes it");
        let said_yes = super::answer(&mut &*answer, &mut out).expect("memory takes it");
        (said_yes, String::from_utf8(out).expect("it is text"))
    }

    #[test]
    fn yes_is_taken_however_it_is_written_and_nothing_else() {
        for yes in ["y\n", "Y\n", "yes\n", "Yes\n", " YES \r\n"] {
            assert_eq!(asked("Go?", yes.as_bytes()), (true, "Go? [y/N] ".to_owned()), "{yes:?}");
        }
        for no in ["\n", "n\n", "yess\n", "ye\n", "y y\n"] {
            assert!(!asked("Go?", no.as_bytes()).0, "{no:?}");
        }
        assert!(!asked("Go?", &[0xff, b'\n']).0, "what is no text is no yes");
    }

    #[test]
    fn where_nobody_answers_the_next_words_begin_a_line() {
        assert_eq!(asked("Go?", b""), (false, "Go? [y/N] \n".to_owned()));
    }

    #[test]
    fn a_name_in_a_question_cannot_make_it_another_question() {
        let (_, question) = asked("Delete a\r\x1b[2KDelete b\u{202e}?", b"\n");
        assert_eq!(question, "Delete a\\r\\u{1b}[2KDelete b\\u{202e}? [y/N] ");
    }
}
