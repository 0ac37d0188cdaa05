//! Questions that can never find anything: an event source that no service has, a value or key that CloudTrail never
//! writes, conditions that exclude each other. What cannot be known is taken to be possible.
//!
//! Columns and fields that do not exist are the planner's to refuse; this reads conditions only.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, SetExpr, Value, Visit, Visitor};

use crate::question::Question;

/// Names of services in event sources, without `.amazonaws.com`.
const SOURCES: &str = include_str!("lint/sources.txt");
/// A service and calls of its own a line; calls of no other service.
const CALLS: &str = include_str!("lint/calls.txt");

/// Values that a column has, and no others.
const VALUES: [(&str, &[&str]); 8] = [
    (
        "useridentity.type",
        &[
            "Root",
            "IAMUser",
            "AssumedRole",
            "Role",
            "FederatedUser",
            "Directory",
            "AWSAccount",
            "AWSService",
            "SAMLUser",
            "WebIdentityUser",
            "IdentityCenterUser",
            "Unknown",
        ],
    ),
    (
        "eventtype",
        &[
            "AwsApiCall",
            "AwsServiceEvent",
            "AwsConsoleAction",
            "AwsConsoleSignIn",
            "AwsVpceEvent",
            "AwsVpceEvents",
            "AwsCloudTrailInsight",
            "AwsAggregatedEvent",
        ],
    ),
    ("eventcategory", &["Management", "Data", "NetworkActivity", "Insight", "Aggregated"]),
    ("sessioncredentialfromconsole", &["true"]),
    ("useridentity.sessioncontext.attributes.mfaauthenticated", &["true", "false"]),
    ("tlsdetails.tlsversion", &["TLSv1", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3", "SSLv3"]),
    ("element_at(responseelements, 'ConsoleLogin')", &["Success", "Failure"]),
    ("element_at(additionaleventdata, 'MFAUsed')", &["Yes", "No"]),
];

/// Keys that people write for others.
const KEYS: [(&str, &str, &str); 4] = [
    ("requestparameters", "size", "the bytes of an object are in additionalEventData: bytesTransferredOut"),
    ("requestparameters", "status", "whether a call succeeded is told by errorCode"),
    ("additionaleventdata", "MfaUsed", "the key is MFAUsed"),
    ("responseelements", "consoleLogin", "the key is ConsoleLogin"),
];

/// First-level keys of requests that begin with a small letter, which templates of other tools capitalize.
const SMALL: &str = "accountId attributeName authType bucketName bucketPolicy cidrIp configRuleName dBInstanceIdentifier detectorId \
    functionName groupId groupName imageId instanceId instanceType ipPermissions keyId kmsKeyId launchPermission logGroupName \
    masterUserPassword name policyArn policyDocument policyName principal publiclyAccessible roleArn roleName s3BucketName secretId \
    serialNumber setAsDefault skipFinalSnapshot snapshotId userName versionId";

/// What keeps a question from finding anything, each in a sentence; nothing where nothing is known to.
pub fn lint(question: &Question) -> Vec<String> {
    let parsed = match cloudtarn_dialect::parse(&question.sql) {
        Ok(parsed) => parsed,
        Err(error) => return vec![error.to_string()],
    };
    let mut selects = Selects::default();
    let _ = parsed.statement.visit(&mut selects);
    selects.found
}

/// Looks at the conditions of every SELECT.
#[derive(Default)]
struct Selects {
    found: Vec<String>,
}

impl Visitor for Selects {
    type Break = ();

    fn pre_visit_query(&mut self, query: &sqlparser::ast::Query) -> ControlFlow<()> {
        self.body(&query.body);
        ControlFlow::Continue(())
    }
}

impl Selects {
    fn body(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(select) => {
                if let Some(condition) = &select.selection {
                    let mut branches = Vec::new();
                    match never(condition, &mut branches) {
                        Some(reason) => self.found.push(format!("never finds anything: {reason}")),
                        None => {
                            self.found.extend(branches.into_iter().map(|b| format!("a part of it never holds: {b}")));
                        }
                    }
                }
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left);
                self.body(right);
            }
            _ => {}
        }
    }
}

