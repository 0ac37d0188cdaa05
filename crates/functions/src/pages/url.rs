//! Trino's page `url`.

mod uri;

use std::borrow::Cow;

use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use datafusion_common::Result;

use crate::columns::{Call, Scalar, Type, invalid, known};
use crate::{Doc, Functions};
use uri::Uri;

use Type::{Bigint, Varchar};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let by = Scalar::by;
    let scalars = vec![
        by("url_extract_protocol", &[(&[Varchar], Varchar)], protocol),
        by("url_extract_host", &[(&[Varchar], Varchar)], host),
        by("url_extract_port", &[(&[Varchar], Bigint)], port),
        by("url_extract_path", &[(&[Varchar], Varchar)], path),
        by("url_extract_query", &[(&[Varchar], Varchar)], query),
        by("url_extract_fragment", &[(&[Varchar], Varchar)], fragment),
        by("url_extract_parameter", &[(&[Varchar, Varchar], Varchar)], parameter),
        by("url_encode", &[(&[Varchar], Varchar)], encode),
        by("url_decode", &[(&[Varchar], Varchar)], decode),
    ];
    Functions { scalars: scalars.into_iter().map(Into::into).collect(), docs: DOCS, ..Functions::default() }
}

/// A part of every URL: NULL where the text is no URL, empty where the URL has no such part.
fn part(call: &Call, part: impl for<'a> Fn(Uri<'a>) -> Option<Cow<'a, str>>) -> Result<ArrayRef> {
    let url = call.text(0)?;
    call.texts(|i| {
        let uri = known!(Uri::parse(known!(url.get(i))));
        Ok(Some(part(uri).unwrap_or_default()))
    })
}

fn protocol(call: &Call) -> Result<ArrayRef> {
    part(call, |uri| uri.scheme.map(Cow::Borrowed))
}

fn host(call: &Call) -> Result<ArrayRef> {
    part(call, |uri| uri.host.map(Cow::Borrowed))
}

fn path(call: &Call) -> Result<ArrayRef> {
    part(call, |uri| uri.path.map(unescape))
}

fn query(call: &Call) -> Result<ArrayRef> {
    part(call, |uri| uri.query.map(Cow::Borrowed))
}

fn fragment(call: &Call) -> Result<ArrayRef> {
    part(call, |uri| uri.fragment.map(unescape))
}

fn port(call: &Call) -> Result<ArrayRef> {
    let url = call.text(0)?;
    call.numbers::<Int64Type>(|i| Ok(known!(Uri::parse(known!(url.get(i)))).port.map(i64::from)))
}

fn parameter(call: &Call) -> Result<ArrayRef> {
    let (url, name) = (call.text(0)?, call.text(1)?);
    call.texts(|i| {
        let (url, name) = (known!(url.get(i)), known!(name.get(i)));
        let query = known!(known!(Uri::parse(url)).query);
        // The first argument of the name counts, also where it has no value.
        Ok(query
            .split('&')
            .map(|arg| arg.split_once('=').unwrap_or((arg, "")))
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v))
    })
}

/// `%` and two hexadecimal digits as the byte they stand for.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], escaped_byte(&bytes[at..])) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn escaped_byte(bytes: &[u8]) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    Some((digit(*bytes.get(1)?)? * 16 + digit(*bytes.get(2)?)?) as u8)
}

fn encode(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.texts(|i| {
        let text = known!(text.get(i));
        let mut out = String::with_capacity(text.len());
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => out.push(char::from(byte)),
                b' ' => out.push('+'),
                _ => out.push_str(&format!("%{byte:02X}")),
            }
        }
        Ok(Some(out))
    })
}

fn decode(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.texts(|i| {
        let text = known!(text.get(i));
        let broken = text.match_indices('%').find(|(at, _)| escaped_byte(&text.as_bytes()[*at..]).is_none());
        if let Some((at, _)) = broken {
            return Err(invalid(format!(
                "url_decode: '%' at byte {} is not followed by two hexadecimal digits",
                at + 1
            )));
        }
        if text.contains('+') {
            return Ok(Some(Cow::Owned(unescape(&text.replace('+', " ")).into_owned())));
        }
        Ok(Some(unescape(text)))
    })
}

const DOCS: &[Doc] = &[
    doc("url_decode", "url_decode(varchar) -> varchar", "url_decode('a%2Fb+c') = 'a/b c'"),
    doc("url_encode", "url_encode(varchar) -> varchar", "url_encode('a/b c') = 'a%2Fb+c'"),
    doc(
        "url_extract_fragment",
        "url_extract_fragment(url) -> varchar",
        "url_extract_fragment('https://a.org/#top') = 'top'",
    ),
    doc("url_extract_host", "url_extract_host(url) -> varchar", "url_extract_host('https://a.org:8443/x') = 'a.org'"),
    doc(
        "url_extract_parameter",
        "url_extract_parameter(url, name) -> varchar",
        "url_extract_parameter('https://a.org/?k=v', 'k') = 'v'",
    ),
    doc("url_extract_path", "url_extract_path(url) -> varchar", "url_extract_path('https://a.org/x/y?k=v') = '/x/y'"),
    doc("url_extract_port", "url_extract_port(url) -> bigint", "url_extract_port('https://a.org:8443/x') = 8443"),
    doc(
        "url_extract_protocol",
        "url_extract_protocol(url) -> varchar",
        "url_extract_protocol('https://a.org') = 'https'",
    ),
    doc("url_extract_query", "url_extract_query(url) -> varchar", "url_extract_query('https://a.org/?k=v') = 'k=v'"),
];

const fn doc(name: &'static str, signature: &'static str, example: &'static str) -> Doc {
    Doc { name, page: "url", signature, example }
}
