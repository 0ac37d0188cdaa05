//! What ends a verification before its time. A file that cannot be read does not: it is a finding.

/// Errors of a whole run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] cloudtarn_store::Error),
    /// A part of the source could not be listed, so that nothing can be said of what is missing in it.
    #[error(transparent)]
    Source(#[from] cloudtarn_source::Error),
    /// The findings could not be written.
    #[error("cannot write the findings: {0}")]
    Output(#[from] std::io::Error),
    /// The source holds nothing that CloudTrail delivers.
    #[error("no CloudTrail log files or digests in `{0}`; name the folder or prefix that AWSLogs/ lies in")]
    Nothing(String),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;
