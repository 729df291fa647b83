//! Times as people write them.

use client::Timestamp;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Reads milliseconds since 1970, a date with or without a time of day (UTC), or a time before `now` such as `-90m`.
pub fn parse(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong = || {
        format!(
            "{text:?} is no time: milliseconds since 1970, 2026-01-31, 2026-01-31T12:30:00Z or -15m (s, m, h, d)"
        )
    };
    if let Some(ago) = text.strip_prefix('-') {
        let (number, unit) = ago.split_at_checked(ago.len().saturating_sub(1)).ok_or_else(wrong)?;
        let unit = match unit {
            "s" => SECOND,
            "m" => MINUTE,
            "h" => HOUR,
            "d" => DAY,
            _ => return Err(wrong()),
        };
        let number: u32 = number.parse().map_err(|_| wrong())?;
        return Ok(Timestamp(now.0.saturating_sub(i64::from(number).saturating_mul(unit))));
    }
    if let Ok(millis) = text.parse::<u64>() {
        return i64::try_from(millis).map(Timestamp).map_err(|_| wrong());
    }
    date_time(text).map(Timestamp).ok_or_else(wrong)
}

fn date_time(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00"));
    let mut parts = date.split('-');
    let (year, month, day) =
        (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) {
        return None;
    }
    // A day that its month does not have would be one of the next month.
    let days = days_since_1970(year, month, day);
    if date_of(days) != (year, month, day) {
        return None;
    }
    let time = time.strip_suffix('Z').unwrap_or(time);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = time.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| number(second, 2))?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let millis = number(&format!("{fraction:0<3}").chars().take(3).collect::<String>(), 3)?;
    Some(days * DAY + hour * HOUR + minute * MINUTE + second * SECOND + millis)
}

/// So many digits and nothing else.
fn number(text: &str, digits: usize) -> Option<i64> {
    let all_digits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { text.parse().ok() } else { None }
}

/// Days of the Gregorian calendar. Years are counted from March, so that a leap day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    // From March on, months have 31, 30, 31, 30, 31 days and so on again: 153 in five.
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// A time as calendars and clocks have it, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub millis: i64,
    /// Counted from 0, which is Sunday.
    pub weekday: i64,
    /// Counted from 1.
    pub day_of_year: i64,
}

impl Parts {
    pub fn of(timestamp: Timestamp) -> Parts {
        let days = timestamp.0.div_euclid(DAY);
        let rest = timestamp.0.rem_euclid(DAY);
        let (year, month, day) = date_of(days);
        Parts {
            year,
            month,
            day,
            hour: rest / HOUR,
            minute: rest % HOUR / MINUTE,
            second: rest % MINUTE / SECOND,
            millis: rest % SECOND,
            // 1970 began on a Thursday.
            weekday: (days + 4).rem_euclid(7),
            day_of_year: days - days_since_1970(year, 1, 1) + 1,
        }
    }
}

/// A time as it is printed: UTC, to the millisecond.
pub fn format(timestamp: Timestamp) -> String {
    let Parts { year, month, day, hour, minute, second, millis, .. } = Parts::of(timestamp);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

fn date_of(days: i64) -> (i64, i64, i64) {
    const DAYS_IN_400_YEARS: i64 = 146_097;
    let days = days + 719_468;
    let era = days.div_euclid(DAYS_IN_400_YEARS);
    let day_of_era = days.rem_euclid(DAYS_IN_400_YEARS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000_000);

    #[track_caller]
    fn check(text: &str, millis: i64) {
        assert_eq!(parse(text, NOW), Ok(Timestamp(millis)), "{text}");
    }

    #[test]
    fn times_are_read_in_each_form() {
        check("0", 0);
        check("1767182400123", 1_767_182_400_123);
        check("1970-01-01", 0);
        check("2000-02-29T12:00:00Z", 951_825_600_000);
        check("2024-02-29 23:59:59.5", 1_709_251_199_500);
        check("2001-09-09T01:46", 999_999_960_000);
        check("-90m", 1_000_000_000_000 - 5_400_000);
        check("-1d", 1_000_000_000_000 - 86_400_000);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "-",
            "-5",
            "-5w",
            "soon",
            "2026-13-01",
            "2026-1-1",
            "2026-02-29",
            "2026-04-31",
            "2026-01-00",
            "2026-01-01T24:00",
            "-é",
        ] {
            assert!(parse(text, NOW).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_printed_as_it_is_read() {
        for millis in [0, 951_825_600_000, 1_709_251_199_500, 999_999_960_001] {
            check(&format(Timestamp(millis)), millis);
        }
        assert_eq!(format(Timestamp(-1)), "1969-12-31T23:59:59.999Z");
    }
}
