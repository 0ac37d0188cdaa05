//! Numbers for the eye, and from the command line.

use std::time::Duration;

pub(crate) use cloudtarn_report::units::count;

/// Decimal multiples, as AWS bills and disks are sold: `8.4 MB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if value < 9.95 { 1 } else { 0 };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// Reads a size: `512MiB`, `1GiB`, `300MB`, `1048576`.
pub(crate) fn parse_bytes(text: &str) -> Result<usize, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1_048_576.0,
        "g" | "gib" => 1_073_741_824.0,
        _ => return Err(format!("`{unit}` is no unit of size: write KiB, MiB, GiB, kB, MB or GB")),
    };
    let number: f64 = number.parse().map_err(|_| format!("`{text}` is no size: write for instance 512MiB"))?;
    Ok((number * factor) as usize)
}

/// Reads a span of time: `30s`, `5m`, `2h`, `1d`.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(format!("`{text}` is no span of time: write for instance 30s, 5m or 1h")),
    };
    let number: u32 = number.parse().map_err(|_| format!("`{text}` is no span of time: write for instance 5m"))?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_are_read() {
        let times = ["30s", "5m", "2h", "1d"].map(|text| parse_time(text).map(|time| time.as_secs()));
        assert_eq!(times, [Ok(30), Ok(300), Ok(7200), Ok(86_400)]);
        assert!(["", "5", "m", "5 m", "-1s", "1w"].iter().all(|text| parse_time(text).is_err()));
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 26_918, 1_234_567].map(count), ["0", "999", "1,000", "26,918", "1,234,567"]);
        assert_eq!(
            [0, 999, 1000, 8_393_649, 999_600, 10_500_000_000].map(bytes),
            ["0 B", "999 B", "1.0 kB", "8.4 MB", "1.0 MB", "10 GB"]
        );
    }

    #[test]
    fn sizes_parse() {
        assert_eq!(parse_bytes("512MiB"), Ok(512 << 20));
        assert_eq!(parse_bytes("1.5 GB"), Ok(1_500_000_000));
        assert_eq!(parse_bytes("77"), Ok(77));
        assert!(parse_bytes("12 parsecs").is_err() && parse_bytes("MiB").is_err());
    }
}
