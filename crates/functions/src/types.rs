//! Trino's types and how Arrow carries them.
//!
//! Arrow has no JSON, IP address, UUID or zoned time-of-day type. They are carried as structs of one field whose name
//! no query can write (`$json`, `$ipaddress`, `$uuid`, `$time_tz`), so that a value keeps its type through every operator
//! that DataFusion has. `timestamp(p)` is Arrow's timestamp of the next unit: seconds (p = 0), milliseconds (p ≤ 3),
//! microseconds (p ≤ 6), nanoseconds above. The fields of an anonymous row are `c0`, `c1`, ….

mod notation;

use std::fmt::{self, Display, Formatter, Write as _};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit, TimeUnit};
use datafusion_common::Result;

/// A type as Trino names it, with the parameters that Arrow does not carry (lengths, digits of a second).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Type {
    /// The type of `NULL`.
    Unknown,
    /// `boolean`
    Boolean,
    /// `tinyint`
    Tinyint,
    /// `smallint`
    Smallint,
    /// `integer`
    Integer,
    /// `bigint`
    Bigint,
    /// `real`
    Real,
    /// `double`
    Double,
    /// `decimal(precision, scale)`
    Decimal(u8, i8),
    /// `varchar`, with its length where it has one
    Varchar(Option<u32>),
    /// `char(length)`
    Char(u32),
    /// `varbinary`
    Varbinary,
    /// `date`
    Date,
    /// `time(precision)`
    Time(u8),
    /// `time(precision) with time zone`
    TimeTz(u8),
    /// `timestamp(precision)`
    Timestamp(u8),
    /// `timestamp(precision) with time zone`, with the zone of the column where it is known
    TimestampTz(u8, Option<Arc<str>>),
    /// `interval day to second`
    IntervalDay,
    /// `interval year to month`
    IntervalYear,
    /// `json`
    Json,
    /// `ipaddress`
    Ipaddress,
    /// `uuid`
    Uuid,
    /// `array(element)`
    Array(Box<Type>),
    /// `map(key, value)`
    Map(Box<Type>, Box<Type>),
    /// `row(name type, …)`; a field without a name is anonymous
    Row(Vec<(Option<String>, Type)>),
}

/// Name of the one field of a json value.
pub const JSON_FIELD: &str = "$json";
/// Name of the one field of an ipaddress value.
pub const IPADDRESS_FIELD: &str = "$ipaddress";
/// Name of the one field of a uuid value.
pub const UUID_FIELD: &str = "$uuid";
/// Name of the first field of a zoned time of day: its nanoseconds of the local day.
pub const TIME_TZ_FIELD: &str = "$time_tz";
/// Name of the second field of a zoned time of day: its offset from UTC in minutes, eastward.
pub const TIME_TZ_OFFSET: &str = "$offset";

/// The Arrow type of json: `Struct{"$json": Utf8View}`.
#[must_use]
pub fn json() -> DataType {
    one_field(JSON_FIELD, DataType::Utf8View)
}

/// The Arrow type of ipaddress: `Struct{"$ipaddress": FixedSizeBinary(16)}`, IPv4 mapped into IPv6.
#[must_use]
pub fn ipaddress() -> DataType {
    one_field(IPADDRESS_FIELD, DataType::FixedSizeBinary(16))
}

/// The Arrow type of uuid: `Struct{"$uuid": FixedSizeBinary(16)}`.
#[must_use]
pub fn uuid() -> DataType {
    one_field(UUID_FIELD, DataType::FixedSizeBinary(16))
}

/// The Arrow type of a zoned time of day: nanoseconds of the local day and the offset in minutes. The unit of the
/// first field says how many digits are shown.
#[must_use]
pub fn time_tz(precision: u8) -> DataType {
    DataType::Struct(Fields::from(vec![
        Field::new(TIME_TZ_FIELD, Type::Time(precision).to_arrow(), true),
        Field::new(TIME_TZ_OFFSET, DataType::Int16, true),
    ]))
}

