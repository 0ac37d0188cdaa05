//! What is hidden in a corpus for queries to find. Ordinary traffic holds none of it.

use crate::catalogue::{Call, Origin, S3_BUCKET, change, read};
use crate::record::Fate;

/// A planted fact, as the corpus holds it: the right answer to a hunt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// What it is, in a few words, for instance `trail stopped`.
    pub name: &'static str,
    /// The `eventName` of its events.
    pub event_name: &'static str,
    /// How many distinct events.
    pub count: u64,
    /// `recipientAccountId` of its events.
    pub account: String,
    /// `awsRegion` of its events.
    pub region: String,
    /// `sourceIPAddress` of its events, in 192.0.2.0/24, which ordinary traffic never comes from.
    pub source_ip: &'static str,
    /// First and last `eventTime`, seconds since 1970.
    pub times: (u64, u64),
}

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    User(&'static str),
    /// Somebody who tries this user's password.
    Guesser(&'static str),
    Root,
}

/// An attack before it has a place.
#[derive(Debug)]
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) count: u64,
    pub(crate) address: &'static str,
    pub(crate) agent: &'static str,
    pub(crate) actor: Actor,
    pub(crate) fate: Fate,
    /// Global services report us-east-1 whatever the file's Region.
    pub(crate) global: bool,
    pub(crate) call: Call,
}

const CLI: &str = "aws-cli/2.15.0 Python/3.11.6 Linux/6.6.9-amd64 exe/x86_64.kali.2026";
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const SIGN_IN: &str = r#"{"LoginTo":"https://console.aws.amazon.com/console/home?state\u003dhashArgs%23\u0026isauthcode\u003dtrue","MobileVersion":"No","MFAUsed":"No"}"#;

fn attack(name: &'static str, count: u64, address: &'static str, actor: Actor, global: bool, call: Call) -> Attack {
    let sign_in = call.origin == Origin::SignIn;
    let fate = if matches!(actor, Actor::Guesser(_)) { Fate::Failure } else { Fate::Success };
    Attack { name, count, address, agent: if sign_in { BROWSER } else { CLI }, actor, fate, global, call }
}

/// Every attack, in the order in which a small corpus takes them up.
pub(crate) fn attacks() -> Vec<Attack> {
    let user = Actor::User("john.stiles");
    let sign_in =
        |answer: &str| change(0, 0, "signin", "ConsoleLogin", "null", answer).origin(Origin::SignIn).with(SIGN_IN);
    let mut failed = sign_in(r#"{"ConsoleLogin":"Failure"}"#);
    failed.error = Some(("", crate::template::Template::parse("Failed authentication")));
    let public = r#"{"bucketPolicy":{"Version":"2012-10-17","Statement":[{"Sid":"Public","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::<bucket>/*"}]},"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","policy":""}"#;
    let open = r#"{"groupId":"<sg>","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":22,"toPort":22,"groups":{},"ipRanges":{"items":[{"cidrIp":"0.0.0.0/0"}]},"ipv6Ranges":{},"prefixListIds":{}}]}}"#;
    let key = r#"{"accessKey":{"userName":"mary.major","accessKeyId":"AKIA<key9>EXAMPLE","status":"Active","createDate":"<date>"}}"#;
    vec![
        attack("trail stopped", 1, "192.0.2.17", user, false, change(0, 0, "cloudtrail", "StopLogging", r#"{"name":"arn:aws:cloudtrail:<region>:<acct>:trail/management-events"}"#, "null")),
        attack("root sign-in without MFA", 2, "192.0.2.44", Actor::Root, true, sign_in(r#"{"ConsoleLogin":"Success"}"#)),
        attack("access key for another user", 3, "192.0.2.17", user, true, change(0, 0, "iam", "CreateAccessKey", r#"{"userName":"mary.major"}"#, key)),
        attack("bucket opened to everyone", 1, "192.0.2.17", user, false, change(0, 0, "s3", "PutBucketPolicy", public, "null").on(S3_BUCKET)),
        attack("sign-in failures", 25, "192.0.2.203", Actor::Guesser("jane.doe"), true, failed),
        attack("secrets read in a burst", 40, "192.0.2.66", user, false, read(0, 0, "secretsmanager", "GetSecretValue", r#"{"secretId":"prod/<app>/database-<hex6>"}"#)),
        attack("administrator policy attached", 1, "192.0.2.17", user, true, change(0, 0, "iam", "AttachUserPolicy", r#"{"userName":"mary.major","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#, "null")),
        attack("port 22 opened to the world", 2, "192.0.2.17", user, false, change(0, 0, "ec2", "AuthorizeSecurityGroupIngress", open, r#"{"requestId":"<rid>","_return":true}"#).version("1.10")),
        attack("snapshot shared with a stranger", 1, "192.0.2.66", user, false, change(0, 0, "ec2", "ModifySnapshotAttribute", r#"{"snapshotId":"<snapshot>","createVolumePermission":{"add":{"items":[{"userId":"999999999999"}]}},"attributeType":"CREATE_VOLUME_PERMISSION"}"#, r#"{"requestId":"<rid>","_return":true}"#).version("1.10")),
    ]
}
