//! Log files in S3, and in stores that speak its protocol.
use crate::credentials::{Chain, NoCredentials, load};
use crate::walk::{Entry, Level, Tree};
use crate::{Error, LogObject, Options, Result};
use aws_config::SdkConfig;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use object_store::aws::{AmazonS3Builder, resolve_bucket_region};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig};
use std::sync::Arc;
use std::time::Duration;

/// The scheme of objects' addresses.
pub(crate) const SCHEME: &str = "s3://";
/// How long to ask AWS where a bucket is before trusting the configured region.
const RESOLVE: Duration = Duration::from_secs(3);

/// A bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    store: Arc<dyn ObjectStore>,
    name: String,
    endpoint: String,
    region: String,
    width: usize,
}

/// Splits `s3://bucket/prefix` (`s3a://` too).
pub(crate) fn split(location: &str) -> Option<(&str, &str)> {
    let rest = location.strip_prefix(SCHEME).or_else(|| location.strip_prefix("s3a://"))?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    Some((bucket, prefix.trim_matches('/')))
}

impl Bucket {
    /// Finds credentials, endpoint and region; asks nothing of the bucket itself.
    pub(crate) async fn open(name: &str, options: &Options) -> Result<Self> {
        let config = load(options).await;
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let endpoint = options
            .endpoint
            .clone()
            .or_else(|| variable("AWS_ENDPOINT_URL_S3"))
            .or_else(|| config.endpoint_url().map(ToOwned::to_owned));
        let region = region(name, options, &config, endpoint.is_some()).await?;
        let client = ClientOptions::new()
            .with_allow_http(endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http:")));
        let retry = RetryConfig { max_retries: options.max_retries, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_region(&region)
            .with_client_options(client)
            .with_retry(retry)
            .with_request_payer(options.request_payer);
        if let Some(endpoint) = &endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        }
        builder = match (&options.keys, config.credentials_provider()) {
            _ if options.unsigned => builder.with_skip_signature(true),
            (Some(keys), _) => {
                let builder = builder.with_access_key_id(&keys.id).with_secret_access_key(&keys.secret);
                keys.token.iter().fold(builder, AmazonS3Builder::with_token)
            }
            (None, Some(provider)) => builder.with_credentials(Arc::new(Chain::new(provider))),
            (None, None) => builder,
        };
        let uri = format!("{SCHEME}{name}");
        let store = builder.build().map_err(|source| Error::Store { doing: "open", uri, source })?;
        let endpoint = endpoint.unwrap_or_else(|| "AWS".to_owned());
        Ok(Self { store: Arc::new(store), name: name.to_owned(), endpoint, region, width: options.listings })
    }

    /// A bucket by another client of the same interface.
    pub(crate) fn of_store(store: Arc<dyn ObjectStore>, name: &str, options: &Options) -> Self {
        let (endpoint, region) = ("the given store".to_owned(), "its own".to_owned());
        Self { store, name: name.to_owned(), endpoint, region, width: options.listings }
    }

    /// Reads an object, if it still is the one that was listed.
    pub(crate) async fn read(&self, object: &LogObject) -> Result<Bytes> {
        let key = split(&object.uri).filter(|(bucket, _)| *bucket == self.name).map(|(_, key)| key);
        let key = key.ok_or_else(|| Error::Location {
            location: object.uri.clone(),
            reason: format!("it is not in bucket `{}`", self.name),
        })?;
        let found = self.store.get(&path(key)?).await.map_err(|error| self.explain("read", key, error))?;
        let version = version(&found.meta);
        if version != object.version && !same_age(&object.version, &found.meta) {
            let (uri, listed) = (object.uri.clone(), object.version.clone());
            return Err(Error::Changed { uri, listed, found: version });
        }
        found.bytes().await.map_err(|error| self.explain("read", key, error))
    }

    /// Writes an object.
    pub(crate) async fn write(&self, key: &str, bytes: Bytes) -> Result<()> {
        let written = self.store.put(&path(key)?, bytes.into()).await;
        written.map(|_| ()).map_err(|error| self.explain("write", key, error))
    }

    /// Says what to do about an error of the store.
    fn explain(&self, doing: &'static str, key: &str, error: object_store::Error) -> Error {
        let uri = self.uri(key);
        let bucket = self.name.clone();
        if let object_store::Error::Generic { source, .. } = &error
            && let Some(missing) = source.downcast_ref::<NoCredentials>()
        {
            return Error::Credentials { bucket, detail: missing.to_string() };
        }
        let text = causes(&error);
        let detail = answer(&text);
        // Of a refused listing the client only tells the status in its text.
        let denied = matches!(error, object_store::Error::PermissionDenied { .. }) || text.contains("403 Forbidden");
        let missing = matches!(error, object_store::Error::NotFound { .. }) || text.contains("404 Not Found");
        match tag(&text, "Code").unwrap_or_default() {
            "NoSuchBucket" => Error::NoSuchBucket { bucket, endpoint: self.endpoint.clone() },
            "InvalidObjectState" => Error::Frozen { uri },
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "RequestTimeTooSkewed" => Error::Credentials { bucket, detail },
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
                Error::WrongRegion { bucket, region: self.region.clone(), detail }
            }
            _ if text.contains("redirect without LOCATION") => {
                Error::WrongRegion { bucket, region: self.region.clone(), detail }
            }
            _ if denied => {
                let action = match doing {
                    "list" => format!("s3:ListBucket on arn:aws:s3:::{bucket}"),
                    "write" => format!("s3:PutObject on arn:aws:s3:::{bucket}/*"),
                    _ if text.contains("kms:") => "kms:Decrypt on the key that the message names".to_owned(),
                    _ => format!("s3:GetObject on arn:aws:s3:::{bucket}/* (and kms:Decrypt on the bucket's key)"),
                };
                Error::AccessDenied { doing, uri, action, detail }
            }
            _ if missing && doing == "list" => Error::NoSuchBucket { bucket, endpoint: self.endpoint.clone() },
            _ if missing => Error::NotFound { uri },
            _ => Error::Store { doing, uri, source: error },
        }
    }
}

