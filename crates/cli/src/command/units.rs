//! Sizes and durations as people write them.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// A size with its unit, to three digits.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut size = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    match unit {
        "B" => format!("{bytes} B"),
        unit if size < 10.0 => format!("{size:.2} {unit}"),
        unit if size < 100.0 => format!("{size:.1} {unit}"),
        unit => format!("{size:.0} {unit}"),
    }
}

/// A duration in its two largest units.
pub fn span(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "never".to_owned();
    }
    if seconds < 10.0 {
        return format!("{seconds:.1}s");
    }
    let whole = seconds as u64;
    match whole {
        0..60 => format!("{whole}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        3600..86_400 => format!("{}h{:02}m", whole / 3600, whole % 3600 / 60),
        _ => format!("{}d{:02}h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// Reads a number with a unit: ms, s, m, h or d; without one it is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: 500ms, 30s, 5m, 2h or 1d is expected");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let millis: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    Ok(Duration::from_millis(u64::from(number) * millis))
}

/// The same, of something that has to take time.
pub fn some_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be longer than nothing".to_owned()),
        time => Ok(time),
    }
}

/// So many of a thing whose name takes an `s` where there are several.
pub fn counted(count: usize, thing: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{s}")
}

/// Reads the number of a partition.
pub fn partition(text: &str) -> Result<i32, String> {
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| "a partition's number is expected, counted from 0".to_owned())
}

/// Reads whole numbers that are at least and at most these.
pub fn within<T>(
    bounds: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        number
            .ok_or_else(|| format!("a whole number from {} to {} is expected", bounds.start(), bounds.end()))
    }
}

/// Reads how many there are of something, be it none.
pub fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "a whole number from 0 on is expected".to_owned())
}

/// Reads the id of a broker.
pub fn broker(text: &str) -> Result<i32, String> {
    let id = text.parse().ok().filter(|id| *id >= 0);
    id.ok_or_else(|| "a broker's id is expected, a whole number from 0 on".to_owned())
}

/// Takes KEY=VALUE apart.
pub fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE is expected".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits_and_a_unit() {
        let expected = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (15_000_000, "14.3 MiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (size, text) in expected {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn durations_are_read_and_written() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "s", "5x", "-1s", "99999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            [span(0.5), span(61.0), span(7260.0), span(90_000.0)],
            ["0.5s", "1m01s", "2h01m", "1d01h"]
        );
    }
}
