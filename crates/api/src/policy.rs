//! IAM policies: documents, and what they allow whom.
//!
//! Evaluated as IAM does ("Policy evaluation logic" in its User Guide): an explicit deny wins; within an account the
//! principal's own policy *or* the resource's is enough, across accounts *both* must allow; what nobody allows is denied.
//! What is allowed is a set of events ([`Rows`]): a condition on one of the keys `cloudtarn:RecipientAccountId`,
//! `cloudtarn:AwsRegion`, `cloudtarn:EventSource` does not decide about the request but about each event.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cloudtarn_query::Rows;
use serde_json::Value;

use crate::condition::Condition;
use crate::principal::Principal;

/// Statements, in no order that matters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policy(Vec<Statement>);

#[derive(Debug, Clone)]
struct Statement {
    allow: bool,
    /// `None` in an identity policy, whose principal is who it is attached to.
    principals: Option<Whom>,
    actions: Patterns,
    resources: Patterns,
    conditions: Vec<Condition>,
}

/// Patterns with `*` and `?`, and whether those are meant that match or those that don't.
#[derive(Debug, Clone)]
struct Patterns {
    not: bool,
    patterns: Vec<String>,
}

#[derive(Debug, Clone)]
struct Whom {
    not: bool,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Everyone,
    Account(String),
    Arn(String),
    /// A service or an identity provider: nobody who calls here.
    Other,
}

/// One request as policies see it.
#[derive(Debug, Clone)]
pub(crate) struct Request<'a> {
    /// `cloudtrail:StartQuery`.
    pub(crate) action: &'a str,
    /// ARN of what it is about, or `*`.
    pub(crate) resource: &'a str,
    /// Account that owns it.
    pub(crate) resource_account: &'a str,
    pub(crate) resource_tags: &'a BTreeMap<String, String>,
    pub(crate) principal: &'a Principal,
    pub(crate) time: DateTime<Utc>,
    pub(crate) source_ip: std::net::IpAddr,
    pub(crate) region: &'a str,
    pub(crate) user_agent: &'a str,
    /// `cloudtrail:ExternalId` of a call to a channel.
    pub(crate) external_id: Option<&'a str>,
}

/// What one policy says of a request, as sets of events.
#[derive(Debug, Clone, PartialEq)]
struct Verdict {
    /// Allowed to the principal by name, or to everyone.
    direct: Rows,
    /// Allowed to the principal's account, which must allow it to the principal.
    account: Rows,
    denied: Rows,
}

/// `*` for any text, `?` for any character.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

impl Policy {
    /// Allows everything.
    pub(crate) fn everything() -> Self {
        Self::allowing(&["*"])
    }

    fn allowing(actions: &[&str]) -> Self {
        let all =
            |patterns: &[&str]| Patterns { not: false, patterns: patterns.iter().map(|p| (*p).to_owned()).collect() };
        Self(vec![Statement {
            allow: true,
            principals: None,
            actions: all(actions),
            resources: all(&["*"]),
            conditions: Vec::new(),
        }])
    }

    /// The managed policies of AWS that are about CloudTrail, by name.
    pub(crate) fn managed(name: &str) -> Option<Self> {
        match name {
            "AWSCloudTrail_FullAccess" => Some(Self::allowing(&["cloudtrail:*", "cloudtrail-data:*"])),
            "AWSCloudTrail_ReadOnlyAccess" => Some(Self::allowing(&[
                "cloudtrail:Get*",
                "cloudtrail:Describe*",
                "cloudtrail:List*",
                "cloudtrail:LookupEvents",
            ])),
            _ => None,
        }
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Reads the policy of a principal.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn identity(document: &Value) -> Result<Self, String> {
        let policy = Self::read(document)?;
        if policy.0.iter().any(|statement| statement.principals.is_some()) {
            return Err("a policy of a principal names no Principal".to_owned());
        }
        Ok(policy)
    }

    /// Reads the policy of the resource of that ARN.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn of_resource(text: &str, arn: &str) -> Result<Self, String> {
        let document = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let policy = Self::read(&document)?;
        for statement in &policy.0 {
            if statement.principals.is_none() {
                return Err("every statement needs a Principal".to_owned());
            }
            if statement.resources.not || statement.resources.patterns.iter().any(|resource| resource != arn) {
                return Err(format!("the Resource of every statement must be {arn}"));
            }
            let known = |action: &String| {
                action == "*" || action.starts_with("cloudtrail:") || action.starts_with("cloudtrail-data:")
            };
            if !statement.actions.patterns.iter().all(known) {
                return Err("actions begin with `cloudtrail:` or `cloudtrail-data:`".to_owned());
            }
        }
        Ok(policy)
    }

