//! Signature version 4: is a request signed by who it says, and of now?
//!
//! AWS General Reference, "Signature Version 4 signing process"; services other than S3 sign the path normalized and
//! encoded twice, which for the two paths that there are here is the path itself.

use axum::http::{HeaderMap, Method, Uri};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::fault::Fault;

/// How far the clock of a client may be off, as for AWS.
const SKEW: TimeDelta = TimeDelta::minutes(5);
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What the `Authorization` header says, before any of it is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) access_key_id: String,
    date: String,
    pub(crate) region: String,
    pub(crate) service: String,
    signed: Vec<String>,
    signature: String,
}

/// The parts of a request that are signed.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidSignatureException", message)
}

fn incomplete(message: impl Into<String>) -> Fault {
    Fault::new("IncompleteSignatureException", message)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl Authorization {
    /// Reads the header; `None` if there is none.
    ///
    /// # Errors
    /// `IncompleteSignatureException` if it is not of the form that AWS documents.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Option<Self>, Fault> {
        if !headers.contains_key("authorization") {
            return Ok(None);
        }
        let mut all = headers.get_all("authorization").iter();
        let (Some(Ok(text)), None) = (all.next().map(|value| value.to_str()), all.next()) else {
            return Err(incomplete("There is more than one Authorization header, or it is not text."));
        };
        let Some(rest) = text.strip_prefix(ALGORITHM) else {
            return Err(incomplete(format!("Authorization header requires the algorithm {ALGORITHM}.")));
        };
        let part = |name: &str| {
            let found = rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
            found.ok_or_else(|| incomplete(format!("Authorization header requires '{name}' parameter.")))
        };
        let scope: Vec<&str> = part("Credential")?.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = scope.as_slice() else {
            return Err(incomplete("Credential must be KEY/DATE/REGION/SERVICE/aws4_request."));
        };
        let signed = part("SignedHeaders")?.split(';').map(str::to_owned).collect();
        let own = |text: &&str| (*text).to_owned();
        Ok(Some(Self {
            access_key_id: own(access_key_id),
            date: own(date),
            region: own(region),
            service: own(service),
            signed,
            signature: part("Signature")?.to_owned(),
        }))
    }

    /// Proves the request against the secret of the access key.
    ///
    /// # Errors
    /// `InvalidSignatureException` if the signature is another, or the time too far from `now`.
    pub(crate) fn verify(&self, request: &Request<'_>, secret: &str, now: DateTime<Utc>) -> Result<(), Fault> {
        if !matches!(self.service.as_str(), "cloudtrail" | "cloudtrail-data") {
            return Err(invalid("Credential should be scoped to correct service: 'cloudtrail'."));
        }
        let stamp =
            header(request.headers, "x-amz-date").ok_or_else(|| incomplete("The request has no X-Amz-Date header."))?;
        let time = NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%M%SZ")
            .map_err(|_| incomplete("X-Amz-Date must be in the form 20260131T235959Z."))?
            .and_utc();
        if !stamp.starts_with(&self.date) || self.date.len() != 8 {
            return Err(invalid(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.",
            ));
        }
        let at = |time: DateTime<Utc>| time.format("%Y%m%dT%H%M%SZ").to_string();
        if time < now - SKEW {
            return Err(invalid(format!(
                "Signature expired: {stamp} is now earlier than {} ({} - 5 min.)",
                at(now - SKEW),
                at(now)
            )));
        }
        if time > now + SKEW {
            return Err(invalid(format!(
                "Signature not yet current: {stamp} is still later than {} ({} + 5 min.)",
                at(now + SKEW),
                at(now)
            )));
        }
        for needed in ["host", "x-amz-date"] {
            if !self.signed.iter().any(|name| name == needed) {
                return Err(invalid(format!("'{needed}' must be a 'SignedHeader' in the AWS Authorization.")));
            }
        }
        // What says which operation is meant, and who calls, must not be changeable.
        for named in ["x-amz-target", "x-amz-security-token"] {
            if request.headers.contains_key(named) && !self.signed.iter().any(|name| name == named) {
                return Err(invalid(format!("'{named}' must be a 'SignedHeader' in the AWS Authorization.")));
            }
        }
        let payload = hex::encode(Sha256::digest(request.body));
        if header(request.headers, "x-amz-content-sha256").is_some_and(|told| told != payload) {
            return Err(invalid("X-Amz-Content-SHA256 is not the hash of the body."));
        }
        let canonical = self.canonical(request, &payload)?;
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let text = format!("{ALGORITHM}\n{stamp}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [self.date.as_str(), &self.region, &self.service, "aws4_request"] {
            key = mac(&key, part)?.finalize().into_bytes().to_vec();
        }
        let given = hex::decode(&self.signature).unwrap_or_default();
        mac(&key, &text)?.verify_slice(&given).map_err(|_| {
            invalid("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.")
        })
    }

    fn canonical(&self, request: &Request<'_>, payload: &str) -> Result<String, Fault> {
        let mut query: Vec<(&str, &str)> = request
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .collect();
        query.sort_unstable();
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut headers = String::new();
        for name in &self.signed {
            let values: Option<Vec<String>> = request
                .headers
                .get_all(name)
                .iter()
                .map(|value| Some(value.to_str().ok()?.split_whitespace().collect::<Vec<_>>().join(" ")))
                .collect();
            let values = values.filter(|values| !values.is_empty());
            let values = values.ok_or_else(|| invalid(format!("The signed header '{name}' is not in the request.")))?;
            headers.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        let path = request.uri.path();
        Ok(format!("{}\n{path}\n{}\n{headers}\n{}\n{payload}", request.method, query.join("&"), self.signed.join(";")))
    }
}

fn mac(key: &[u8], text: &str) -> Result<Hmac<Sha256>, Fault> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Fault::internal())?;
    mac.update(text.as_bytes());
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request as botocore 1.44 signed it.
    fn signed() -> (HeaderMap, Uri) {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "127.0.0.1:8473"),
            ("x-amz-date", "20260131T120000Z"),
            ("x-amz-target", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.ListEventDataStores"),
            ("content-type", "application/x-amz-json-1.1"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260131/us-east-1/cloudtrail/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=8763be83afecd146bc09364736a5d6d10b15e8b4fb80f925ad96611ad160e9ae",
            ),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        (headers, Uri::from_static("/"))
    }

    fn verify(headers: &HeaderMap, body: &[u8], secret: &str, now: &str) -> Result<(), Fault> {
        let now = DateTime::parse_from_rfc3339(now).unwrap().to_utc();
        let authorization = Authorization::read(headers)?.unwrap();
        let uri = Uri::from_static("/");
        authorization.verify(&Request { method: &Method::POST, uri: &uri, headers, body }, secret, now)
    }

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    #[test]
    fn a_request_signed_by_botocore_verifies_and_no_other() {
        let (headers, _) = signed();
        assert_eq!(verify(&headers, b"{}", SECRET, "2026-01-31T12:04:00Z"), Ok(()));
        for (body, secret, now) in [
            (&b"{ }"[..], SECRET, "2026-01-31T12:00:00Z"),
            (b"{}", "another", "2026-01-31T12:00:00Z"),
            (b"{}", SECRET, "2026-01-31T12:05:01Z"),
            (b"{}", SECRET, "2026-01-31T11:54:59Z"),
        ] {
            assert_eq!(verify(&headers, body, secret, now).unwrap_err().code, "InvalidSignatureException");
        }
        let mut other = headers.clone();
        other.insert("x-amz-target", "CloudTrail_20131101.DeleteEventDataStore".parse().unwrap());
        assert!(verify(&other, b"{}", SECRET, "2026-01-31T12:00:00Z").is_err());
        let mut replayed = headers;
        replayed.insert("x-amz-date", "20260201T120000Z".parse().unwrap());
        assert!(verify(&replayed, b"{}", SECRET, "2026-02-01T12:00:00Z").is_err());
    }

    #[test]
    fn headers_of_another_form_are_incomplete() {
        for text in
            ["", "Bearer x", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0"]
        {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", text.parse().unwrap());
            assert_eq!(Authorization::read(&headers).unwrap_err().code, "IncompleteSignatureException", "{text}");
        }
        assert_eq!(Authorization::read(&HeaderMap::new()), Ok(None));
    }
}
