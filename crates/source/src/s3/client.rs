//! Requests to S3: signed, sent, and tried again where that can help.
//!
//! What can help: waiting, when S3 is slow or the network fails; fewer requests at once, when S3 says so; new credentials, when the
//! old ones ended in the middle of a run; the region that S3 names; S3's clock, when this machine's is wrong.
use super::listing::{Document, Refusal, read};
use super::site::{Site, encode};
use super::throttle::Throttle;
use crate::credentials::Chain;
use crate::{Effort, Error, Result};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use http::{HeaderMap, Method};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody, ReqwestConnector,
};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

/// The first wait between two tries, before it is jittered; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Bytes of an error's text that are read.
const ERROR_BYTES: usize = 1 << 16;
/// Bytes for a body that are reserved on the word of its headers.
const RESERVED: u64 = 16 << 20;

/// A bucket's server as one run sees it.
#[derive(Debug)]
pub(crate) struct Client {
    http: HttpClient,
    site: Site,
    bucket: String,
    /// Where the bucket is believed to be.
    region: RwLock<String>,
    /// `None` leaves requests unsigned.
    keys: Option<Chain>,
    payer: bool,
    tries: usize,
    /// Silence after which an answer is given up.
    patience: Duration,
    throttle: Throttle,
    /// Seconds by which S3's clock is ahead of ours.
    ahead: AtomicI64,
    /// Seconds to add to our time in signatures, once S3 has refused it.
    correction: AtomicI64,
    /// The last request found nobody at the other end: until one does, each is tried once.
    down: AtomicBool,
    effort: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    repeated: AtomicU64,
    slowed: AtomicU64,
    renewed: AtomicU64,
}

/// How a client is set up.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) site: Site,
    pub(crate) bucket: String,
    pub(crate) region: String,
    pub(crate) keys: Option<Chain>,
    pub(crate) payer: bool,
    pub(crate) tries: usize,
    pub(crate) patience: Duration,
    pub(crate) most: usize,
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    /// Empty for the bucket itself.
    pub(crate) key: &'a str,
    pub(crate) query: Vec<(&'static str, &'a str)>,
    /// The version that is wanted, as an ETag without quotes.
    pub(crate) only: Option<&'a str>,
    /// The bytes that are wanted, if not all; at least one.
    pub(crate) part: Option<std::ops::Range<u64>>,
    /// What is written; empty where nothing is.
    pub(crate) body: Bytes,
}

/// What S3 answered; the status is a success.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// S3 answered with an error.
    Refused {
        status: u16,
        refusal: Refusal,
        /// The delete marker's version, where one hides the object.
        marker: Option<String>,
        /// S3's time.
        date: Option<DateTime<Utc>>,
    },
    /// Nobody answered, or not to the end.
    Unreached(String),
    /// What came cannot be right.
    Garbled(String),
    /// There are no credentials to sign with.
    Keyless(String),
    /// The request cannot be put.
    Unaskable(String),
}

/// What to do about a failure.
enum Remedy {
    Wait,
    WaitAndSlowDown,
    Renew,
    Move(String),
    Clock(DateTime<Utc>),
    None,
}

