//! CloudTrail's public keys, by which its digests are verified: ListPublicKeys of one region.
use crate::credentials::{Loaded, load, variable};
use crate::s3::{causes, domain};
use crate::{Error, Options, Result};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};
use std::time::{Duration, SystemTime};

/// The operation, as the JSON protocol of AWS names it.
const TARGET: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.ListPublicKeys";
const CONTENT: &str = "application/x-amz-json-1.1";
/// Pages that are asked for; a page has the keys of years.
const PAGES: usize = 100;
/// How often a page is asked for, and the first wait between two tries, which doubles.
const TRIES: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Silence after which an answer is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was answered, or why not and whether another try may help.
type Answered = std::result::Result<String, (String, bool)>;

/// The answers of ListPublicKeys in a region, as JSON, for keys valid at some time between two (UTC milliseconds).
///
/// # Errors
/// [`Error::PublicKeys`], with what to do instead.
pub async fn list_public_keys(region: &str, from: i64, until: i64, options: &Options) -> Result<Vec<String>> {
    let failed = |detail: String| Error::PublicKeys { region: region.to_owned(), detail };
    let Loaded { config, provider } = Box::pin(load(options)).await;
    let own = variable("AWS_ENDPOINT_URL_CLOUDTRAIL").or_else(|| variable("AWS_ENDPOINT_URL"));
    let url = match own.or_else(|| config.endpoint_url().map(ToOwned::to_owned)) {
        Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
        // Credentials for another service are not shown to AWS.
        None if options.endpoint.is_some() || variable("AWS_ENDPOINT_URL_S3").is_some() => {
            return Err(failed("the bucket is not on AWS, and no endpoint for CloudTrail is given".to_owned()));
        }
        None => format!("https://cloudtrail.{region}.{}/", domain(region)),
    };
    let provider = provider.ok_or_else(|| failed("requests are not signed".to_owned()))?;
    let keys = provider.provide_credentials().await.map_err(|error| failed(causes(&error)))?;
    let client = ClientOptions::new().with_allow_http(url.starts_with("http:")).with_timeout(PATIENCE);
    let http = ReqwestConnector::default().connect(&client).map_err(|error| failed(error.to_string()))?;
    let mut answers = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..PAGES {
        let seconds = |millis: i64| millis.div_euclid(1000);
        let mut body = serde_json::json!({ "StartTime": seconds(from), "EndTime": seconds(until) });
        if let Some(token) = &token {
            body["NextToken"] = token.as_str().into();
        }
        let answer = page(&http, &url, region, &keys, &body.to_string()).await.map_err(failed)?;
        let document: serde_json::Value = serde_json::from_str(&answer).map_err(|error| failed(error.to_string()))?;
        token = document.get("NextToken").and_then(|token| token.as_str()).map(ToOwned::to_owned);
        answers.push(answer);
        if token.is_none() {
            break;
        }
    }
    Ok(answers)
}

async fn page(http: &HttpClient, url: &str, region: &str, keys: &Credentials, body: &str) -> Result<String, String> {
    let mut tried = 0;
    loop {
        match once(http, url, region, keys, body).await {
            Ok(answer) => return Ok(answer),
            Err((_, true)) if tried + 1 < TRIES => {
                tokio::time::sleep(FIRST_WAIT * 2_u32.pow(tried)).await;
                tried += 1;
            }
            Err((detail, _)) => return Err(detail),
        }
    }
}

async fn once(http: &HttpClient, url: &str, region: &str, keys: &Credentials, body: &str) -> Answered {
    let fatal = |error: &dyn std::fmt::Display| (error.to_string(), false);
    let headers = [("content-type", CONTENT), ("x-amz-target", TARGET)];
    let builder = http::Request::builder().method(http::Method::POST).uri(url);
    let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    let mut request: HttpRequest =
        builder.body(HttpRequestBody::from(body.to_owned().into_bytes())).map_err(|error| fatal(&error))?;
    let identity = keys.clone().into();
    let parameters = SigningParams::builder().identity(&identity).region(region).name("cloudtrail");
    let parameters = parameters.time(SystemTime::now()).settings(SigningSettings::default()).build();
    let parameters = parameters.map_err(|error| fatal(&error))?.into();
    let signable = SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()));
    let (instructions, _) =
        sign(signable.map_err(|error| fatal(&error))?, &parameters).map_err(|error| fatal(&error))?.into_parts();
    instructions.apply_to_request_http1x(&mut request);
    let response = http.execute(request).await.map_err(|error| (causes(&error), true))?;
    let status = response.status();
    let answer = response.into_body().bytes().await.map_err(|error| (causes(&error), true))?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    if status.is_success() {
        return Ok(answer);
    }
    let document: serde_json::Value = serde_json::from_str(&answer).unwrap_or_default();
    let text = |name: &str| document.get(name).and_then(|text| text.as_str()).unwrap_or_default().to_owned();
    let kind = text("__type");
    let kind = kind.rsplit('#').next().unwrap_or_default();
    let slow = kind.starts_with("Throttl") || status.as_u16() == 429;
    let said = [text("message"), text("Message")].concat();
    let denied = if kind.starts_with("AccessDenied") { "; allow cloudtrail:ListPublicKeys to the caller" } else { "" };
    Err((format!("{status} {kind}: {said}{denied}"), slow || status.is_server_error()))
}
