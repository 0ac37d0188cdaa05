//! Conditions of IAM policies: operators, keys, variables.

use std::net::IpAddr;

use chrono::DateTime;
use cloudtarn_query::Rows;
use serde_json::Value;

use crate::policy::{Request, glob, texts};

/// One key of one operator with its values.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    operator: Operator,
    /// `…IfExists`: holds where the key has no value.
    if_exists: bool,
    /// `ForAllValues:`: holds where the key has no value; every key here has one at most.
    for_all: bool,
    key: String,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Text { like: bool, ignore_case: bool, not: bool },
    Number(Order),
    Date(Order),
    Bool,
    Address { not: bool },
    Arn { not: bool },
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equals,
    NotEquals,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Keys that are about an event and not about the request, and the column that has their value.
const ROW_KEYS: [(&str, &str); 3] = [
    ("cloudtarn:recipientaccountid", "recipientaccountid"),
    ("cloudtarn:awsregion", "awsregion"),
    ("cloudtarn:eventsource", "eventsource"),
];

impl Operator {
    fn read(name: &str) -> Option<Self> {
        let text = |like, ignore_case, not| Self::Text { like, ignore_case, not };
        let order = |rest: &str| {
            Some(match rest {
                "Equals" => Order::Equals,
                "NotEquals" => Order::NotEquals,
                "LessThan" => Order::Less,
                "LessThanEquals" => Order::LessOrEqual,
                "GreaterThan" => Order::Greater,
                "GreaterThanEquals" => Order::GreaterOrEqual,
                _ => return None,
            })
        };
        Some(match name {
            "StringEquals" => text(false, false, false),
            "StringNotEquals" => text(false, false, true),
            "StringEqualsIgnoreCase" => text(false, true, false),
            "StringNotEqualsIgnoreCase" => text(false, true, true),
            "StringLike" => text(true, false, false),
            "StringNotLike" => text(true, false, true),
            "Bool" => Self::Bool,
            "IpAddress" => Self::Address { not: false },
            "NotIpAddress" => Self::Address { not: true },
            "ArnEquals" | "ArnLike" => Self::Arn { not: false },
            "ArnNotEquals" | "ArnNotLike" => Self::Arn { not: true },
            "Null" => Self::Null,
            _ => match (name.strip_prefix("Numeric"), name.strip_prefix("Date")) {
                (Some(rest), _) => Self::Number(order(rest)?),
                (_, Some(rest)) => Self::Date(order(rest)?),
                _ => return None,
            },
        })
    }

    /// A negated operator holds where the key has no value.
    fn is_negated(self) -> bool {
        matches!(
            self,
            Self::Text { not: true, .. }
                | Self::Address { not: true }
                | Self::Arn { not: true }
                | Self::Number(Order::NotEquals)
                | Self::Date(Order::NotEquals)
        )
    }
}

impl Order {
    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equals => order.is_eq(),
            Self::NotEquals => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Condition {
    /// Reads a `Condition` element.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(value: &Value) -> Result<Vec<Self>, String> {
        let Value::Object(operators) = value else { return Err("`Condition` is a JSON object".to_owned()) };
        let mut conditions = Vec::new();
        for (name, keys) in operators {
            let (set, rest) = name.split_once(':').unwrap_or(("", name));
            let plain = rest.strip_suffix("IfExists").unwrap_or(rest);
            let operator = Operator::read(plain).filter(|_| matches!(set, "" | "ForAllValues" | "ForAnyValue"));
            let operator = operator.ok_or_else(|| format!("`{name}` is no condition operator that is known here"))?;
            let Value::Object(keys) = keys else { return Err(format!("`{name}` holds a JSON object")) };
            for (key, values) in keys {
                let values = match values {
                    Value::Bool(value) => Some(vec![value.to_string()]),
                    Value::Number(value) => Some(vec![value.to_string()]),
                    other => texts(other),
                };
                let values =
                    values.filter(|values| !values.is_empty()).ok_or_else(|| format!("`{key}` has no values"))?;
                let condition = Self {
                    operator,
                    if_exists: rest != plain,
                    for_all: set == "ForAllValues",
                    key: key.clone(),
                    values,
                };
                let known = condition.row_key().is_none_or(|_| {
                    !condition.if_exists
                        && !condition.for_all
                        && matches!(operator, Operator::Text { ignore_case: false, .. })
                });
                if !known {
                    let names = "StringEquals, StringLike, StringNotEquals and StringNotLike";
                    return Err(format!("`{key}` goes with {names} only"));
                }
                if key.to_ascii_lowercase().starts_with("cloudtarn:") && condition.row_key().is_none() {
                    return Err(format!("`{key}` is not known: RecipientAccountId, AwsRegion and EventSource are"));
                }
                conditions.push(condition);
            }
        }
        Ok(conditions)
    }

