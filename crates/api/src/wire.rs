//! HTTP: from a request to a call, from an answer to a response.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use chrono::Utc;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value, json};

use crate::audit::Attempt;
use crate::call::{Call, Reply};
use crate::fault::{Answer, Fault};
use crate::model;
use crate::principal::Principal;
use crate::service::Service;
use crate::sigv4::{self, Authorization};

/// Bytes of a body that are read: PutAuditEvents takes a megabyte of events, and JSON escapes make it more.
const MAX_BODY: usize = 4 << 20;
/// Time for a body to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
const JSON: &str = "application/x-amz-json-1.1";
/// Region of calls that are not signed.
const REGION: &str = "us-east-1";

/// The two paths that there are: all of `cloudtrail` is at the root, `cloudtrail-data` has a path an operation.
pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/", post(root))
        .route("/PutAuditEvents", post(put_audit_events))
        .fallback(nowhere)
        .with_state(service)
}

async fn nowhere(request: Request) -> Response {
    let message = format!("There is no {} {} here.", request.method(), request.uri().path());
    let fault = Fault::with_status(StatusCode::NOT_FOUND, "UnknownOperationException", message);
    respond(&uuid::Uuid::new_v4().to_string(), Err(fault))
}

async fn root(State(service): State<Arc<Service>>, request: Request) -> Response {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    handle(&service, request, operation, false).await
}

async fn put_audit_events(State(service): State<Arc<Service>>, request: Request) -> Response {
    handle(&service, request, "PutAuditEvents".to_owned(), true).await
}

async fn handle(service: &Arc<Service>, request: Request, operation: String, data: bool) -> Response {
    let id = uuid::Uuid::new_v4().to_string();
    let (parts, body) = request.into_parts();
    let text =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut attempt = Attempt {
        id: id.clone(),
        operation: operation.clone(),
        data,
        time: Utc::now(),
        source_ip: source_ip(&parts),
        user_agent: text("user-agent").chars().take(1024).collect(),
        region: REGION.to_owned(),
        caller: None,
        access_key_id: None,
        input: Map::new(),
    };
    let answer = attempted(service, &parts, body, &mut attempt).await;
    service.audit(&attempt, &answer);
    respond(&id, answer)
}

fn source_ip(parts: &Parts) -> IpAddr {
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    address.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
}

async fn attempted(service: &Arc<Service>, parts: &Parts, body: Body, attempt: &mut Attempt) -> Answer<Reply> {
    let body = read(body).await?;
    let caller = authenticate(service, parts, &body, attempt)?;
    attempt.caller = Some(Arc::clone(&caller));
    let (models, unknown) = if attempt.data {
        (model::data(), "UnsupportedOperationException")
    } else {
        (model::cloudtrail(), "UnknownOperationException")
    };
    let model = models.ok_or_else(Fault::internal)?;
    let operation = model
        .operation(&attempt.operation)
        .ok_or_else(|| Fault::new(unknown, "X-Amz-Target names no operation of CloudTrail."))?;
    let input = input(parts, &body, attempt.data)?;
    // What was asked is in the audit log even where it breaks the model.
    attempt.input = input.as_object().cloned().unwrap_or_default();
    let input = model.check(operation, input)?;
    attempt.input.clone_from(&input);
    let call = Call {
        operation: attempt.operation.clone(),
        input,
        caller,
        region: attempt.region.clone(),
        id: attempt.id.clone(),
        source_ip: attempt.source_ip,
        user_agent: attempt.user_agent.clone(),
        time: attempt.time,
    };
    let answer = service.answer(&call, operation).await;
    answer.map_err(|fault| fitting(fault, operation))
}

/// A code of ours that the operation does not have becomes one that it has.
fn fitting(mut fault: Fault, operation: &model::Operation) -> Fault {
    let instead = match fault.code.as_str() {
        "InvalidParameterException" => "ValidationException",
        "ConflictException" | "InvalidNextTokenException" => {
            if operation.has("InvalidParameterException") {
                "InvalidParameterException"
            } else if operation.has("InvalidTokenException") {
                "InvalidTokenException"
            } else {
                "ValidationException"
            }
        }
        _ => return fault,
    };
    if !operation.has(&fault.code) {
        fault.code = instead.to_owned();
    }
    fault
}

