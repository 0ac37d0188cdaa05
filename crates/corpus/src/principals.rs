//! The callers of an account: people, deployments, applications, scanners, services, and how their identity is written.

use crate::calendar::{iso, number};
use crate::catalogue::{APP, DEPLOY, DIRECTORY, HUMAN, MONITOR, ROOT, SAML, SERVICE, USER, WEB};
use crate::pools::Pools;
use crate::rng::Rng;

/// Kinds of callers, in the order of how busy they are: a few make most of the calls.
const ROSTER: [(Kind, u16); 34] = [
    (Kind::Lambda, APP),
    (Kind::Service("cloudtrail"), SERVICE),
    (Kind::Scanner, MONITOR),
    (Kind::Instance, APP),
    (Kind::Service("lambda"), SERVICE),
    (Kind::Person { console: true }, HUMAN),
    (Kind::Deployment, DEPLOY),
    (Kind::Lambda, APP),
    (Kind::ServiceLinked("autoscaling"), SERVICE),
    (Kind::Person { console: false }, HUMAN),
    (Kind::Scanner, MONITOR),
    (Kind::Instance, APP),
    (Kind::User, USER),
    (Kind::Person { console: true }, HUMAN),
    (Kind::WebIdentity, WEB),
    (Kind::Service("config"), SERVICE),
    (Kind::Lambda, APP),
    (Kind::Person { console: true }, HUMAN),
    (Kind::Deployment, DEPLOY),
    (Kind::Saml, SAML),
    (Kind::Directory, DIRECTORY),
    (Kind::Instance, APP),
    (Kind::Lambda, APP),
    (Kind::Person { console: false }, HUMAN),
    (Kind::User, USER),
    (Kind::Person { console: true }, HUMAN),
    (Kind::Instance, APP),
    (Kind::Scanner, MONITOR),
    (Kind::Person { console: true }, HUMAN),
    (Kind::User, USER),
    (Kind::ServiceLinked("elasticloadbalancing"), SERVICE),
    (Kind::Person { console: false }, HUMAN),
    (Kind::Root, ROOT),
    (Kind::Person { console: true }, HUMAN),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    User,
    Person { console: bool },
    Deployment,
    Lambda,
    Instance,
    Scanner,
    Service(&'static str),
    ServiceLinked(&'static str),
    Root,
    WebIdentity,
    Saml,
    Directory,
}

/// A caller.
#[derive(Debug)]
pub(crate) struct Principal {
    kind: Kind,
    /// The class of [`crate::catalogue`] that it belongs to.
    pub(crate) class: u16,
    pub(crate) arn: String,
    /// User name, or the session's name.
    pub(crate) name: String,
    /// AROA…, AIDA…, or the account id.
    id: String,
    role: String,
    pub(crate) address: String,
    pub(crate) agent: &'static str,
    /// Spreads the starts of sessions.
    salt: u64,
}

const CONSOLE: [&str; 2] = [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:147.0) Gecko/20100101 Firefox/147.0",
];
const CLI: &str = "aws-cli/2.33.4 md/awscrt#0.29.2 ua/2.1 os/macos#25.2.0 md/arch#arm64 lang/python#3.13.11 md/pyimpl#CPython m/E,b,C cfg/retry-mode#standard md/installer#exe md/prompt#off";
const TERRAFORM: &str = "APN/1.0 HashiCorp/1.0 Terraform/1.14.3 (+https://www.terraform.io) terraform-provider-aws/6.28.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.41.1 ua/2.1 os/linux lang/go#1.25.5 md/GOOS#linux md/GOARCH#amd64 m/g,n";
const JAVA: &str = "aws-sdk-java/2.41.6 md/io#async md/http#NettyNio ua/2.1 os/Linux#6.1.158 lang/java#21.0.9 md/OpenJDK_64-Bit_Server_VM m/D,N,e";
const PYTHON: &str = "Boto3/1.42.24 md/Botocore#1.42.24 md/awscrt#0.29.2 ua/2.1 os/linux#5.10.245 md/arch#aarch64 lang/python#3.13.11 md/pyimpl#CPython exec-env/AWS_Lambda_python3.13 m/D,Z,b cfg/retry-mode#legacy";
const SCANNER: &str = "Boto3/1.42.9 md/Botocore#1.42.9 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.12.12 md/pyimpl#CPython m/Z,b,e cfg/retry-mode#adaptive Botocore/1.42.9";

/// The callers of an account, busiest first.
pub(crate) fn roster(seed: u64, account: u64, account_id: &str) -> Vec<Principal> {
    (0u64..).zip(ROSTER).map(|(i, (kind, class))| Principal::new(seed, account, account_id, i, kind, class)).collect()
}

/// The weight of the `i`th caller: about 1 / (i + 1.5), so that the first makes a sixth of the calls.
pub(crate) fn weight(i: usize) -> u64 {
    20_000 / (2 * i as u64 + 3)
}

fn text(prefix: &str, n: usize, rng: &mut Rng) -> String {
    let mut out = prefix.as_bytes().to_vec();
    rng.key(&mut out, n);
    out.extend_from_slice(b"EXAMPLE");
    String::from_utf8_lossy(&out).into_owned()
}

impl Principal {
    fn new(seed: u64, account: u64, account_id: &str, i: u64, kind: Kind, class: u16) -> Self {
        let mut rng = Rng::keyed(seed, 0x2000 + account, i);
        let salt = rng.next();
        let at = i as usize;
        let (app, person) = (Pools::app(at), Pools::person(at));
        let mut hex = Vec::new();
        rng.hex(&mut hex, 16);
        let hex = String::from_utf8_lossy(&hex).into_owned();
        let assumed = |role: &str, session: &str| format!("arn:aws:sts::{account_id}:assumed-role/{role}/{session}");
        let office = format!("203.0.113.{}", 2 + (account * 29 + i * 3) % 250);
        let egress = format!("198.51.100.{}", 2 + (account * 7 + i) % 250);
        let role_id = text("AROA", 10, &mut rng);
        let (role, name, id, address, agent) = match kind {
            Kind::User => (String::new(), person.to_owned(), text("AIDA", 10, &mut rng), office, CLI),
            Kind::Person { console } => {
                let set = ["AdministratorAccess", "PowerUserAccess", "ViewOnlyAccess"][at % 3];
                let agent = if console { CONSOLE[at % 2] } else { CLI };
                let address = if at % 7 == 3 {
                    format!("2001:db8:{:x}:{:x}::{:x}", account + 16, i, salt % 65_536)
                } else {
                    office
                };
                (format!("AWSReservedSSO_{set}_{hex}"), format!("{person}@example.com"), role_id, address, agent)
            }
            Kind::Deployment => (format!("{app}-deploy"), "GitHubActions".to_owned(), role_id, egress, TERRAFORM),
            Kind::Lambda => {
                let function = format!("{app}-prod-worker");
                (format!("{function}-role"), function, role_id, egress, PYTHON)
            }
            Kind::Instance => (
                format!("{app}-prod-node"),
                format!("i-0{hex}"),
                role_id,
                format!("10.0.{}.{}", i % 16, 4 + salt % 250),
                JAVA,
            ),
            Kind::Scanner => (format!("posture-scanner-{i}"), format!("scan-{}", &hex[..8]), role_id, egress, SCANNER),
            Kind::Service(s) | Kind::ServiceLinked(s) => {
                let address = match s {
                    "cloudtrail" => "cloudtrail.amazonaws.com",
                    "lambda" => "lambda.amazonaws.com",
                    "config" => "config.amazonaws.com",
                    "autoscaling" => "autoscaling.amazonaws.com",
                    _ => "elasticloadbalancing.amazonaws.com",
                };
                let role = format!(
                    "AWSServiceRoleFor{}",
                    if s == "autoscaling" { "AutoScaling" } else { "ElasticLoadBalancing" }
                );
                (role, s.to_owned(), role_id, address.to_owned(), address)
            }
            Kind::Root => (String::new(), "root".to_owned(), account_id.to_owned(), office, CONSOLE[0]),
            Kind::WebIdentity => {
                (String::new(), format!("system:serviceaccount:{app}:{app}-service"), role_id, egress, JAVA)
            }
            Kind::Saml => (String::new(), format!("{person}@example.com"), role_id, office, CONSOLE[1]),
            Kind::Directory => (String::new(), format!("{person}@example.com"), hex, office, CLI),
        };
        let arn = match kind {
            Kind::User => format!("arn:aws:iam::{account_id}:user/{name}"),
            Kind::Root => format!("arn:aws:iam::{account_id}:root"),
            _ => assumed(&role, &name),
        };
        Self { kind, class, arn, name, id, role, address, agent, salt }
    }

    /// A person at work, who is asleep at night.
    pub(crate) fn is_human(&self) -> bool {
        matches!(self.kind, Kind::Person { .. } | Kind::User | Kind::Saml | Kind::Directory | Kind::Root)
    }

    pub(crate) fn on_console(&self) -> bool {
        matches!(self.kind, Kind::Person { console: true } | Kind::Root)
    }

    /// Calls arrive through a VPC endpoint: the source address is private.
    pub(crate) fn inside_vpc(&self) -> bool {
        self.kind == Kind::Instance
    }

    /// The caller is an AWS service: records carry a shared event id and no TLS details.
    pub(crate) fn is_service(&self) -> bool {
        matches!(self.kind, Kind::Service(_) | Kind::ServiceLinked(_))
    }

    /// Write `userIdentity` as it is for calls from `time` on. A session lasts for hours: its key id and creation date
    /// stay the same until it ends.
    pub(crate) fn identity(&self, out: &mut Vec<u8>, account_id: &str, time: u64) {
        let length = match self.kind {
            Kind::Deployment | Kind::Scanner => 3_600,
            Kind::Instance => 21_600,
            _ => 28_800,
        };
        let shift = self.salt % length;
        let started = (time - shift) / length * length + shift;
        let mut rng = Rng::keyed(self.salt, 0x3000, started);
        let key = |prefix: &str, rng: &mut Rng| text(prefix, 9, rng);
        let push = |out: &mut Vec<u8>, text: &str| out.extend_from_slice(text.as_bytes());
        let attributes = |out: &mut Vec<u8>, mfa: bool| {
            push(out, r#""attributes":{"creationDate":""#);
            iso(out, started);
            push(out, if mfa { r#"","mfaAuthenticated":"true"}"# } else { r#"","mfaAuthenticated":"false"}"# });
        };
        let Self { id, arn, name, role, .. } = self;
        match self.kind {
            Kind::User => {
                let key = key("AKIA", &mut Rng::keyed(self.salt, 0x3001, 0));
                push(
                    out,
                    &format!(
                        r#"{{"type":"IAMUser","principalId":"{id}","arn":"{arn}","accountId":"{account_id}","accessKeyId":"{key}","userName":"{name}"}}"#
                    ),
                );
            }
            Kind::Root => {
                let key = key("ASIA", &mut rng);
                push(
                    out,
                    &format!(
                        r#"{{"type":"Root","principalId":"{id}","arn":"{arn}","accountId":"{account_id}","accessKeyId":"{key}","sessionContext":{{"#
                    ),
                );
                attributes(out, true);
                push(out, "}}");
            }
            Kind::Service(s) => push(out, &format!(r#"{{"type":"AWSService","invokedBy":"{s}.amazonaws.com"}}"#)),
            Kind::WebIdentity => push(
                out,
                &format!(
                    r#"{{"type":"WebIdentityUser","principalId":"arn:aws:iam::{account_id}:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE{id}:sts.amazonaws.com:{name}","userName":"{name}","identityProvider":"arn:aws:iam::{account_id}:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE{id}"}}"#
                ),
            ),
            Kind::Saml => push(
                out,
                &format!(
                    r#"{{"type":"SAMLUser","principalId":"{id}:{name}","userName":"{name}","identityProvider":"{id}"}}"#
                ),
            ),
            Kind::Directory => push(
                out,
                &format!(
                    r#"{{"type":"IdentityCenterUser","accountId":"{account_id}","onBehalfOf":{{"userId":"{}-4021-70aa-9f00-{}0000","identityStoreArn":"arn:aws:identitystore::{account_id}:identitystore/d-9067EXAMPLE"}},"credentialId":"{id}{id}"}}"#,
                    &id[..8],
                    &id[8..16]
                ),
            ),
            _ => {
                push(
                    out,
                    &format!(
                        r#"{{"type":"AssumedRole","principalId":"{id}:{name}","arn":"{arn}","accountId":"{account_id}""#
                    ),
                );
                if !matches!(self.kind, Kind::ServiceLinked(_)) {
                    push(out, &format!(r#","accessKeyId":"{}""#, key("ASIA", &mut rng)));
                }
                let path = match self.kind {
                    Kind::Person { .. } => "aws-reserved/sso.amazonaws.com/",
                    Kind::ServiceLinked("autoscaling") => "aws-service-role/autoscaling.amazonaws.com/",
                    Kind::ServiceLinked(_) => "aws-service-role/elasticloadbalancing.amazonaws.com/",
                    _ => "",
                };
                push(
                    out,
                    &format!(
                        r#","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"{id}","arn":"arn:aws:iam::{account_id}:role/{path}{role}","accountId":"{account_id}","userName":"{role}"}},"#
                    ),
                );
                if self.kind == Kind::Deployment {
                    push(
                        out,
                        &format!(
                            r#""webIdFederationData":{{"federatedProvider":"arn:aws:iam::{account_id}:oidc-provider/token.actions.example.com","attributes":{{}}}},"#
                        ),
                    );
                }
                attributes(out, false);
                if self.kind == Kind::Instance {
                    push(out, r#","ec2RoleDelivery":"2.0""#);
                }
                push(out, "}");
                if let Kind::ServiceLinked(s) = self.kind {
                    push(out, &format!(r#","invokedBy":"{s}.amazonaws.com""#));
                }
                push(out, "}");
            }
        }
    }
}

/// A user's identity for a planted event: a long-lived key, or none before the sign-in has succeeded.
pub(crate) fn intruder(account_id: &str, user: &str, seed: u64, signed_in: bool) -> Vec<u8> {
    let mut rng = Rng::keyed(seed, 0x3002, user.len() as u64);
    let id = text("AIDA", 10, &mut rng);
    let key = if signed_in { text("AKIA", 9, &mut rng) } else { String::new() };
    let arn = if signed_in { format!(r#""arn":"arn:aws:iam::{account_id}:user/{user}","#) } else { String::new() };
    format!(r#"{{"type":"IAMUser","principalId":"{id}",{arn}"accountId":"{account_id}","accessKeyId":"{key}","userName":"{user}"}}"#).into_bytes()
}

/// The root user's identity at a sign-in.
pub(crate) fn root(account_id: &str) -> Vec<u8> {
    format!(r#"{{"type":"Root","principalId":"{account_id}","arn":"arn:aws:iam::{account_id}:root","accountId":"{account_id}","accessKeyId":""}}"#).into_bytes()
}

/// The `i`th account's id: documentation patterns first, then plain numbers.
pub(crate) fn account_id(i: u64) -> String {
    const KNOWN: [&str; 8] = [
        "111122223333",
        "444455556666",
        "777788889999",
        "123456789012",
        "222233334444",
        "555566667777",
        "888899990000",
        "012345678901",
    ];
    if let Some(id) = KNOWN.get(i as usize) {
        return (*id).to_owned();
    }
    let mut out = Vec::new();
    number(&mut out, 100_000_000_000 + i);
    String::from_utf8_lossy(&out).into_owned()
}