impl Failure {
    fn remedy(&self) -> Remedy {
        let Self::Refused { status, refusal, date, .. } = self else {
            return match self {
                Self::Unreached(_) | Self::Garbled(_) => Remedy::Wait,
                _ => Remedy::None,
            };
        };
        match (refusal.code.as_str(), *status) {
            ("SlowDown" | "ServiceUnavailable" | "RequestLimitExceeded" | "BandwidthLimitExceeded", _)
            | (_, 429 | 503) => Remedy::WaitAndSlowDown,
            (code, _) if code.starts_with("Throttl") => Remedy::WaitAndSlowDown,
            ("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "InvalidAccessKeyId", _) => Remedy::Renew,
            ("RequestTimeTooSkewed" | "RequestExpired", _) => date.map_or(Remedy::None, Remedy::Clock),
            ("InternalError" | "RequestTimeout" | "OperationAborted", _) | (_, 408 | 500 | 502..) => Remedy::Wait,
            (_, 301 | 307 | 400 | 403) => refusal.region.clone().map_or(Remedy::None, Remedy::Move),
            _ => Remedy::None,
        }
    }
}

impl Client {
    pub(crate) fn new(setup: Setup) -> Result<Self> {
        let plain = setup.site.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http:"));
        let agent = http::HeaderValue::from_static(concat!("cloudtarn/", env!("CARGO_PKG_VERSION")));
        // Silence is what ends a request, not its length: a large file over a thin line takes its time.
        let options = ClientOptions::new()
            .with_allow_http(plain)
            .with_user_agent(agent)
            .with_connect_timeout(CONNECT)
            .with_timeout_disabled();
        let uri = format!("s3://{}", setup.bucket);
        let http = ReqwestConnector::default().connect(&options).map_err(|error| Error::Store {
            doing: "open",
            uri,
            detail: error.to_string(),
        })?;
        Ok(Self {
            http,
            site: setup.site,
            bucket: setup.bucket,
            region: RwLock::new(setup.region),
            keys: setup.keys,
            payer: setup.payer,
            tries: setup.tries.max(1),
            patience: setup.patience,
            throttle: Throttle::new(setup.most),
            ahead: AtomicI64::new(0),
            correction: AtomicI64::new(0),
            down: AtomicBool::new(false),
            effort: Counters::default(),
        })
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(crate) fn service(&self) -> &str {
        self.site.name()
    }

    pub(crate) fn region(&self) -> String {
        self.region.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether requests are signed.
    pub(crate) fn signs(&self) -> bool {
        self.keys.is_some()
    }

    /// S3's time, as far as it has told it.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        Utc::now() + chrono::TimeDelta::seconds(self.ahead.load(Ordering::Relaxed))
    }

    pub(crate) fn effort(&self) -> Effort {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Effort {
            requests: of(&self.effort.requests),
            repeated: of(&self.effort.repeated),
            slowed: of(&self.effort.slowed),
            renewed: of(&self.effort.renewed),
        }
    }

    /// Sends a request until `accept` takes the answer or nothing more can help.
    pub(crate) async fn send<T>(
        &self,
        request: &Request<'_>,
        accept: impl Fn(Answer) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (mut tried, mut renewed, mut moved, mut corrected) = (0, false, 0, false);
        loop {
            let region = self.region();
            let credentials = match &self.keys {
                Some(keys) => Some(keys.get().await.map_err(Failure::Keyless)?),
                None => None,
            };
            let pass = self.throttle.enter().await;
            add(&self.effort.requests);
            let answer = self.once(request, &region, credentials.as_ref()).await.and_then(&accept);
            drop(pass);
            let failure = match answer {
                Ok(accepted) => {
                    self.throttle.answered();
                    self.down.store(false, Ordering::Relaxed);
                    return Ok(accepted);
                }
                Err(failure) => failure,
            };
            if matches!(failure, Failure::Refused { .. }) {
                self.down.store(false, Ordering::Relaxed);
            }
            match failure.remedy() {
                Remedy::Move(found) if found != region && moved < 2 => {
                    tracing::info!(bucket = self.bucket, from = region, to = found, "the bucket is in another region");
                    *self.region.write().unwrap_or_else(PoisonError::into_inner) = found;
                    moved += 1;
                    continue;
                }
                Remedy::Renew if !renewed => {
                    let (Some(keys), Some(used)) = (&self.keys, &credentials) else { return Err(failure) };
                    keys.forget(used).await;
                    add(&self.effort.renewed);
                    renewed = true;
                    continue;
                }
                Remedy::Clock(theirs) if !corrected => {
                    let seconds = (theirs - Utc::now()).num_seconds();
                    tracing::warn!(seconds, "this machine's clock is wrong; signing with S3's time");
                    self.correction.store(seconds, Ordering::Relaxed);
                    corrected = true;
                    continue;
                }
                Remedy::WaitAndSlowDown => {
                    self.throttle.slow_down();
                    add(&self.effort.slowed);
                }
                Remedy::Wait => {}
                _ => return Err(failure),
            }
            tried += 1;
            if tried >= self.tries || self.down.load(Ordering::Relaxed) {
                if matches!(failure, Failure::Unreached(_)) {
                    self.down.store(true, Ordering::Relaxed);
                }
                return Err(failure);
            }
            add(&self.effort.repeated);
            tokio::time::sleep(wait(tried)).await;
        }
    }

    async fn once(&self, request: &Request<'_>, region: &str, keys: Option<&Credentials>) -> Result<Answer, Failure> {
        let mut url = self.site.of(&self.bucket, region);
        url.push_str(&encode(request.key, false));
        for (index, (name, value)) in request.query.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&encode(value, true));
        }
        // URLs have no way to say these: clients take them away.
        if request.key.split('/').any(|name| name == "." || name == "..") {
            return Err(Failure::Unaskable("a key with `.` or `..` for a folder cannot be asked for".to_owned()));
        }
        let unaskable = |error: &dyn std::fmt::Display| Failure::Unaskable(error.to_string());
        let mut builder = http::Request::builder().method(request.method.clone()).uri(url);
        if let Some(tag) = request.only {
            builder = builder.header("if-match", format!("\"{tag}\""));
        }
        if let Some(part) = &request.part {
            builder = builder.header("range", format!("bytes={}-{}", part.start, part.end.saturating_sub(1)));
        }
        if self.payer {
            builder = builder.header("x-amz-request-payer", "requester");
        }
        let mut http: HttpRequest =
            builder.body(HttpRequestBody::from(request.body.clone())).map_err(|error| unaskable(&error))?;
        if let Some(keys) = keys {
            let correction = self.correction.load(Ordering::Relaxed);
            signed(&mut http, &request.body, keys, region, correction).map_err(|error| unaskable(&*error))?;
        }
        let silence = || Failure::Unreached(format!("no answer within {} s", self.patience.as_secs_f32()));
        let answered = tokio::time::timeout(self.patience, self.http.execute(http)).await.map_err(|_| silence())?;
        let response = answered.map_err(|error| Failure::Unreached(causes(&error)))?;
        let date = date(response.headers());
        if let Some(theirs) = date {
            self.ahead.store((theirs - Utc::now()).num_seconds(), Ordering::Relaxed);
        }
        if response.status().is_success() {
            let (head, body) = response.into_parts();
            let body = self.body(&head.headers, body, usize::MAX).await?;
            return Ok(Answer { headers: head.headers, body });
        }
        Err(self.refused(response, date).await)
    }

