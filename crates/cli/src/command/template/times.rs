//! Times by a pattern, in the letters of `strftime` or in Go's layouts. Always in UTC, and in English.

use client::Timestamp;

use crate::command::time::Parts;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// How many letters a short name has.
const SHORT: usize = 3;

/// A pattern that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field, Pad),
    Name(Names, Length),
    /// AM or PM.
    HalfDay {
        upper: bool,
    },
    /// What is less than a second, in so many digits.
    Fraction(usize),
    /// The same with a mark before it.
    Whole(char, usize),
    /// The same without the zeros at its end; nothing if nothing is left.
    Trimmed(char, usize),
}

/// What is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    Century,
    YearOfCentury,
    Month,
    Day,
    DayOfYear,
    Hour,
    /// From 1 to 12.
    Hour12,
    Minute,
    Second,
    SecondsSince1970,
    /// From 0, which is Sunday.
    Weekday,
    /// From 1, which is Monday.
    IsoWeekday,
    /// The year to which the week belongs by ISO 8601.
    IsoYear,
    IsoYearOfCentury,
    IsoWeek,
    /// Weeks of the year that begin on Sunday; what is before the first is 0.
    WeekFromSunday,
    WeekFromMonday,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pad {
    No,
    Zeros(usize),
    Blanks(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Month,
    Weekday,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Short,
    Long,
}

const TWO: Pad = Pad::Zeros(2);

impl Pattern {
    /// Understands the letters of `strftime`.
    pub fn strftime(text: &str) -> Result<Pattern, String> {
        let mut pattern = Pattern(Vec::new());
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '%' => {
                    let letter = rest.next().ok_or("after the % of a time a letter is expected")?;
                    pattern.strftime_letter(letter)?;
                }
                c => pattern.text(c.encode_utf8(&mut [0; 4])),
            }
        }
        Ok(pattern)
    }

    fn strftime_letter(&mut self, letter: char) -> Result<(), String> {
        let several = match letter {
            'c' => "%a %b %e %H:%M:%S %Y",
            'D' | 'x' => "%m/%d/%y",
            'F' => "%Y-%m-%d",
            'r' => "%I:%M:%S %p",
            'R' => "%H:%M",
            'T' | 'X' => "%H:%M:%S",
            '+' => "%a %b %e %H:%M:%S %Z %Y",
            _ => "",
        };
        if !several.is_empty() {
            self.0.extend(Pattern::strftime(several)?.0);
            return Ok(());
        }
        let part = match letter {
            'a' => Part::Name(Names::Weekday, Length::Short),
            'A' => Part::Name(Names::Weekday, Length::Long),
            'b' | 'h' => Part::Name(Names::Month, Length::Short),
            'B' => Part::Name(Names::Month, Length::Long),
            'C' => Part::Field(Field::Century, TWO),
            'd' => Part::Field(Field::Day, TWO),
            'e' => Part::Field(Field::Day, Pad::Blanks(2)),
            'f' => Part::Fraction(6),
            'g' => Part::Field(Field::IsoYearOfCentury, TWO),
            'G' => Part::Field(Field::IsoYear, Pad::Zeros(4)),
            'H' => Part::Field(Field::Hour, TWO),
            'I' => Part::Field(Field::Hour12, TWO),
            'j' => Part::Field(Field::DayOfYear, Pad::Zeros(3)),
            'k' => Part::Field(Field::Hour, Pad::Blanks(2)),
            'l' => Part::Field(Field::Hour12, Pad::Blanks(2)),
            'L' => Part::Fraction(3),
            'm' => Part::Field(Field::Month, TWO),
            'M' => Part::Field(Field::Minute, TWO),
            'n' => Part::Text("\n".to_owned()),
            'p' => Part::HalfDay { upper: true },
            'P' => Part::HalfDay { upper: false },
            's' => Part::Field(Field::SecondsSince1970, Pad::No),
            'S' => Part::Field(Field::Second, TWO),
            't' => Part::Text("\t".to_owned()),
            'u' => Part::Field(Field::IsoWeekday, Pad::No),
            'U' => Part::Field(Field::WeekFromSunday, TWO),
            'V' => Part::Field(Field::IsoWeek, TWO),
            'w' => Part::Field(Field::Weekday, Pad::No),
            'W' => Part::Field(Field::WeekFromMonday, TWO),
            'y' => Part::Field(Field::YearOfCentury, TWO),
            'Y' => Part::Field(Field::Year, Pad::Zeros(4)),
            'z' => Part::Text("+0000".to_owned()),
            'Z' => Part::Text("UTC".to_owned()),
            '%' => Part::Text("%".to_owned()),
            other => return Err(format!("%{other} is nothing of a time; the letters are those of strftime")),
        };
        self.0.push(part);
        Ok(())
    }

    /// Understands Go's layouts, which show how 15:04:05 on Monday, January 2, 2006 is to be written.
    pub fn go(text: &str) -> Pattern {
        let mut pattern = Pattern(Vec::new());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let (part, taken) = go_part(rest).unwrap_or((Part::Text(c.to_string()), c.len_utf8()));
            match part {
                Part::Text(text) => pattern.text(&text),
                part => pattern.0.push(part),
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
        pattern
    }

    fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.0.push(Part::Text(text.to_owned())),
        }
    }

    pub fn write(&self, out: &mut Vec<u8>, timestamp: Timestamp) {
        let parts = Parts::of(timestamp);
        for part in &self.0 {
            out.extend(part.show(&parts, timestamp).bytes());
        }
    }
}