/// Why a condition never holds. `branches` takes parts that never hold where others may.
fn never(condition: &Expr, branches: &mut Vec<String>) -> Option<String> {
    match condition {
        Expr::Nested(inner) => never(inner, branches),
        Expr::BinaryOp { op: BinaryOperator::And, .. } => {
            let mut parts = Vec::new();
            conjuncts(condition, &mut parts);
            parts.iter().find_map(|part| never(part, branches)).or_else(|| exclusive(&parts))
        }
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            match (never(left, branches), never(right, branches)) {
                (Some(left), Some(_)) => Some(left),
                (dead, other) => {
                    branches.extend(dead.or(other));
                    None
                }
            }
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => match (literal(left), literal(right)) {
            (None, Some(value)) => impossible(&path(left), &value),
            (Some(value), None) => impossible(&path(right), &value),
            _ if is_null(left) || is_null(right) => Some("nothing is equal to NULL: write IS NULL".to_owned()),
            _ => {
                let pair = BTreeSet::from([path(left), path(right)]);
                let named = |end: &str| pair.iter().any(|p| p.ends_with(end));
                (named("useridentity.arn") && (named("useridentity.username") || named("'userName')")))
                    .then(|| "an ARN is never equal to a user's name".to_owned())
            }
        },
        Expr::BinaryOp { left, op: BinaryOperator::NotEq, right } if is_null(left) || is_null(right) => {
            Some("nothing differs from NULL: write IS NOT NULL".to_owned())
        }
        Expr::InList { expr, list, negated: false } => {
            let path = path(expr);
            let values: Option<Vec<String>> = list.iter().map(literal).collect();
            let reasons: Vec<Option<String>> = values?.iter().map(|value| impossible(&path, value)).collect();
            if reasons.iter().all(Option::is_some) {
                return reasons.into_iter().next().flatten();
            }
            branches.extend(reasons.into_iter().flatten());
            None
        }
        Expr::IsNotNull(inner) => key(&path(inner)),
        _ => None,
    }
}

fn conjuncts<'a>(condition: &'a Expr, parts: &mut Vec<&'a Expr>) {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            conjuncts(left, parts);
            conjuncts(right, parts);
        }
        Expr::Nested(inner) if matches!(**inner, Expr::BinaryOp { op: BinaryOperator::And, .. }) => {
            conjuncts(inner, parts);
        }
        other => parts.push(other),
    }
}

/// Values that one thing cannot have at once, and calls of another service.
fn exclusive(parts: &[&Expr]) -> Option<String> {
    let mut sets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for part in parts {
        let (path, values) = match part {
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => (raw(left), vec![literal(right)?]),
            Expr::InList { expr, list, negated: false } => {
                (raw(expr), list.iter().map(literal).collect::<Option<_>>()?)
            }
            _ => continue,
        };
        let values: BTreeSet<String> = values.into_iter().collect();
        if let Some(known) = sets.get_mut(&path) {
            let both: BTreeSet<String> = known.intersection(&values).cloned().collect();
            if both.is_empty() {
                let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
                return Some(format!("{path} cannot be {} and {} at once", list(known), list(&values)));
            }
            *known = both;
        } else {
            sets.insert(path, values);
        }
    }
    for (path, sources) in &sets {
        let Some(qualifier) = path.strip_suffix("eventsource") else { continue };
        let Some(names) = sets.get(&format!("{qualifier}eventname")) else { continue };
        let foreign =
            |name: &String| emitter(name).filter(|emitter| !sources.contains(&format!("{emitter}.amazonaws.com")));
        let emitters: Option<Vec<&str>> = names.iter().map(foreign).collect();
        if let (Some(emitters), Some(name)) = (emitters, names.first()) {
            return Some(format!("{name} is a call of {}.amazonaws.com", emitters[0]));
        }
    }
    None
}

