//! Why the bytes of an object gave no events.

/// What is wrong with one log file as a whole. A broken record inside a good file is not an error: see
/// [`crate::decode::BrokenRecord`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The gzip stream is damaged or cut.
    #[error("gzip stream is damaged: {0}")]
    Gzip(String),
    /// The Zstandard stream is damaged or cut.
    #[error("Zstandard stream is damaged: {0}")]
    Zstd(String),
    /// The inflated size passes the cap that guards against gzip bombs.
    #[error("inflates to more than {limit} bytes; raise the limit with --max-file-size if the file is genuine")]
    TooLarge {
        /// The cap, in bytes.
        limit: usize,
    },
    /// Not one JSON value could be read.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// Well-formed, but not CloudTrail events.
    #[error("not CloudTrail events: {0}")]
    NotCloudTrail(String),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;