impl Part {
    fn show(&self, parts: &Parts, timestamp: Timestamp) -> String {
        let digits = |count: usize| format!("{:03}{:06}", parts.millis, 0).chars().take(count).collect();
        match self {
            Part::Text(text) => text.clone(),
            Part::Field(field, pad) => {
                let number = field.of(parts, timestamp);
                match *pad {
                    Pad::No => number.to_string(),
                    Pad::Zeros(width) => format!("{number:0width$}"),
                    Pad::Blanks(width) => format!("{number:width$}"),
                }
            }
            Part::Name(names, length) => {
                let name = match names {
                    Names::Month => usize::try_from(parts.month - 1).ok().and_then(|at| MONTHS.get(at)),
                    Names::Weekday => usize::try_from(parts.weekday).ok().and_then(|at| WEEKDAYS.get(at)),
                };
                let name = name.copied().unwrap_or_default();
                match length {
                    Length::Short => name.get(..SHORT).unwrap_or(name).to_owned(),
                    Length::Long => name.to_owned(),
                }
            }
            Part::HalfDay { upper } => match (parts.hour < 12, upper) {
                (true, true) => "AM".to_owned(),
                (true, false) => "am".to_owned(),
                (false, true) => "PM".to_owned(),
                (false, false) => "pm".to_owned(),
            },
            Part::Fraction(count) => digits(*count),
            Part::Whole(mark, count) => {
                let digits: String = digits(*count);
                format!("{mark}{digits}")
            }
            Part::Trimmed(mark, count) => {
                let digits: String = digits(*count);
                match digits.trim_end_matches('0') {
                    "" => String::new(),
                    digits => format!("{mark}{digits}"),
                }
            }
        }
    }
}

impl Field {
    fn of(self, parts: &Parts, timestamp: Timestamp) -> i64 {
        // Counted from 0, which is Monday.
        let from_monday = (parts.weekday + 6).rem_euclid(7);
        match self {
            Field::Year => parts.year,
            Field::Century => parts.year.div_euclid(100),
            Field::YearOfCentury => parts.year.rem_euclid(100),
            Field::Month => parts.month,
            Field::Day => parts.day,
            Field::DayOfYear => parts.day_of_year,
            Field::Hour => parts.hour,
            Field::Hour12 => (parts.hour + 11).rem_euclid(12) + 1,
            Field::Minute => parts.minute,
            Field::Second => parts.second,
            Field::SecondsSince1970 => timestamp.0.div_euclid(1000),
            Field::Weekday => parts.weekday,
            Field::IsoWeekday => from_monday + 1,
            Field::IsoYear => iso_week(parts, timestamp).0,
            Field::IsoYearOfCentury => iso_week(parts, timestamp).0.rem_euclid(100),
            Field::IsoWeek => iso_week(parts, timestamp).1,
            Field::WeekFromSunday => (parts.day_of_year + 6 - parts.weekday) / 7,
            Field::WeekFromMonday => (parts.day_of_year + 6 - from_monday) / 7,
        }
    }
}