    async fn body(&self, headers: &HeaderMap, body: HttpResponseBody, most: usize) -> Result<Bytes, Failure> {
        let promised = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let reserved = promised.unwrap_or_default().min(RESERVED).min(most as u64);
        let mut whole = BytesMut::with_capacity(usize::try_from(reserved).unwrap_or_default());
        let mut parts = body.bytes_stream();
        loop {
            match tokio::time::timeout(self.patience, parts.next()).await {
                Ok(None) => return Ok(whole.freeze()),
                Ok(Some(Ok(part))) if whole.len() < most => whole.extend_from_slice(&part),
                Ok(Some(Ok(_))) => return Ok(whole.freeze()),
                Ok(Some(Err(error))) => {
                    let came = whole.len();
                    return Err(Failure::Unreached(format!("broke off after {came} bytes: {}", causes(&error))));
                }
                Err(_) => {
                    let (came, waited) = (whole.len(), self.patience.as_secs_f32());
                    return Err(Failure::Unreached(format!("nothing more came for {waited} s after {came} bytes")));
                }
            }
        }
    }

    async fn refused(&self, response: HttpResponse, date: Option<DateTime<Utc>>) -> Failure {
        let (head, body) = response.into_parts();
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        // An error whose text is lost is still an error.
        let body = self.body(&head.headers, body, ERROR_BYTES).await.unwrap_or_default();
        let mut refusal = match read(&body) {
            Ok(Document::Refusal(refusal)) => refusal,
            _ => Refusal::default(),
        };
        refusal.region = text("x-amz-bucket-region").or(refusal.region);
        let marker = text("x-amz-delete-marker").filter(|marker| marker == "true");
        let marker = marker.map(|_| text("x-amz-version-id").unwrap_or_default());
        Failure::Refused { status: head.status.as_u16(), refusal, marker, date }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// How long to wait before the next try: doubling, and jittered so that requests that failed together do not come together again.
fn wait(tried: usize) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1 << tried.saturating_sub(1).min(20)).min(LONGEST_WAIT);
    let random = std::hash::RandomState::new().hash_one(tried) as f64 / u64::MAX as f64;
    doubled.mul_f64(0.5 + random / 2.0)
}

fn signed(
    request: &mut HttpRequest,
    body: &[u8],
    keys: &Credentials,
    region: &str,
    correction: i64,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let shift = Duration::from_secs(correction.unsigned_abs());
    let time = if correction < 0 { SystemTime::now() - shift } else { SystemTime::now() + shift };
    let identity = keys.clone().into();
    let parameters = SigningParams::builder().identity(&identity).region(region).name("s3").time(time);
    let parameters = parameters.settings(settings).build()?.into();
    let payer = request.headers().get("x-amz-request-payer").and_then(|value| value.to_str().ok());
    let headers = payer.map(|value| ("x-amz-request-payer", value));
    let (method, uri) = (request.method().as_str(), request.uri().to_string());
    let signable = SignableRequest::new(method, uri, headers.into_iter(), SignableBody::Bytes(body))?;
    let (instructions, _) = sign(signable, &parameters)?.into_parts();
    instructions.apply_to_request_http1x(request);
    Ok(())
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get("date")?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|time| time.to_utc())
}

/// An error with its causes; some layers repeat what they wrap.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |error| error.source()) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_differ() {
        for tried in 1..100 {
            let doubled = FIRST_WAIT.saturating_mul(1 << (tried - 1).min(20)).min(LONGEST_WAIT);
            let waits: Vec<_> = (0..50).map(|_| wait(tried)).collect();
            assert!(waits.iter().all(|wait| *wait <= doubled && *wait >= doubled / 2));
            assert!(waits.iter().any(|wait| *wait != waits[0]));
        }
    }
}
