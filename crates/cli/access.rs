//! The options of commands that read buckets: whose credentials, which service, how patiently.

use std::io::{BufRead, BufReader, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cloudtarn_source::{Addressing, AskCode, Options, Roles};

use crate::units;

/// The terminal, whatever standard input and output are.
#[cfg(unix)]
const TERMINAL: &str = "/dev/tty";
#[cfg(windows)]
const TERMINAL: &str = "CONIN$";

/// Whose credentials. Without any of it: those that the AWS command line would use.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Identity {
    /// Profile of the shared AWS configuration.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Role to assume; given several times, each is assumed with the credentials of the one before.
    #[arg(long = "role-arn", value_name = "ARN")]
    roles: Vec<String>,
    /// External id that the last role's trust policy asks for.
    #[arg(long, value_name = "ID", requires = "roles")]
    external_id: Option<String>,
    /// Name of the session in the role's own trail [default: cloudtarn]
    #[arg(long, value_name = "NAME", requires = "roles")]
    session_name: Option<String>,
    /// MFA device that the first role's trust policy asks for; its code is asked for on the terminal.
    #[arg(long, value_name = "SERIAL", requires = "roles")]
    mfa_serial: Option<String>,
    /// The MFA device's code, instead of asking.
    #[arg(long, value_name = "CODE")]
    mfa_code: Option<String>,
    /// Do not sign requests, for public buckets and for servers that do not ask who calls.
    #[arg(long)]
    no_sign_request: bool,
}

/// How to reach buckets. Without any of it: what the AWS command line would do.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Access to buckets")]
pub(crate) struct Access {
    #[command(flatten)]
    identity: Identity,
    /// Pay for the requests, for buckets that demand it.
    #[arg(long)]
    request_payer: bool,
    /// Service other than AWS, for instance http://127.0.0.1:9000.
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Where a bucket's name stands in URLs [default: in the host's name on AWS, in the path elsewhere]
    #[arg(long, value_enum, value_name = "WHERE")]
    addressing: Option<Where>,
    /// Region to begin with; if the bucket is in another, S3 says so.
    #[arg(long, value_name = "REGION")]
    bucket_region: Option<String>,
    /// Requests under way at the same time at most; fewer when S3 says to slow down [default: 256]
    #[arg(long, value_name = "N")]
    max_requests: Option<usize>,
    /// Silence after which a request is tried again [default: 20s]
    #[arg(long, value_name = "TIME", value_parser = units::parse_time)]
    read_timeout: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Where {
    /// https://endpoint/bucket/key
    Path,
    /// https://bucket.endpoint/key
    Virtual,
}

impl Identity {
    /// The source's options about credentials; the others are left as they are.
    pub(crate) fn options(&self) -> Options {
        Options {
            profile: self.profile.clone(),
            roles: Roles {
                arns: self.roles.clone(),
                external_id: self.external_id.clone(),
                session_name: self.session_name.clone(),
                duration: None,
                mfa_serial: self.mfa_serial.clone(),
                ask_code: Some(self.codes()),
            },
            unsigned: self.no_sign_request,
            ..Options::default()
        }
    }

    /// The code given, once: a device shows each only once. Then whoever is at the terminal.
    fn codes(&self) -> AskCode {
        let given = Mutex::new(self.mfa_code.clone());
        Arc::new(move |serial| {
            let given = given.lock().unwrap_or_else(PoisonError::into_inner).take();
            given.or_else(|| ask(serial))
        })
    }
}

impl Access {
    /// The source's options; those of archives are left as they are.
    pub(crate) fn options(&self) -> Options {
        let defaults = self.identity.options();
        // As for the AWS command line, the first try counts.
        let attempts = std::env::var("AWS_MAX_ATTEMPTS").ok().and_then(|text| text.parse::<usize>().ok());
        Options {
            region: self.bucket_region.clone(),
            endpoint: self.endpoint_url.clone(),
            addressing: match self.addressing {
                None => Addressing::Automatic,
                Some(Where::Path) => Addressing::Path,
                Some(Where::Virtual) => Addressing::VirtualHost,
            },
            request_payer: self.request_payer,
            requests: self.max_requests.unwrap_or(defaults.requests),
            read_timeout: self.read_timeout.unwrap_or(defaults.read_timeout),
            max_retries: attempts.map_or(defaults.max_retries, |attempts| attempts.saturating_sub(1)),
            ..defaults
        }
    }
}

fn ask(serial: &str) -> Option<String> {
    let terminal = std::fs::File::open(TERMINAL).ok()?;
    let mut err = std::io::stderr();
    write!(err, "MFA code for {serial}: ").and_then(|()| err.flush()).ok()?;
    let mut code = String::new();
    BufReader::new(terminal).read_line(&mut code).ok()?;
    let code = code.trim();
    (!code.is_empty()).then(|| code.to_owned())
}