/// The year and the week of ISO 8601: a week belongs to the year in which its Thursday is.
fn iso_week(parts: &Parts, timestamp: Timestamp) -> (i64, i64) {
    const DAY: i64 = 86_400_000;
    let from_monday = (parts.weekday + 6).rem_euclid(7);
    let thursday = Parts::of(Timestamp(timestamp.0.saturating_add((3 - from_monday) * DAY)));
    (thursday.year, (thursday.day_of_year - 1) / 7 + 1)
}

/// What stands at the beginning of a Go layout, and how long it is; nothing for plain text.
fn go_part(layout: &str) -> Option<(Part, usize)> {
    let field = |field, pad| Part::Field(field, pad);
    let text = |text: &str| Part::Text(text.to_owned());
    let table = [
        ("January", Part::Name(Names::Month, Length::Long)),
        ("Monday", Part::Name(Names::Weekday, Length::Long)),
        ("Jan", Part::Name(Names::Month, Length::Short)),
        ("Mon", Part::Name(Names::Weekday, Length::Short)),
        ("MST", text("UTC")),
        ("2006", field(Field::Year, Pad::Zeros(4))),
        ("-07:00", text("+00:00")),
        ("-0700", text("+0000")),
        ("-07", text("+00")),
        ("Z07:00", text("Z")),
        ("Z0700", text("Z")),
        ("Z07", text("Z")),
        ("002", field(Field::DayOfYear, Pad::Zeros(3))),
        ("__2", field(Field::DayOfYear, Pad::Blanks(3))),
        ("_2006", Part::Text("_".to_owned())),
        ("_2", field(Field::Day, Pad::Blanks(2))),
        ("01", field(Field::Month, TWO)),
        ("02", field(Field::Day, TWO)),
        ("03", field(Field::Hour12, TWO)),
        ("04", field(Field::Minute, TWO)),
        ("05", field(Field::Second, TWO)),
        ("06", field(Field::YearOfCentury, TWO)),
        ("15", field(Field::Hour, TWO)),
        ("PM", Part::HalfDay { upper: true }),
        ("pm", Part::HalfDay { upper: false }),
        ("1", field(Field::Month, Pad::No)),
        ("2", field(Field::Day, Pad::No)),
        ("3", field(Field::Hour12, Pad::No)),
        ("4", field(Field::Minute, Pad::No)),
        ("5", field(Field::Second, Pad::No)),
    ];
    if let Some(found) = go_fraction(layout) {
        return Some(found);
    }
    for (word, part) in table {
        let Some(after) = layout.strip_prefix(word) else {
            continue;
        };
        // "Janet" is no month.
        let is_short = matches!(part, Part::Name(_, Length::Short));
        if is_short && after.starts_with(|c: char| c.is_ascii_lowercase()) {
            continue;
        }
        // Before a year the underscore is one.
        let taken = if word == "_2006" { 1 } else { word.len() };
        return Some((part, taken));
    }
    None
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
    let part = if digit == '9' { Part::Trimmed(mark, count) } else { Part::Whole(mark, count) };
    Some((part, count + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 2024-01-01T09:05:03.070Z.
    const NEW_YEAR: Timestamp = Timestamp(1_704_099_903_070);
    /// Friday, 2021-01-01T00:00:00Z, of the last week of the year before.
    const FRIDAY: Timestamp = Timestamp(1_609_459_200_000);

    #[track_caller]
    fn check(pattern: &Pattern, timestamp: Timestamp, expected: &str) {
        let mut out = Vec::new();
        pattern.write(&mut out, timestamp);
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
        check(&Pattern::go("05.999|05,00"), FRIDAY, "00|00,00");
    }
}