    fn read(document: &Value) -> Result<Self, String> {
        let Value::Object(document) = document else { return Err("a policy is a JSON object".to_owned()) };
        for (name, value) in document {
            match (name.as_str(), value) {
                ("Version", Value::String(version)) if version == "2012-10-17" || version == "2008-10-17" => {}
                ("Id", Value::String(_)) | ("Statement", _) => {}
                _ => return Err(format!("`{name}` is not known, or has a value that it can't have")),
            }
        }
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) if !statements.is_empty() => statements.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err("`Statement` is missing or empty".to_owned()),
        };
        statements.into_iter().map(Statement::read).collect::<Result<_, _>>().map(Self)
    }

    fn evaluate(&self, request: &Request<'_>) -> Verdict {
        let mut verdict = Verdict { direct: Rows::None, account: Rows::None, denied: Rows::None };
        for statement in &self.0 {
            let rows = statement.rows(request);
            if rows == Rows::None {
                continue;
            }
            let matched = statement.principals.as_ref().map_or(Match::Direct, |whom| whom.matches(request.principal));
            let set = match (matched, statement.allow) {
                (Match::No, _) => continue,
                (_, false) => &mut verdict.denied,
                (Match::Direct, true) => &mut verdict.direct,
                (Match::Account, true) => &mut verdict.account,
            };
            *set = Rows::any([std::mem::replace(set, Rows::None), rows]);
        }
        verdict
    }
}

/// Which events the principal may have of the resource; [`Rows::None`] denies the request.
pub(crate) fn decide(request: &Request<'_>, resource_policy: Option<&Policy>) -> Rows {
    let identity = request.principal.policy.evaluate(request);
    let nothing = Policy::default();
    let resource = resource_policy.unwrap_or(&nothing).evaluate(request);
    let allowed = if request.principal.account == request.resource_account {
        Rows::any([identity.direct, resource.direct])
    } else {
        Rows::every([identity.direct, Rows::any([resource.direct, resource.account])])
    };
    let denied = Rows::any([identity.denied, resource.denied]);
    Rows::every([allowed, Rows::not(denied)])
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    No,
    Account,
    Direct,
}

impl Whom {
    fn matches(&self, principal: &Principal) -> Match {
        let best = self.entries.iter().map(|entry| entry.matches(principal)).max().unwrap_or(Match::No);
        match (self.not, best) {
            (false, best) => best,
            (true, Match::No) => Match::Direct,
            (true, _) => Match::No,
        }
    }

    fn read(value: &Value, not: bool) -> Result<Self, String> {
        let mut entries = Vec::new();
        match value {
            Value::String(text) if text == "*" => entries.push(Entry::Everyone),
            Value::Object(kinds) if !kinds.is_empty() => {
                for (kind, who) in kinds {
                    for who in texts(who).ok_or("a Principal is text or a list of it")? {
                        entries.push(match kind.as_str() {
                            "AWS" => Entry::read(&who)?,
                            "Service" | "Federated" | "CanonicalUser" => Entry::Other,
                            _ => return Err(format!("`{kind}` is no kind of Principal")),
                        });
                    }
                }
            }
            _ => return Err("a Principal is \"*\" or {\"AWS\": …}".to_owned()),
        }
        Ok(Self { not, entries })
    }
}

