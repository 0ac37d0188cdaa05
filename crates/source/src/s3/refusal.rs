//! What S3 and KMS refuse, told in their own words, with the policy to look at.
use super::client::{Client, Failure};
use crate::{Error, LogObject};

/// What AWS says when it refuses: `User: WHO is not authorized to perform: ACTION on resource: WHAT because REASON`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Denial<'a> {
    pub(crate) who: &'a str,
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) reason: &'a str,
}

impl<'a> Denial<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (who, rest) = text.split_once(" is not authorized to perform: ")?;
        let who = who.rsplit_once("User: ").map_or(who, |(_, who)| who);
        let (action, rest) = rest.split_once(' ')?;
        let rest = rest.strip_prefix("on resource: ").or_else(|| rest.strip_prefix("on the resource ")).unwrap_or("");
        let (resource, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let resource = resource.trim_matches(['"', ',']);
        Some(Self { who: who.trim(), action: action.trim_matches(['"', ',']), resource, reason: reason.trim() })
    }

    /// Which policy to look at.
    pub(crate) fn policy(&self) -> String {
        let explicit = if self.reason.contains("explicit deny") { "a statement that denies it in " } else { "" };
        let service = self.action.split(':').next().unwrap_or_default();
        let named = match self.reason {
            reason if reason.contains("service control policy") => {
                "the service control policies (SCPs) of the caller's organization".to_owned()
            }
            reason if reason.contains("resource control policy") => {
                "the resource control policies (RCPs) of the owner's organization".to_owned()
            }
            reason if reason.contains("permissions boundary") => format!("the permissions boundary of {}", self.who),
            reason if reason.contains("session policy") => "the policy given when the role was assumed".to_owned(),
            reason if reason.contains("VPC endpoint") => "the policy of the VPC endpoint".to_owned(),
            reason if reason.contains("identity-based") => format!("the IAM policies of {}", self.who),
            reason if reason.contains("resource-based") => match service {
                "kms" => format!("the key policy of {}", self.resource),
                "sts" => format!("the trust policy of {}", self.resource),
                _ => format!("the bucket policy of {}", self.resource),
            },
            _ => match service {
                "sts" => format!(
                    "the trust policy of {} (its Principal, and its conditions on sts:ExternalId and \
                     aws:MultiFactorAuthPresent), and the IAM policies of {}",
                    self.resource, self.who
                ),
                "kms" => format!("the key policy of {} and the IAM policies of {}", self.resource, self.who),
                _ => format!("the IAM policies of {} and the bucket policy", self.who),
            },
        };
        format!("{explicit}{named}")
    }
}

/// What is done when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    List,
    Read,
    Write,
}

