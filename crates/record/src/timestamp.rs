//! The forms in which CloudTrail writes points in time.

/// Milliseconds since 1970-01-01 UTC of `2023-07-19T21:11:57Z`, with a blank instead of `T`, a fraction of any length
/// (cut to milliseconds), an offset, no zone (UTC), or in ISO 8601's basic form (`20131102T010628Z`). `None` for
/// anything else, and for dates that do not exist.
pub fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let basic = bytes.len() >= 15 && bytes[4] != b'-';
    let (date, time_at) = if basic { ([0, 4, 6], 9) } else { ([0, 5, 8], 11) };
    let separator = *bytes.get(time_at - 1)?;
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    if !basic && (bytes[4] != b'-' || bytes[7] != b'-') {
        return None;
    }
    let year = digits(bytes, date[0], 4)?;
    let month = digits(bytes, date[1], 2)?;
    let day = digits(bytes, date[2], 2)?;
    let (time, rest_at) = if basic {
        ([time_at, time_at + 2, time_at + 4], time_at + 6)
    } else {
        if *bytes.get(time_at + 2)? != b':' || *bytes.get(time_at + 5)? != b':' {
            return None;
        }
        ([time_at, time_at + 3, time_at + 6], time_at + 8)
    };
    let (hour, minute, second) = (digits(bytes, time[0], 2)?, digits(bytes, time[1], 2)?, digits(bytes, time[2], 2)?);
    if !(1..=12).contains(&month)
        || day < 1
        || day > days_in_month(year, month)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let (millis, zone_at) = fraction(bytes, rest_at)?;
    let offset = offset_minutes(bytes.get(zone_at..)?)?;
    let minutes = (days_from_civil(year, month, day) * 24 + hour) * 60 + minute - offset;
    Some((minutes * 60 + second) * 1000 + millis)
}

fn digits(bytes: &[u8], at: usize, count: usize) -> Option<i64> {
    let mut value = 0;
    for &byte in bytes.get(at..at + count)? {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(value)
}

fn fraction(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    if !matches!(bytes.get(at), Some(b'.' | b',')) {
        return Some((0, at));
    }
    let length = bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let millis = (0..3).fold(0, |sum, i| sum * 10 + if i < length { i64::from(bytes[at + 1 + i] - b'0') } else { 0 });
    Some((millis, at + 1 + length))
}

fn offset_minutes(zone: &[u8]) -> Option<i64> {
    match zone {
        b"" | b"Z" | b"z" | b" UTC" => Some(0),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let minutes_at = match rest.len() {
                4 => 2,
                5 if rest[2] == b':' => 3,
                _ => return None,
            };
            let minutes = digits(rest, 0, 2)? * 60 + digits(rest, minutes_at, 2)?;
            Some(if *sign == b'-' { -minutes } else { minutes })
        }
        _ => None,
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms").
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn forms() {
        let millis = 1_689_801_117_000;
        for text in [
            "2023-07-19T21:11:57Z",
            "2023-07-19 21:11:57",
            "2023-07-19T21:11:57.000Z",
            "2023-07-19 21:11:57.000000000",
            "2023-07-19T23:11:57+02:00",
            "2023-07-19T16:11:57-0500",
            "20230719T211157Z",
        ] {
            assert_eq!(parse(text), Some(millis), "{text}");
        }
        assert_eq!(parse("2023-07-19T21:11:57.6789Z"), Some(millis + 678));
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("2000-02-29T00:00:00Z"), Some(951_782_400_000));
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "2014-03-06T21: 22: 54Z",
            "2023-02-29T00:00:00Z",
            "2023-07-19",
            "2023-07-19T24:00:00Z",
            "2023-07-19T21:11:57.Z",
            "2023-07-19T21:11:57 CEST",
            "Jul 4, 2021 12:58:51 PM",
            "é023-07-19T21:11:57Z",
            "2023-07-19T",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn round_trip(year in 0i64..=9999, month in 1i64..=12, day in 1i64..=28, second in 0i64..86_400) {
            let text = format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60);
            let millis = (super::days_from_civil(year, month, day) * 86_400 + second) * 1000;
            proptest::prop_assert_eq!(parse(&text), Some(millis));
        }
    }

    #[test]
    fn days_are_counted_one_by_one() {
        let mut days = 0;
        for year in 1970..2400 {
            for month in 1..=12 {
                for day in 1..=super::days_in_month(year, month) {
                    assert_eq!(super::days_from_civil(year, month, day), days);
                    days += 1;
                }
            }
        }
    }
}