fn one_field(name: &str, data_type: DataType) -> DataType {
    DataType::Struct(Fields::from(vec![Field::new(name, data_type, true)]))
}

fn is_one_field(data_type: &DataType, name: &str) -> bool {
    matches!(data_type, DataType::Struct(fields) if fields.first().is_some_and(|f| f.name() == name))
}

/// Whether the type is json.
#[must_use]
pub fn is_json(data_type: &DataType) -> bool {
    is_one_field(data_type, JSON_FIELD)
}

/// Whether the type is ipaddress.
#[must_use]
pub fn is_ipaddress(data_type: &DataType) -> bool {
    is_one_field(data_type, IPADDRESS_FIELD)
}

/// Whether the type is uuid.
#[must_use]
pub fn is_uuid(data_type: &DataType) -> bool {
    is_one_field(data_type, UUID_FIELD)
}

/// Whether the type is a zoned time of day.
#[must_use]
pub fn is_time_tz(data_type: &DataType) -> bool {
    is_one_field(data_type, TIME_TZ_FIELD)
}

/// Whether the type is a row: a struct that is none of the types of one hidden field.
#[must_use]
pub fn is_row(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Struct(fields) if !fields.first().is_some_and(|f| f.name().starts_with('$')))
}

/// Whether the type is text in any of Arrow's encodings.
#[must_use]
pub fn is_varchar(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_varchar(value),
        _ => false,
    }
}

/// Whether the type is a list in any of Arrow's encodings.
#[must_use]
pub fn is_array(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(_, _)
            | DataType::ListView(_)
            | DataType::LargeListView(_)
    )
}

/// The element field of a list in any of Arrow's encodings.
#[must_use]
pub fn element(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::FixedSizeList(f, _)
        | DataType::ListView(f)
        | DataType::LargeListView(f) => Some(f),
        _ => None,
    }
}

/// The key and the value field of a map.
#[must_use]
pub fn entry(data_type: &DataType) -> Option<(&FieldRef, &FieldRef)> {
    match data_type {
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => Some((fields.first()?, fields.get(1)?)),
            _ => None,
        },
        _ => None,
    }
}

/// An array of `element`, nullable.
#[must_use]
pub fn array_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

