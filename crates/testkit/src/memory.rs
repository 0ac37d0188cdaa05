//! Buckets in memory, versioned as an aggregation bucket is: for many objects, and for objects that change.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::StreamExt;
use s3s::dto::{
    CommonPrefix, ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input,
    ListObjectsV2Output, Metadata, Object, PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
};
use s3s::{Body, S3, S3Error, S3Request, S3Response, S3Result, s3_error};

/// Keys on a page, as S3 has it.
const PAGE: usize = 1000;

#[derive(Debug, Clone)]
struct Stored {
    bytes: Bytes,
    /// Number of the write, which makes ETag and version.
    write: u64,
    modified: SystemTime,
    metadata: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
enum Current {
    Object(Stored),
    /// The delete marker's version.
    Marker(u64),
}

type Bucket = BTreeMap<String, Current>;

/// Buckets by name. A bucket is there once something was put into it.
#[derive(Debug, Default)]
pub struct Memory {
    buckets: Mutex<BTreeMap<String, Bucket>>,
    writes: std::sync::atomic::AtomicU64,
}

impl Memory {
    /// Puts an object, in the place of any that was there.
    pub fn put(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        self.put_with(bucket, key, bytes, &[]);
    }

    /// Puts an object with user metadata.
    pub fn put_with(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>, metadata: &[(&str, &str)]) {
        let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let stored = Stored { bytes: bytes.into(), write: self.write(), modified: SystemTime::now(), metadata };
        self.buckets().entry(bucket.to_owned()).or_default().insert(key.to_owned(), Current::Object(stored));
    }

    /// Puts every file below a folder, under its path from there.
    ///
    /// # Errors
    /// When a folder or file cannot be read.
    pub fn put_folder(&self, bucket: &str, folder: &std::path::Path) -> std::io::Result<()> {
        let mut folders = vec![folder.to_path_buf()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(&next)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let key = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                self.put(bucket, &key, std::fs::read(&path)?);
            }
        }
        Ok(())
    }

    /// Deletes an object as versioned buckets do: a marker hides it.
    pub fn mark_deleted(&self, bucket: &str, key: &str) {
        let marker = Current::Marker(self.write());
        self.buckets().entry(bucket.to_owned()).or_default().insert(key.to_owned(), marker);
    }

    /// Deletes an object and all that was under its key.
    pub fn remove(&self, bucket: &str, key: &str) {
        self.buckets().entry(bucket.to_owned()).or_default().remove(key);
    }

    /// The keys of a bucket, in order, those under delete markers left out.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let buckets = self.buckets();
        let objects = buckets.get(bucket).into_iter().flatten();
        objects.filter(|(_, current)| matches!(current, Current::Object(_))).map(|(key, _)| key.clone()).collect()
    }

    fn write(&self) -> u64 {
        self.writes.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1
    }

    fn buckets(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, bucket: &str, key: &str) -> S3Result<Stored> {
        let buckets = self.buckets();
        let objects = buckets.get(bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        match objects.get(key) {
            Some(Current::Object(stored)) => Ok(stored.clone()),
            Some(Current::Marker(version)) => Err(hidden(*version)),
            None => Err(s3_error!(NoSuchKey)),
        }
    }

    fn list(&self, input: &ListObjectsV2Input) -> S3Result<Page> {
        let buckets = self.buckets();
        let objects = buckets.get(&input.bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let most = input.max_keys.and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE).min(PAGE);
        let mut page = Page::default();
        let mut from = match input.continuation_token.as_deref().or(input.start_after.as_deref()) {
            Some(after) if after >= prefix => Bound::Excluded(after.to_owned()),
            _ => Bound::Included(prefix.to_owned()),
        };
        'runs: loop {
            for (key, current) in objects.range::<str, _>((from.as_ref().map(String::as_str), Bound::Unbounded)) {
                let Some(rest) = key.strip_prefix(prefix) else { break 'runs };
                let Current::Object(stored) = current else { continue };
                if page.objects.len() + page.folders.len() == most {
                    page.next = Some(page.last.clone());
                    break 'runs;
                }
                let folder = input.delimiter.as_ref().and_then(|delimiter| rest.find(delimiter.as_str()));
                if let Some(at) = folder {
                    let folder = &key[..prefix.len() + at + 1];
                    // The first key that is not in the folder any more.
                    let past = format!("{}{}", &folder[..folder.len() - 1], char::from(b'/' + 1));
                    page.last = format!("{folder}{}", char::MAX);
                    page.folders.push(folder.to_owned());
                    from = Bound::Included(past);
                    continue 'runs;
                }
                page.last.clone_from(key);
                page.objects.push((key.clone(), stored.bytes.len(), stored.write, stored.modified));
            }
            break;
        }
        Ok(page)
    }
}

