//! Where to begin, and in the same breath where to stop: `@-1h:end`, `5:8`, `-3`.

use std::str::FromStr;

use crate::command::place::Where;

/// Where to begin, and perhaps where to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub begin: Begin,
    pub until: Option<Begin>,
}

/// Where to begin, or to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    At(Where),
    /// So many records before the end of each partition.
    BeforeEnd(u32),
    /// So many offsets after the start of each partition.
    AfterStart(u32),
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Range, String> {
        let wrong = match read(text) {
            Ok(begin) => return Ok(Range { begin, until: None }),
            Err(wrong) => wrong,
        };
        // Times have colons of their own: the first that has a place on either side is meant.
        text.match_indices(':')
            .find_map(|(at, _)| {
                let (before, after) = (text.get(..at)?, text.get(at + 1..)?);
                let begin = if before.is_empty() { Begin::At(Where::Start) } else { read(before).ok()? };
                // After a time a number is one as well.
                let time = || before.starts_with('@').then(|| format!("@{after}").parse().ok()).flatten();
                let until = time().map(Begin::At).or_else(|| read(after).ok())?;
                Some(Range { begin, until: Some(until) })
            })
            .ok_or(format!("{wrong}, or -N or +N; a range is two of these, as in @-2h:@-1h, 5:8 or :end"))
    }
}

/// Reads a place for an option of its own.
pub fn place(text: &str) -> Result<Begin, String> {
    read(text).map_err(|wrong| format!("{wrong}, or -N or +N"))
}

fn read(text: &str) -> Result<Begin, String> {
    match (text.strip_prefix('-').map(str::parse), text.strip_prefix('+').map(str::parse)) {
        (Some(Ok(count)), _) if count > 0 => Ok(Begin::BeforeEnd(count)),
        (_, Some(Ok(count))) => Ok(Begin::AfterStart(count)),
        _ => text.parse().map(Begin::At),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::time::Time;
    use client::Timestamp;

    #[test]
    fn a_range_is_read_in_each_form() {
        let range = |text: &str| text.parse::<Range>().map(|range| (range.begin, range.until));
        let at = |millis| Where::At(Time::Instant(Timestamp(millis)));
        assert_eq!(range("start"), Ok((Begin::At(Where::Start), None)));
        assert_eq!(range("-3"), Ok((Begin::BeforeEnd(3), None)));
        assert_eq!(range("+3"), Ok((Begin::AfterStart(3), None)));
        assert_eq!(range("5:8"), Ok((Begin::At(Where::Offset(5)), Some(Begin::At(Where::Offset(8))))));
        assert_eq!(range(":end"), Ok((Begin::At(Where::Start), Some(Begin::At(Where::End)))));
        assert_eq!(range("-3:end"), Ok((Begin::BeforeEnd(3), Some(Begin::At(Where::End)))));
        assert_eq!(range("@5:8"), Ok((Begin::At(at(5)), Some(Begin::At(at(8))))));
        assert_eq!(range("@5:@8"), Ok((Begin::At(at(5)), Some(Begin::At(at(8))))));
        assert_eq!(range("@1970-01-01T00:00Z:end"), Ok((Begin::At(at(0)), Some(Begin::At(Where::End)))));
        assert_eq!(
            range("@1970-01-01T00:00:01Z:1970-01-01T00:00:02Z"),
            Ok((Begin::At(at(1000)), Some(Begin::At(at(2000)))))
        );
        assert_eq!(range("15:-2"), Ok((Begin::At(Where::Offset(15)), Some(Begin::BeforeEnd(2)))));
        assert_eq!(range("start:+5"), Ok((Begin::At(Where::Start), Some(Begin::AfterStart(5)))));
        for wrong in ["", ":", "-0", "a:b", "5:", "@:end"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