/// A map from `key` to `value`, as DataFusion's own `map` builds it.
#[must_use]
pub fn map_of(key: DataType, value: DataType) -> DataType {
    let entries = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

/// A row of anonymous fields.
#[must_use]
pub fn row_of(fields: impl IntoIterator<Item = DataType>) -> DataType {
    DataType::Struct(fields.into_iter().enumerate().map(|(i, t)| Field::new(format!("c{i}"), t, true)).collect())
}

/// The name that Trino gives a type: `timestamp(3) with time zone`, `map(varchar, json)`.
#[must_use]
pub fn trino_name(data_type: &DataType) -> String {
    Type::of(data_type).to_string()
}

/// The Arrow type of a Trino type name. Lengths of `varchar(n)` and `char(n)` are checked and dropped; use
/// [`Type::parse`] to keep them.
///
/// # Errors
/// `TYPE_NOT_FOUND` for a name that is no type, `INVALID_FUNCTION_ARGUMENT` for parameters out of range.
pub fn parse(name: &str) -> Result<DataType> {
    Type::parse(name).map(|t| t.to_arrow())
}

/// Digits of a second that a unit carries.
#[must_use]
pub fn digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// The unit that carries so many digits of a second.
#[must_use]
pub fn unit(precision: u8) -> TimeUnit {
    match precision {
        0 => TimeUnit::Second,
        1..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

impl Type {
    /// The Trino type that an Arrow type carries. Arrow types without a counterpart take that of the nearest one.
    #[must_use]
    pub fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Null => Self::Unknown,
            DataType::Boolean => Self::Boolean,
            DataType::Int8 => Self::Tinyint,
            DataType::Int16 | DataType::UInt8 => Self::Smallint,
            DataType::Int32 | DataType::UInt16 => Self::Integer,
            DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Self::Bigint,
            DataType::Float16 | DataType::Float32 => Self::Real,
            DataType::Float64 => Self::Double,
            DataType::Decimal32(p, s)
            | DataType::Decimal64(p, s)
            | DataType::Decimal128(p, s)
            | DataType::Decimal256(p, s) => Self::Decimal(*p, *s),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Varchar(None),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Self::Varbinary
            }
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(u) | DataType::Time64(u) => Self::Time(digits(*u)),
            DataType::Timestamp(u, None) => Self::Timestamp(digits(*u)),
            DataType::Timestamp(u, Some(zone)) => Self::TimestampTz(digits(*u), Some(Arc::clone(zone))),
            DataType::Duration(_) | DataType::Interval(IntervalUnit::DayTime | IntervalUnit::MonthDayNano) => {
                Self::IntervalDay
            }
            DataType::Interval(IntervalUnit::YearMonth) => Self::IntervalYear,
            DataType::List(f)
            | DataType::LargeList(f)
            | DataType::FixedSizeList(f, _)
            | DataType::ListView(f)
            | DataType::LargeListView(f) => Self::Array(Box::new(Self::of(f.data_type()))),
            DataType::Map(_, _) => entry(data_type).map_or(Self::Unknown, |(k, v)| {
                Self::Map(Box::new(Self::of(k.data_type())), Box::new(Self::of(v.data_type())))
            }),
            DataType::Struct(fields) => match fields.first().map(|f| (f.name().as_str(), f.data_type())) {
                Some((JSON_FIELD, _)) => Self::Json,
                Some((IPADDRESS_FIELD, _)) => Self::Ipaddress,
                Some((UUID_FIELD, _)) => Self::Uuid,
                Some((TIME_TZ_FIELD, DataType::Time32(u) | DataType::Time64(u))) => Self::TimeTz(digits(*u)),
                _ => {
                    let anonymous = fields.iter().enumerate().all(|(i, f)| *f.name() == format!("c{i}"));
                    Self::Row(
                        fields
                            .iter()
                            .map(|f| ((!anonymous).then(|| f.name().clone()), Self::of(f.data_type())))
                            .collect(),
                    )
                }
            },
            DataType::Dictionary(_, value) => Self::of(value),
            DataType::RunEndEncoded(_, value) => Self::of(value.data_type()),
            DataType::Union(_, _) => Self::Unknown,
        }
    }

    /// The Arrow type that carries this type.
    #[must_use]
    pub fn to_arrow(&self) -> DataType {
        match self {
            Self::Unknown => DataType::Null,
            Self::Boolean => DataType::Boolean,
            Self::Tinyint => DataType::Int8,
            Self::Smallint => DataType::Int16,
            Self::Integer => DataType::Int32,
            Self::Bigint => DataType::Int64,
            Self::Real => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Decimal(p, s) => DataType::Decimal128(*p, *s),
            Self::Varchar(_) | Self::Char(_) => DataType::Utf8View,
            Self::Varbinary => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time(p) => match unit(*p) {
                u @ (TimeUnit::Second | TimeUnit::Millisecond) => DataType::Time32(u),
                u => DataType::Time64(u),
            },
            Self::TimeTz(p) => time_tz(*p),
            Self::Timestamp(p) => DataType::Timestamp(unit(*p), None),
            Self::TimestampTz(p, zone) => {
                DataType::Timestamp(unit(*p), Some(zone.clone().unwrap_or_else(|| Arc::from("UTC"))))
            }
            Self::IntervalDay => DataType::Duration(TimeUnit::Millisecond),
            Self::IntervalYear => DataType::Interval(IntervalUnit::YearMonth),
            Self::Json => json(),
            Self::Ipaddress => ipaddress(),
            Self::Uuid => uuid(),
            Self::Array(element) => array_of(element.to_arrow()),
            Self::Map(key, value) => map_of(key.to_arrow(), value.to_arrow()),
            Self::Row(fields) => DataType::Struct(
                fields
                    .iter()
                    .enumerate()
                    .map(|(i, (name, t))| {
                        Field::new(name.clone().unwrap_or_else(|| format!("c{i}")), t.to_arrow(), true)
                    })
                    .collect(),
            ),
        }
    }

    /// Reads a type name in Trino's notation, any case.
    ///
    /// # Errors
    /// `TYPE_NOT_FOUND` for a name that is no type, `INVALID_FUNCTION_ARGUMENT` for parameters out of range.
    pub fn parse(text: &str) -> Result<Self> {
        notation::read(text)
    }
}