async fn read(body: Body) -> Answer<Bytes> {
    match tokio::time::timeout(BODY_TIME, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("The request is larger than {MAX_BODY} bytes.");
            Err(Fault::with_status(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException", message))
        }
        Ok(Err(_)) => Err(Fault::new("SerializationException", "The body ended early.")),
        Err(_) => {
            let message = "The body did not arrive in time.";
            Err(Fault::with_status(StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", message))
        }
    }
}

/// Who calls.
fn authenticate(service: &Service, parts: &Parts, body: &[u8], attempt: &mut Attempt) -> Answer<Arc<Principal>> {
    let authorization = Authorization::read(&parts.headers)?;
    if let Some(authorization) = &authorization {
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if authorization.region.is_empty()
            || authorization.region.len() > 32
            || !authorization.region.chars().all(known)
        {
            return Err(Fault::new("IncompleteSignatureException", "Credential must name a region."));
        }
        attempt.region.clone_from(&authorization.region);
        attempt.access_key_id = Some(authorization.access_key_id.chars().take(128).collect());
    }
    let principals = service.principals();
    if let Some(local) = principals.unsigned() {
        // Who is on this machine may call; pages in a browser on this machine may not.
        if !is_local_host(parts) || parts.headers.contains_key(header::ORIGIN) {
            let message = "Without principals only programs on this machine are answered, at a loopback address.";
            return Err(Fault::with_status(StatusCode::FORBIDDEN, "AccessDeniedException", message));
        }
        return Ok(local);
    }
    let missing = || Fault::new("MissingAuthenticationTokenException", "Missing Authentication Token");
    let authorization = authorization.ok_or_else(missing)?;
    let unknown =
        || Fault::new("UnrecognizedClientException", "The security token included in the request is invalid.");
    let principal = principals.find(&authorization.access_key_id).ok_or_else(unknown)?;
    let request = sigv4::Request { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body };
    authorization.verify(&request, principal.secret(), attempt.time)?;
    let token = parts.headers.get("x-amz-security-token").map(|value| value.to_str().unwrap_or_default());
    if !principal.has_token(token) {
        return Err(unknown());
    }
    Ok(principal)
}

/// A name that another could have made point here is none of this machine's.
fn is_local_host(parts: &Parts) -> bool {
    let host = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let host = host.strip_prefix('[').map_or_else(
        || host.rsplit_once(':').map_or(host, |(name, _)| name),
        |rest| rest.split(']').next().unwrap_or_default(),
    );
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn input(parts: &Parts, body: &[u8], data: bool) -> Answer<Value> {
    let mut input: Value = if body.is_empty() {
        json!({})
    } else {
        let broken =
            |error: serde_json::Error| Fault::new("SerializationException", format!("The body is not JSON: {error}"));
        serde_json::from_slice(body).map_err(broken)?
    };
    if data && let Value::Object(members) = &mut input {
        for part in parts.uri.query().unwrap_or_default().split('&') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if matches!(name, "channelArn" | "externalId") {
                members.insert(name.to_owned(), Value::String(unescape(value)));
            }
        }
    }
    Ok(input)
}

/// Percent escapes as their bytes; what is not UTF-8 then becomes U+FFFD.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| *first == b'%').and_then(|two| hex::decode(two).ok());
        match escaped {
            Some(byte) => {
                bytes.extend(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn respond(id: &str, answer: Answer<Reply>) -> Response {
    let (status, code, text) = match answer {
        Ok(Reply::Json(value)) => (StatusCode::OK, None, value.to_string()),
        Ok(Reply::Text(text)) => (StatusCode::OK, None, text),
        Err(fault) => {
            let body = json!({"__type": fault.code, "message": fault.message});
            (fault.status, Some(fault.code), body.to_string())
        }
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-amzn-requestid", id);
    }
    if let Some(Ok(code)) = code.map(|code| HeaderValue::from_str(&code)) {
        headers.insert("x-amzn-errortype", code);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(host: &str) -> Parts {
        axum::http::Request::builder().header("host", host).body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_names_of_this_machine_are_local() {
        for host in ["127.0.0.1:8473", "localhost:8473", "localhost", "[::1]:8473", "127.1.2.3"] {
            assert!(is_local_host(&parts(host)), "{host}");
        }
        for host in ["evil.example:8473", "10.0.0.1", "127.0.0.1.evil.example", "[::2]:1", "", ":8473"] {
            assert!(!is_local_host(&parts(host)), "{host}");
        }
    }

    #[test]
    fn escapes_are_bytes() {
        assert_eq!(unescape("arn%3Aaws%3a1"), "arn:aws:1");
        assert_eq!(unescape("%"), "%");
        assert_eq!(unescape("%zz%4"), "%zz%4");
        assert_eq!(unescape("%ff"), "\u{fffd}");
    }
}
