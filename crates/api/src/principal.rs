//! Who may call: the principals of the configuration file, or the one local principal where there is none.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::policy::Policy;

/// Account of stores that were made without any: `cloudtarn ingest` knows none.
pub(crate) const NO_ACCOUNT: &str = "000000000000";

/// One who calls.
#[derive(Clone)]
pub(crate) struct Principal {
    pub(crate) access_key_id: String,
    secret: String,
    token: Option<String>,
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// What the principal's own account allows it.
    pub(crate) policy: Arc<Policy>,
}

impl std::fmt::Debug for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Principal").field("arn", &self.arn).finish_non_exhaustive()
    }
}

impl Principal {
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    /// Whether this is the session token that goes with the key; none goes with long-term keys.
    pub(crate) fn has_token(&self, token: Option<&str>) -> bool {
        self.token.as_deref() == token
    }

    /// `Root`, `IAMUser`, `AssumedRole`, as CloudTrail's `userIdentity.type` names it.
    pub(crate) fn kind(&self) -> &'static str {
        let resource = self.arn.splitn(6, ':').nth(5).unwrap_or_default();
        match resource.split('/').next() {
            Some("root") => "Root",
            Some("assumed-role") => "AssumedRole",
            Some("role") => "Role",
            Some("federated-user") => "FederatedUser",
            _ => "IAMUser",
        }
    }

    /// The name at the end of the ARN: user, or session.
    pub(crate) fn name(&self) -> &str {
        self.arn.rsplit(['/', ':']).next().unwrap_or_default()
    }

    /// The ARN of the role whose session this is, without the path that a session's ARN does not tell.
    pub(crate) fn role(&self) -> Option<String> {
        let parts: Vec<&str> = self.arn.splitn(6, ':').collect();
        let [_, partition, "sts", _, account, resource] = parts.as_slice() else { return None };
        let role = resource.strip_prefix("assumed-role/")?.split('/').next()?;
        Some(format!("arn:{partition}:iam::{account}:role/{role}"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    #[serde(default)]
    owner_account_id: Option<String>,
    principals: Vec<Entry>,
    #[serde(default)]
    import_roots: Vec<String>,
    #[serde(default)]
    delivery_roots: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    session_token: Option<String>,
    account_id: String,
    arn: String,
    #[serde(default)]
    session_tags: BTreeMap<String, String>,
    #[serde(default)]
    managed_policies: Vec<String>,
    #[serde(default)]
    policy: Option<serde_json::Value>,
}

/// All who may call.
#[derive(Debug)]
pub(crate) struct Principals {
    by_key: BTreeMap<String, Arc<Principal>>,
    /// Set without a configuration file: whoever reaches the server is this principal.
    local: Option<Arc<Principal>>,
    /// Account that owns the stores which `cloudtarn ingest` made.
    pub(crate) owner: String,
    /// Folders and buckets below which imports may read; `None` for any.
    pub(crate) import_roots: Option<Vec<String>>,
    /// Folders and buckets below which results may be delivered; `None` for any.
    pub(crate) delivery_roots: Option<Vec<String>>,
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

impl Principals {
    /// One local principal that may do everything.
    pub(crate) fn local() -> Self {
        let principal = Principal {
            access_key_id: "LOCAL".to_owned(),
            secret: String::new(),
            token: None,
            account: NO_ACCOUNT.to_owned(),
            arn: format!("arn:aws:iam::{NO_ACCOUNT}:user/local"),
            tags: BTreeMap::new(),
            policy: Arc::new(Policy::everything()),
        };
        Self {
            by_key: BTreeMap::new(),
            local: Some(Arc::new(principal)),
            owner: NO_ACCOUNT.to_owned(),
            import_roots: None,
            delivery_roots: None,
        }
    }

    /// Reads the configuration file.
    ///
    /// # Errors
    /// A text that says what is wrong where; secrets are not in it.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(text).map_err(|error| {
            // Of serde's text only what can't repeat a value.
            let text = error.to_string();
            let known = text.starts_with("missing field") || text.starts_with("unknown field");
            let at = format!("line {}, column {}", error.line(), error.column());
            if known { text } else { format!("not the JSON that is expected, at {at}") }
        })?;
        let owner = file.owner_account_id.unwrap_or_else(|| NO_ACCOUNT.to_owned());
        if !is_account(&owner) {
            return Err("`ownerAccountId` is not an account id of 12 digits".to_owned());
        }
        let mut by_key = BTreeMap::new();
        for (index, entry) in file.principals.into_iter().enumerate() {
            let wrong = |what: &str| format!("principal {}: {what}", index + 1);
            let well_formed = (4..=128).contains(&entry.access_key_id.len())
                && entry.access_key_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !well_formed {
                return Err(wrong("`accessKeyId` is not 4 to 128 letters, digits or `_`"));
            }
            if entry.secret_access_key.len() < 16 {
                return Err(wrong("`secretAccessKey` is shorter than 16 characters"));
            }
            let parts: Vec<&str> = entry.arn.splitn(6, ':').collect();
            let named = matches!(parts.as_slice(), ["arn", _, "iam" | "sts", "", account, resource] if **account == entry.account_id && !resource.is_empty());
            if !is_account(&entry.account_id) || !named {
                return Err(wrong("`accountId` has not 12 digits, or `arn` is not an IAM or STS ARN of that account"));
            }
            let mut policy = Policy::default();
            for name in &entry.managed_policies {
                let managed =
                    Policy::managed(name).ok_or_else(|| wrong(&format!("managed policy `{name}` is not known")))?;
                policy.append(managed);
            }
            if let Some(document) = &entry.policy {
                policy.append(Policy::identity(document).map_err(|error| wrong(&error))?);
            }
            let principal = Principal {
                access_key_id: entry.access_key_id.clone(),
                secret: entry.secret_access_key,
                token: entry.session_token,
                account: entry.account_id,
                arn: entry.arn,
                tags: entry.session_tags,
                policy: Arc::new(policy),
            };
            if by_key.insert(entry.access_key_id, Arc::new(principal)).is_some() {
                return Err(wrong("its `accessKeyId` is another principal's too"));
            }
        }
        Ok(Self {
            by_key,
            local: None,
            owner,
            import_roots: Some(file.import_roots),
            delivery_roots: Some(file.delivery_roots),
        })
    }

    /// True without a configuration file.
    pub(crate) fn is_local(&self) -> bool {
        self.local.is_some()
    }

    /// Whom the access key belongs to; everyone is the local principal where that is.
    pub(crate) fn find(&self, access_key_id: &str) -> Option<Arc<Principal>> {
        self.local.as_ref().or_else(|| self.by_key.get(access_key_id)).map(Arc::clone)
    }

    /// The local principal, if there is no other.
    pub(crate) fn unsigned(&self) -> Option<Arc<Principal>> {
        self.local.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(entry: &str) -> Result<Principals, String> {
        Principals::parse(&format!(r#"{{"ownerAccountId": "111122223333", "principals": [{entry}]}}"#))
    }

    const GOOD: &str = r#"{"accessKeyId": "AKIAEXAMPLE", "secretAccessKey": "0123456789abcdef", "accountId": "444455556666",
        "arn": "arn:aws:sts::444455556666:assumed-role/Auditor/jo", "sessionTags": {"team": "ir"},
        "managedPolicies": ["AWSCloudTrail_ReadOnlyAccess"]}"#;

    #[test]
    fn the_file_is_read() {
        let principals = file(GOOD).unwrap();
        let found = principals.find("AKIAEXAMPLE").unwrap();
        assert_eq!((found.kind(), found.name()), ("AssumedRole", "jo"));
        assert_eq!(found.role().as_deref(), Some("arn:aws:iam::444455556666:role/Auditor"));
        assert!(found.has_token(None) && !found.has_token(Some("x")));
        assert!(principals.find("AKIAOTHER").is_none() && principals.unsigned().is_none());
        assert!(!format!("{principals:?}").contains("0123456789abcdef"));
    }

    #[test]
    fn what_is_wrong_is_told_without_secrets() {
        for (from, to) in [
            ("0123456789abcdef", "short"),
            ("444455556666:assumed", "444455556667:assumed"),
            ("AWSCloudTrail_ReadOnlyAccess", "Nonsense"),
            ("\"accountId\"", "\"accountID\""),
            ("\"0123456789abcdef\"", "[\"0123456789abcdef\"]"),
        ] {
            let error = file(&GOOD.replace(from, to)).unwrap_err();
            assert!(!error.contains("0123456789abcdef"), "{error}");
        }
        assert!(file(&format!("{GOOD},{GOOD}")).unwrap_err().contains("another"));
    }
}