/// The one service that has a call of that name, if it is known.
fn emitter(name: &str) -> Option<&'static str> {
    CALLS.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let service = words.next()?;
        words.any(|call| call == name).then_some(service)
    })
}

/// Why a column or key never has a value.
fn impossible(path: &str, value: &str) -> Option<String> {
    if let Some(reason) = key(path) {
        return Some(reason);
    }
    if let Some((_, values)) = VALUES.iter().find(|(known, _)| *known == path) {
        return (!values.contains(&value)).then(|| format!("{path} is never '{value}', only {}", values.join(", ")));
    }
    match path {
        "eventsource" => source(value),
        "eventname" => {
            let call = value.rsplit(':').next().unwrap_or(value);
            if call != value {
                return Some(format!("event names have no service before them: '{call}', not '{value}'"));
            }
            let known = CALLS.split_whitespace().find(|known| known.eq_ignore_ascii_case(value) && *known != value);
            known.map(|known| format!("the event is named '{known}', not '{value}'"))
        }
        "errorcode" => {
            let success = ["", "success", "null", "none", "ok", "noerror"].contains(&value.to_lowercase().as_str());
            success.then(|| format!("calls that succeeded have no errorCode, not '{value}': write errorCode IS NULL"))
        }
        "recipientaccountid" | "useridentity.accountid" => {
            let account = value.len() == 12 && value.bytes().all(|b| b.is_ascii_digit());
            let nobody = value.to_ascii_lowercase().starts_with("anonymous");
            (!account && !nobody).then(|| format!("'{value}' is no account: these have twelve digits"))
        }
        "awsregion" => {
            let parts: Vec<&str> = value.split('-').collect();
            let number = parts.last().is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
            (parts.len() < 3 || !number || value.contains(|c: char| c.is_ascii_uppercase()))
                .then(|| format!("'{value}' is no Region"))
        }
        _ => None,
    }
}

fn source(value: &str) -> Option<String> {
    let service = value.strip_suffix(".amazonaws.com").or_else(|| value.strip_suffix(".aws.internal"));
    let Some(service) = service else {
        return Some(format!("event sources end in .amazonaws.com, which '{value}' does not"));
    };
    if SOURCES.split_whitespace().any(|known| known == service) {
        return None;
    }
    let near = SOURCES.split_whitespace().map(|known| (strsim::jaro_winkler(known, service), known));
    let near = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > 0.85);
    let near = near.map(|(_, near)| format!("; did you mean '{near}.amazonaws.com'?")).unwrap_or_default();
    Some(format!("no service that is known emits '{value}'{near}"))
}

/// Why a map never has the key of `element_at(map, 'key')`.
fn key(path: &str) -> Option<String> {
    let (map, key) = path.strip_prefix("element_at(")?.strip_suffix("')")?.split_once(", '")?;
    if let Some((_, _, reason)) = KEYS.iter().find(|(m, k, _)| *m == map && *k == key) {
        return Some(format!("{map} has no '{key}': {reason}"));
    }
    let mut letters = key.chars();
    let small: String = letters.next()?.to_lowercase().chain(letters).collect();
    (map == "requestparameters" && small != key && SMALL.split_whitespace().any(|known| known == small))
        .then(|| format!("{map} has no '{key}': the key is '{small}'"))
}

fn literal(e: &Expr) -> Option<String> {
    match e {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        Expr::Nested(inner) => literal(inner),
        _ => None,
    }
}

fn is_null(e: &Expr) -> bool {
    matches!(e, Expr::Value(value) if value.value == Value::Null)
}

/// What an expression reads, as text; a table's alias is part of it.
fn raw(e: &Expr) -> String {
    match e {
        Expr::Nested(inner) => raw(inner),
        Expr::Identifier(name) => name.value.to_lowercase(),
        Expr::CompoundIdentifier(names) => names.iter().map(|n| n.value.to_lowercase()).collect::<Vec<_>>().join("."),
        other => {
            // Names are folded, text is not.
            let text = other.to_string();
            let quote = text.find('\'').unwrap_or(text.len());
            text[..quote].to_lowercase() + &text[quote..]
        }
    }
}

