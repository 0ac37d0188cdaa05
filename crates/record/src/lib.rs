//! What a CloudTrail record is.
pub mod schema;