impl Display for Type {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Boolean => f.write_str("boolean"),
            Self::Tinyint => f.write_str("tinyint"),
            Self::Smallint => f.write_str("smallint"),
            Self::Integer => f.write_str("integer"),
            Self::Bigint => f.write_str("bigint"),
            Self::Real => f.write_str("real"),
            Self::Double => f.write_str("double"),
            Self::Decimal(p, s) => write!(f, "decimal({p},{s})"),
            Self::Varchar(None) => f.write_str("varchar"),
            Self::Varchar(Some(n)) => write!(f, "varchar({n})"),
            Self::Char(n) => write!(f, "char({n})"),
            Self::Varbinary => f.write_str("varbinary"),
            Self::Date => f.write_str("date"),
            Self::Time(p) => write!(f, "time({p})"),
            Self::TimeTz(p) => write!(f, "time({p}) with time zone"),
            Self::Timestamp(p) => write!(f, "timestamp({p})"),
            Self::TimestampTz(p, _) => write!(f, "timestamp({p}) with time zone"),
            Self::IntervalDay => f.write_str("interval day to second"),
            Self::IntervalYear => f.write_str("interval year to month"),
            Self::Json => f.write_str("json"),
            Self::Ipaddress => f.write_str("ipaddress"),
            Self::Uuid => f.write_str("uuid"),
            Self::Array(element) => write!(f, "array({element})"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Row(fields) => {
                f.write_str("row(")?;
                for (i, (name, t)) in fields.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    match name {
                        Some(name) if is_plain(name) => write!(f, "{name} {t}")?,
                        Some(name) => write!(f, "\"{}\" {t}", name.replace('"', "\"\""))?,
                        None => write!(f, "{t}")?,
                    }
                }
                f.write_char(')')
            }
        }
    }
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in [
            "boolean",
            "tinyint",
            "bigint",
            "real",
            "double",
            "decimal(10,2)",
            "varchar",
            "varbinary",
            "date",
            "time(3)",
            "time(3) with time zone",
            "timestamp(0)",
            "timestamp(6)",
            "timestamp(3) with time zone",
            "interval day to second",
            "interval year to month",
            "json",
            "ipaddress",
            "uuid",
            "array(map(varchar, json))",
            "row(a bigint, b array(varchar))",
            "row(bigint, row(x double))",
            "unknown",
        ] {
            assert_eq!(trino_name(&parse(name).unwrap()), name);
        }
    }

    #[test]
    fn parameters_and_old_notations() {
        assert_eq!(Type::parse("VARCHAR(5)").unwrap(), Type::Varchar(Some(5)));
        assert_eq!(Type::parse("char").unwrap(), Type::Char(1));
        assert_eq!(Type::parse("double precision").unwrap(), Type::Double);
        assert_eq!(Type::parse("timestamp with time zone").unwrap(), Type::TimestampTz(3, None));
        assert_eq!(
            Type::parse("array<row<date date,\"X y\" bigint>>").unwrap().to_string(),
            "array(row(date date, \"x y\" bigint))"
        );
        assert_eq!(Type::parse("integer array").unwrap().to_string(), "array(integer)");
    }

    #[test]
    fn refuses_what_is_no_type() {
        for name in ["", "foo", "array(bigint", "map(bigint)", "bigint x", "row()", "interval day", "array(é"] {
            assert!(Type::parse(name).is_err(), "{name}");
        }
        for name in ["decimal(0)", "decimal(1,2)", "decimal(39)", "timestamp(13)"] {
            let error = Type::parse(name).unwrap_err().to_string();
            assert!(error.contains("INVALID_FUNCTION_ARGUMENT"), "{error}");
        }
    }
}
