//! A stand-in for STS: AssumeRole with its conditions, AssumeRoleWithWebIdentity, and GetCallerIdentity.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A role that can be assumed.
#[derive(Debug, Clone, Default)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// Access key ids whose owners may assume it.
    pub callers: Vec<String>,
    /// The external id that it asks for.
    pub external_id: Option<String>,
    /// The serial number and the code of the MFA device that it asks for.
    pub mfa: Option<(String, String)>,
    /// Access key ids that its sessions get, one after the other; the last stays.
    pub keys: Vec<String>,
    /// Secret of all these.
    pub secret: String,
    /// How long a session lives.
    pub lives: Duration,
}

#[derive(Debug, Default)]
struct State {
    roles: Vec<Role>,
    /// Sessions begun, by role.
    begun: HashMap<String, usize>,
    /// Names of the sessions, in their order.
    sessions: Vec<String>,
}

/// A running server on 127.0.0.1. Signatures are not checked, only whose they are.
#[derive(Debug)]
pub struct StsServer {
    endpoint: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl StsServer {
    /// Serve roles on a free port, on the current tokio runtime. Every caller is in `account`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(account: &str, roles: Vec<Role>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Mutex::new(State { roles, ..State::default() }));
        let (shared, account) = (Arc::clone(&state), account.to_owned());
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (shared, account) = (Arc::clone(&shared), account.clone());
                tokio::spawn(async move {
                    let answer = service_fn(|request| answer(request, &shared, &account));
                    let _ =
                        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await;
                });
            }
        });
        Ok(Self { endpoint, state, task })
    }

    /// The URL that clients are given.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The names of the sessions that were begun.
    pub fn sessions(&self) -> Vec<String> {
        lock(&self.state).sessions.clone()
    }
}

impl Drop for StsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(request: Request<Incoming>, state: &Mutex<State>, account: &str) -> io::Result<Response<Full<Bytes>>> {
    let authorization =
        request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let caller =
        authorization.split_once("Credential=").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
    let caller = caller.to_owned();
    let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    let form: HashMap<String, String> = body
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect();
    let field = |name: &str| form.get(name).map(String::as_str);
    let (status, text) = match field("Action") {
        Some("GetCallerIdentity") => (
            StatusCode::OK,
            format!(
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                 <Arn>arn:aws:iam::{account}:user/analyst</Arn><UserId>AIDA</UserId><Account>{account}</Account>\
                 </GetCallerIdentityResult></GetCallerIdentityResponse>"
            ),
        ),
        _ => assume(&mut lock(state), &caller, account, &field),
    };
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    Ok(response)
}

fn assume<'a>(
    state: &mut State,
    caller: &str,
    account: &str,
    field: &dyn Fn(&str) -> Option<&'a str>,
) -> (StatusCode, String) {
    let arn = field("RoleArn").unwrap_or_default();
    let found = state.roles.iter().find(|role| {
        let web = field("Action") == Some("AssumeRoleWithWebIdentity") && field("WebIdentityToken").is_some();
        role.arn == arn
            && (web || role.callers.iter().any(|known| known == caller))
            && role.external_id.as_deref().is_none_or(|id| field("ExternalId") == Some(id))
            && role.mfa.as_ref().is_none_or(|(serial, code)| {
                (field("SerialNumber"), field("TokenCode")) == (Some(serial.as_str()), Some(code.as_str()))
            })
    });
    let Some(role) = found.cloned() else {
        let text = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>AccessDenied</Code><Message>User: arn:aws:iam::{account}:user/analyst is not authorized to perform: \
             sts:AssumeRole on resource: {arn}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
        );
        return (StatusCode::FORBIDDEN, text);
    };
    let begun = state.begun.entry(role.arn.clone()).or_default();
    let key = role.keys.get(*begun).or(role.keys.last()).cloned().unwrap_or_default();
    *begun += 1;
    state.sessions.push(field("RoleSessionName").unwrap_or_default().to_owned());
    let action = field("Action").unwrap_or_default();
    let expires = chrono::Utc::now() + role.lives;
    let text = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><AssumedRoleUser>\
         <Arn>{arn}/session</Arn><AssumedRoleId>AROA:session</AssumedRoleId></AssumedRoleUser><Credentials>\
         <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>token</SessionToken>\
         <Expiration>{}</Expiration></Credentials></{action}Result></{action}Response>",
        role.secret,
        expires.format("%Y-%m-%dT%H:%M:%SZ"),
    );
    (StatusCode::OK, text)
}

/// Undoes the encoding of forms.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
