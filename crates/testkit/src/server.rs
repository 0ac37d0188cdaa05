//! The server: s3s over a folder or over memory, signatures checked, with [`Faults`] between it and the network.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderValue, TRANSFER_ENCODING};
use hyper::service::{Service, service_fn};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::faults::{Class, Fault, Faults, Seen};
use crate::memory::Memory;

type Body = UnsyncBoxBody<Bytes, io::Error>;

const ACCESS_KEY: &str = "AKIATESTKITEXAMPLE00";
const SECRET_KEY: &str = "testkit/secret/EXAMPLEKEY";
/// Other access keys with the same secret, for credentials that change.
const OTHER_KEYS: [&str; 3] = ["AKIATESTKITEXAMPLE01", "AKIATESTKITEXAMPLE02", "AKIATESTKITEXAMPLE03"];

/// Buckets in memory, as a service.
#[derive(Debug)]
pub(crate) struct Buckets(pub(crate) Arc<Memory>);

/// A running server on 127.0.0.1. Buckets are the folders directly below the one it serves, objects the files in them.
/// Requests must be signed (signature version 4, any Region). Dropping it closes the port and all connections.
#[derive(Debug)]
pub struct S3Server {
    endpoint: String,
    faults: Arc<Faults>,
    task: JoinHandle<()>,
}

impl S3Server {
    /// Serve `folder` on a free port, on the current tokio runtime.
    ///
    /// # Errors
    /// When the folder cannot be opened or no port is free.
    pub async fn start(folder: &Path) -> io::Result<Self> {
        let files = s3s_fs::FileSystem::new(folder)
            .map_err(|e| io::Error::other(format!("cannot serve {}: {e:?}", folder.display())))?;
        Self::serve(S3ServiceBuilder::new(files)).await
    }

    /// Serve buckets in memory on a free port, on the current tokio runtime.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start_in_memory(memory: Arc<Memory>) -> io::Result<Self> {
        Self::serve(S3ServiceBuilder::new(Buckets(memory))).await
    }

    async fn serve(mut service: S3ServiceBuilder) -> io::Result<Self> {
        let mut keys = s3s::auth::SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY);
        for key in OTHER_KEYS {
            keys.register(key.to_owned(), SECRET_KEY.into());
        }
        service.set_auth(keys);
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let faults = Arc::new(Faults::default());
        let task = tokio::spawn(accept(listener, service, faults.clone()));
        Ok(Self { endpoint, faults, task })
    }

    /// The URL that clients are given, for instance `http://127.0.0.1:40123`; buckets follow as the first part of the path.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The access key id that is accepted.
    pub fn access_key(&self) -> &'static str {
        ACCESS_KEY
    }

    /// Access keys that are accepted too, with the same secret.
    pub fn other_access_keys(&self) -> [&'static str; 3] {
        OTHER_KEYS
    }

    /// The secret of all access keys.
    pub fn secret_key(&self) -> &'static str {
        SECRET_KEY
    }

    /// What is to go wrong, and how many requests have come.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, service: S3Service, faults: Arc<Faults>) {
    // Connections live in this set: when the task is aborted, they are too.
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let (service, faults) = (service.clone(), faults.clone());
        connections.spawn(async move {
            let answer = service_fn(move |request| answer(request, service.clone(), faults.clone()));
            // A connection that a fault has closed ends in an error, as it should.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await;
        });
    }
}

fn class(request: &Request<Incoming>) -> Class {
    let has_key = request.uri().path().trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty());
    match *request.method() {
        Method::GET if has_key => Class::Get,
        Method::GET if request.uri().query().is_some_and(|q| q.contains("list-type=2")) => Class::List,
        Method::HEAD if has_key => Class::Head,
        _ => Class::Other,
    }
}

/// Counts a request as under way until it is dropped.
struct Active<'a>(&'a Faults);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.done();
    }
}

async fn answer(request: Request<Incoming>, service: S3Service, faults: Arc<Faults>) -> io::Result<Response<Body>> {
    let class = class(&request);
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let authorization = header("authorization");
    let scope =
        authorization.split_once("Credential=").and_then(|(_, rest)| rest.split(',').next()).unwrap_or_default();
    let now = chrono::Utc::now();
    let signed = chrono::NaiveDateTime::parse_from_str(header("x-amz-date"), "%Y%m%dT%H%M%SZ");
    let verdict = faults.take(&Seen {
        class,
        uri: &request.uri().to_string(),
        scope,
        ahead: signed.map_or(0, |signed| (signed.and_utc() - now).num_seconds()),
        pays: !header("x-amz-request-payer").is_empty(),
    });
    let active = Active(&faults);
    if !verdict.latency.is_zero() {
        tokio::time::sleep(verdict.latency).await;
    }
    let answered = fault(verdict.fault, class, request, service).await;
    drop(active);
    let mut response = answered?;
    if let Some(region) = verdict.region.and_then(|region| HeaderValue::from_str(&region).ok()) {
        response.headers_mut().insert("x-amz-bucket-region", region);
    }
    let told = (now + chrono::TimeDelta::seconds(verdict.clock)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::from_str(&told) {
        response.headers_mut().insert(DATE, date);
    }
    Ok(response)
}

async fn fault(
    fault: Option<Fault>,
    class: Class,
    request: Request<Incoming>,
    service: S3Service,
) -> io::Result<Response<Body>> {
    match fault {
        Some(Fault::SlowDown) => {
            return Ok(refusal(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate."));
        }
        Some(Fault::AccessDenied) => {
            return Ok(refusal(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied"));
        }
        Some(Fault::Refuse(status, code, message)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return Ok(refusal(status, code, message));
        }
        Some(Fault::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
        Some(Fault::Stall(time)) => tokio::time::sleep(time).await,
        Some(Fault::Truncate | Fault::Short | Fault::StallBody(_)) | None => {}
    }
    let broken = |e: &dyn std::fmt::Debug| io::Error::other(format!("{e:?}"));
    let response = Service::call(&service, request).await.map_err(|e| broken(&e))?;
    let (mut head, body) = response.into_parts();
    let mut bytes = BodyExt::collect(body).await.map_err(|e| broken(&e))?.to_bytes();
    if fault == Some(Fault::Short) {
        bytes.truncate(bytes.len() / 2);
    }
    if class != Class::Head {
        head.headers.remove(TRANSFER_ENCODING);
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    let body = match fault {
        Some(Fault::Truncate) => halves(&bytes, None),
        Some(Fault::StallBody(time)) => halves(&bytes, Some(time)),
        _ => whole(bytes),
    };
    Ok(Response::from_parts(head, body))
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = Response::new(whole(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// Half of `bytes`, then the rest after `pause`, or a closed connection.
fn halves(bytes: &Bytes, pause: Option<Duration>) -> Body {
    let (first, rest) = (bytes.slice(..bytes.len() / 2), bytes.slice(bytes.len() / 2..));
    let rest = futures::stream::once(async move {
        // A moment in any case, so that the first half is on its way before the connection closes.
        tokio::time::sleep(pause.unwrap_or(Duration::from_millis(20))).await;
        if pause.is_some() { Ok(Frame::data(rest)) } else { Err(io::ErrorKind::ConnectionAborted.into()) }
    });
    let first = futures::stream::once(async move { Ok(Frame::data(first)) });
    StreamBody::new(first.chain(rest)).boxed_unsync()
}