impl Entry {
    fn read(text: &str) -> Result<Self, String> {
        let digits = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        if text == "*" {
            return Ok(Self::Everyone);
        }
        if digits(text) {
            return Ok(Self::Account(text.to_owned()));
        }
        match text.splitn(6, ':').collect::<Vec<_>>().as_slice() {
            ["arn", _, "iam", "", account, "root"] if digits(account) => Ok(Self::Account((*account).to_owned())),
            ["arn", _, "iam" | "sts", "", account, resource]
                if digits(account) && !resource.is_empty() && !text.contains(['*', '?']) =>
            {
                Ok(Self::Arn(text.to_owned()))
            }
            _ => Err(format!("`{text}` is no principal: an account id, an IAM ARN without wildcards, or *")),
        }
    }

    fn matches(&self, principal: &Principal) -> Match {
        let granted = |matches: bool, kind| if matches { kind } else { Match::No };
        match self {
            Self::Everyone => Match::Direct,
            Self::Account(account) => granted(*account == principal.account, Match::Account),
            Self::Arn(arn) => {
                // A session's ARN does not tell the path of its role.
                let role = principal.role().is_some_and(|role| {
                    let named =
                        |arn: &str| Some((arn.split(":role/").next()?.to_owned(), arn.rsplit('/').next()?.to_owned()));
                    arn.contains(":role/") && named(arn) == named(&role)
                });
                granted(*arn == principal.arn || role, Match::Direct)
            }
            Self::Other => Match::No,
        }
    }
}

/// A text, or a list of texts.
pub(crate) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

impl Statement {
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Object(members) = value else { return Err("a statement is a JSON object".to_owned()) };
        let mut allow = None;
        let (mut principals, mut actions, mut resources) = (None, None, None);
        let mut conditions = Vec::new();
        for (name, value) in members {
            let patterns = |not: bool| -> Result<Patterns, String> {
                let patterns = texts(value).filter(|texts| !texts.is_empty());
                Ok(Patterns { not, patterns: patterns.ok_or_else(|| format!("`{name}` is text or a list of it"))? })
            };
            let twice = match name.as_str() {
                "Sid" => !value.is_string(),
                "Effect" => match value.as_str() {
                    Some("Allow") => allow.replace(true).is_some(),
                    Some("Deny") => allow.replace(false).is_some(),
                    _ => return Err("`Effect` is Allow or Deny".to_owned()),
                },
                "Principal" => principals.replace(Whom::read(value, false)?).is_some(),
                "NotPrincipal" => principals.replace(Whom::read(value, true)?).is_some(),
                "Action" => actions.replace(patterns(false)?).is_some(),
                "NotAction" => actions.replace(patterns(true)?).is_some(),
                "Resource" => resources.replace(patterns(false)?).is_some(),
                "NotResource" => resources.replace(patterns(true)?).is_some(),
                "Condition" => {
                    conditions = Condition::read(value)?;
                    false
                }
                _ => return Err(format!("`{name}` is no element of a statement")),
            };
            if twice {
                return Err(format!("`{name}` is there twice, or has a value that it can't have"));
            }
        }
        let allow = allow.ok_or("a statement needs an Effect")?;
        if allow && principals.as_ref().is_some_and(|whom| whom.not) {
            return Err("NotPrincipal goes with Deny only".to_owned());
        }
        Ok(Self {
            allow,
            principals,
            actions: actions.ok_or("a statement needs an Action")?,
            resources: resources.ok_or("a statement needs a Resource")?,
            conditions,
        })
    }

    /// The events that the statement is about, whoever asks.
    fn rows(&self, request: &Request<'_>) -> Rows {
        let action = request.action.to_ascii_lowercase();
        let of_action = |pattern: &String| glob(&pattern.to_ascii_lowercase(), &action);
        let of_resource = |pattern: &String| {
            let pattern = crate::condition::substitute(pattern, request);
            pattern.is_some_and(|pattern| glob(&pattern, request.resource))
        };
        if self.actions.patterns.iter().any(of_action) == self.actions.not
            || self.resources.patterns.iter().any(of_resource) == self.resources.not
        {
            return Rows::None;
        }
        Rows::every(self.conditions.iter().map(|condition| condition.rows(request)))
    }
}

#[cfg(test)]
mod tests;
