#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

//! What a CloudTrail record is.
//!
//! ```text
//! object's bytes ─inflate─▶ text ─tape─▶ values ─form─▶ records ─column─▶ chunk ─gather─▶ RecordBatch
//! ```
//!
//! [`decode::Decoder`] turns log files, in whatever form they come, into a [`chunk::Chunk`]: columns of views into the
//! files' text, nothing copied that can be pointed to. [`gather`] makes Arrow arrays of chosen events in a chosen order.
//! [`schema`] has CloudTrail Lake's columns, [`key`] the grammar of object keys, [`digest`] the files that sign log files.
//!
//! No input or output, no threads, no async, no DataFusion.

pub mod chunk;
mod column;
mod csv;
pub mod decode;
pub mod deviations;
pub mod digest;
pub mod error;
mod form;
pub mod gather;
pub mod inflate;
mod insight;
pub mod key;
mod rank;
pub mod schema;
pub mod shredded;
mod split;
mod tape;
pub mod timestamp;

pub use chunk::{Chunk, Identity, Origin};
pub use decode::{BrokenRecord, Content, Decoded, Decoder};
pub use deviations::Deviations;
pub use error::{Error, Result};
pub use rank::ranks;
pub use schema::EventCategory;
pub use shredded::{Shredded, shredded};