/// What an expression reads, without a table's alias: `useridentity.type`, `element_at(requestparameters, 'key')`.
fn path(e: &Expr) -> String {
    let schema = cloudtarn_record::EventCategory::CloudTrail.schema();
    let column = |name: &str| schema.fields().iter().any(|field| field.name() == name);
    let bare = |text: &str| match text.split_once('.') {
        Some((alias, rest)) if !column(alias) && column(rest.split('.').next().unwrap_or(rest)) => rest.to_owned(),
        _ => text.to_owned(),
    };
    let text = raw(e);
    match text.strip_prefix("element_at(").and_then(|inside| inside.split_once(", ")) {
        Some((map, key)) => format!("element_at({}, {key}", bare(map)),
        None => bare(&text),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn complaints(condition: &str) -> String {
        let text = format!(
            "-- title: t\n-- answers: a\n-- severity: low\n-- outcomes: any\nSELECT 1 FROM $EDS_ID AS e WHERE {condition}"
        );
        lint(&Question::parse("q", &text).unwrap()).join("; ")
    }

    #[test]
    fn what_can_never_be_is_named() {
        for (condition, complaint) in [
            ("eventSource = 'route_53.amazonaws.com'", "no service that is known emits 'route_53.amazonaws.com'"),
            ("e.eventSource = 'iam'", "event sources end in .amazonaws.com"),
            (
                "eventSource = 'route53.amazonaws.com' AND eventName = 'DisableDomainTransferLock'",
                "DisableDomainTransferLock is a call of route53domains.amazonaws.com",
            ),
            ("eventName = 'iam:CreateUser'", "event names have no service before them"),
            ("eventName = 'createuser'", "the event is named 'CreateUser'"),
            ("errorCode = 'Success'", "calls that succeeded have no errorCode"),
            ("errorCode <> NULL", "nothing differs from NULL"),
            ("errorCode = NULL", "nothing is equal to NULL"),
            ("userIdentity.type = 'User'", "useridentity.type is never 'User'"),
            ("eventCategory = 'Write'", "eventcategory is never 'Write'"),
            ("element_at(requestParameters, 'KmsKeyId') = 'x'", "the key is 'kmsKeyId'"),
            ("element_at(requestParameters, 'size') IS NOT NULL", "bytesTransferredOut"),
            ("element_at(additionalEventData, 'MFAUsed') = 'no'", "is never 'no'"),
            ("userIdentity.arn = userIdentity.userName", "an ARN is never equal to a user's name"),
            ("eventName = 'A' AND (eventName = 'B' AND true)", "cannot be A and B at once"),
            ("recipientAccountId = '12345'", "twelve digits"),
            ("awsRegion IN ('us-east')", "'us-east' is no Region"),
        ] {
            let found = complaints(condition);
            assert!(found.starts_with("never finds anything: ") && found.contains(complaint), "{condition}: {found}");
        }
        let found = complaints("eventName = 'CreateUser' OR errorCode = 'null'");
        assert!(found.starts_with("a part of it never holds: calls that succeeded"), "{found}");
    }

    #[test]
    fn what_may_be_is_left_alone() {
        for condition in [
            "eventSource = 'iam.amazonaws.com' AND eventName IN ('CreateUser', 'SomethingNew')",
            "eventSource NOT IN ('nobody.amazonaws.com')",
            "errorCode = 'AccessDenied' OR errorCode IS NULL",
            "e.userIdentity.type = 'Root' AND e.errorCode IS NULL",
            "a.eventName = 'A' AND b.eventName = 'B'",
            "element_at(requestParameters, 'LifecycleConfiguration') IS NOT NULL",
        ] {
            assert_eq!(complaints(condition), "", "{condition}");
        }
    }

    #[test]
    fn no_question_in_the_program_is_dead() {
        for question in crate::Library::built_in().unwrap().questions() {
            assert_eq!(lint(question), Vec::<String>::new(), "{}", question.name);
        }
    }
}
