//! AWS credentials the way the AWS command line finds them.
//!
//! The object store's own client knows keys in the environment, containers and instances. Profiles, SSO, external
//! processes and assumed roles come from the AWS SDK's chain, which this module puts behind the client's interface.
use crate::Options;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::{Builder, tls};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use std::sync::Arc;
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

/// Reads environment and shared configuration files. The TLS library is ring, as in the object store's client.
pub(crate) async fn load(options: &Options) -> SdkConfig {
    let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).http_client(Builder::new().tls_provider(ring).build_https());
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    Box::pin(loader.load()).await
}

/// Why the chain has no credentials.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoCredentials(String);

/// The SDK's chain behind the object store's interface, which asks at every request.
#[derive(Debug)]
pub(crate) struct Chain {
    provider: SharedCredentialsProvider,
    held: Mutex<Option<Held>>,
}

struct Held {
    credential: Arc<AwsCredential>,
    expires: Option<SystemTime>,
    fetched: Instant,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl Held {
    fn lives_for(&self, margin: Duration) -> bool {
        self.expires.is_none_or(|expires| SystemTime::now() + margin < expires)
    }
}

impl Chain {
    pub(crate) fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, held: Mutex::new(None) }
    }
}

#[async_trait::async_trait]
impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut held = self.held.lock().await;
        let usable = held.as_ref().filter(|held| held.lives_for(Duration::ZERO));
        if let Some(held) = usable
            && (held.lives_for(MARGIN) || held.fetched.elapsed() < PAUSE)
        {
            return Ok(Arc::clone(&held.credential));
        }
        match self.provider.provide_credentials().await {
            Ok(found) => {
                let credential = Arc::new(AwsCredential {
                    key_id: found.access_key_id().to_owned(),
                    secret_key: found.secret_access_key().to_owned(),
                    token: found.session_token().map(ToOwned::to_owned),
                });
                *held = Some(Held {
                    credential: Arc::clone(&credential),
                    expires: found.expiry(),
                    fetched: Instant::now(),
                });
                Ok(credential)
            }
            // Renewal failed, and what is held still works.
            Err(_) if usable.is_some() => usable.map(|held| Arc::clone(&held.credential)).ok_or_else(none),
            Err(error) => Err(refused(&error)),
        }
    }
}

fn none() -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: Box::new(NoCredentials("none".to_owned())) }
}

fn refused(error: &dyn std::error::Error) -> object_store::Error {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let reasons: Vec<_> = chain.map(ToString::to_string).collect();
    object_store::Error::Generic { store: "S3", source: Box::new(NoCredentials(reasons.join(": "))) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::{error::CredentialsError, future};
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
        let _ = chain.get_credential().await;
        if let Some(held) = chain.held.lock().await.as_mut() {
            held.fetched = held.fetched.checked_sub(PAUSE).unwrap();
        }
        let second = chain.get_credential().await;
        assert!(!format!("{chain:?}").contains("hush"));
        (second.map(|key| key.key_id.clone()).map_err(|error| error.to_string()), calls.load(Ordering::SeqCst))
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
}
