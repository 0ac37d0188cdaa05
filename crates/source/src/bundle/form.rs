//! What a file is, by how it begins.
use super::tar;
use cloudtarn_record::inflate::Compression;
use std::io::{self, Read};

/// Bytes that are looked at.
pub(super) const HEAD: usize = 1 << 16;
/// How often bundles may be compressed.
const LAYERS: usize = 3;

/// What to do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Tar,
    Zip,
    /// Something compressed, and a bundle is inside.
    Compressed(Compression),
    /// A single log file, compressed or not, as far as can be told.
    File,
    /// A bundle that cannot be read; what to do about it.
    Refused(&'static str),
}

impl Form {
    pub(super) fn of(head: &[u8]) -> Self {
        Self::of_layer(head, LAYERS)
    }

    fn of_layer(head: &[u8], layers: usize) -> Self {
        let begins = |magic: &[u8]| head.starts_with(magic);
        if let Some(compression) = Compression::of(head) {
            let mut inner = Vec::new();
            // The head is cut, so that an error is no surprise.
            let _ = decoder(compression, head).map(|decoder| decoder.take(HEAD as u64).read_to_end(&mut inner));
            return match layers.checked_sub(1).map(|layers| Self::of_layer(&inner, layers)) {
                None | Some(Self::File) => Self::File,
                Some(_) => Self::Compressed(compression),
            };
        }
        if begins(b"PK\x03\x04") || begins(b"PK\x05\x06") {
            Self::Zip
        } else if begins(b"PK\x07\x08") {
            Self::Refused("a zip archive in several files; join them first (zip -s 0)")
        } else if begins(b"\xfd7zXZ\0") {
            Self::Refused("compressed with xz; unpack it first (xz -d), it can be piped in")
        } else if begins(b"BZh") {
            Self::Refused("compressed with bzip2; unpack it first (bzip2 -d), it can be piped in")
        } else if begins(b"7z\xbc\xaf\x27\x1c") || begins(b"Rar!\x1a\x07") {
            Self::Refused("a 7-Zip or RAR archive; unpack it and give the folder instead")
        } else if tar::is_header(head) || head.get(..512).is_some_and(|block| block == [0; 512]) {
            Self::Tar
        } else {
            Self::File
        }
    }
}

/// Inflates as a stream: all members and frames.
pub(super) fn decoder<'a>(compression: Compression, input: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match compression {
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(input)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(input)?),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn first_bytes() {
        let mut tar = tar::tests::archive(&[("a.json", b"{}")]);
        tar.resize(200_000, 0);
        let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
        let (gz, zst) = (Form::Compressed(Compression::Gzip), Form::Compressed(Compression::Zstd));
        for (bytes, form) in [
            (tar.clone(), Form::Tar),
            (vec![0; 1024], Form::Tar),
            (gzip(&tar), gz),
            (zstd(&tar), zst),
            (gzip(&zstd(&tar)), gz),
            (gzip(b"PK\x03\x04"), gz),
            (b"PK\x05\x06".to_vec(), Form::Zip),
            (gzip(b"{}"), Form::File),
            (gzip(&gzip(b"{}")), Form::File),
            (gzip(&gzip(&gzip(&gzip(&gzip(&tar))))), Form::File),
            (zstd(b"{}"), Form::File),
            (b"{\"Records\":[]}".to_vec(), Form::File),
            (b"\x1f\x8b\x08 no gzip".to_vec(), Form::File),
            (vec![], Form::File),
        ] {
            assert_eq!(Form::of(&bytes), form, "{:?}", &bytes[..bytes.len().min(20)]);
        }
        for refused in [&b"BZh91"[..], b"\xfd7zXZ\0", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"PK\x07\x08"] {
            assert!(matches!(Form::of(refused), Form::Refused(_)));
        }
        assert_eq!(Form::of(&gzip(b"BZh91")), gz);
    }
}
