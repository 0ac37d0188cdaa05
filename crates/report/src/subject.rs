//! What a timeline or summary is about: an identity, an access key, an address, a resource.

use crate::error::{Error, Result};
use crate::statement::quoted;

/// Somebody or something in events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A user, role, session or root, by ARN; a role's sessions belong to it.
    Identity(String),
    /// An access key by its id.
    Key(String),
    /// An address that calls came from, or a service's name there.
    Address(String),
    /// A resource by ARN or by the name that requests and answers call it.
    Resource(String),
}

/// How to take a text that could be several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// An identity.
    Identity,
    /// An access key.
    Key,
    /// An address.
    Address,
    /// A resource.
    Resource,
}

impl Subject {
    /// What a text means by its shape, unless it is said.
    ///
    /// # Errors
    /// [`Error::Subject`] for an empty text.
    pub fn of(text: &str, taken_as: Option<As>) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            let say = "name an ARN, an access key id, an address or a resource";
            return Err(Error::Subject(say.to_owned()));
        }
        let key = text.len() >= 16
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            && ["AKIA", "ASIA"].iter().any(|kind| text.starts_with(kind));
        let identity = text.starts_with("arn:")
            && (text.contains(":sts:") || text.contains(":iam:"))
            && ["user/", "role/", "assumed-role/", "federated-user/", ":root"].iter().any(|kind| text.contains(kind));
        let shape = if key {
            As::Key
        } else if text.parse::<std::net::IpAddr>().is_ok() || text.ends_with(".amazonaws.com") {
            As::Address
        } else if identity {
            As::Identity
        } else {
            As::Resource
        };
        let text = text.to_owned();
        Ok(match taken_as.unwrap_or(shape) {
            As::Key => Self::Key(text),
            As::Address => Self::Address(text),
            As::Identity => Self::Identity(text),
            As::Resource => Self::Resource(text),
        })
    }

    /// `identity`, `access key`, `address`, `resource`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Identity(_) => "identity",
            Self::Key(_) => "access key",
            Self::Address(_) => "address",
            Self::Resource(_) => "resource",
        }
    }

    /// The text that was asked about.
    pub fn text(&self) -> &str {
        match self {
            Self::Identity(text) | Self::Key(text) | Self::Address(text) | Self::Resource(text) => text,
        }
    }

    /// The condition on its events.
    pub fn condition(&self) -> String {
        match self {
            Self::Identity(arn) => {
                let arn = quoted(arn);
                format!("(userIdentity.arn = {arn} OR userIdentity.sessionContext.sessionIssuer.arn = {arn})")
            }
            // The call that made the key belongs to its story.
            Self::Key(key) => format!(
                "(userIdentity.accessKeyId = {} OR element_at(responseElements, 'accessKey') LIKE {like} \
                 OR element_at(responseElements, 'credentials') LIKE {like} \
                 OR element_at(requestParameters, 'accessKeyId') = {0})",
                quoted(key),
                like = quoted(&format!("%\"{key}\"%"))
            ),
            Self::Address(address) => format!("sourceIPAddress = {}", quoted(address)),
            Self::Resource(name) => format!(
                "(any_match(resources, r -> r.arn = {0}) OR any_match(map_values(requestParameters), v -> v = {0} OR strpos(v, {1}) > 0) \
                 OR any_match(map_values(responseElements), v -> v = {0} OR strpos(v, {1}) > 0))",
                quoted(name),
                quoted(&format!("\"{name}\""))
            ),
        }
    }
}

/// What an event touched: the first resource, or what requests most often call it by.
pub(crate) const TOUCHED: &str = "coalesce(element_at(resources, 1).arn, element_at(requestParameters, 'roleArn'), \
element_at(requestParameters, 'bucketName'), element_at(requestParameters, 'instanceId'), element_at(requestParameters, 'userName'), \
element_at(requestParameters, 'roleName'), element_at(requestParameters, 'groupName'), element_at(requestParameters, 'functionName'), \
element_at(requestParameters, 'secretId'), element_at(requestParameters, 'keyId'), element_at(requestParameters, 'snapshotId'), \
element_at(requestParameters, 'groupId'), element_at(requestParameters, 'name'))";

/// Did the call succeed? A sign-in that fails has no errorCode.
pub(crate) const OUTCOME: &str = "if(errorCode IS NOT NULL, errorCode, if(element_at(responseElements, 'ConsoleLogin') = 'Failure', 'Failure', NULL))";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn shapes_tell_what_is_meant() {
        for (text, kind) in [
            ("AKIAIOSFODNN7EXAMPLE", "access key"),
            ("ASIAIOSFODNN7EXAMPLE", "access key"),
            ("192.0.2.17", "address"),
            ("2001:db8::1", "address"),
            ("lambda.amazonaws.com", "address"),
            ("arn:aws:iam::111122223333:user/alice", "identity"),
            ("arn:aws:sts::111122223333:assumed-role/deploy/x", "identity"),
            ("arn:aws-us-gov:iam::111122223333:root", "identity"),
            ("arn:aws:s3:::bucket", "resource"),
            ("i-0a1b2c3d", "resource"),
        ] {
            assert_eq!(Subject::of(text, None).unwrap().kind(), kind, "{text}");
        }
        assert_eq!(Subject::of("AKIAIOSFODNN7EXAMPLE", Some(As::Resource)).unwrap().kind(), "resource");
        assert!(Subject::of(" ", None).is_err());
    }
}