/// The region asked for, else the bucket's own as AWS tells, else the configured one.
async fn region(bucket: &str, options: &Options, config: &SdkConfig, elsewhere: bool) -> Result<String> {
    let configured = config.region().map(|region| region.as_ref().to_owned());
    if let Some(region) = &options.region {
        return Ok(region.clone());
    }
    if elsewhere {
        return Ok(configured.unwrap_or_else(|| "us-east-1".to_owned()));
    }
    let client = ClientOptions::new();
    match (tokio::time::timeout(RESOLVE, resolve_bucket_region(bucket, &client)).await, configured) {
        (Ok(Ok(region)), _) | (_, Some(region)) => Ok(region),
        (Ok(Err(error)), None) if causes(&error).contains("not found") => {
            Err(Error::NoSuchBucket { bucket: bucket.to_owned(), endpoint: "AWS".to_owned() })
        }
        (answer, None) => {
            let detail = match answer {
                Ok(Err(error)) => causes(&error),
                _ => "AWS did not say in time where the bucket is".to_owned(),
            };
            Err(Error::WrongRegion { bucket: bucket.to_owned(), region: "none".to_owned(), detail })
        }
    }
}

fn path(key: &str) -> Result<Path> {
    Path::parse(key).map_err(|error| Error::Location { location: key.to_owned(), reason: error.to_string() })
}

/// The ETag without its quotes; stores without ETags have at least a time and a size.
fn version(meta: &ObjectMeta) -> String {
    match &meta.e_tag {
        Some(tag) => tag.trim_matches('"').to_owned(),
        None => format!("{}-{}", meta.size, meta.last_modified.timestamp_micros()),
    }
}

/// For servers that tell no ETags when they list: the same size, and the same time to the second, as a GET tells it.
fn same_age(listed: &str, found: &ObjectMeta) -> bool {
    let Some((size, micros)) = listed.split_once('-') else { return false };
    let seconds = micros.parse::<i64>().map(|micros| micros.div_euclid(1_000_000));
    size.parse() == Ok(found.size) && seconds == Ok(found.last_modified.timestamp())
}

/// A file, unless it only marks a folder for consoles that show folders.
fn entry(meta: &ObjectMeta) -> Option<Entry> {
    let name = meta.location.filename().unwrap_or_default();
    let marker = meta.size == 0 && (!name.contains('.') || name.ends_with("_$folder$"));
    (!marker).then(|| Entry { path: meta.location.to_string(), version: version(meta), size: meta.size })
}

/// An error with its causes; some layers repeat what they wrap.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |error| error.source()) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// The content of an XML element in an answer of S3.
fn tag<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(content, _)| content)
}

/// What S3 said, without the parts of its answer that repeat the request.
fn answer(text: &str) -> String {
    let parts = ["Code", "Message", "Region", "Endpoint"].map(|name| tag(text, name));
    let said: Vec<_> = parts.into_iter().flatten().collect();
    if said.is_empty() { text.lines().next().unwrap_or_default().to_owned() } else { said.join(", ") }
}

impl Tree for Bucket {
    async fn single(&self, key: &str) -> Result<Option<Vec<Result<Entry>>>> {
        // Only a name with a dot is worth a request; who may not ask learns from the listing.
        if !key.rsplit('/').next().is_some_and(|name| name.contains('.')) {
            return Ok(None);
        }
        let found = self.store.head(&path(key)?).await.ok();
        Ok(found.and_then(|meta| entry(&meta)).map(|entry| vec![Ok(entry)]))
    }

    async fn level(&self, folder: &str) -> Result<Level> {
        let prefix = path(folder)?;
        let listed = self.store.list_with_delimiter(Some(&prefix)).await;
        let listed = listed.map_err(|error| self.explain("list", folder, error))?;
        let mut folders: Vec<_> =
            listed.common_prefixes.iter().filter_map(|path| path.filename().map(ToOwned::to_owned)).collect();
        folders.sort_unstable();
        Ok(Level { folders, files: listed.objects.iter().filter_map(entry).map(Ok).collect() })
    }

    /// One listing without folders, a page at a time.
    fn below(self: Arc<Self>, folder: String) -> BoxStream<'static, Result<Entry>> {
        let prefix = match path(&folder) {
            Ok(prefix) => prefix,
            Err(error) => return futures::stream::iter([Err(error)]).boxed(),
        };
        self.store
            .list(Some(&prefix))
            .filter_map(move |meta| {
                let file = match meta {
                    Ok(meta) => entry(&meta).map(Ok),
                    Err(error) => Some(Err(self.explain("list", &folder, error))),
                };
                std::future::ready(file)
            })
            .boxed()
    }

    fn uri(&self, path: &str) -> String {
        format!("{SCHEME}{}/{path}", self.name)
    }

    fn width(&self) -> usize {
        self.width
    }
}

#[cfg(test)]
mod tests;
