//! AWS credentials the way the AWS command line finds them.
//!
//! Environment, profiles, SSO, web identity, containers, instances and external processes are the AWS SDK's chain. This module adds
//! what the command line has and the chain has not: a profile that is asked for wins over the environment, profiles with an MFA
//! device, and roles given on the command line.
use crate::s3::causes;
use crate::{Options, Roles};
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_http_client::{Builder, tls};
use aws_types::os_shim_internal::{Env, Fs};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Mutex;

/// Credentials are renewed this long before they expire, so that none expires in a request.
const MARGIN: Duration = Duration::from_secs(300);
/// Credentials that live shorter than the margin are not asked for at every request.
const PAUSE: Duration = Duration::from_secs(10);

/// An access key given outright, for tests and for stores that are not on AWS.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// The access key's id, which is no secret.
    pub id: String,
    /// The secret access key.
    pub secret: String,
    /// The session token of temporary keys.
    pub token: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Where configuration comes from, and what signs.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: SdkConfig,
    /// `None` if requests are to be left unsigned.
    pub(crate) provider: Option<SharedCredentialsProvider>,
}

/// Reads environment and shared configuration files. The TLS library is ring, as in the client for S3.
pub(crate) async fn load(options: &Options) -> Loaded {
    let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let http = Builder::new().tls_provider(ring).build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http.clone());
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let config = Box::pin(loader.load()).await;
    if options.unsigned {
        return Loaded { config, provider: None };
    }
    let environment = options.keys.is_none() && options.profile.is_none() && variable("AWS_ACCESS_KEY_ID").is_some();
    let provider = match (&options.keys, &options.profile) {
        (Some(keys), _) => Some(SharedCredentialsProvider::new(Credentials::new(
            &keys.id,
            &keys.secret,
            keys.token.clone(),
            None,
            "given keys",
        ))),
        _ if environment => config.credentials_provider(),
        (None, profile) => {
            let provider =
                ProviderConfig::without_region().with_http_client(http).with_region(config.region().cloned());
            match with_mfa(options, &config, &provider).await {
                Some(role) => Some(role),
                // A profile that is asked for comes before what the environment has.
                None => profile
                    .as_ref()
                    .map_or_else(|| config.credentials_provider(), |name| Some(of_profile(&provider, name))),
            }
        }
    };
    let provider = provider.map(|base| options.roles.over(&config, base));
    Loaded { config, provider }
}

/// Configuration and credentials for another service than S3, found as they are for buckets; without credentials where
/// requests are to be left unsigned. Endpoints are what the environment and the profile say of that service.
pub async fn service_config(options: &Options) -> SdkConfig {
    let Loaded { config, provider } = Box::pin(load(options)).await;
    let mut builder = config.into_builder();
    builder.set_credentials_provider(provider);
    builder.build()
}

/// A variable of the environment that is set to something.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn of_profile(config: &ProviderConfig, name: &str) -> SharedCredentialsProvider {
    let profile = ProfileFileCredentialsProvider::builder().configure(config).profile_name(name).build();
    SharedCredentialsProvider::new(profile)
}

/// The role of a profile with `mfa_serial`, which the SDK's own chain does not know.
async fn with_mfa(
    options: &Options,
    config: &SdkConfig,
    provider: &ProviderConfig,
) -> Option<SharedCredentialsProvider> {
    let (files, environment) = (Fs::real(), Env::real());
    let chosen = options.profile.clone().map(Into::into);
    // A file that cannot be read is told by the SDK's chain, which comes next.
    let profiles = aws_config::profile::load(&files, &environment, &EnvConfigFiles::default(), chosen).await.ok()?;
    let profile = profiles.get_profile(profiles.selected_profile())?;
    let of = |name: &str| profile.get(name).map(ToOwned::to_owned);
    let (serial, source) = (of("mfa_serial")?, of("source_profile")?);
    let roles = Roles {
        arns: vec![of("role_arn")?],
        external_id: of("external_id"),
        session_name: of("role_session_name"),
        duration: of("duration_seconds").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs),
        mfa_serial: Some(serial),
        ask_code: options.roles.ask_code.clone(),
    };
    Some(roles.over(config, of_profile(provider, &source)))
}

