//! One log file, before it is opened.
use crate::layout::Place;
use bytes::Bytes;
use cloudtarn_record::key::{Day, FileName, Kind, region_name};

/// A log file as a listing finds it. What its name and folders do not say is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogObject {
    /// `s3://bucket/key`, `file:///absolute/path`, `stdin`; of a bundle's member `<bundle's address>!/<name>`. Nothing is
    /// escaped.
    pub uri: String,
    /// Changes when the content does: an S3 ETag without its quotes, `<size>-<mtime in ns>` of a file,
    /// `<crc32>-<size>` of a local zip's entry, XXH3-128 of the bytes of another bundle's member.
    pub version: String,
    /// How many bytes reading yields: as stored, still compressed if it is a `.gz`; of a zip's entry when unpacked.
    pub size: u64,
    /// What the file holds; `None` when nothing tells, which then takes a look inside.
    pub kind: Option<Kind>,
    /// Day of delivery.
    pub day: Option<Day>,
    /// The organization whose trail delivered it.
    pub organization: Option<String>,
    /// The account whose events it holds, by its name; some copies name another account than their records.
    pub account: Option<String>,
    /// The region that delivered it, as AWS spells it. Global services' events lie in files of several regions.
    pub region: Option<String>,
}

/// A file as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Its bytes.
    pub bytes: Bytes,
    /// Name and value of its object's user metadata, without the `x-amz-meta-` before the names.
    pub metadata: Vec<(String, String)>,
}

impl LogObject {
    /// Describes a file by its path, from a bucket's or file system's root.
    pub(crate) fn describe(uri: String, path: &str, version: String, size: u64) -> Self {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        Self::within(&Place::of(folder), file, uri, version, size)
    }

    /// Describes a file of a folder whose place is known.
    pub(crate) fn within(place: &Place, file: &str, uri: String, version: String, size: u64) -> Self {
        let name = FileName::parse(file);
        Self {
            uri,
            version,
            size,
            kind: place.kind.or(name.map(|name| name.kind)),
            day: place.day.or(name.map(|name| name.time.day)),
            organization: place.organization.clone(),
            account: place.account.clone().or_else(|| name.map(|name| name.account.to_owned())),
            region: place.region.clone().or_else(|| name.map(|name| region_name(name.region).into_owned())),
        }
    }
}
