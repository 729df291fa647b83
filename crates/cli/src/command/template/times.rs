//! Times by a pattern, in the letters of `strftime` or in Go's layouts. Always in English.

use client::Timestamp;
use jiff::ZonedDateTime;
use jiff::fmt::strtime;

/// The letters that C has for parts of a time, and the library as well.
const LETTERS: &str = "aAbBCdeFgGhHIjklmMnpPRsStTuUVwWyYzZ%";

/// A pattern that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// In the letters of the library.
    Format(String),
    /// What is less than a second, in so many digits with a mark before them, without the zeros at the end; nothing if
    /// nothing is left.
    Trimmed(char, usize),
    /// The offset from UTC: so many letters of what the library has for a format, or Z for none at all if that is wanted.
    Offset { format: &'static str, len: usize, zulu: bool },
}

impl Pattern {
    /// Understands the letters of `strftime`.
    pub fn strftime(text: &str) -> Result<Pattern, String> {
        let mut pattern = Pattern(Vec::new());
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '%' => {
                    let letter = rest.next().ok_or("after the % of a time a letter is expected")?;
                    pattern.letter(letter)?;
                }
                c => pattern.format(c.encode_utf8(&mut [0; 4])),
            }
        }
        Ok(pattern)
    }

    fn letter(&mut self, letter: char) -> Result<(), String> {
        let several = match letter {
            'c' => "%a %b %e %H:%M:%S %Y",
            'D' | 'x' => "%m/%d/%y",
            'f' => "%6f",
            'L' => "%3f",
            'r' => "%I:%M:%S %p",
            'X' => "%H:%M:%S",
            '+' => "%a %b %e %H:%M:%S %Z %Y",
            letter if LETTERS.contains(letter) => {
                self.format(&format!("%{letter}"));
                return Ok(());
            }
            other => return Err(format!("%{other} is nothing of a time; the letters are those of strftime")),
        };
        self.format(several);
        Ok(())
    }

    /// Understands Go's layouts, which show how 15:04:05 on Monday, January 2, 2006 is to be written.
    pub fn go(text: &str) -> Pattern {
        let mut pattern = Pattern(Vec::new());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let taken = match go_fraction(rest).or_else(|| go_offset(rest)).or_else(|| go_word(rest)) {
                Some((Part::Format(format), taken)) => {
                    pattern.format(&format);
                    taken
                }
                Some((part, taken)) => {
                    pattern.0.push(part);
                    taken
                }
                None => {
                    let mut plain = [0; 4];
                    pattern.format(if c == '%' { "%%" } else { c.encode_utf8(&mut plain) });
                    c.len_utf8()
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        pattern
    }

    fn format(&mut self, format: &str) {
        match self.0.last_mut() {
            Some(Part::Format(before)) => before.push_str(format),
            _ => self.0.push(Part::Format(format.to_owned())),
        }
    }

    /// Writes what is shown at a time. One that is shown nowhere stands as the number that it is.
    pub fn write(&self, out: &mut Vec<u8>, shown: Option<&ZonedDateTime>, timestamp: Timestamp) {
        let Some(time) = shown else {
            return out.extend(timestamp.0.to_string().bytes());
        };
        let formatted = |format: &str| strtime::format(format, time).unwrap_or_default();
        for part in &self.0 {
            match part {
                Part::Format(format) => out.extend(formatted(format).bytes()),
                Part::Offset { zulu: true, .. } if time.offset().seconds() == 0 => out.push(b'Z'),
                Part::Offset { format, len, .. } => out.extend(formatted(format).bytes().take(*len)),
                Part::Trimmed(mark, count) => {
                    let digits = format!("{:09}", time.subsec_nanosecond());
                    let digits = digits.get(..*count).unwrap_or_default().trim_end_matches('0');
                    if !digits.is_empty() {
                        out.extend(format!("{mark}{digits}").bytes());
                    }
                }
            }
        }
    }
}

/// What of a Go layout is a part of a time, in the letters of the library. The first that fits counts.
const GO_WORDS: [(&str, &str); 24] = [
    ("January", "%B"),
    ("Monday", "%A"),
    ("Jan", "%b"),
    ("Mon", "%a"),
    ("MST", "%Z"),
    ("2006", "%Y"),
    ("002", "%j"),
    ("__2", "%_3j"),
    ("_2006", "_%Y"),
    ("_2", "%e"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
];

/// What of a Go layout is the offset from UTC: its format, and how many letters of it are wanted. A minus stands before
/// those that always have a number, a Z before those that have a letter for none.
const GO_OFFSETS: [(&str, &str, usize); 3] = [("07:00", "%:z", 6), ("0700", "%z", 5), ("07", "%z", 3)];

fn go_offset(layout: &str) -> Option<(Part, usize)> {
    let zulu = layout.starts_with('Z');
    let digits = layout.strip_prefix(['-', 'Z'])?;
    let (word, format, len) = GO_OFFSETS.into_iter().find(|(word, ..)| digits.starts_with(word))?;
    Some((Part::Offset { format, len, zulu }, word.len() + 1))
}

/// What stands at the beginning of a Go layout, and how long it is; nothing for plain text.
fn go_word(layout: &str) -> Option<(Part, usize)> {
    // "Janet" is no month.
    let continues = |after: &str| after.starts_with(|c: char| c.is_ascii_lowercase());
    let found = GO_WORDS.into_iter().find(|(word, _)| {
        let after = layout.strip_prefix(word);
        after.is_some_and(|after| !(matches!(*word, "Jan" | "Mon") && continues(after)))
    });
    found.map(|(word, format)| (Part::Format(format.to_owned()), word.len()))
}

/// A point or comma with zeros or nines behind it, of which no other digit follows: as many digits of the second.
fn go_fraction(layout: &str) -> Option<(Part, usize)> {
    let mark = layout.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let digits = layout.get(1..)?;
    let digit = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let count = digits.chars().take_while(|c| *c == digit).count();
    if digits.get(count..)?.starts_with(|c: char| c.is_ascii_digit()) || count > 9 {
        return None;
    }
    let whole = || Part::Format(format!("{mark}%{count}f"));
    let part = if digit == '9' { Part::Trimmed(mark, count) } else { whole() };
    Some((part, count + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::time::Zone;
    use jiff::tz::{Offset, TimeZone};

    /// Monday, 2024-01-01T09:05:03.070Z.
    const NEW_YEAR: Timestamp = Timestamp(1_704_099_903_070);
    /// Friday, 2021-01-01T00:00:00Z, of the last week of the year before.
    const FRIDAY: Timestamp = Timestamp(1_609_459_200_000);

    #[track_caller]
    fn check(pattern: &Pattern, timestamp: Timestamp, expected: &str) {
        let mut out = Vec::new();
        pattern.write(&mut out, Zone::UTC.shown(timestamp).as_ref(), timestamp);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[track_caller]
    fn strftime(text: &str, timestamp: Timestamp, expected: &str) {
        check(&Pattern::strftime(text).expect("it is right"), timestamp, expected);
    }

    #[test]
    fn the_letters_of_strftime_are_written_as_c_writes_them() {
        strftime("%F %T %% %z %Z", NEW_YEAR, "2024-01-01 09:05:03 % +0000 UTC");
        strftime("%c|%D|%R|%r", NEW_YEAR, "Mon Jan  1 09:05:03 2024|01/01/24|09:05|09:05:03 AM");
        strftime("%A %B %e %k %l %j %y %C", NEW_YEAR, "Monday January  1  9  9 001 24 20");
        strftime("%s %f %L %u %w %P", NEW_YEAR, "1704099903 070000 070 1 1 am");
        strftime("%G-%V %g %U %W", NEW_YEAR, "2024-01 24 00 01");
        strftime("%G-%V %g %U %W %I %p", FRIDAY, "2020-53 20 00 00 12 AM");
        strftime("%F", Timestamp(-1), "1969-12-31");
        strftime("žluť %Y", FRIDAY, "žluť 2021");
    }

    #[test]
    fn letters_that_mean_nothing_are_refused() {
        for wrong in ["%", "%Q", "%F %", "%é"] {
            assert!(Pattern::strftime(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn layouts_are_written_as_go_writes_them() {
        let go = |layout: &str, expected: &str| check(&Pattern::go(layout), NEW_YEAR, expected);
        go("2006-01-02T15:04:05.000Z07:00", "2024-01-01T09:05:03.070Z");
        go("2006-01-02 15:04:05.999999 -0700 MST", "2024-01-01 09:05:03.07 +0000 UTC");
        go("Mon Jan _2 3:04PM '06, 002", "Mon Jan  1 9:05AM '24, 001");
        go("Monday, 2 January; Janet, Monte", "Monday, 1 January; Janet, Monte");
        go("_2006 1.5", "_2024 1.3");
        go("%d is no part of 2006", "%d is no part of 2024");
        check(&Pattern::go("05.999|05,00"), FRIDAY, "00|00,00");
    }

    #[test]
    fn offsets_are_those_of_the_place() {
        let zone = TimeZone::fixed(Offset::from_seconds(-(3 * 60 + 30) * 60).expect("it is small"));
        let shown =
            jiff::Timestamp::from_millisecond(NEW_YEAR.0).expect("it has a date").to_zoned_datetime(zone);
        let written = |pattern: Pattern| {
            let mut out = Vec::new();
            pattern.write(&mut out, Some(&shown), NEW_YEAR);
            String::from_utf8(out).expect("it is text")
        };
        assert_eq!(
            written(Pattern::go("15:04 -07:00 Z07:00 -0700 Z0700 -07 Z07")),
            "05:35 -03:30 -03:30 -0330 -0330 -03 -03"
        );
        assert_eq!(written(Pattern::strftime("%T %z").expect("it is right")), "05:35:03 -0330");
        check(&Pattern::go("-07:00 Z07:00 -0700 Z0700 -07 Z07"), NEW_YEAR, "+00:00 Z +0000 Z +00 Z");
    }
}
