//! Roles to take on: AssumeRole, in chains, with an external id and with MFA.
use crate::s3::refusal::Denial;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result as Provided, SharedCredentialsProvider, future};
use aws_sdk_sts::error::ProvideErrorMetadata;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Asks a person for the code that an MFA device shows; `None` if there is nobody to ask. May block.
pub type AskCode = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Roles to assume before a bucket is read.
#[derive(Clone, Default)]
pub struct Roles {
    /// ARNs; each is assumed with the credentials of the one before.
    pub arns: Vec<String>,
    /// What the last role's owner demands, so that nobody else is led to use it in his own name.
    pub external_id: Option<String>,
    /// How the sessions appear in the owner's own trail; `cloudtarn` otherwise.
    pub session_name: Option<String>,
    /// How long the last session lives; the role's own default otherwise.
    pub duration: Option<Duration>,
    /// Serial number or ARN of an MFA device, for the first role.
    pub mfa_serial: Option<String>,
    /// Where its codes come from.
    pub ask_code: Option<AskCode>,
}

impl std::fmt::Debug for Roles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roles")
            .field("arns", &self.arns)
            .field("session_name", &self.session_name)
            .finish_non_exhaustive()
    }
}

impl Roles {
    /// The provider for the last role, if there are roles; else the one given.
    pub(crate) fn over(&self, config: &SdkConfig, base: SharedCredentialsProvider) -> SharedCredentialsProvider {
        let last = self.arns.len().saturating_sub(1);
        self.arns.iter().enumerate().fold(base, |base, (index, arn)| {
            SharedCredentialsProvider::new(Role {
                sts: sts(config, base),
                arn: arn.clone(),
                external_id: self.external_id.clone().filter(|_| index == last),
                session_name: self.session_name.clone().unwrap_or_else(|| "cloudtarn".to_owned()),
                duration: self.duration.filter(|_| index == last),
                mfa_serial: self.mfa_serial.clone().filter(|_| index == 0),
                ask_code: self.ask_code.clone(),
            })
        })
    }
}

/// A client of STS with these credentials.
pub(crate) fn sts(config: &SdkConfig, base: SharedCredentialsProvider) -> aws_sdk_sts::Client {
    let region = config.region().cloned().unwrap_or_else(|| Region::from_static("us-east-1"));
    aws_sdk_sts::Client::new(&config.clone().into_builder().region(region).credentials_provider(base).build())
}

struct Role {
    sts: aws_sdk_sts::Client,
    arn: String,
    external_id: Option<String>,
    session_name: String,
    duration: Option<Duration>,
    mfa_serial: Option<String>,
    ask_code: Option<AskCode>,
}

impl std::fmt::Debug for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Role").field("arn", &self.arn).finish_non_exhaustive()
    }
}

impl Role {
    async fn assume(&self) -> Provided {
        let failed = |reason: String| CredentialsError::provider_error(reason);
        let code = match (&self.mfa_serial, self.ask_code.clone()) {
            (None, _) => None,
            (Some(serial), Some(ask)) => {
                let (asked, arn) = (serial.clone(), &self.arn);
                let code = tokio::task::spawn_blocking(move || ask(&asked)).await.ok().flatten();
                Some(code.ok_or_else(|| failed(format!("role {arn} needs a code of MFA device {serial}")))?)
            }
            (Some(serial), None) => {
                let arn = &self.arn;
                return Err(failed(format!(
                    "role {arn} needs a code of MFA device {serial}, and there is no one to ask"
                )));
            }
        };
        let request = self.sts.assume_role().role_arn(&self.arn).role_session_name(&self.session_name);
        let answer = request
            .set_external_id(self.external_id.clone())
            .set_duration_seconds(self.duration.and_then(|time| i32::try_from(time.as_secs()).ok()))
            .set_serial_number(self.mfa_serial.clone())
            .set_token_code(code)
            .send()
            .await;
        let answer = answer.map_err(|error| failed(self.refusal(&error)))?;
        let keys = answer.credentials().ok_or_else(|| failed("STS answered without credentials".to_owned()))?;
        Ok(Credentials::new(
            keys.access_key_id(),
            keys.secret_access_key(),
            Some(keys.session_token().to_owned()),
            SystemTime::try_from(*keys.expiration()).ok(),
            "AssumeRole",
        ))
    }

    fn refusal<E>(&self, error: &aws_sdk_sts::error::SdkError<E>) -> String
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let arn = &self.arn;
        match (error.code(), error.message()) {
            (Some(code), message) => {
                let message = message.unwrap_or_default();
                let look = Denial::parse(message).map(|denial| format!("; look at {}", denial.policy()));
                format!("cannot assume role {arn}: {code}, {message}{}", look.unwrap_or_default())
            }
            (None, _) => format!("cannot assume role {arn}: {}", crate::s3::causes(error)),
        }
    }
}

impl ProvideCredentials for Role {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}
