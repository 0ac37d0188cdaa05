//! Trino's page `datetime`.

mod arithmetic;
mod clock;
mod duration;
mod fields;
mod format;
mod zone;

pub(crate) use arithmetic::{common, date_preimage, plus_months, rebuild};

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use datafusion_common::Result;

use crate::instants::{times, timestamps};
use crate::scalar::mismatch;
use crate::temporal::{DAY, Zone, per_second};
use crate::types;
use crate::{Doc, Functions};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let mut scalars = fields::functions();
    scalars.extend(arithmetic::functions());
    scalars.extend(clock::functions());
    scalars.extend(duration::functions());
    scalars.extend(format::functions());
    scalars.extend(zone::functions());
    Functions { scalars, docs: DOCS, ..Functions::default() }
}

/// Dates, timestamps or times of day as local values in one unit.
#[derive(Debug, Clone)]
pub(crate) struct Moments {
    /// Values in their unit; UTC for timestamps with a zone, else local.
    pub(crate) values: Int64Array,
    /// Units of a second; 0 for dates, whose unit is a day.
    pub(crate) per: i64,
    /// The column's zone.
    pub(crate) zone: Option<Zone>,
}

impl Moments {
    /// Reads an array of dates, timestamps or times of day; the offset of a zoned time is left out.
    pub(crate) fn of(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Date32 => {
                use arrow::array::AsArray as _;
                let days = array.as_primitive::<arrow::datatypes::Date32Type>();
                Self { values: days.unary(i64::from), per: 0, zone: None }
            }
            DataType::Timestamp(unit, zone) => Self {
                values: timestamps(array)?,
                per: per_second(*unit),
                zone: zone.as_deref().map(|z| Zone::parse(z).unwrap_or(Zone::UTC)),
            },
            DataType::Time32(_) | DataType::Time64(_) => {
                let (values, unit) = times(array)?;
                Self { values, per: per_second(unit), zone: None }
            }
            t if types::is_time_tz(t) => {
                use arrow::array::AsArray as _;
                let row = array.as_struct();
                let (values, unit) = times(row.column(0))?;
                let nulls = arrow::buffer::NullBuffer::union(values.nulls(), row.nulls());
                Self { values: Int64Array::new(values.values().clone(), nulls), per: per_second(unit), zone: None }
            }
            other => return mismatch(format!("{} is no date or time", types::trino_name(other))),
        })
    }

    /// Local seconds and the fraction in units, of one value.
    pub(crate) fn local(&self, v: i64) -> (i64, i64) {
        if self.per == 0 {
            return (v * DAY, 0);
        }
        let utc = v.div_euclid(self.per);
        let offset = self.zone.map_or(0, |z| i64::from(z.offset_at(utc)));
        (utc + offset, v.rem_euclid(self.per))
    }

    /// A bigint computed from local seconds and the fraction in units.
    pub(crate) fn map(&self, f: impl Fn(i64, i64) -> i64) -> ArrayRef {
        let out: Int64Array = self.values.unary(|v| {
            let (seconds, fraction) = self.local(v);
            f(seconds, fraction)
        });
        Arc::new(out)
    }

    /// Nanoseconds of a fraction in units.
    pub(crate) fn nanos(&self, fraction: i64) -> i64 {
        if self.per == 0 { 0 } else { fraction * (1_000_000_000 / self.per) }
    }
}

macro_rules! doc {
    ($name:literal, $signature:literal, $example:literal) => {
        Doc { name: $name, page: "datetime", signature: $signature, example: $example }
    };
}

