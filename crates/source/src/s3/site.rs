//! Where a bucket's objects are on the network.
use crate::Addressing;

/// How to reach the buckets of a service.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// A service other than AWS; without a slash at its end.
    pub(crate) endpoint: Option<String>,
    pub(crate) addressing: Addressing,
    pub(crate) fips: bool,
    pub(crate) dual_stack: bool,
}

impl Site {
    /// The URL under which a bucket's keys begin, with a slash at its end.
    pub(crate) fn of(&self, bucket: &str, region: &str) -> String {
        let Some(endpoint) = &self.endpoint else {
            let service = if self.fips { "s3-fips" } else { "s3" };
            let stack = if self.dual_stack { ".dualstack" } else { "" };
            let host = format!("{service}{stack}.{region}.{}", domain(region));
            // A dot in the name breaks the certificate's wildcard.
            return if self.addressing == Addressing::Path || bucket.contains('.') {
                format!("https://{host}/{bucket}/")
            } else {
                format!("https://{bucket}.{host}/")
            };
        };
        match (self.addressing, endpoint.split_once("://")) {
            (Addressing::VirtualHost, Some((scheme, host))) => format!("{scheme}://{bucket}.{host}/"),
            _ => format!("{endpoint}/{bucket}/"),
        }
    }

    /// The service, for messages.
    pub(crate) fn name(&self) -> &str {
        self.endpoint.as_deref().unwrap_or("AWS")
    }
}

/// The domain of the partition in which a region lies.
pub(crate) fn domain(region: &str) -> &'static str {
    match region.split('-').next().unwrap_or_default() {
        "cn" => "amazonaws.com.cn",
        "eusc" => "amazonaws.eu",
        "us" if region.starts_with("us-isob-") => "sc2s.sgov.gov",
        "us" if region.starts_with("us-isof-") => "csp.hci.ic.gov",
        "us" if region.starts_with("us-iso-") => "c2s.ic.gov",
        _ => "amazonaws.com",
    }
}

/// Percent-encodes a key, or with `slash` a value in a query, as signatures demand it.
pub(crate) fn encode(text: &str, slash: bool) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte as char),
            b'/' if !slash => encoded.push('/'),
            _ => {
                encoded.push('%');
                encoded.push(DIGITS[usize::from(byte >> 4)] as char);
                encoded.push(DIGITS[usize::from(byte & 15)] as char);
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let aws = Site { endpoint: None, addressing: Addressing::Automatic, fips: false, dual_stack: false };
        assert_eq!(aws.of("logs", "eu-west-1"), "https://logs.s3.eu-west-1.amazonaws.com/");
        assert_eq!(aws.of("my.logs", "cn-north-1"), "https://s3.cn-north-1.amazonaws.com.cn/my.logs/");
        let both = Site { fips: true, dual_stack: true, addressing: Addressing::Path, ..aws };
        assert_eq!(both.of("logs", "us-gov-west-1"), "https://s3-fips.dualstack.us-gov-west-1.amazonaws.com/logs/");
        let own = Site { endpoint: Some("http://127.0.0.1:9000".to_owned()), ..both };
        assert_eq!(own.of("logs", "us-east-1"), "http://127.0.0.1:9000/logs/");
        let hosts = Site { addressing: Addressing::VirtualHost, ..own };
        assert_eq!(hosts.of("logs", "us-east-1"), "http://logs.127.0.0.1:9000/");
    }

    #[test]
    fn keys_are_encoded_byte_by_byte() {
        assert_eq!(encode("a b//c+é=%/~", false), "a%20b//c%2B%C3%A9%3D%25/~");
        assert_eq!(encode("a/b", true), "a%2Fb");
    }
}