impl Doing {
    fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Says what to do about a failure on a key or prefix.
pub(crate) fn explain(client: &Client, doing: Doing, key: &str, failure: Failure) -> Error {
    let (uri, bucket) = (format!("s3://{}/{key}", client.bucket()), client.bucket().to_owned());
    let (status, refusal) = match failure {
        Failure::Refused { status, refusal, .. } => (status, refusal),
        Failure::Keyless(detail) => return Error::Credentials { bucket, detail },
        Failure::Unreached(detail) => {
            return Error::Unreached { doing: doing.word(), uri, service: client.service().to_owned(), detail };
        }
        Failure::Garbled(detail) | Failure::Unaskable(detail) => {
            return Error::Store { doing: doing.word(), uri, detail };
        }
    };
    let said = [refusal.code.as_str(), refusal.message.as_str()];
    let mut detail = said.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
    if detail.is_empty() {
        detail = format!("status {status} without a reason");
    }
    let kms = refusal.code.starts_with("KMS.") || refusal.message.to_ascii_lowercase().contains("kms");
    match (refusal.code.as_str(), status) {
        ("NoSuchBucket", _) => Error::NoSuchBucket { bucket, endpoint: client.service().to_owned() },
        ("InvalidObjectState", _) => Error::Frozen { uri },
        (
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "NotSignedUp",
            _,
        ) => Error::Credentials { bucket, detail },
        ("RequestTimeTooSkewed" | "RequestExpired", _) => Error::Clock { bucket, detail },
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
        | (_, 301 | 307) => Error::WrongRegion { bucket, region: client.region(), detail },
        ("PreconditionFailed", _) | (_, 412) => {
            Error::Changed { uri, listed: "the one asked for".to_owned(), found: "another".to_owned() }
        }
        _ if status == 403 || (kms && status == 400) => {
            let (action, policy) = lacking(client, doing, kms, &refusal.message);
            Error::AccessDenied { doing: doing.word(), uri, action, policy, detail }
        }
        (_, 404) if doing == Doing::List => Error::NoSuchBucket { bucket, endpoint: client.service().to_owned() },
        (_, 404) => Error::NotFound { uri },
        _ => Error::Store { doing: doing.word(), uri, detail },
    }
}

/// The action that is not allowed, on what, and the policies to look at.
fn lacking(client: &Client, doing: Doing, kms: bool, message: &str) -> (String, String) {
    if let Some(denial) = Denial::parse(message) {
        return (format!("{} on {}", denial.action, denial.resource), denial.policy());
    }
    let bucket = client.bucket();
    if kms {
        let action = "kms:Decrypt on the key that encrypts the object".to_owned();
        let policy = "the key policy, which must name the caller's account or role, and the IAM policies of the caller; \
                      a key of another account needs both, and the AWS managed key aws/s3 cannot be shared at all";
        return (action, policy.to_owned());
    }
    let both = "the IAM policies of the caller and the bucket policy; one of them is enough within the bucket's own \
                account, from another account both must allow it";
    let unsigned = if client.signs() { "" } else { "; requests go unsigned, which only public buckets take" };
    match doing {
        Doing::List => {
            let policy = format!(
                "{both}, with the prefix in any s3:prefix condition; who may read one account only gives \
                 s3://{bucket}/AWSLogs/ACCOUNT/{unsigned}"
            );
            (format!("s3:ListBucket on arn:aws:s3:::{bucket}"), policy)
        }
        Doing::Read => {
            let policy = format!(
                "{both}; for objects encrypted with KMS the key policy too (kms:Decrypt); a bucket with requester pays \
                 needs --request-payer{unsigned}"
            );
            (format!("s3:GetObject on arn:aws:s3:::{bucket}/*"), policy)
        }
        Doing::Write => {
            let policy =
                format!("{both}; for a bucket encrypted with KMS the key policy too (kms:GenerateDataKey){unsigned}");
            (format!("s3:PutObject on arn:aws:s3:::{bucket}/*"), policy)
        }
    }
}

/// An object that is another than the one listed.
pub(crate) fn changed(object: &LogObject, found: &str) -> Error {
    let (uri, listed) = (object.uri.clone(), object.version.clone());
    Error::Changed { uri, listed, found: found.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const WHO: &str = "arn:aws:sts::111122223333:assumed-role/analyst/me";

    fn policy(action: &str, resource: &str, reason: &str) -> String {
        let text = format!("User: {WHO} is not authorized to perform: {action} on resource: {resource} {reason}");
        let denial = Denial::parse(&text).unwrap();
        assert_eq!((denial.who, denial.action), (WHO, action));
        assert_eq!(denial.resource, resource.trim_matches('"'));
        denial.policy()
    }

    #[test]
    fn each_reason_names_its_policy() {
        let key = "\"arn:aws:s3:::logs/AWSLogs/x\"";
        for (action, resource, reason, expected) in [
            ("s3:GetObject", key, "because no identity-based policy allows the s3:GetObject action", "IAM policies of"),
            ("s3:GetObject", key, "because no resource-based policy allows the s3:GetObject action", "bucket policy"),
            ("s3:GetObject", key, "with an explicit deny in a resource-based policy", "denies it in the bucket policy"),
            ("s3:ListBucket", key, "with an explicit deny in a service control policy", "(SCPs)"),
            ("s3:ListBucket", key, "because no VPC endpoint policy allows the action", "VPC endpoint"),
            ("s3:ListBucket", key, "because no permissions boundary allows the action", "permissions boundary of"),
            ("s3:ListBucket", key, "because no session policy allows the action", "when the role was assumed"),
            ("kms:Decrypt", "arn:aws:kms:x:1:key/2", "because no resource-based policy allows it", "key policy of arn"),
            ("sts:AssumeRole", "arn:aws:iam::1:role/r", "", "trust policy of arn:aws:iam::1:role/r"),
        ] {
            let policy = policy(action, resource, reason);
            assert!(policy.contains(expected), "{reason}: {policy}");
        }
        assert_eq!(Denial::parse("Access Denied"), None);
    }
}
