//! URLs as Java's `java.net.URI` understands them (RFC 2396 with Unicode), which is stricter than what browsers accept:
//! a character that should have been escaped makes the whole text no URL.

/// The parts of a URL, still escaped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Uri<'a> {
    pub(super) scheme: Option<&'a str>,
    /// Missing where the authority names no server (a host with an underscore, for one).
    pub(super) host: Option<&'a str>,
    pub(super) port: Option<u32>,
    /// Missing in opaque URLs such as `mailto:a@b`.
    pub(super) path: Option<&'a str>,
    pub(super) query: Option<&'a str>,
    pub(super) fragment: Option<&'a str>,
}

impl<'a> Uri<'a> {
    /// The parts of `text`, or `None` if it is no URL.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut uri = Uri::default();
        let (rest, fragment) = cut(text, '#');
        if let Some(fragment) = fragment {
            uri.fragment = Some(legal(fragment, Part::Uric)?);
        }
        let mut rest = rest;
        if let Some(end) = rest.find(['/', '?', ':'])
            && rest.as_bytes()[end] == b':'
        {
            let scheme = &rest[..end];
            let starts = scheme.bytes().next()?.is_ascii_alphabetic();
            if !starts || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) {
                return None;
            }
            uri.scheme = Some(scheme);
            rest = &rest[end + 1..];
            if !rest.starts_with('/') {
                legal(rest, Part::Uric)?;
                return (!rest.is_empty()).then_some(uri);
            }
        }
        if let Some(after) = rest.strip_prefix("//") {
            let end = after.find(['/', '?']).unwrap_or(after.len());
            if end == 0 && after.is_empty() {
                return None;
            }
            (uri.host, uri.port) = authority(&after[..end])?;
            rest = &after[end..];
        }
        let (path, query) = cut(rest, '?');
        uri.path = Some(legal(path, Part::Path)?);
        if let Some(query) = query {
            uri.query = Some(legal(query, Part::Uric)?);
        }
        Some(uri)
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

#[derive(Clone, Copy)]
enum Part {
    Path,
    /// Query, fragment and the rest of an opaque URL.
    Uric,
    Authority,
}

/// `text` if each of its characters may stand in `part`.
fn legal(text: &str, part: Part) -> Option<&str> {
    let bytes = text.as_bytes();
    let all = text.char_indices().all(|(at, c)| match c {
        '%' => super::escaped_byte(&bytes[at..]).is_some(),
        _ if !c.is_ascii() => !c.is_control() && !c.is_whitespace(),
        _ if c.is_ascii_alphanumeric() => true,
        '[' | ']' => !matches!(part, Part::Path),
        '/' | '?' => match part {
            Part::Path => c == '/',
            Part::Uric => true,
            Part::Authority => false,
        },
        _ => "_-!.~'()*;:@&=+$,".contains(c),
    });
    all.then_some(text)
}

/// Host and port, both missing where the authority is legal but names no server.
fn authority(text: &str) -> Option<(Option<&str>, Option<u32>)> {
    if text.is_empty() {
        return Some((None, None));
    }
    let server = text.rsplit_once('@').map_or(text, |(_, server)| server);
    if let Some(rest) = server.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        let without_zone = address.split('%').next().unwrap_or(address);
        without_zone.parse::<std::net::Ipv6Addr>().ok()?;
        let port = match after.strip_prefix(':') {
            Some(port) => port_number(port)?,
            None if after.is_empty() => None,
            None => return None,
        };
        return Some((Some(&server[..address.len() + 2]), port));
    }
    legal(text, Part::Authority)?;
    let (host, port) = cut(server, ':');
    let named = host.parse::<std::net::Ipv4Addr>().is_ok() || is_hostname(host);
    match port.map_or(Some(None), port_number) {
        Some(port) if named => Some((Some(host), port)),
        _ => Some((None, None)),
    }
}

fn port_number(digits: &str) -> Option<Option<u32>> {
    if digits.is_empty() {
        return Some(None);
    }
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<i32>().ok().and_then(|p| u32::try_from(p).ok()).map(Some)
}

fn is_hostname(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let label = |l: &str| {
        !l.is_empty()
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or(host);
    host.split('.').all(label) && last.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn all_parts() {
        let uri = Uri::parse("https://u:p@a.org:8443/x/y?k=v#top").unwrap();
        let all = Uri {
            scheme: Some("https"),
            host: Some("a.org"),
            port: Some(8443),
            path: Some("/x/y"),
            query: Some("k=v"),
            fragment: Some("top"),
        };
        assert_eq!(uri, all);
    }

    #[test]
    fn texts_that_are_no_url() {
        for text in ["http://a.org/^", "http://a b", "://x", "http:", "a%2", "http://", "1a:b"] {
            assert_eq!(Uri::parse(text), None, "{text}");
        }
    }

    #[test]
    fn hosts() {
        let host = |text| Uri::parse(text).unwrap().host;
        assert_eq!(host("http://[::1]:80/"), Some("[::1]"));
        assert_eq!(host("http://10.0.0.1"), Some("10.0.0.1"));
        assert_eq!(host("http://my_bucket.s3.amazonaws.com/"), None);
        assert_eq!(host("mailto:a@b.org"), None);
        assert_eq!(host("a/b"), None);
    }
}
