//! Times as people write them, and the time zone that these are in.

use client::Timestamp;
use jiff::ZonedDateTime;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Failure;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A time that was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    Instant(Timestamp),
    /// What a calendar and a clock show; [`Zone::instant`] knows where.
    Shown(DateTime),
}

/// Reads milliseconds since 1970, a date with or without a time of day, which may name its offset from UTC, or a time
/// before `now` such as `-90m`.
pub fn parse(text: &str, now: Timestamp) -> Result<Time, String> {
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
        let before = i64::from(number).saturating_mul(unit);
        return Ok(Time::Instant(Timestamp(now.0.saturating_sub(before))));
    }
    if let Ok(millis) = text.parse::<u64>() {
        let millis = i64::try_from(millis).map_err(|_| wrong())?;
        return Ok(Time::Instant(Timestamp(millis)));
    }
    date_time(text).ok_or_else(wrong)
}

/// A date with or without a time of day.
pub fn date_time(text: &str) -> Option<Time> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(Time::Instant(Timestamp(instant.as_millisecond())));
    }
    // The name of a time zone would be read over.
    let date_time: DateTime = if text.contains('[') { None } else { text.parse().ok() }?;
    TimeZone::UTC.to_timestamp(date_time).ok()?;
    Some(Time::Shown(date_time))
}

/// The time zone in which times are printed, and meant where they name no offset: UTC, or what `--local` found.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone(TimeZone);

impl Zone {
    pub const UTC: Zone = Zone(TimeZone::UTC);

    /// That of this machine: what the variable TZ names, or else /etc/localtime.
    pub fn local() -> Result<Zone, Failure> {
        TimeZone::try_system().map(Zone).map_err(|error| {
            Failure::failed(format!("the local time zone is not known: {error}")).next(
                "set TZ to one of /usr/share/zoneinfo, as TZ=Europe/Prague, or leave --local out for UTC",
            )
        })
    }

    #[cfg(test)]
    pub fn fixed(seconds: i32) -> Zone {
        Zone(TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).expect("it is less than a day")))
    }

    /// When that is. A clock that is set back shows some times twice, and the first one is meant; one that is set forward
    /// leaves some out, which are taken for as long after the change as they would have been.
    pub fn instant(&self, time: Time) -> Timestamp {
        match time {
            Time::Instant(timestamp) => timestamp,
            Time::Shown(date_time) => {
                // At the very ends of the calendar there is no hour left to convert.
                let instant =
                    self.0.to_timestamp(date_time).or_else(|_| TimeZone::UTC.to_timestamp(date_time));
                Timestamp(instant.map_or(0, |instant| instant.as_millisecond()))
            }
        }
    }

    /// What calendars and clocks show there, if there is a date: records may claim any number, and calendars end with the
    /// year 9999.
    pub fn shown(&self, timestamp: Timestamp) -> Option<ZonedDateTime> {
        let instant = jiff::Timestamp::from_millisecond(timestamp.0).ok()?;
        Some(instant.to_zoned_datetime(self.0.clone()))
    }

    /// A time as it is printed: to the millisecond, with the offset from UTC; one without a date as the number that it is.
    pub fn format(&self, timestamp: Timestamp) -> String {
        match self.shown(timestamp) {
            None => timestamp.0.to_string(),
            Some(shown) if self.0 == TimeZone::UTC => format!("{:.3}", shown.timestamp()),
            Some(shown) => format!("{:.3}{}", shown.datetime(), shown.strftime("%:z")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000_000);

    #[track_caller]
    fn check(text: &str, millis: i64) {
        let parsed = parse(text, NOW).map(|time| Zone::UTC.instant(time));
        assert_eq!(parsed, Ok(Timestamp(millis)), "{text}");
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
            check(&Zone::UTC.format(Timestamp(millis)), millis);
        }
        assert_eq!(Zone::UTC.format(Timestamp(-1)), "1969-12-31T23:59:59.999Z");
        assert_eq!(Zone::UTC.format(Timestamp(i64::MAX)), "9223372036854775807", "it has no date");
    }

    #[test]
    fn a_time_is_printed_and_read_in_another_zone() {
        // One hour before UTC, two in summer, from the last Sunday of March to that of October.
        let zone = Zone(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("it is a rule"));
        let summer = Timestamp(1_783_000_000_000);
        assert_eq!(zone.format(summer), "2026-07-02T15:46:40.000+02:00");
        let read = |text: &str| zone.instant(parse(text, NOW).expect("it is a time"));
        assert_eq!(read("2026-07-02T15:46:40"), summer);
        assert_eq!(read("2026-07-02T13:46:40Z"), summer, "an offset that is named counts");
        assert_eq!(zone.format(read("2026-01-31")), "2026-01-31T00:00:00.000+01:00");
        assert_eq!(zone.format(read("2026-03-29T02:30")), "2026-03-29T03:30:00.000+02:00", "there is none");
        assert_eq!(zone.format(read("2026-10-25T02:30")), "2026-10-25T02:30:00.000+02:00", "there are two");
        assert_eq!(zone.format(Timestamp(i64::MAX)), "9223372036854775807");
    }
}
