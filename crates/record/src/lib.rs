//! What a CloudTrail record is.
pub mod key;
pub mod schema;
