//! The pipeline: where log files lie, what is in them, the store.
//!
//! ```text
//! list ──▶ groups of files ──▶ fetch (tokio) ──▶ decode (rayon) ──▶ chunks ──▶ commit (rayon, one at a time)
//!   │ └ ledger: known files drop out here                             └ as many as the memory budget allows
//!   └▶ bundles are unpacked on a thread of their own ──▶ groups of members with their bytes
//! ```
//!
//! One coordinator owns all state: it starts no work that the budget has no room for, and begins a commit when what is decoded
//! has grown to its share. Nothing else waits for memory, so nothing can wait for itself.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod bundle;
mod coordinator;
mod error;
mod group;
mod listing;
mod plan;
mod progress;
mod summary;

pub use coordinator::{Options, default_memory, run};
pub use error::{Error, Result};
pub use plan::{Part, Plan, plan};
pub use progress::Progress;
pub use summary::{Problem, Problems, Summary};
