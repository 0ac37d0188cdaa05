//! What ends an ingest before its time. A single bad file does not: see [`crate::Summary`].

/// Errors of a whole run; what was committed before stays.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] cloudtarn_store::Error),
    /// The threads could not be started.
    #[error("starting {threads} threads: {source}")]
    Threads {
        /// How many.
        threads: usize,
        /// Why not.
        source: rayon::ThreadPoolBuildError,
    },
    /// A part of the pipeline ended without an answer: a defect of this program.
    #[error("the pipeline's {0} ended early; please report this")]
    Ended(&'static str),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;
