//! Durations as settings write them.

use std::time::Duration;

/// Reads a whole number with a unit: `ms`, `s`, `m`, `h` or `d`.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text:?} is no duration: write a whole number and one of ms, s, m, h, d, such as 30s");
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().map_err(|_| bad())?;
    let unit: u64 = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(bad()),
    };
    // A century is long enough, and keeps every sum of times in range.
    let ms = number
        .checked_mul(unit)
        .filter(|ms| *ms <= 36_525 * 86_400_000)
        .ok_or_else(|| format!("{text:?} is too long"))?;
    if ms == 0 {
        return Err("must be longer than nothing".to_owned());
    }
    Ok(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in
            [("250ms", 250), ("30s", 30_000), ("2m", 120_000), ("1h", 3_600_000), ("90d", 7_776_000_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)));
        }
        for bad in ["", "30", "s", "-1s", "1.5s", "1 s", "30sec", "0s", "99999999999999999999s", "99999999d", "１s"]
        {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
