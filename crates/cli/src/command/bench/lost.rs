//! What was given to the producer and nobody has acknowledged.

use client::Error;

use super::load;
use super::scratch::torn;
use crate::command::Failure;
use crate::print::Output;

/// How writing came to its end.
#[derive(Debug)]
pub enum Ended {
    All,
    Interrupted,
    /// A record was not acknowledged, as is told when it is known of all.
    Lost,
}

/// The records that nobody has acknowledged, and why.
#[derive(Debug, Default)]
pub struct Lost {
    records: u64,
    error: Option<Error>,
}

impl Lost {
    pub fn add(&mut self, error: Error) {
        self.records += 1;
        let blames = |error: &Error| !matches!(error, Error::RefusedWithAnother { .. });
        // The record that is to blame is what there is to mend.
        if self.error.as_ref().is_none_or(|first| blames(&error) && !blames(first)) {
            self.error = Some(error);
        }
    }

    pub fn records(&self) -> u64 {
        self.records
    }

    /// Adds how many there are to what is printed.
    pub fn show(&self, output: Output) -> Output {
        let output = output.member("not_acknowledged", self.records);
        match self.records {
            0 => output,
            records => {
                output.fact("not acknowledged", format!("{records}; their times are in no figure here"))
            }
        }
    }

    /// Why the figures are not of all that was asked for.
    pub fn failure(self, ended: Result<Ended, Failure>) -> Option<Failure> {
        let doing = match self.records {
            1 => "1 record was not acknowledged".to_owned(),
            records => format!("{records} records were not acknowledged"),
        };
        match (ended, self.error) {
            (Err(failure), None) => Some(failure),
            (Err(failure), Some(error)) => Failure::all(vec![failure, load::unwritten(error, &doing)]),
            (Ok(Ended::Interrupted), None) => Some(torn()),
            (Ok(Ended::Interrupted), Some(_)) => Some(
                Failure::interrupted(format!("interrupted: {doing}"))
                    .next("Ctrl-C once waits for a moment until what was sent is acknowledged"),
            ),
            (Ok(_), error) => error.map(|error| load::unwritten(error, &doing)),
        }
    }
}