#[derive(Debug, Default)]
struct Page {
    objects: Vec<(String, usize, u64, SystemTime)>,
    folders: Vec<String>,
    last: String,
    next: Option<String>,
}

fn tag(write: u64) -> ETag {
    ETag::Strong(format!("{write:032x}"))
}

/// What S3 answers for an object under a delete marker.
fn hidden(version: u64) -> S3Error {
    let mut error = s3_error!(NoSuchKey);
    let mut headers = hyper::HeaderMap::new();
    headers.insert("x-amz-delete-marker", hyper::header::HeaderValue::from_static("true"));
    if let Ok(version) = hyper::header::HeaderValue::from_str(&format!("v{version}")) {
        headers.insert("x-amz-version-id", version);
    }
    error.set_headers(headers);
    error
}

fn second(time: SystemTime) -> Timestamp {
    let whole = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs());
    Timestamp::from(SystemTime::UNIX_EPOCH + Duration::from_secs(whole))
}

fn metadata(stored: &Stored) -> Option<Metadata> {
    (!stored.metadata.is_empty()).then(|| stored.metadata.iter().cloned().collect())
}

#[async_trait::async_trait]
impl S3 for crate::server::Buckets {
    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let page = self.0.list(&input)?;
        let contents = page.objects.into_iter().map(|(key, size, write, modified)| Object {
            key: Some(key),
            size: i64::try_from(size).ok(),
            e_tag: Some(tag(write)),
            last_modified: Some(second(modified)),
            ..Object::default()
        });
        let contents: Vec<_> = contents.collect();
        let folders: Vec<_> = page.folders.into_iter().map(|prefix| CommonPrefix { prefix: Some(prefix) }).collect();
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: i32::try_from(contents.len() + folders.len()).ok(),
            max_keys: Some(1000),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next,
            contents: Some(contents),
            common_prefixes: Some(folders),
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            start_after: input.start_after,
            continuation_token: input.continuation_token,
            ..ListObjectsV2Output::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let stored = self.0.find(&request.input.bucket, &request.input.key)?;
        if let Some(s3s::dto::ETagCondition::ETag(wanted)) = &request.input.if_match
            && *wanted != tag(stored.write)
        {
            return Err(s3_error!(PreconditionFailed));
        }
        Ok(S3Response::new(GetObjectOutput {
            content_length: i64::try_from(stored.bytes.len()).ok(),
            e_tag: Some(tag(stored.write)),
            last_modified: Some(second(stored.modified)),
            metadata: metadata(&stored),
            version_id: Some(format!("v{}", stored.write)),
            body: Some(StreamingBlob::from(Body::from(stored.bytes))),
            ..GetObjectOutput::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let PutObjectInput { bucket, key, body, .. } = request.input;
        if !self.0.buckets().contains_key(&bucket) {
            return Err(s3_error!(NoSuchBucket));
        }
        let mut bytes = Vec::new();
        if let Some(mut body) = body {
            while let Some(part) = body.next().await {
                bytes.extend_from_slice(&part.map_err(|_| s3_error!(IncompleteBody))?);
            }
        }
        self.0.put(&bucket, &key, bytes);
        let stored = self.0.find(&bucket, &key)?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(tag(stored.write)), ..PutObjectOutput::default() }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let stored = self.0.find(&request.input.bucket, &request.input.key)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: i64::try_from(stored.bytes.len()).ok(),
            e_tag: Some(tag(stored.write)),
            last_modified: Some(second(stored.modified)),
            metadata: metadata(&stored),
            version_id: Some(format!("v{}", stored.write)),
            ..HeadObjectOutput::default()
        }))
    }
}