    fn row_key(&self) -> Option<&'static str> {
        let key = self.key.to_ascii_lowercase();
        ROW_KEYS.iter().find(|(name, _)| *name == key).map(|(_, column)| *column)
    }

    /// All or none of the events for a key of the request, some for a key of events.
    pub(crate) fn rows(&self, request: &Request<'_>) -> Rows {
        let Some(column) = self.row_key() else {
            return if self.holds(request) { Rows::All } else { Rows::None };
        };
        let Operator::Text { like, not, .. } = self.operator else { return Rows::None };
        let values: Vec<String> = self.values.iter().filter_map(|value| substitute(value, request)).collect();
        let rows = if like { Rows::like(column, values) } else { Rows::equals(column, values) };
        if not { Rows::not(rows) } else { rows }
    }

    fn holds(&self, request: &Request<'_>) -> bool {
        let value = value(&self.key, request);
        if self.operator == Operator::Null {
            let absent = value.is_none();
            return self.values.iter().any(|wanted| wanted.eq_ignore_ascii_case(if absent { "true" } else { "false" }));
        }
        let Some(value) = value else {
            return self.if_exists || self.for_all || self.operator.is_negated();
        };
        let wanted: Vec<String> = self.values.iter().filter_map(|value| substitute(value, request)).collect();
        let any = |test: &dyn Fn(&str) -> bool| wanted.iter().any(|wanted| test(wanted));
        match self.operator {
            Operator::Text { like, ignore_case, not } => {
                let fold = |text: &str| if ignore_case { text.to_lowercase() } else { text.to_owned() };
                let value = fold(&value);
                any(&|wanted| if like { glob(wanted, &value) } else { fold(wanted) == value }) != not
            }
            Operator::Arn { not } => any(&|wanted| arn_like(wanted, &value)) != not,
            Operator::Address { not } => any(&|wanted| is_within(wanted, &value)) != not,
            Operator::Bool => any(&|wanted| wanted.eq_ignore_ascii_case(&value)),
            Operator::Number(order) => compared(&wanted, order, |text| text.parse::<f64>().ok(), &value),
            Operator::Date(order) => compared(&wanted, order, seconds, &value),
            Operator::Null => false,
        }
    }
}

/// With `NotEquals` all values must differ, with the others one must hold.
fn compared(wanted: &[String], order: Order, parse: impl Fn(&str) -> Option<f64>, value: &str) -> bool {
    let Some(value) = parse(value) else { return false };
    let mut holds =
        wanted.iter().map(|wanted| parse(wanted).is_some_and(|wanted| order.holds(value.total_cmp(&wanted))));
    if order == Order::NotEquals { holds.all(|holds| holds) } else { holds.any(|holds| holds) }
}

fn seconds(text: &str) -> Option<f64> {
    let parsed = DateTime::parse_from_rfc3339(text).map(|time| time.timestamp_millis() as f64 / 1000.0);
    parsed.ok().or_else(|| text.parse().ok())
}

/// Each of the six parts on its own, so that a `*` does not reach over colons.
fn arn_like(pattern: &str, arn: &str) -> bool {
    let (pattern, arn): (Vec<_>, Vec<_>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    pattern.len() == arn.len() && pattern.iter().zip(&arn).all(|(pattern, part)| glob(pattern, part))
}

fn is_within(network: &str, address: &str) -> bool {
    let (network, length) = network.split_once('/').map_or((network, None), |(n, l)| (n, Some(l)));
    let (Ok(network), Ok(address)) = (network.parse::<IpAddr>(), address.parse::<IpAddr>()) else { return false };
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    let ((network, width), (address, other)) = (bits(network), bits(address));
    let Some(length) = length.map_or(Some(width), |length| length.parse::<u32>().ok()) else { return false };
    let mask = if length == 0 { 0 } else { u128::MAX << (128 - length.min(128)) };
    width == other && length <= width && network & mask == address & mask
}

/// The value of a condition key in a request.
fn value(key: &str, request: &Request<'_>) -> Option<String> {
    let principal = request.principal;
    let tag = |prefix: &str| {
        key.get(..prefix.len()).filter(|head| head.eq_ignore_ascii_case(prefix)).map(|_| &key[prefix.len()..])
    };
    if let Some(tag) = tag("aws:PrincipalTag/") {
        return principal.tags.get(tag).cloned();
    }
    if let Some(tag) = tag("aws:ResourceTag/") {
        return request.resource_tags.get(tag).cloned();
    }
    Some(match key.to_ascii_lowercase().as_str() {
        "aws:principalarn" => principal.role().unwrap_or_else(|| principal.arn.clone()),
        "aws:principalaccount" => principal.account.clone(),
        "aws:principaltype" => match principal.kind() {
            "Root" => "Account".to_owned(),
            "IAMUser" => "User".to_owned(),
            kind => kind.to_owned(),
        },
        "aws:username" => (principal.kind() == "IAMUser").then(|| principal.name().to_owned())?,
        "aws:sourceip" => request.source_ip.to_string(),
        "aws:currenttime" => request.time.to_rfc3339(),
        "aws:epochtime" => request.time.timestamp().to_string(),
        "aws:securetransport" => "false".to_owned(),
        "aws:useragent" => request.user_agent.to_owned(),
        "aws:requestedregion" => request.region.to_owned(),
        "aws:resourceaccount" => request.resource_account.to_owned(),
        "cloudtrail:externalid" => request.external_id?.to_owned(),
        _ => return None,
    })
}

/// Replaces `${key}` by the key's value, `${key, 'otherwise'}` too, and `${*}`, `${?}`, `${$}` by their character; `None`
/// if a key has no value: then nothing matches.
pub(crate) fn substitute(text: &str, request: &Request<'_>) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, tail) = after.split_once('}')?;
        out.push_str(before);
        let (name, otherwise) = name.split_once(',').map_or((name, None), |(n, o)| (n, Some(o)));
        match name.trim() {
            character @ ("*" | "?" | "$") => out.push_str(character),
            key => {
                let otherwise = || otherwise.map(|text| text.trim().trim_matches('\'').to_owned());
                out.push_str(&value(key, request).or_else(otherwise)?);
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    Some(out)
}
