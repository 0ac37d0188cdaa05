//! Why a server does not start, or stops.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Errors of the server itself; what goes wrong with a call is answered to the caller.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] cloudtarn_store::Error),
    /// The query session can't be made.
    #[error(transparent)]
    Query(#[from] cloudtarn_query::Error),
    /// The address can't be bound.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// An address that others can reach, and no principals to tell them apart.
    #[error(
        "{0} can be reached from other machines: without --config, which says who may call, only loopback is served"
    )]
    NotLoopback(SocketAddr),
    /// The configuration file is not as it should be.
    #[error("configuration `{path}`: {reason}")]
    Configuration {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Threads could not be started, or a folder not made.
    #[error("{action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A defect of this program, or no randomness.
    #[error("{0}")]
    Internal(String),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;
