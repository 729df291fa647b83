//! Times as people write them.

use client::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Reads milliseconds since 1970, a date with or without a time of day (UTC, unless it names another offset), or a time
/// before `now` such as `-90m`.
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
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(instant.as_millisecond());
    }
    // The name of a time zone would be read over.
    let date_time: DateTime = if text.contains('[') { None } else { text.parse().ok() }?;
    Some(Offset::UTC.to_timestamp(date_time).ok()?.as_millisecond())
}

/// The instant, if it has a date: records may claim any number, and calendars end with the year 9999.
pub fn instant(timestamp: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(timestamp.0).ok()
}

/// A time as it is printed: UTC, to the millisecond; one without a date as the number that it is.
pub fn format(timestamp: Timestamp) -> String {
    instant(timestamp).map_or_else(|| timestamp.0.to_string(), |instant| format!("{instant:.3}"))
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
        check("2024-02-29T23:59:59.999+01:00", 1_709_247_599_999);
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
            "2026-01-01T12:00[Europe/Paris]",
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
        assert_eq!(format(Timestamp(i64::MAX)), "9223372036854775807", "it has no date");
    }
}
