//! Answers that refuse: a code of the service model (or one that every AWS service has) and a text.

use axum::http::StatusCode;

/// Why a call was refused, as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Name of the exception: `QueryIdNotFoundException`.
    pub(crate) code: String,
    /// What was wrong, and what would be right.
    pub(crate) message: String,
    pub(crate) status: StatusCode,
}

/// The result of an operation.
pub(crate) type Answer<T> = Result<T, Fault>;

impl Fault {
    /// A modelled exception: HTTP 400, as the service answers all of its own.
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: StatusCode::BAD_REQUEST }
    }

    pub(crate) fn with_status(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    pub(crate) fn denied(arn: &str, action: &str, resource: &str, why: &str) -> Self {
        let message =
            format!("User: {arn} is not authorized to perform: {action} on resource: {resource} because {why}");
        Self::new("AccessDeniedException", message)
    }

    pub(crate) fn store_not_found(name: &str) -> Self {
        Self::new("EventDataStoreNotFoundException", format!("The event data store '{name}' was not found."))
    }

    pub(crate) fn token() -> Self {
        Self::new(
            "InvalidNextTokenException",
            "The token is not valid, or was given for a request with other parameters.",
        )
    }
}

impl From<cloudtarn_store::Error> for Fault {
    /// What goes wrong on this side of the wire is told in the log, not to the caller, save that it is this side.
    fn from(error: cloudtarn_store::Error) -> Self {
        tracing::error!(%error, "the store failed");
        match error {
            cloudtarn_store::Error::Busy(_) => {
                Self::new("ConflictException", "The store is being written by another process; try again in a while.")
            }
            _ => Self::internal(),
        }
    }
}

impl Fault {
    /// The one answer with a status of 500, for defects and failing disks.
    pub(crate) fn internal() -> Self {
        let text = "The server could not read or write its store; its log says why.";
        Self::with_status(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", text)
    }
}