const DOCS: &[Doc] = &[
    doc!(
        "at_timezone",
        "at_timezone(timestamp, zone) -> timestamp with time zone",
        "at_timezone(from_unixtime(0), 'Asia/Tokyo') = 1970-01-01 09:00:00.000 Asia/Tokyo"
    ),
    doc!("current_date", "current_date -> date", "current_date"),
    doc!("current_time", "current_time -> time with time zone", "current_time"),
    doc!(
        "current_timestamp",
        "current_timestamp -> timestamp(3) with time zone\ncurrent_timestamp(p) -> timestamp(p) with time zone",
        "current_timestamp"
    ),
    doc!("current_timezone", "current_timezone() -> varchar", "current_timezone() = 'UTC'"),
    doc!("date", "date(x) -> date", "date('2023-01-22') = DATE '2023-01-22'"),
    doc!(
        "date_add",
        "date_add(unit, value, x) -> same as x",
        "date_add('day', -7, DATE '2023-01-22') = DATE '2023-01-15'"
    ),
    doc!(
        "date_diff",
        "date_diff(unit, from, to) -> bigint",
        "date_diff('hour', TIMESTAMP '2023-01-22 00:00', TIMESTAMP '2023-01-22 05:30') = 5"
    ),
    doc!(
        "date_format",
        "date_format(timestamp, format) -> varchar",
        "date_format(TIMESTAMP '2023-01-22 16:53:53', '%Y-%m-%d %H:%i') = '2023-01-22 16:53'"
    ),
    doc!(
        "date_parse",
        "date_parse(string, format) -> timestamp(3)",
        "date_parse('2023/01/22', '%Y/%m/%d') = 2023-01-22 00:00:00.000"
    ),
    doc!(
        "date_trunc",
        "date_trunc(unit, x) -> same as x",
        "date_trunc('hour', TIMESTAMP '2023-01-22 16:53:53') = 2023-01-22 16:00:00"
    ),
    doc!("day", "day(x) -> bigint", "day(DATE '2023-01-22') = 22"),
    doc!("day_of_month", "day_of_month(x) -> bigint", "day_of_month(DATE '2023-01-22') = 22"),
    doc!("day_of_week", "day_of_week(x) -> bigint, Monday = 1", "day_of_week(DATE '2023-01-22') = 7"),
    doc!("day_of_year", "day_of_year(x) -> bigint", "day_of_year(DATE '2023-02-01') = 32"),
    doc!("dow", "dow(x) -> bigint", "dow(DATE '2023-01-22') = 7"),
    doc!("doy", "doy(x) -> bigint", "doy(DATE '2023-02-01') = 32"),
    doc!(
        "format_datetime",
        "format_datetime(timestamp, format) -> varchar",
        "format_datetime(DATE '2023-01-22', 'd MMM yyyy') = '22 Jan 2023'"
    ),
    doc!(
        "from_iso8601_date",
        "from_iso8601_date(string) -> date",
        "from_iso8601_date('2023-W03-7') = DATE '2023-01-22'"
    ),
    doc!(
        "from_iso8601_timestamp",
        "from_iso8601_timestamp(string) -> timestamp(3) with time zone",
        "from_iso8601_timestamp('2023-01-22T16:53:53Z') = 2023-01-22 16:53:53.000 UTC"
    ),
    doc!(
        "from_iso8601_timestamp_nanos",
        "from_iso8601_timestamp_nanos(string) -> timestamp(9) with time zone",
        "from_iso8601_timestamp_nanos('2023-01-22T16:53:53.000000001Z')"
    ),
    doc!(
        "from_unixtime",
        "from_unixtime(seconds) -> timestamp(3) with time zone\nfrom_unixtime(seconds, zone) -> timestamp(3) with time zone\nfrom_unixtime(seconds, hours, minutes) -> timestamp(3) with time zone",
        "from_unixtime(0) = 1970-01-01 00:00:00.000 UTC"
    ),
    doc!(
        "from_unixtime_nanos",
        "from_unixtime_nanos(nanoseconds) -> timestamp(9) with time zone",
        "from_unixtime_nanos(100) = 1970-01-01 00:00:00.000000100 UTC"
    ),
    doc!("hour", "hour(x) -> bigint", "hour(TIMESTAMP '2023-01-22 16:53:53') = 16"),
    doc!(
        "human_readable_seconds",
        "human_readable_seconds(seconds) -> varchar",
        "human_readable_seconds(96) = '1 minute, 36 seconds'"
    ),
    doc!(
        "last_day_of_month",
        "last_day_of_month(x) -> date",
        "last_day_of_month(DATE '2023-02-01') = DATE '2023-02-28'"
    ),
    doc!("localtime", "localtime -> time(3)", "localtime"),
    doc!("localtimestamp", "localtimestamp -> timestamp(3)\nlocaltimestamp(p) -> timestamp(p)", "localtimestamp"),
    doc!("millisecond", "millisecond(x) -> bigint", "millisecond(TIMESTAMP '2023-01-22 16:53:53.123') = 123"),
    doc!("minute", "minute(x) -> bigint", "minute(TIMESTAMP '2023-01-22 16:53:53') = 53"),
    doc!("month", "month(x) -> bigint", "month(DATE '2023-01-22') = 1"),
    doc!("now", "now() -> timestamp(3) with time zone", "now()"),
    doc!(
        "parse_datetime",
        "parse_datetime(string, format) -> timestamp(3) with time zone",
        "parse_datetime('22 Jan 2023', 'd MMM yyyy') = 2023-01-22 00:00:00.000 UTC"
    ),
    doc!(
        "parse_duration",
        "parse_duration(string) -> interval day to second",
        "parse_duration('42.8ms') = 0 00:00:00.043"
    ),
    doc!("quarter", "quarter(x) -> bigint", "quarter(DATE '2023-05-01') = 2"),
    doc!("second", "second(x) -> bigint", "second(TIMESTAMP '2023-01-22 16:53:53') = 53"),
    doc!("timezone", "timezone(x) -> varchar", "timezone(TIMESTAMP '2023-01-22 00:00 Asia/Tokyo') = 'Asia/Tokyo'"),
    doc!("timezone_hour", "timezone_hour(x) -> bigint", "timezone_hour(TIMESTAMP '2023-01-22 00:00 -08:35') = -8"),
    doc!(
        "timezone_minute",
        "timezone_minute(x) -> bigint",
        "timezone_minute(TIMESTAMP '2023-01-22 00:00 -08:35') = -35"
    ),
    doc!("to_iso8601", "to_iso8601(x) -> varchar", "to_iso8601(DATE '2023-01-22') = '2023-01-22'"),
    doc!("to_milliseconds", "to_milliseconds(interval) -> bigint", "to_milliseconds(INTERVAL '1' SECOND) = 1000"),
    doc!("to_unixtime", "to_unixtime(timestamp) -> double", "to_unixtime(TIMESTAMP '1970-01-01 00:01:00') = 60.0"),
    doc!("week", "week(x) -> bigint", "week(DATE '2023-01-22') = 3"),
    doc!("week_of_year", "week_of_year(x) -> bigint", "week_of_year(DATE '2023-01-22') = 3"),
    doc!(
        "with_timezone",
        "with_timezone(timestamp, zone) -> timestamp with time zone",
        "with_timezone(TIMESTAMP '2023-01-22 00:00', 'Asia/Tokyo') = 2023-01-22 00:00:00 Asia/Tokyo"
    ),
    doc!("year", "year(x) -> bigint", "year(DATE '2023-01-22') = 2023"),
    doc!("year_of_week", "year_of_week(x) -> bigint", "year_of_week(DATE '2023-01-01') = 2022"),
    doc!("yow", "yow(x) -> bigint", "yow(DATE '2023-01-01') = 2022"),
];
