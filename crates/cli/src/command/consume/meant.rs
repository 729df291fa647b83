//! What the options of a reader mean together, and what cannot be meant.

use client::ConsumerConfig;
use client::config::IsolationLevel;

use super::Consume;
use super::range::Begin;
use crate::command::client_settings::{ClientSettings, OF_MEMBERS};
use crate::command::place::Where;
use crate::command::time::Zone;
use crate::command::{Failure, Format};

/// Why nothing is read that ends where it begins.
pub(super) fn stops_at_once() -> Failure {
    Failure::wrong_use("it begins at the end, and would stop there at once")
        .next("--from start reads what is there")
}

impl Consume {
    /// Takes over what `-X` says that there are options for, so that it is done exactly as with the option. What only members
    /// of a group hear is refused where there is none.
    pub(super) fn adopt(&mut self, settings: &ClientSettings) -> Result<(), Failure> {
        let mut config = ConsumerConfig::default();
        settings.set_consumer(&mut config)?;
        self.read_committed |= config.isolation_level == IsolationLevel::ReadCommitted;
        if let Some(group) = config.group_id {
            let alone = [
                ("--partition", self.partition.is_some()),
                ("--tail", self.tail.is_some()),
                ("--until", self.until.is_some()),
            ];
            if let Some((option, _)) = alone.into_iter().find(|(_, given)| *given) {
                return Err(Failure::wrong_use(format!(
                    "{option} is not for members of a group, and -X group.id makes it one"
                ))
                .next("leave one of them out"));
            }
            self.group = Some(group);
        }
        if self.group.is_some() {
            return Ok(());
        }
        if settings.has("auto.offset.reset") {
            return Err(Failure::wrong_use("-X auto.offset.reset is for members of a group")
                .next("--from start or --from end says where to begin"));
        }
        match OF_MEMBERS.into_iter().find(|name| settings.has(name)) {
            Some(name) => Err(Failure::wrong_use(format!("-X {name} is for members of a group"))
                .next("--group GROUP reads as one; leave it out otherwise")),
            None => Ok(()),
        }
    }

    /// Whether it begins at the end, whatever anybody has committed.
    pub(super) fn begins_at_end(&self) -> bool {
        self.group.is_none() && self.tail.is_none() && self.from.begin == Begin::At(Where::End)
    }

    /// Puts what can be said in two ways into one of them.
    pub(super) fn settle(&mut self, zone: &Zone) -> Result<(), Failure> {
        let said_twice = |option: &str| {
            Err(Failure::wrong_use(format!("--from says where to stop, and so does {option}"))
                .next("leave one of them out"))
        };
        match (self.from.until, self.until, self.until_end, &self.group) {
            (None, ..) => {}
            (Some(_), Some(_), ..) => return said_twice("--until"),
            (Some(_), _, true, _) => return said_twice("--until-end"),
            (Some(Begin::At(Where::End)), ..) => self.until_end = true,
            (Some(_), _, _, Some(_)) => {
                return Err(Failure::wrong_use("a group stops at the end, or goes on")
                    .next("leave --group out to stop at an offset or a time"));
            }
            (until, ..) => self.until = until,
        }
        let is_start =
            |place| matches!(place, Begin::At(Where::Start | Where::Offset(0)) | Begin::AfterStart(0));
        let turned = match (self.from.begin, self.until) {
            // From the start to the start there is nothing, as between any two places that are one.
            (begin, Some(until)) if is_start(until) => !is_start(begin),
            (Begin::At(Where::Offset(begin)), Some(Begin::At(Where::Offset(until)))) => until < begin,
            (Begin::At(Where::At(begin)), Some(Begin::At(Where::At(until)))) => {
                zone.instant(until) < zone.instant(begin)
            }
            (Begin::AfterStart(begin), Some(Begin::AfterStart(until)))
            | (Begin::BeforeEnd(until), Some(Begin::BeforeEnd(begin))) => until < begin,
            _ => false,
        };
        if turned {
            return Err(Failure::wrong_use("it would stop before it begins")
                .next("name the earlier place first, as in --from @-2h:@-1h"));
        }
        if let (Begin::BeforeEnd(count), None) = (self.from.begin, &self.group) {
            self.tail = Some(count);
        }
        // An offset may be one that is not there yet.
        let is_there = matches!(self.until, Some(Begin::At(Where::End | Where::At(_)) | Begin::BeforeEnd(_)));
        if self.begins_at_end() && (self.until_end || is_there) {
            return Err(stops_at_once());
        }
        Ok(())
    }

    /// What would go unheard is refused.
    pub(super) fn check(&self, format: Format) -> Result<(), Failure> {
        let is_text = matches!(format, Format::Table | Format::Wide);
        let refused = |message: &str, next: &str| Err(Failure::wrong_use(message).next(next));
        match (&self.template, is_text, self.fields.any()) {
            (Some(_), false, _) => refused(
                "--template says how records are printed, and so does --format",
                "leave one of them out",
            ),
            (Some(_), _, true) => refused(
                "--template says what is printed, and so do the --print options",
                "leave one of them out",
            ),
            (Some(_), _, _) if format == Format::Wide => {
                refused("--template says what is printed, and so does --format wide", "leave one of them out")
            }
            (None, false, true) => {
                refused("the --print options are for lines of text", "json and yaml have all of a record")
            }
            _ => Ok(()),
        }
    }
}
