//! Durations in ISO 8601, as far as Java's `Duration` reads them.

/// The milliseconds of a duration such as `PT1H30M` or `P2DT0.5S` that is not negative.
pub fn parse_iso_ms(text: &str) -> Option<i64> {
    let rest = text.strip_prefix(['P', 'p'])?;
    let (days, time) = match rest.split_once(['T', 't']) {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (rest, ""),
    };
    let mut total: i64 = 0;
    let mut seen = false;
    if !days.is_empty() {
        let count: i64 = days.strip_suffix(['D', 'd'])?.parse().ok()?;
        total = count.checked_mul(86_400_000)?;
        seen = true;
    }
    let mut rest = time;
    for (unit, ms) in [('H', 3_600_000), ('M', 60_000)] {
        if let Some((number, tail)) = rest.split_once([unit, unit.to_ascii_lowercase()]) {
            total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(ms)?)?;
            rest = tail;
            seen = true;
        }
    }
    if !rest.is_empty() {
        total = total.checked_add(seconds_ms(rest.strip_suffix(['S', 's'])?)?)?;
        seen = true;
    }
    (seen && total >= 0).then_some(total)
}

fn seconds_ms(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    let mut ms = 0;
    for place in 0..3 {
        let digit = fraction.as_bytes().get(place).map_or(0, |byte| i64::from(byte - b'0'));
        ms = ms * 10 + digit;
    }
    whole.parse::<i64>().ok()?.checked_mul(1_000)?.checked_add(sign * ms)
}

#[cfg(test)]
mod tests {
    use super::parse_iso_ms;

    #[test]
    fn reads_what_java_reads() {
        assert_eq!(parse_iso_ms("PT1H30M"), Some(5_400_000));
        assert_eq!(parse_iso_ms("P2DT0.5S"), Some(172_800_500));
        assert_eq!(parse_iso_ms("pt1.25s"), Some(1_250));
        assert_eq!(parse_iso_ms("P1D"), Some(86_400_000));
        assert_eq!(parse_iso_ms("PT0S"), Some(0));
    }

    #[test]
    fn refuses_what_is_no_duration_or_negative() {
        for text in ["", "P", "PT", "1H", "PT1X", "PT-1S", "P1H", "PT1S1H", "P9223372036854775807D"] {
            assert_eq!(parse_iso_ms(text), None, "{text}");
        }
    }
}
