//! Names of the CloudWatch Logs streams that trails write to.
//!
//! ```text
//! [o-id_]ACCOUNT_CloudTrail_REGION[_N]
//! ```
//!
//! Trails of organizations put the organization first; busy streams are split and numbered. Exports to S3 make a folder of
//! the stream's name. (CloudTrail User Guide, "Sending events to CloudWatch Logs" and "Role policy document for CloudTrail
//! to use CloudWatch Logs".)
use super::{Kind, is_account, is_organization, is_region};

/// The name of a log stream that a trail writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogStream<'a> {
    /// The organization's id, of an organization's trail.
    pub organization: Option<&'a str>,
    /// Twelve digits: the account whose events these are.
    pub account: &'a str,
    /// What the stream holds.
    pub kind: Kind,
    /// The region whose events these are.
    pub region: &'a str,
}

impl<'a> LogStream<'a> {
    /// Reads the name of a stream.
    #[must_use]
    pub fn parse(name: &'a str) -> Option<Self> {
        let (mut account, mut rest) = name.split_once('_')?;
        let organization = is_organization(account).then_some(account);
        if organization.is_some() {
            (account, rest) = rest.split_once('_')?;
        }
        let (folder, rest) = rest.split_once('_')?;
        let (region, number) = rest.split_once('_').unwrap_or((rest, "1"));
        let kind = Kind::of_folder(folder);
        let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let known = is_account(account) && kind.holds_events() && is_region(region) && numbered;
        known.then_some(Self { organization, account, kind, region })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_trails_streams() {
        let stream =
            |organization, kind, region| Some(LogStream { organization, account: "111122223333", kind, region });
        for (name, expected) in [
            ("111122223333_CloudTrail_us-east-1", stream(None, Kind::CloudTrail, "us-east-1")),
            ("111122223333_CloudTrail_us-gov-west-1_12", stream(None, Kind::CloudTrail, "us-gov-west-1")),
            (
                "o-exampleorg1_111122223333_CloudTrail_eu-west-2",
                stream(Some("o-exampleorg1"), Kind::CloudTrail, "eu-west-2"),
            ),
            ("111122223333_CloudTrail-Insight_us-east-1", stream(None, Kind::Insight, "us-east-1")),
            ("111122223333_CloudTrail-Digest_us-east-1", None),
            ("111122223333_CloudTrail_us-east-1_", None),
            ("111122223333_CloudTrail_us-east-1_two", None),
            ("111122223333_CloudTrail_us-east-1_20260301T0005Z_abcdef.json.gz", None),
            ("o-exampleorg1_CloudTrail_us-east-1", None),
            ("eni-0123456789abcdef0-all", None),
            ("", None),
        ] {
            assert_eq!(LogStream::parse(name), expected, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_names_never_panic(name in "(o-[a-z0-9]{10}_)?([0-9]{12})?_?(CloudTrail)?_?(us-east-1|é|_|.){0,4}") {
            let _ = LogStream::parse(&name);
        }
    }
}
