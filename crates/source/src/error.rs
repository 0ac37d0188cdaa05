//! What can go wrong between a location's name and a file's bytes.
use std::path::PathBuf;

/// An error of this crate. Every message names the place, what was tried there, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is neither a folder, a file, nor an `s3://` address.
    #[error("`{location}` cannot be a source of logs: {reason}")]
    Location {
        /// As given.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing at the location.
    #[error(
        "nothing lies under `{uri}`; give an existing folder, file or key prefix (a whole folder name, not its beginning)"
    )]
    Empty {
        /// The location.
        uri: String,
    },
    /// The local file system refused.
    #[error("cannot {doing} `{}`: {source}", path.display())]
    Io {
        /// What was tried: `list`, `read`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A name that is not UTF-8 cannot be recorded in the ledger.
    #[error("the name of `{}` is not UTF-8; rename it to have it read", path.display())]
    NotUtf8 {
        /// The file or folder.
        path: PathBuf,
    },
    /// A symbolic link to a folder that holds, or is held by, folders that are read anyway.
    #[error("`{}` is a link to `{}`, which contains folders that are read anyway; not followed", path.display(), target.display())]
    OverlappingLink {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A bundle, or a member of one, that cannot be read.
    #[error("cannot read `{uri}`: {reason}")]
    Archive {
        /// The archive or its entry.
        uri: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// A member of a bundle, or what is piped in, is larger than allowed.
    #[error(
        "`{uri}` is larger than {limit} bytes when unpacked; raise the limit with --max-file-size if it is genuine"
    )]
    EntryTooLarge {
        /// The entry.
        uri: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The credentials are valid and not allowed to do this.
    #[error("access denied to {doing} `{uri}`: it takes {action}; look at {policy} (AWS said: {detail})")]
    AccessDenied {
        /// What was tried: `list`, `read`.
        doing: &'static str,
        /// The prefix or object.
        uri: String,
        /// The IAM action, and on which resource.
        action: String,
        /// Which policies may lack or deny it.
        policy: String,
        /// The service's own words.
        detail: String,
    },
    /// There is no such bucket.
    #[error("there is no bucket `{bucket}` at {endpoint}; check its name, and the endpoint if it is not on AWS")]
    NoSuchBucket {
        /// The name.
        bucket: String,
        /// Which service was asked.
        endpoint: String,
    },
    /// No credentials, or such that the service does not accept.
    #[error(
        "no usable AWS credentials for bucket `{bucket}`: {detail}; name a profile with --profile or AWS_PROFILE (after \
         `aws sso login` for SSO), set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or read a public bucket with --no-sign-request"
    )]
    Credentials {
        /// The bucket that was to be read.
        bucket: String,
        /// Why not; never a secret.
        detail: String,
    },
    /// This machine's clock is too far from the service's.
    #[error("bucket `{bucket}` refuses this machine's time; set the clock ({detail})")]
    Clock {
        /// The bucket.
        bucket: String,
        /// The service's own words.
        detail: String,
    },
    /// Nobody answered, or not to the end, however often it was tried.
    #[error(
        "cannot {doing} `{uri}`: {service} does not answer ({detail}); check network, DNS, proxy and endpoint, and run again"
    )]
    Unreached {
        /// What was tried: `list`, `read`.
        doing: &'static str,
        /// The prefix or object.
        uri: String,
        /// Which service was asked.
        service: String,
        /// What happened at the last try.
        detail: String,
    },
    /// The bucket lives elsewhere.
    #[error("bucket `{bucket}` is not in region `{region}`; give the bucket's region in AWS_REGION ({detail})")]
    WrongRegion {
        /// The bucket.
        bucket: String,
        /// The region that was asked.
        region: String,
        /// The service's own words.
        detail: String,
    },
    /// The object is gone since it was listed.
    #[error("`{uri}` is not there any more; list again")]
    NotFound {
        /// The object.
        uri: String,
    },
    /// The object was replaced since it was listed.
    #[error("`{uri}` changed since it was listed (version {listed}, now {found}); list again")]
    Changed {
        /// The object.
        uri: String,
        /// Version as listed.
        listed: String,
        /// Version met.
        found: String,
    },
    /// The object is in an archive storage class.
    #[error("`{uri}` is archived in Glacier and must be restored (s3:RestoreObject) before it can be read")]
    Frozen {
        /// The object.
        uri: String,
    },
    /// Anything else that the object store answers.
    #[error("cannot {doing} `{uri}`: {detail}")]
    Store {
        /// What was tried: `list`, `read`, `open`.
        doing: &'static str,
        /// The prefix or object.
        uri: String,
        /// The store's own words.
        detail: String,
    },
    /// CloudTrail's public keys could not be had.
    #[error(
        "cannot fetch CloudTrail's public keys of region `{region}`: {detail}; save them with `aws cloudtrail \
         list-public-keys --region {region}` and give the file with --keys"
    )]
    PublicKeys {
        /// The region that was asked.
        region: String,
        /// Why not.
        detail: String,
    },
    /// A background task ended early.
    #[error("reading `{uri}` was interrupted; the program is shutting down")]
    Interrupted {
        /// The object.
        uri: String,
    },
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