/// Credentials that are kept, and renewed before they end.
#[derive(Debug)]
pub(crate) struct Chain {
    provider: SharedCredentialsProvider,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    credentials: Credentials,
    fetched: Instant,
}

impl Held {
    fn lives_for(&self, margin: Duration) -> bool {
        self.credentials.expiry().is_none_or(|expires| SystemTime::now() + margin < expires)
    }
}

impl Chain {
    pub(crate) fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, held: Mutex::new(None) }
    }

    /// What to sign with now; otherwise why there is nothing.
    pub(crate) async fn get(&self) -> Result<Credentials, String> {
        let mut held = self.held.lock().await;
        let usable = held.as_ref().filter(|held| held.lives_for(Duration::ZERO));
        if let Some(held) = usable
            && (held.lives_for(MARGIN) || held.fetched.elapsed() < PAUSE)
        {
            return Ok(held.credentials.clone());
        }
        match (self.provider.provide_credentials().await, usable) {
            (Ok(credentials), _) => {
                *held = Some(Held { credentials: credentials.clone(), fetched: Instant::now() });
                Ok(credentials)
            }
            // Renewal failed, and what is held still works.
            (Err(_), Some(held)) => Ok(held.credentials.clone()),
            (Err(error), None) => Err(causes(&error)),
        }
    }

    /// S3 does not take these any more, whatever their own word on when they end.
    pub(crate) async fn forget(&self, used: &Credentials) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|held| held.credentials == *used) {
            *held = None;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use aws_credential_types::provider::{error::CredentialsError, future};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Hands out credentials that live for some seconds, and fails after some calls.
    #[derive(Debug)]
    struct Stub {
        seconds: Option<u64>,
        calls: Arc<AtomicUsize>,
        works: usize,
    }

    impl ProvideCredentials for Stub {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let call = self.calls.fetch_add(1, Ordering::SeqCst);
            let expires = self.seconds.map(|seconds| SystemTime::now() + Duration::from_secs(seconds));
            future::ProvideCredentials::ready(if call < self.works {
                Ok(Credentials::new(format!("AKID{call}"), "hush", None, expires, "stub"))
            } else {
                Err(CredentialsError::not_loaded("the session ended"))
            })
        }
    }

    async fn ask_twice(seconds: Option<u64>, works: usize) -> (Result<String, String>, usize) {
        let calls = Arc::new(AtomicUsize::new(0));
        let stub = Stub { seconds, calls: Arc::clone(&calls), works };
        let chain = Chain::new(SharedCredentialsProvider::new(stub));
        let _ = chain.get().await;
        if let Some(held) = chain.held.lock().await.as_mut() {
            held.fetched = held.fetched.checked_sub(PAUSE).unwrap();
        }
        let second = chain.get().await;
        assert!(!format!("{chain:?}").contains("hush"));
        (second.map(|key| key.access_key_id().to_owned()), calls.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn credentials_are_kept_until_shortly_before_they_expire() {
        assert_eq!(ask_twice(None, 9).await, (Ok("AKID0".to_owned()), 1));
        assert_eq!(ask_twice(Some(3600), 9).await, (Ok("AKID0".to_owned()), 1));
        assert_eq!(ask_twice(Some(60), 9).await, (Ok("AKID1".to_owned()), 2));
        assert_eq!(ask_twice(Some(0), 9).await, (Ok("AKID1".to_owned()), 2));
    }

    #[tokio::test]
    async fn a_failed_renewal_is_fatal_only_when_nothing_is_left() {
        assert_eq!(ask_twice(Some(60), 1).await, (Ok("AKID0".to_owned()), 2));
        let (second, _) = ask_twice(Some(0), 1).await;
        assert!(second.unwrap_err().contains("the session ended"));
    }

    #[tokio::test]
    async fn credentials_that_s3_refuses_are_asked_for_anew_once() {
        let calls = Arc::new(AtomicUsize::new(0));
        let chain =
            Chain::new(SharedCredentialsProvider::new(Stub { seconds: None, calls: Arc::clone(&calls), works: 9 }));
        let first = chain.get().await.unwrap();
        chain.forget(&first).await;
        let second = chain.get().await.unwrap();
        chain.forget(&first).await;
        assert_eq!(chain.get().await.unwrap(), second);
        assert_eq!((second.access_key_id(), calls.load(Ordering::SeqCst)), ("AKID1", 2));
    }
}
