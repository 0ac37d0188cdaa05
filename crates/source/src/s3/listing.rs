//! What S3 answers to ListObjectsV2, and its errors.
//!
//! Keys are taken as they are: empty path segments, dots and blanks are names like others.
use chrono::{DateTime, Utc};
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

/// One page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) objects: Vec<Object>,
    /// Whole prefixes, with the slash at their end.
    pub(crate) folders: Vec<String>,
    /// Where the next page begins; `None` on the last.
    pub(crate) next: Option<String>,
}

/// An object on a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) version: String,
    pub(crate) size: u64,
}

/// An answer that is an error.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
    /// Where the bucket is, if the error says so.
    pub(crate) region: Option<String>,
}

/// What a document with status 200 holds: S3 begins some answers before it knows that they fail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Document {
    Page(Page),
    Refusal(Refusal),
}

/// The ETag without its quotes; stores that tell none have at least a size and a time.
pub(crate) fn version(tag: Option<&str>, size: u64, modified: Option<DateTime<Utc>>) -> String {
    match tag.map(|tag| tag.trim_start_matches("W/").trim_matches('"')).filter(|tag| !tag.is_empty()) {
        Some(tag) => tag.to_owned(),
        None => format!("{size}-{}", modified.map_or(0, |time| time.timestamp_micros())),
    }
}

/// Reads a whole document; one that is cut short is an error.
pub(crate) fn read(body: &[u8]) -> Result<Document, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    let mut at: Vec<String> = Vec::new();
    let mut root = None;
    let mut value = String::new();
    let (mut page, mut refusal) = (Page::default(), Refusal::default());
    let (mut truncated, mut next) = (false, None);
    let mut object = Object::default();
    let (mut tag, mut modified): (Option<String>, Option<DateTime<Utc>>) = (None, None);
    loop {
        match reader.read_event().map_err(|error| format!("the answer is not XML: {error}"))? {
            Event::Start(start) => {
                at.push(String::from_utf8_lossy(start.local_name().as_ref()).into_owned());
                root.get_or_insert_with(|| at[0].clone());
                value.clear();
            }
            Event::Text(part) => value.push_str(&part.decode().map_err(|error| error.to_string())?),
            Event::CData(part) => value.push_str(&part.decode().map_err(|error| error.to_string())?),
            Event::GeneralRef(reference) => value.push(character(&reference)?),
            Event::End(_) => {
                let content = std::mem::take(&mut value);
                let inner = at.last().map(String::as_str).unwrap_or_default();
                match (at.len(), at.get(1).map(String::as_str).unwrap_or_default(), inner) {
                    (3, "Contents", "Key") => object.key = content,
                    (3, "Contents", "ETag") => tag = Some(content),
                    (3, "Contents", "Size") => {
                        object.size = content.trim().parse().map_err(|_| format!("a size of `{content}`"))?;
                    }
                    (3, "Contents", "LastModified") => {
                        modified = DateTime::parse_from_rfc3339(content.trim()).ok().map(|time| time.to_utc());
                    }
                    (2, "Contents", _) => {
                        object.version = version(tag.take().as_deref(), object.size, modified.take());
                        page.objects.push(std::mem::take(&mut object));
                    }
                    (3, "CommonPrefixes", "Prefix") => page.folders.push(content),
                    (2, "IsTruncated", _) => truncated = content.trim() == "true",
                    (2, "NextContinuationToken", _) => next = Some(content),
                    (2, "Code", _) => refusal.code = content,
                    (2, "Message", _) => refusal.message = content,
                    (2, "Region", _) => refusal.region = Some(content),
                    _ => {}
                }
                at.pop();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    match (at.is_empty(), root.as_deref()) {
        (true, Some("ListBucketResult")) => {
            page.next = next.filter(|_| truncated);
            if truncated && page.next.is_none() {
                return Err("the listing goes on, but does not say where".to_owned());
            }
            Ok(Document::Page(page))
        }
        (true, Some("Error")) => Ok(Document::Refusal(refusal)),
        (true, other) => Err(format!("the answer is a `{}`", other.unwrap_or("nothing"))),
        (false, _) => Err("the answer is cut short".to_owned()),
    }
}

fn character(reference: &BytesRef<'_>) -> Result<char, String> {
    if let Some(found) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(found);
    }
    match &**reference {
        b"lt" => Ok('<'),
        b"gt" => Ok('>'),
        b"amp" => Ok('&'),
        b"apos" => Ok('\''),
        b"quot" => Ok('"'),
        _ => Err("the answer has an unknown entity".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const PAGE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>logs</Name><Prefix>a/</Prefix>
<IsTruncated>true</IsTruncated><NextContinuationToken>1ue/==</NextContinuationToken>
<Contents><Key>a//b &amp;&#x2F;c.gz</Key><LastModified>2026-03-01T00:00:01.000Z</LastModified>
<ETag>&quot;0f&quot;</ETag><Size>12</Size><Owner><Key>no</Key></Owner></Contents>
<Contents><Key>plain</Key><LastModified>2026-03-01T00:00:01.000Z</LastModified><Size>3</Size></Contents>
<CommonPrefixes><Prefix>a/2026/</Prefix></CommonPrefixes></ListBucketResult>"#;

    #[test]
    fn reads_pages() {
        let Document::Page(page) = read(PAGE.as_bytes()).unwrap() else { panic!("a page") };
        assert_eq!(page.next.as_deref(), Some("1ue/=="));
        assert_eq!(page.folders, ["a/2026/"]);
        assert_eq!(page.objects[0], Object { key: "a//b &/c.gz".to_owned(), version: "0f".to_owned(), size: 12 });
        assert_eq!(page.objects[1].version, "3-1772323201000000");
    }

    #[test]
    fn reads_errors_with_any_status() {
        let error = "<Error><Code>SlowDown</Code><Message>less, please</Message><Region>eu-west-1</Region></Error>";
        let Document::Refusal(refusal) = read(error.as_bytes()).unwrap() else { panic!("an error") };
        assert_eq!((refusal.code.as_str(), refusal.message.as_str()), ("SlowDown", "less, please"));
        assert_eq!(refusal.region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn what_is_no_whole_page_is_an_error() {
        for text in ["", "<ListBucketResult>", "<html></html>", "not xml < at all"] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>").is_err());
        assert!(read(b"\xff\xfe").is_err());
    }

    proptest! {
        #[test]
        fn a_page_that_is_cut_is_never_taken_for_whole(at in 0..PAGE.len()) {
            let cut = PAGE.get(..at).unwrap_or_default();
            prop_assert!(read(cut.as_bytes()).is_err());
        }

        #[test]
        fn arbitrary_answers_never_panic(text in "(<|>|&|;|/|Contents|Size|#x|[0-9]|.){0,60}") {
            let _ = read(text.as_bytes());
        }
    }
}
